//! `cargo xtask`: renews checked-in files that are generated from the program.

mod part;
mod pictures;
mod terminal;
mod tool;

use std::process::ExitCode;

use part::Part;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if args.is_empty() || args.iter().any(|arg| matches!(*arg, "-h" | "--help" | "help")) {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let parts = match requested(&args) {
        Ok(parts) => parts,
        Err(problem) => {
            eprintln!("error: {problem}; see cargo xtask --help");
            return ExitCode::from(2);
        }
    };
    for part in parts {
        eprintln!("== {}: {}", part.name(), part.about());
        if let Err(problem) = part.renew() {
            eprintln!("error: {}: {problem}", part.name());
            return ExitCode::FAILURE;
        }
    }
    eprintln!("Review the changes: git diff");
    ExitCode::SUCCESS
}

fn requested(args: &[&str]) -> Result<Vec<Part>, String> {
    match args {
        ["renew", names @ ..] if !names.is_empty() => {
            let mut parts = Vec::new();
            for name in names {
                let unknown = || format!("nothing to renew is called `{name}`: name {}", part_names());
                parts.extend(Part::named(name).ok_or_else(unknown)?);
            }
            Ok(parts)
        }
        ["renew"] => Err(format!("name at least one part: {}", part_names())),
        [command, ..] => Err(format!("unknown command `{command}`")),
        [] => Err("no command".to_owned()),
    }
}

/// `schemas, docs, … or all`.
fn part_names() -> String {
    let names = Part::ALL.map(Part::name);
    format!("{} or all", names.join(", "))
}

fn help() -> String {
    let parts = Part::ALL.map(|part| format!("  {:<10} {}\n", part.name(), part.about()));
    format!(
        "Regenerate checked-in files\n\n\
         Usage: cargo xtask renew <PART>...\n\n\
         Parts:\n{}  {:<10} all of them, in this order\n",
        parts.concat(),
        "all"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_renewed_in_the_requested_order() {
        assert_eq!(requested(&["renew", "docs", "schemas"]), Ok(vec![Part::Docs, Part::Schemas]));
        assert_eq!(requested(&["renew", "all"]), Ok(Part::ALL.to_vec()));
    }

    #[test]
    fn a_wrong_word_is_named() {
        let parts = "schemas, docs, snapshots, baselines, pictures or all";
        let problem = |args: &[&str]| requested(args).unwrap_err();
        assert_eq!(problem(&["renew", "doc"]), format!("nothing to renew is called `doc`: name {parts}"));
        assert_eq!(problem(&["renew"]), format!("name at least one part: {parts}"));
        assert_eq!(problem(&["release"]), "unknown command `release`");
    }

    #[test]
    fn help_lists_every_part() {
        assert!(Part::ALL.iter().all(|part| help().contains(&format!("  {} ", part.name()))), "{}", help());
    }
}
