//! `tollgate power`: what the gates are able to see, and what a run costs.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::baseline::Baseline;
use crate::cli::USAGE;
use crate::figures;
use crate::report::columns::{Align, Columns};
use crate::scenario::{Gate, Scenario, ScenarioId, Suite, SuiteErrors};
use crate::store::Baselines;
use crate::suite;
use crate::verdict::power::Power;

/// Tell from the stored baselines what each gate can detect, and what a green and a red run cost.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The crate that holds `perf-tests/` and `baselines/`.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (suite, baselines) = match load(&args) {
        Ok(loaded) => loaded,
        Err(errors) => {
            eprintln!("{errors}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let known: Vec<Known> = suite.scenarios.iter().flat_map(|scenario| known(scenario, &baselines)).collect();
    if known.is_empty() {
        println!("No scenario has a baseline yet: record one by running the suite, and accept it.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}\n", table(&known));
    warnings(&known).iter().for_each(|warning| println!("{warning}"));
    println!("{}", suite_line(&known));
    costs(&known).iter().for_each(|line| println!("{line}"));
    Ok(ExitCode::SUCCESS)
}

/// A gate of a scenario in an environment, with its stored values.
struct Known<'a> {
    scenario: &'a Scenario,
    environment: &'a str,
    baseline: &'a Baseline,
    gate: &'a Gate,
    tolerance: f64,
    power: Power,
}

impl Known<'_> {
    fn starts(&self) -> u32 {
        self.scenario.target.proof.starts
    }
}

fn load(args: &Args) -> Result<(Suite, Baselines), SuiteErrors> {
    let suite = suite::load(&args.root)?;
    let ids: Vec<&ScenarioId> = suite.scenarios.iter().map(|scenario| &scenario.id).collect();
    let baselines = Baselines::load(&args.root, &ids)?;
    Ok((suite, baselines))
}

fn known<'a>(scenario: &'a Scenario, baselines: &'a Baselines) -> Vec<Known<'a>> {
    let of_scenario = baselines.of_scenario(&scenario.id);
    let gates = of_scenario.flat_map(|(environment, baseline)| {
        scenario.gates.iter().filter_map(move |gate| {
            let tolerance = gate.tolerance?;
            let power = Power::of(gate.metric, tolerance, baseline.values.get(&gate.metric)?)?;
            Some(Known { scenario, environment, baseline, gate, tolerance, power })
        })
    });
    gates.collect()
}

fn table(known: &[Known]) -> String {
    use Align::{Left, Right};
    let head = ["scenario", "environment", "metric", "tolerance", "scatter", "detects (90 %)", ""];
    let mut columns = Columns::new(head, [Left, Left, Left, Right, Right, Right, Left]);
    for gate in known {
        let wishful = gate.power.is_wishful(gate.starts());
        columns.row([
            gate.scenario.id.to_string(),
            gate.environment.to_owned(),
            gate.gate.metric.to_string(),
            figures::percent(gate.tolerance),
            format!("{:.2} %", gate.power.deviation() * 100.0),
            figures::signed_percent(gate.power.detectable(gate.starts())),
            if wishful { "wishful".into() } else { String::new() },
        ]);
    }
    columns.lines().join("\n")
}

fn warnings(known: &[Known]) -> Vec<String> {
    let wishful = known.iter().filter(|gate| gate.power.is_wishful(gate.starts()));
    let told = wishful.map(|gate| {
        let (id, metric) = (&gate.scenario.id, gate.gate.metric);
        let advice = match gate.power.starts_needed() {
            Some(starts) => format!("{starts} starts of each side (proof.starts), or a quieter machine, would do"),
            None => "no sensible number of starts would do: widen the tolerance, or add requests and rounds".into(),
        };
        format!(
            "Wishful: {id} {metric}: sessions scatter too much to see even twice the tolerance of {}; {advice}.",
            figures::percent(gate.tolerance)
        )
    });
    told.collect()
}

/// The chance that at least one gate errs, each by itself; gates that err together make it smaller.
fn suite_line(known: &[Known]) -> String {
    let any =
        |chance: &dyn Fn(&Known) -> f64| 1.0 - known.iter().map(|gate| 1.0 - chance(gate)).product::<f64>();
    format!(
        "An unchanged engine: suspected by a run in {}, red in {} at most.",
        figures::percent(any(&|gate| gate.power.false_suspicion())),
        figures::small_percent(any(&|gate| gate.power.false_alarm(gate.starts()))),
    )
}

/// Per target, without the engine's own starts.
fn costs(known: &[Known]) -> Vec<String> {
    let mut targets: Vec<&str> = known.iter().map(|gate| gate.scenario.id.target.as_str()).collect();
    targets.dedup();
    let told = targets.into_iter().filter_map(|target| {
        let of_target: Vec<&Known> = known.iter().filter(|gate| gate.scenario.id.target == target).collect();
        let mut scenarios: Vec<&Known> = of_target.clone();
        scenarios.dedup_by_key(|gate| &gate.scenario.id);
        let session_s: Option<f64> = scenarios.iter().map(|gate| gate.baseline.facts.session_s).sum();
        let starts = of_target.first()?.starts();
        let (green, red) = (session_s? / 60.0, session_s? / 60.0 * f64::from(1 + 2 * starts));
        Some(format!(
            "Target {target}: a green run takes {green:.1} min; one in which every scenario has to be proven \
             {red:.0} min; the engine's starts come on top (1, and {} more).",
            2 * starts
        ))
    });
    told.collect()
}
