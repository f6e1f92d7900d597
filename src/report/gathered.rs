//! Groups reports by kind.

use crate::results::Report;
use crate::results::comparison::Comparison;
use crate::results::file::ReportFile;
use crate::results::sweep::Sweep;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Gathered {
    pub scenarios: Vec<Report>,
    pub sweeps: Vec<Sweep>,
    pub comparisons: Vec<Comparison>,
}

impl Gathered {
    pub(crate) fn of(files: Vec<ReportFile>) -> Gathered {
        let mut gathered = Gathered::default();
        for file in files {
            match file {
                ReportFile::Scenario(report) => gathered.scenarios.push(*report),
                ReportFile::Sweep(sweep) => gathered.sweeps.push(*sweep),
                ReportFile::Comparison(comparison) => gathered.comparisons.push(*comparison),
            }
        }
        gathered
    }

    /// Joins sweeps of the same workload, because targets that can't run at the same time are swept one after another.
    pub(crate) fn joined_sweeps(&self) -> Vec<Sweep> {
        let mut joined: Vec<Sweep> = Vec::new();
        for sweep in &self.sweeps {
            match joined.iter_mut().find(|other| can_join(other, sweep)) {
                Some(other) => {
                    other.targets.extend(sweep.targets.iter().cloned());
                    other.warnings.extend(sweep.warnings.iter().cloned());
                    other.interrupted |= sweep.interrupted;
                }
                None => joined.push(sweep.clone()),
            }
        }
        joined
    }

    /// Every target once, in the order of the reports. Its index is its number and determines its color.
    pub(crate) fn targets(&self) -> Vec<String> {
        let swept = self.sweeps.iter().flat_map(|sweep| sweep.targets.iter().map(|target| &target.name));
        let compared = self
            .comparisons
            .iter()
            .flat_map(|comparison| comparison.targets.iter().map(|target| &target.name));
        let gated = self.scenarios.iter().map(|report| &report.scenario.target);
        let mut names: Vec<String> = Vec::new();
        for name in swept.chain(compared).chain(gated) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// In the current format: a single report as an object, several as a list.
    pub(crate) fn json(&self) -> String {
        let values = self.comparisons.iter().map(serde_json::to_value);
        let values = values.chain(self.sweeps.iter().map(serde_json::to_value));
        let values = values.chain(self.scenarios.iter().map(serde_json::to_value));
        let values: Vec<serde_json::Value> =
            values.map(|value| value.expect("reports are plain data")).collect();
        let text = match values.as_slice() {
            [value] => serde_json::to_string_pretty(value),
            _ => serde_json::to_string_pretty(&values),
        };
        text.expect("reports are plain data") + "\n"
    }
}

/// A target that is in both sweeps was measured twice and is shown twice.
fn can_join(one: &Sweep, other: &Sweep) -> bool {
    let has = |name: &str| one.targets.iter().any(|target| target.name == name);
    one.workload_hash == other.workload_hash
        && one.axis == other.axis
        && one.limits == other.limits
        && !other.targets.iter().any(|target| has(&target.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{example, sweep};

    #[test]
    fn a_target_has_the_same_number_in_all_reports() {
        let gathered = Gathered {
            scenarios: example::all(),
            sweeps: vec![sweep::example::crossing(), sweep::example::crossing()],
            comparisons: Vec::new(),
        };
        assert_eq!(gathered.targets(), ["quick", "wide", "vllm", "ollama"]);
    }

    #[test]
    fn sweeps_of_the_same_workload_are_shown_as_one() {
        let part = |target: usize| {
            let mut sweep = sweep::example::crossing();
            sweep.targets = vec![sweep.targets.swap_remove(target)];
            sweep
        };
        let joined = |sweeps: Vec<Sweep>| {
            let gathered = Gathered { sweeps, ..Gathered::default() };
            gathered.joined_sweeps().iter().map(|sweep| sweep.targets.len()).collect::<Vec<_>>()
        };
        assert_eq!(joined(vec![part(0), part(1)]), [2]);
        assert_eq!(joined(vec![part(0), part(0)]), [1, 1]);
        let otherwise = Sweep { workload_hash: "sha256:0".into(), ..part(1) };
        assert_eq!(joined(vec![part(0), otherwise]), [1, 1]);
    }
}
