//! Runs the tools of the repository, from its root.

use std::path::PathBuf;
use std::process::Command;

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ is in the repository").to_owned()
}

/// `cargo` with these arguments, without settings of this shell that would change what it generates.
pub fn cargo(args: &[&str]) -> Command {
    let mut cargo = command("cargo", args);
    for variable in ["TOLLGATE_SET", "TOLLGATE_REQUIRE", "INSTA_UPDATE", "TOLLGATE_RENEW"] {
        cargo.env_remove(variable);
    }
    cargo
}

pub fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// Runs a command that has to succeed.
pub fn run(command: &mut Command) -> Result<(), String> {
    match exit_code(command)? {
        0 => Ok(()),
        code => Err(format!("`{}` failed with exit code {code}", line(command))),
    }
}

/// Runs a command; 128 if a signal ended it.
pub fn exit_code(command: &mut Command) -> Result<i32, String> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    Ok(status.code().unwrap_or(128))
}

pub fn not_started(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` did not start: {error}", line(command))
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command() {
        assert_eq!(
            run(&mut command("false", &["now"])),
            Err("`false now` failed with exit code 1".to_owned())
        );
        let missing = run(&mut command("no-such-tool", &[])).unwrap_err();
        assert!(missing.starts_with("`no-such-tool` did not start: "), "{missing}");
    }
}
