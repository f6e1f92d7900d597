//! Reads the suite from its texts.

use std::collections::BTreeMap;

use crate::config::document::{Document, TextFile};
use crate::config::error::{ConfigError, SuiteErrors};
use crate::config::expand::EnvLookup;
use crate::config::file::{ScenarioFile, ScenarioPlan};
use crate::config::overrides::{self, Override};
use crate::config::prompts::PromptLoader;
use crate::config::targets_file::TargetsFile;
use crate::config::{Scenario, ScenarioId, Suite, names, profiles};
use crate::target::TargetSpec;

/// Everything a suite is read from.
pub struct SuiteText<'a> {
    pub targets: TextFile,
    /// The scenario files, in the order of their tests.
    pub scenarios: Vec<TextFile>,
    /// The text of `TOLLGATE_SET`.
    pub overrides: String,
    pub environment: EnvLookup<'a>,
    pub prompts: PromptLoader<'a>,
}

/// Reads and validates the files, and reports the mistakes of all of them together.
pub fn parse(text: &SuiteText) -> Result<Suite, SuiteErrors> {
    let overrides = overrides::parse(&text.overrides).map_err(|error| SuiteErrors(vec![error]))?;
    let mut errors = misdirected(&overrides, text);
    let mut suite = Suite { targets: BTreeMap::new(), scenarios: Vec::new() };
    let mut known_targets = None;
    match Document::parse(&text.targets, &text.overrides) {
        Ok(mut document) => {
            match read_targets(&mut document, &overrides, text) {
                Ok(targets) => suite.targets = targets,
                Err(found) => errors.extend(found),
            }
            let names: Vec<String> = document.names("targets").into_iter().map(str::to_owned).collect();
            known_targets = Some(names).filter(|names| !names.is_empty());
        }
        Err(error) => errors.push(error),
    }
    let known: Option<Vec<&str>> =
        known_targets.as_ref().map(|names| names.iter().map(String::as_str).collect());
    for file in &text.scenarios {
        match read_scenario(file, known.as_deref(), &overrides, text) {
            Ok((name, plan)) => suite.scenarios.extend(scenarios(&name, &plan, &suite.targets)),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(suite) } else { Err(SuiteErrors(errors)) }
}

/// One scenario for every load on every target.
fn scenarios(file: &str, plan: &ScenarioPlan, targets: &BTreeMap<String, TargetSpec>) -> Vec<Scenario> {
    let targets = plan.targets.iter().filter_map(|name| targets.get(name));
    let pairs = targets.flat_map(|target| plan.loads.iter().map(move |load| (target, load)));
    pairs
        .map(|(target, (load_name, load))| Scenario {
            id: ScenarioId { file: file.to_owned(), load: load_name.clone(), target: target.name.clone() },
            workload: plan.workload.clone(),
            load: load.clone(),
            run: plan.run.clone(),
            gates: plan.gates.clone(),
            target: target.clone(),
        })
        .collect()
}

/// Errors for overrides that lead to no file, or stop at one.
fn misdirected(overrides: &[Override], text: &SuiteText) -> Vec<ConfigError> {
    let files: Vec<&str> = text.scenarios.iter().map(|file| stem(&file.path)).collect();
    let check = |pair: &Override| {
        let root = pair.key[0].get_ref().as_str();
        let unknown = match (root, pair.key.get(1)) {
            ("targets", _) => None,
            ("scenarios", Some(file)) if !files.contains(&file.get_ref().as_str()) => {
                Some((1, "scenario file", files.as_slice()))
            }
            ("scenarios", _) => None,
            _ => Some((0, "key", ["targets", "scenarios"].as_slice())),
        };
        if let Some((depth, what, valid)) = unknown {
            return Some(pair.unknown_part(depth, &text.overrides, what, valid));
        }
        if pair.key.len() >= 3 {
            return None;
        }
        let message = format!(
            "this does not name a key of {}",
            if root == "targets" { "a target" } else { "a scenario" }
        );
        let example = if root == "targets" { "targets.sim.model=m" } else { "scenarios.chat.run.rounds=2" };
        let error = ConfigError::within(overrides::TOLLGATE_SET, &text.overrides, pair.span(), message);
        Some(error.help(format!("for example {example}")))
    };
    overrides.iter().filter_map(check).collect()
}

fn read_targets<'t>(
    document: &mut Document<'t>,
    overrides: &[Override<'t>],
    text: &'t SuiteText,
) -> Result<BTreeMap<String, TargetSpec>, Vec<ConfigError>> {
    let mine = overrides.iter().filter(|pair| pair.key[0].get_ref() == "targets" && pair.key.len() >= 3);
    for pair in mine {
        let names = document.names("targets");
        if !names.contains(&pair.key[1].get_ref().as_str()) {
            return Err(vec![pair.unknown_part(1, &text.overrides, "target", &names)]);
        }
        document.set(0, pair).map_err(|error| vec![error])?;
    }
    document.expand(text.environment)?;
    profiles::put_in(document)?;
    let file: TargetsFile = document.read().map_err(|error| vec![error])?;
    file.validate(document, text.environment)
}

fn read_scenario<'t>(
    file: &'t TextFile,
    known_targets: Option<&[&str]>,
    overrides: &[Override<'t>],
    text: &'t SuiteText,
) -> Result<(String, ScenarioPlan), Vec<ConfigError>> {
    let name = stem(&file.path);
    if let Some(objection) = names::objection(name, names::FILE_NAME) {
        let error = ConfigError::about(&file.path, format!("not a scenario file's name: {objection}"));
        return Err(vec![error.help("rename the file")]);
    }
    let mut document = Document::parse(file, &text.overrides).map_err(|error| vec![error])?;
    let mine = |pair: &&Override| {
        pair.key.len() >= 3 && pair.key[0].get_ref() == "scenarios" && pair.key[1].get_ref() == name
    };
    for pair in overrides.iter().filter(mine) {
        document.set(2, pair).map_err(|error| vec![error])?;
    }
    document.expand(text.environment)?;
    let unset: Vec<ConfigError> = document.unset_errors();
    if !unset.is_empty() {
        return Err(unset);
    }
    let scenario: ScenarioFile = document.read().map_err(|error| vec![error])?;
    let plan = scenario.validate(&document, known_targets, text.prompts)?;
    Ok((name.to_owned(), plan))
}

/// `perf-tests/scenarios/chat.toml` is `chat`.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".toml").unwrap_or(name)
}

#[cfg(test)]
mod tests;
