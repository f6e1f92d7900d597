//! Runs the tools of the repository, from its root.

use std::path::PathBuf;
use std::process::Command;

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ is in the repository").to_owned()
}

/// `cargo` with these arguments, without variables that would change its output or trigger a rebuild: ring's build
/// script depends on variables that cargo sets for xtask.
pub fn cargo(args: &[&str]) -> Command {
    let mut cargo = command("cargo", args);
    let disturbing = ["CARGO_PKG_", "CARGO_MANIFEST_", "INSTA_", "TOLLGATE_"];
    for (name, _) in std::env::vars_os() {
        if disturbing.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo
}

pub fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// Runs a command that must succeed.
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
    fn cargo_learns_nothing_about_xtask() {
        let removed: Vec<_> = cargo(&[])
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| name.to_owned())
            .collect();
        assert!(removed.iter().any(|name| name == "CARGO_MANIFEST_DIR"), "{removed:?}");
        assert!(removed.iter().any(|name| name == "CARGO_PKG_NAME"), "{removed:?}");
    }

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
