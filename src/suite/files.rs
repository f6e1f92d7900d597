//! Reads a suite's files: `perf-tests/targets.toml`, `perf-tests/scenarios/*.toml` and prompt files.

use std::fs;
use std::path::Path;

use crate::config::{
    ConfigError, EnvLookup, SUITE_FOLDER, Suite, SuiteErrors, SuiteText, TOLLGATE_SET, TextFile, parse,
};

/// The suite of the crate in `root`, with this process's environment variables.
pub(crate) fn load(root: &Path) -> Result<Suite, SuiteErrors> {
    load_with(root, &|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
}

/// The suite of the crate in `root`, with environment variables from `environment`.
pub fn load_with(root: &Path, environment: EnvLookup) -> Result<Suite, SuiteErrors> {
    let (scenarios, mut errors) = read_scenarios(root);
    let targets = match read(root, &format!("{SUITE_FOLDER}/targets.toml")) {
        Ok(targets) => targets,
        Err(error) => {
            let help =
                "every suite needs this file; the shortest has [targets.sim] with engine = \"simulator\"";
            errors.insert(0, error.help(help));
            return Err(SuiteErrors(errors));
        }
    };
    let suite_folder = root.join(SUITE_FOLDER);
    let suite = parse(&SuiteText {
        targets,
        scenarios,
        overrides: environment(TOLLGATE_SET).unwrap_or_default(),
        environment,
        prompts: &|file| fs::read_to_string(suite_folder.join(file)).map_err(|error| error.to_string()),
    });
    match suite {
        Ok(mut suite) if errors.is_empty() => {
            suite.targets.values_mut().for_each(|target| target.paths_below(&suite_folder));
            Ok(suite)
        }
        Ok(_) => Err(SuiteErrors(errors)),
        Err(found) => {
            errors.extend(found.0);
            Err(SuiteErrors(errors))
        }
    }
}

/// The scenario files sorted by name, and errors about the folder.
fn read_scenarios(root: &Path) -> (Vec<TextFile>, Vec<ConfigError>) {
    let folder = format!("{SUITE_FOLDER}/scenarios");
    let unusable = |message: String| {
        let help = format!("add a scenario, for example {folder}/chat.toml");
        (Vec::new(), vec![ConfigError::about(&folder, message).help(help)])
    };
    let entries = fs::read_dir(root.join(&folder)).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut names: Vec<String> = match entries {
        Ok(entries) => entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect(),
        Err(error) => return unusable(format!("can't be read: {error}")),
    };
    names.retain(|name| !is_editor_file(name));
    names.sort();
    if names.is_empty() {
        return unusable("no scenario file (*.toml) in this folder".to_owned());
    }
    let mut files = Vec::new();
    let mut errors = Vec::new();
    for name in names {
        let path = format!("{folder}/{name}");
        let file = if name.ends_with(".toml") {
            read(root, &path)
        } else {
            Err(ConfigError::about(&path, "not a scenario file: those end in .toml")
                .help("rename it or move it out of the folder"))
        };
        match file {
            Ok(file) => files.push(file),
            Err(error) => errors.push(error),
        }
    }
    (files, errors)
}

/// Swap and backup files of editors, which are never meant as scenarios.
fn is_editor_file(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~')
}

fn read(root: &Path, path: &str) -> Result<TextFile, ConfigError> {
    match fs::read_to_string(root.join(path)) {
        Ok(text) => Ok(TextFile { path: path.to_owned(), text }),
        Err(error) => Err(ConfigError::about(path, format!("can't be read: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_suite_loads() {
        let suite = load_with(Path::new(env!("CARGO_MANIFEST_DIR")), &|_| None).unwrap();
        let ids: Vec<String> = suite.scenarios.iter().map(|scenario| scenario.id.to_string()).collect();
        assert!(ids.contains(&"chat::users-4::sim".to_owned()), "{ids:?}");
    }
}
