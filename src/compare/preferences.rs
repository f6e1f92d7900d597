//! The user's preferences for a comparison.

use std::collections::BTreeMap;

use crate::compare::{Candidate, NotComparable};
use crate::results::comparison::Criterion;
use crate::text::nearest::did_you_mean;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preferences {
    pub weights: BTreeMap<Criterion, f64>,
    /// From 1 to 5 per target; 5 is the simplest to run.
    pub simplicity: BTreeMap<String, f64>,
    /// Cost per hour of each target in any currency, or its watts.
    pub costs: BTreeMap<String, f64>,
}

impl Default for Preferences {
    fn default() -> Preferences {
        let weights = [
            (Criterion::Performance, 40.0),
            (Criterion::Reliability, 30.0),
            (Criterion::Efficiency, 20.0),
            (Criterion::Simplicity, 10.0),
        ];
        Preferences { weights: weights.into(), simplicity: BTreeMap::new(), costs: BTreeMap::new() }
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum BadPreference {
    #[error("expected {expected}, found `{found}`")]
    Form { expected: &'static str, found: String },
    #[error("unknown criterion `{found}`: {help}")]
    Criterion { found: String, help: String },
    #[error("all weights are 0: give at least one criterion a weight above 0")]
    NoWeight,
    #[error("`{0}` is given twice")]
    Twice(String),
}

impl Preferences {
    /// `performance=40,reliability=30,…`; unlisted criteria have weight 0.
    pub(crate) fn parse_weights(text: &str) -> Result<BTreeMap<Criterion, f64>, BadPreference> {
        const EXPECTED: &str = "CRITERION=WEIGHT such as performance=40, each 0 or more";
        let mut weights = BTreeMap::new();
        for (name, weight) in pairs(text, EXPECTED, |weight| weight >= 0.0)? {
            let criterion = Criterion::ALL.into_iter().find(|criterion| criterion.name() == name);
            let criterion = criterion.ok_or_else(|| BadPreference::Criterion {
                help: did_you_mean(&name, Criterion::ALL.map(Criterion::name)),
                found: name,
            })?;
            weights.insert(criterion, weight);
        }
        if weights.values().all(|weight| *weight == 0.0) {
            return Err(BadPreference::NoWeight);
        }
        Ok(weights)
    }

    /// `vllm=3,ollama=5`.
    pub(crate) fn parse_simplicity(text: &str) -> Result<BTreeMap<String, f64>, BadPreference> {
        const EXPECTED: &str = "TARGET=N such as vllm=3, from 1 to 5 (the simplest)";
        pairs(text, EXPECTED, |simplicity| (1.0..=5.0).contains(&simplicity))
    }

    /// `vllm=2.4,ollama=0.9`.
    pub(crate) fn parse_costs(text: &str) -> Result<BTreeMap<String, f64>, BadPreference> {
        pairs(text, "TARGET=COST such as vllm=2.4, greater than 0", |cost| cost > 0.0)
    }

    /// Checks that every named target is one of those compared.
    pub(crate) fn check(&self, candidates: &[Candidate]) -> Result<(), NotComparable> {
        let is_known = |name: &&String| candidates.iter().any(|candidate| candidate.may_be_called(name));
        match self.simplicity.keys().chain(self.costs.keys()).find(|name| !is_known(name)) {
            None => Ok(()),
            Some(name) => Err(NotComparable::unknown_target(name, candidates)),
        }
    }
}

fn pairs(
    text: &str,
    expected: &'static str,
    is_allowed: impl Fn(f64) -> bool,
) -> Result<BTreeMap<String, f64>, BadPreference> {
    let mut pairs = BTreeMap::new();
    for part in text.split(',') {
        let wrong = || BadPreference::Form { expected, found: part.to_owned() };
        // A target's name may contain an equals sign; a number doesn't.
        let (name, number) = part.rsplit_once('=').ok_or_else(wrong)?;
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        if !number.is_finite() || !is_allowed(number) {
            return Err(wrong());
        }
        if pairs.insert(name.trim().to_owned(), number).is_some() {
            return Err(BadPreference::Twice(name.trim().to_owned()));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unlisted_criteria_have_weight_0() {
        let weights = Preferences::parse_weights("performance=70, reliability=30").unwrap();
        assert_eq!(weights.len(), 2);
        assert_eq!(weights[&Criterion::Performance], 70.0);
    }

    #[test]
    fn errors_say_what_was_expected() {
        let error = |text: &str| Preferences::parse_weights(text).unwrap_err().to_string();
        let found = error("performence=3");
        assert!(found.starts_with("unknown criterion `performence`: did you mean `performance`?"), "{found}");
        assert!(error("performance").starts_with("expected CRITERION=WEIGHT"), "{}", error("performance"));
        assert!(error("performance=-1").contains("found `performance=-1`"));
        assert!(error("performance=0").contains("all weights are 0"));
        let error = Preferences::parse_simplicity("vllm=9").unwrap_err().to_string();
        assert!(error.contains("from 1 to 5"), "{error}");
        assert!(Preferences::parse_costs("vllm=0").is_err());
        assert_eq!(Preferences::parse_costs("a=1,a=2"), Err(BadPreference::Twice("a".into())));
    }
}
