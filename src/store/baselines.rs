//! The accepted baselines: `baselines/<environment>/<scenario>.snap`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{ConfigError, ScenarioId, SuiteErrors};
use crate::results::baseline::Baseline;

#[derive(Debug)]
pub(crate) struct Baselines {
    /// The crate that holds `baselines/`.
    root: PathBuf,
    /// By environment and scenario.
    accepted: BTreeMap<(String, String), Baseline>,
}

impl Baselines {
    /// For comparisons, which need no baselines.
    pub(crate) fn none() -> Baselines {
        Baselines { root: PathBuf::new(), accepted: BTreeMap::new() }
    }

    /// Reads every baseline of the given scenarios, so that damage is reported before anything starts.
    pub(crate) fn load(root: &Path, scenarios: &[&ScenarioId]) -> Result<Baselines, SuiteErrors> {
        let mut baselines = Baselines { root: root.to_owned(), accepted: BTreeMap::new() };
        let mut errors = Vec::new();
        for environment in baselines.environments() {
            for scenario in scenarios {
                match baselines.read(&environment, scenario) {
                    Ok(Some(baseline)) => {
                        baselines.accepted.insert((environment.clone(), scenario.file_stem()), baseline);
                    }
                    Ok(None) => {}
                    Err(error) => errors.push(error),
                }
            }
        }
        if errors.is_empty() { Ok(baselines) } else { Err(SuiteErrors(errors)) }
    }

    pub(crate) fn accepted(&self, environment: &str, scenario: &ScenarioId) -> Option<&Baseline> {
        self.accepted.get(&(environment.to_owned(), scenario.file_stem()))
    }

    /// All baselines of a scenario, with the environments in which they were recorded.
    pub(crate) fn of_scenario(&self, scenario: &ScenarioId) -> impl Iterator<Item = (&str, &Baseline)> {
        let stem = scenario.file_stem();
        let matching = self.accepted.iter().filter(move |((_, of), _)| *of == stem);
        matching.map(|((environment, _), baseline)| (environment.as_str(), baseline))
    }

    /// The path relative to the crate, as shown to users.
    pub(crate) fn file(environment: &str, scenario: &ScenarioId) -> String {
        format!("baselines/{environment}/{}.snap", scenario.file_stem())
    }

    pub(crate) fn folder(&self, environment: &str) -> PathBuf {
        self.root.join("baselines").join(environment)
    }

    /// A missing folder is not an error, because every suite starts without one.
    fn environments(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join("baselines")) else { return Vec::new() };
        let folders = entries.flatten().filter(|entry| entry.path().is_dir());
        folders.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn read(&self, environment: &str, scenario: &ScenarioId) -> Result<Option<Baseline>, ConfigError> {
        let file = Baselines::file(environment, scenario);
        match fs::read_to_string(self.root.join(&file)) {
            Ok(text) => parse_in(environment, &file, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ConfigError::about(&file, format!("can't be read: {error}"))),
        }
    }
}

/// Rejects a baseline that was moved to another environment's folder by hand.
pub(super) fn parse_in(environment: &str, file: &str, text: &str) -> Result<Baseline, ConfigError> {
    let baseline = Baseline::parse(file, text)?;
    let stated = &baseline.facts.environment;
    if stated == environment {
        return Ok(baseline);
    }
    let message = format!("the baseline was recorded in `{stated}` but is in the folder for `{environment}`");
    Err(ConfigError::about(file, message).help(format!("record a new one in `{environment}`")))
}
