//! The accepted baselines: `baselines/<environment>/<scenario>.snap`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{ConfigError, ScenarioId, SuiteErrors};
use crate::results::baseline::Baseline;

#[derive(Debug)]
pub struct Baselines {
    /// The crate that holds `baselines/`.
    root: PathBuf,
    /// By environment and scenario.
    accepted: BTreeMap<(String, String), Baseline>,
}

impl Baselines {
    /// For a comparison that needs none.
    pub fn none() -> Baselines {
        Baselines { root: PathBuf::new(), accepted: BTreeMap::new() }
    }

    /// Reads every baseline of the given scenarios, so that a damaged one is known before anything starts.
    pub fn load(root: &Path, scenarios: &[&ScenarioId]) -> Result<Baselines, SuiteErrors> {
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

    pub fn accepted(&self, environment: &str, scenario: &ScenarioId) -> Option<&Baseline> {
        self.accepted.get(&(environment.to_owned(), scenario.file_stem()))
    }

    /// With the environments they were recorded in.
    pub fn of_scenario(&self, scenario: &ScenarioId) -> impl Iterator<Item = (&str, &Baseline)> {
        let stem = scenario.file_stem();
        let those = self.accepted.iter().filter(move |((_, of), _)| *of == stem);
        those.map(|((environment, _), baseline)| (environment.as_str(), baseline))
    }

    /// Relative to the crate, as people are shown it.
    pub fn file(environment: &str, scenario: &ScenarioId) -> String {
        format!("baselines/{environment}/{}.snap", scenario.file_stem())
    }

    pub fn folder(&self, environment: &str) -> PathBuf {
        self.root.join("baselines").join(environment)
    }

    /// No folder of baselines is no error: that is how every suite starts.
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

/// A baseline that lies in another environment's folder was put there by hand.
pub(super) fn parse_in(environment: &str, file: &str, text: &str) -> Result<Baseline, ConfigError> {
    let baseline = Baseline::parse(file, text)?;
    let stated = &baseline.facts.environment;
    if stated == environment {
        return Ok(baseline);
    }
    let message =
        format!("the baseline was recorded in `{stated}` but lies in the folder of `{environment}`");
    Err(ConfigError::about(file, message).help(format!("record one on `{environment}` itself")))
}
