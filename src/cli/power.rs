//! `tollgate power`: estimates what the gates can detect and what a run costs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::USAGE;
use crate::config::{Scenario, ScenarioId, Suite, SuiteErrors};
use crate::metrics::Metric;
use crate::results::baseline::Baseline;
use crate::store::Baselines;
use crate::suite::files;
use crate::target::TargetSpec;
use crate::text::columns::{Align, Columns};
use crate::text::figures;
use crate::verdict::power::{Check, Forecast, StoredGate, StoredScenario, UNDERPOWERED_BEYOND};
use crate::verdict::rule::MOST_STARTS_OF_PLANNED;

/// Estimate from the stored baselines what each gate can detect, and how long green and red runs take.
#[derive(Debug, clap::Args)]
pub(crate) struct PowerArgs {
    /// Path to the crate that contains `perf-tests/` and `baselines/`.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

pub(crate) fn run(args: PowerArgs) -> anyhow::Result<ExitCode> {
    let (suite, baselines) = match load(&args) {
        Ok(loaded) => loaded,
        Err(errors) => {
            eprintln!("{errors}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let targets: Vec<Known> =
        suite.targets.values().flat_map(|target| Known::all(target, &suite, &baselines)).collect();
    if targets.is_empty() {
        println!("No scenario has a baseline yet: run the suite to record one, then accept it.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}\n", table(&targets));
    targets.iter().flat_map(Known::underpowered).for_each(|line| println!("{line}"));
    println!("{}", false_alarms(&targets));
    targets.iter().for_each(|target| println!("{}", target.cost()));
    Ok(ExitCode::SUCCESS)
}

fn load(args: &PowerArgs) -> Result<(Suite, Baselines), SuiteErrors> {
    let suite = files::load(&args.root)?;
    let ids: Vec<&ScenarioId> = suite.scenarios.iter().map(|scenario| &scenario.id).collect();
    let baselines = Baselines::load(&args.root, &ids)?;
    Ok((suite, baselines))
}

/// A target in one environment, with the stored baselines of its scenarios there.
struct Known<'a> {
    target: &'a TargetSpec,
    environment: &'a str,
    stored: Vec<Stored<'a>>,
    check: Check,
}

/// A scenario with its baseline.
struct Stored<'a> {
    scenario: &'a Scenario,
    baseline: &'a Baseline,
    gates: Vec<(Metric, f64, StoredGate)>,
}

impl<'a> Known<'a> {
    fn all(target: &'a TargetSpec, suite: &'a Suite, baselines: &'a Baselines) -> Vec<Known<'a>> {
        let mut stored: BTreeMap<&str, Vec<Stored>> = BTreeMap::new();
        for scenario in suite.scenarios.iter().filter(|scenario| scenario.id.target == target.name) {
            for (environment, baseline) in baselines.of_scenario(&scenario.id) {
                let of_scenario = Stored::of(scenario, baseline);
                stored.entry(environment).or_default().extend(of_scenario);
            }
        }
        stored.retain(|_, scenarios| !scenarios.is_empty());
        stored.into_iter().map(|(environment, stored)| Known::of(target, environment, stored)).collect()
    }

    fn of(target: &'a TargetSpec, environment: &'a str, stored: Vec<Stored<'a>>) -> Known<'a> {
        let sessions = stored[0].scenario.run.sessions;
        let mut known = Known { target, environment, stored, check: Check::Stored { sessions } };
        if target.restarts() {
            let starts = target.proof.starts;
            let most = MOST_STARTS_OF_PLANNED * starts;
            // All scenarios share a proof's time budget.
            let in_time = known.session_s().map(|seconds| target.proof.budget.as_secs_f64() / seconds / 2.0);
            let most = in_time.map_or(most, |starts| (starts as u32).clamp(2, most));
            known.check = Check::Proof { starts, most };
        }
        known
    }

    /// Length of one session of all scenarios, without the engine's start; `None` if a baseline doesn't record it.
    fn session_s(&self) -> Option<f64> {
        self.stored.iter().map(|stored| stored.baseline.facts.session_s).sum()
    }

    fn suite(&self) -> Vec<StoredScenario> {
        let gates = |stored: &Stored| stored.gates.iter().map(|(.., gate)| *gate).collect();
        self.stored.iter().map(|stored| StoredScenario { gates: gates(stored), check: self.check }).collect()
    }

    /// What the underpowered gates would need.
    fn underpowered(&self) -> Vec<String> {
        let gates = self.stored.iter().flat_map(|stored| stored.gates.iter().map(move |gate| (stored, gate)));
        let underpowered = gates.filter(|(_, (.., gate))| gate.is_underpowered(self.check));
        let lines = underpowered.map(|(stored, (metric, tolerance, gate))| {
            format!(
                "Underpowered: {} {metric}: its sessions scatter by {}, so fewer than 90 % of runs detect a loss of \
                 twice the tolerance of {}. {}",
                stored.scenario.id,
                figures::percent(gate.deviation()),
                figures::percent(*tolerance),
                self.what_it_takes(gate),
            )
        });
        lines.collect()
    }

    fn what_it_takes(&self, gate: &StoredGate) -> String {
        let sessions = gate.sessions_needed(self.check).map(|sessions| match (self.check, self.session_s()) {
            (Check::Stored { .. }, _) => format!("run.sessions = {sessions}"),
            (Check::Proof { .. }, Some(seconds)) => {
                let minutes = 2.0 * f64::from(sessions) * seconds / 60.0;
                format!("{sessions} starts per side: {minutes:.0} min of proof.minutes, plus the engine's starts")
            }
            (Check::Proof { .. }, None) => format!("{sessions} starts per side"),
        });
        let requests = gate.requests_needed(self.check).map(|times| {
            format!("{times:.1} times as many requests or rounds, if they cause all of the scatter")
        });
        let tolerance = gate
            .tolerance_needed(self.check)
            .map(|tolerance| format!("a tolerance of {}", figures::percent(tolerance)));
        let ways: Vec<String> = [sessions, requests, tolerance].into_iter().flatten().collect();
        if ways.is_empty() {
            "No number of sessions or requests fixes this: find out what causes the scatter.".into()
        } else {
            format!("It would take {}.", ways.join("; or "))
        }
    }

    fn cost(&self) -> String {
        let name = &self.target.name;
        let Some(session_s) = self.session_s() else {
            return format!(
                "Target {name}: unknown run time: its baselines don't record how long a session takes. New \
                 baselines do."
            );
        };
        let suite = self.suite();
        let [green, red] = [0.0, UNDERPOWERED_BEYOND].map(|tolerances| Forecast::of(&suite, tolerances));
        let minutes = |forecast: &Forecast| -> f64 {
            let each = self.stored.iter().zip(&forecast.sessions);
            each.map(|(stored, sessions)| stored.baseline.facts.session_s.unwrap_or(0.0) * sessions)
                .sum::<f64>()
                / 60.0
        };
        let further = red.sessions.iter().copied().fold(1.0, f64::max).round() - 1.0;
        let costs = format!(
            "Target {name}: a run takes {:.1} min if the engine is unchanged, and {:.1} min if it is worse by twice \
             every tolerance.",
            minutes(&green),
            minutes(&red),
        );
        match self.check {
            Check::Stored { .. } => {
                format!(
                    "{costs} The old engine can't be run for comparison, so a suspicion takes {further} more sessions."
                )
            }
            Check::Proof { starts, most } if most < starts => format!(
                "{costs} Engine starts come on top. proof.minutes cuts a proof of all scenarios short: its {starts} \
                 starts per side take {:.0} min, plus the engine's starts.",
                2.0 * f64::from(starts) * session_s / 60.0
            ),
            Check::Proof { .. } => {
                format!("{costs} Engine starts come on top: 1, plus {further} for a proof.")
            }
        }
    }
}

impl<'a> Stored<'a> {
    /// `None` if no gate compares with the baseline.
    fn of(scenario: &'a Scenario, baseline: &'a Baseline) -> Option<Stored<'a>> {
        let gates = scenario.gates.iter().filter_map(|gate| {
            let tolerance = gate.tolerance?;
            let stored = StoredGate::of(gate.metric, tolerance, baseline.values.get(&gate.metric)?)?;
            Some((gate.metric, tolerance, stored))
        });
        let gates: Vec<_> = gates.collect();
        (!gates.is_empty()).then_some(Stored { scenario, baseline, gates })
    }
}

fn table(targets: &[Known]) -> String {
    use Align::{Left, Right};
    let head = ["scenario", "environment", "metric", "tolerance", "scatter", "detects (90 %)", ""];
    let mut columns = Columns::new(head, [Left, Left, Left, Right, Right, Right, Left]);
    for known in targets {
        for stored in &known.stored {
            for (metric, tolerance, gate) in &stored.gates {
                columns.row([
                    stored.scenario.id.to_string(),
                    known.environment.to_owned(),
                    metric.to_string(),
                    figures::percent(*tolerance),
                    format!("{:.2} %", gate.deviation() * 100.0),
                    gate.detectable(known.check).map_or("nothing".into(), figures::signed_percent),
                    if gate.is_underpowered(known.check) { "underpowered".into() } else { String::new() },
                ]);
            }
        }
    }
    columns.lines().join("\n")
}

fn false_alarms(targets: &[Known]) -> String {
    let suite: Vec<StoredScenario> = targets.iter().flat_map(Known::suite).collect();
    let Forecast { runs, doubted, red, .. } = Forecast::of(&suite, 0.0);
    format!(
        "Of {runs} simulated runs of an unchanged engine, {doubted} raised a suspicion and {red} were red ({}).",
        figures::percent(red as f64 / runs as f64)
    )
}
