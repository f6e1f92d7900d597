//! A suite for one known regression, run by the real perf binary.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use tollgate::internals::Report;
use tollgate::internals::{GateOutcome, Verdict};

use crate::common::{Outcome, Suite};

/// The suite, with a baseline of the healthy engines.
pub struct RegressionSuite {
    suite: Suite,
    targets: Vec<Target>,
}

/// A target whose engine is one known regression.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    pub regression: &'static str,
    /// Settings that scale the regression down to a test, such as `time_scale = 0.2`.
    pub settings: &'static str,
}

/// The results of a run of the suite, by scenario.
pub struct SuiteRun {
    outcome: Outcome,
    reports: BTreeMap<String, Report>,
}

/// One scenario of a run.
pub struct ScenarioReport<'t> {
    report: &'t Report,
    run: &'t SuiteRun,
}

/// libtest's exit code for failed tests.
const FAILED: i32 = 101;

impl RegressionSuite {
    /// Records the baseline of the healthy engines and accepts it. Files are below `perf-tests/`.
    pub fn with_baseline(targets: &[Target], files: &[(&str, &str)]) -> RegressionSuite {
        let engines: String = targets.iter().map(Target::toml).collect();
        let suite = Suite::of(&[&[("targets.toml", engines.as_str())], files].concat());
        suite.run(&[]).assert_exit(FAILED);
        suite.accept(&[]).assert_exit(0);
        RegressionSuite { suite, targets: targets.to_vec() }
    }

    /// Runs the same engines again, with new starts.
    pub fn healthy(&self) -> SuiteRun {
        self.run(&self.settings(|_| "seed=2".into()))
    }

    /// Runs the sick engines, each with additional settings such as `faults.crash_after_requests=20`.
    pub fn sick(&self, further: &[&str]) -> SuiteRun {
        let profile = self.settings(|target| format!("profile={}-sick", target.regression));
        let further = further.iter().map(|setting| self.settings(|_| (*setting).to_owned()));
        let settings: Vec<String> = [profile].into_iter().chain(further).collect();
        self.run(&settings.join(","))
    }

    /// `TOLLGATE_SET` for a setting of every target.
    fn settings(&self, setting: impl Fn(&Target) -> String) -> String {
        let settings = self
            .targets
            .iter()
            .map(|target| format!("targets.{}.simulator.{}", target.name, setting(target)));
        settings.collect::<Vec<_>>().join(",")
    }

    fn run(&self, settings: &str) -> SuiteRun {
        let outcome = self.suite.run_with(&[("TOLLGATE_SET", settings)]);
        SuiteRun { reports: self.suite.reports(), outcome }
    }
}

impl Target {
    fn toml(&self) -> String {
        let Target { name, regression, settings } = self;
        format!(
            "[targets.{name}]\nengine = \"simulator\"\n\
             simulator = {{ profile = \"{regression}-healthy\", {settings} }}\n"
        )
    }
}

impl SuiteRun {
    #[track_caller]
    pub fn assert_green(&self) {
        println!("{}", self.figures());
        self.outcome.assert_exit(0);
        for (scenario, report) in &self.reports {
            assert_eq!(report.verdict, Verdict::Ok, "{scenario}: {}\n{self}", report.reason);
        }
    }

    /// A scenario, such as `chat::users-4::sim`, of a run that was not green.
    #[track_caller]
    pub fn of_red_run(&self, scenario: &str) -> ScenarioReport<'_> {
        println!("{}", self.figures());
        self.outcome.assert_exit(FAILED);
        let report = self.reports.get(scenario).unwrap_or_else(|| panic!("no {scenario} in\n{self}"));
        ScenarioReport { report, run: self }
    }

    /// The gates' results, one line each.
    fn figures(&self) -> String {
        let lines = self.reports.iter().flat_map(|(scenario, report)| {
            let line = |gate: &GateOutcome| {
                let change = gate
                    .change
                    .map_or(String::new(), |change| format!(" ({:+.1} %)", change.relative * 100.0));
                let (metric, verdict) = (gate.gate.metric, gate.verdict.name());
                let value = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2}"));
                let (old, new) = (value(gate.old), value(gate.new));
                format!("{scenario} {metric}: {old} -> {new}{change} {verdict}\n")
            };
            report.gates.iter().map(line).collect::<Vec<_>>()
        });
        lines.collect()
    }
}

impl std::fmt::Display for SuiteRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.outcome.fmt(f)
    }
}

impl ScenarioReport<'_> {
    #[track_caller]
    pub fn assert_verdict(&self, expected: Verdict) -> &Self {
        assert_eq!(self.report.verdict, expected, "{}\n{}", self.report.reason, self.run);
        assert_eq!(self.report.passed, expected == Verdict::Ok, "{}", self.run);
        self
    }

    /// A gate's verdict on its own.
    #[track_caller]
    pub fn assert_gate(&self, metric: &str, expected: Verdict) -> &Self {
        assert_eq!(self.gate(metric).verdict, expected, "{metric}\n{}", self.run);
        self
    }

    /// By how much the metric has changed; −0.12 is 12 % less.
    #[track_caller]
    pub fn assert_change(&self, metric: &str, expected: RangeInclusive<f64>) -> &Self {
        let change = self.gate(metric).change.unwrap_or_else(|| panic!("{metric}\n{}", self.run)).relative;
        assert!(expected.contains(&change), "{metric} changed by {change}\n{}", self.run);
        self
    }

    /// The report's own text.
    #[track_caller]
    pub fn assert_says(&self, expected: &str) -> &Self {
        let failures = self.report.sessions.iter().flat_map(|session| &session.failures);
        let words: Vec<&String> = [&self.report.reason].into_iter().chain(failures).collect();
        assert!(words.iter().any(|words| words.contains(expected)), "{words:?}\n{}", self.run);
        self
    }

    #[track_caller]
    fn gate(&self, metric: &str) -> &GateOutcome {
        let found = self.report.gates.iter().find(|gate| gate.gate.metric.to_string() == metric);
        found.unwrap_or_else(|| panic!("no gate on {metric}\n{}", self.run))
    }
}
