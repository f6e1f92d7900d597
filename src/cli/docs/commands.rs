//! The command line reference as Markdown, from clap's description of the commands.

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command};

use crate::cli::docs::{row, table_head};

/// `docs/reference/cli.md`.
pub(crate) fn page(mut tollgate: Command) -> String {
    tollgate.build();
    let mut page = format!(
        "# The command line\n\n<!-- Generated from the program: cargo xtask renew docs -->\n\n{}\n\n",
        sentence(&about(&tollgate))
    );
    let commands: Vec<&Command> = shown(&tollgate).collect();
    page += &table_head(&["command", "meaning"]);
    for command in &commands {
        let name = format!("tollgate {}", command.get_name());
        let link = format!("[`{name}`](#{})", name.replace(' ', "-"));
        page += &row(&[&link, &sentence(&about(command))]);
    }
    for command in commands {
        page += &section(command);
    }
    page
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn section(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    let mut section = format!(
        "\n## tollgate {}\n\n{}\n\n```text\n{usage}\n```\n",
        command.get_name(),
        sentence(&about(command))
    );
    let documented = |arg: &&Arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version");
    let (positional, flags): (Vec<&Arg>, Vec<&Arg>) =
        command.get_arguments().filter(documented).partition(|arg| arg.is_positional());
    section += &arguments("argument", &positional);
    section += &arguments("flag", &flags);
    section
}

fn arguments(kind: &str, arguments: &[&Arg]) -> String {
    if arguments.is_empty() {
        return String::new();
    }
    let rows =
        arguments.iter().map(|arg| row(&[&format!("`{}`", signature(arg)), &default(arg), &meaning(arg)]));
    format!("\n{}{}", table_head(&[kind, "default", "meaning"]), rows.collect::<String>())
}

/// `--json <FILE>`, or `<FILE>...` of a positional argument.
fn signature(arg: &Arg) -> String {
    let names =
        [arg.get_short().map(|short| format!("-{short}")), arg.get_long().map(|long| format!("--{long}"))];
    let names = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let values = arg.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>"));
    let values = if takes_value { values.collect::<Vec<_>>().join(" ") } else { String::new() };
    let repeated =
        if arg.is_positional() && matches!(arg.get_action(), ArgAction::Append) { "..." } else { "" };
    format!("{names} {values}{repeated}").trim().to_owned()
}

fn default(arg: &Arg) -> String {
    if arg.is_required_set() {
        return "required".to_owned();
    }
    let values = arg.get_default_values().iter().map(|value| value.to_string_lossy());
    let values = values.collect::<Vec<_>>().join(" ");
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::SetFalse);
    if values.is_empty() || is_switch { String::new() } else { format!("`{values}`") }
}

fn meaning(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let values = arg.get_possible_values();
    let is_switch = !matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    if is_switch || values.is_empty() {
        sentence(&help)
    } else {
        format!("{} {}", sentence(&help), choices(&values))
    }
}

/// The values of a flag, each with what it means if the program says so.
fn choices(values: &[PossibleValue]) -> String {
    let visible = values.iter().filter(|value| !value.is_hide_set());
    let described = visible.map(|value| match value.get_help() {
        Some(help) => format!("`{}` ({})", value.get_name(), escaped(&help.to_string())),
        None => format!("`{}`", value.get_name()),
    });
    format!("One of {}.", described.collect::<Vec<_>>().join(", "))
}

fn about(command: &Command) -> String {
    command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default()
}

/// On one line, with the full stop that clap's help leaves out.
fn sentence(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = escaped(&line);
    if line.is_empty() || line.ends_with(['.', '?', '!']) { line } else { format!("{line}.") }
}

/// Outside of code, angle brackets would be parsed as HTML.
fn escaped(line: &str) -> String {
    let parts = line
        .split('`')
        .enumerate()
        .map(|(index, part)| if index % 2 == 0 { part.replace('<', "&lt;") } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Command {
        let run = Command::new("run")
            .about("Run one thing")
            .arg(Arg::new("file").value_name("FILE").required(true).help("What to read"))
            .arg(Arg::new("users").long("users").value_name("N").default_value("4").help("How many | users"))
            .arg(
                Arg::new("form")
                    .long("form")
                    .value_name("FORM")
                    .value_parser(["html", "csv"])
                    .help("The format"),
            )
            .arg(Arg::new("quiet").long("quiet").action(ArgAction::SetTrue).help("Print nothing"))
            .arg(Arg::new("secret").long("secret").hide(true));
        Command::new("tollgate").about("Tests things").subcommand(run)
    }

    #[test]
    fn every_shown_flag_has_a_row() {
        let page = page(sample());
        assert!(page.contains("| [`tollgate run`](#tollgate-run) | Run one thing. |"), "{page}");
        assert!(page.contains("| `<FILE>` | required | What to read. |"), "{page}");
        assert!(page.contains("| `--users <N>` | `4` | How many \\| users. |"), "{page}");
        assert!(page.contains("| `--form <FORM>` | | The format. One of `html`, `csv`. |"), "{page}");
        assert!(page.contains("| `--quiet` | | Print nothing. |"), "{page}");
        assert!(!page.contains("secret") && !page.contains("--help"), "{page}");
    }

    #[test]
    fn angle_brackets_outside_of_code_are_escaped() {
        assert_eq!(sentence("`<run>` of <run>"), "`<run>` of &lt;run>.");
        let described = choices(&[PossibleValue::new("report").help("<run>/*.json")]);
        assert_eq!(described, "One of `report` (&lt;run>/*.json).");
    }
}
