//! `tollgate compare`: shows which target performs better, from reports or from a new sweep.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use crate::cli::sweep;
use crate::cli::sweep_flags::SweepFlags;
use crate::compare::{self, BadPreference, NotComparable, Preferences};
use crate::report::sweep_table;
use crate::results::comparison::Criterion;
use crate::results::file::ReportFile;
use crate::results::sweep::Sweep;
use crate::store;

/// Compare targets and recommend one for low, medium, and high traffic. Reads reports of sweeps, benches, or a suite,
/// or runs a sweep first.
#[derive(Debug, clap::Args)]
pub(crate) struct CompareArgs {
    /// Reports written by `sweep --json` or `bench --json`, or `target/tollgate/<run>/*.json`.
    #[arg(required_unless_present_any = ["targets", "urls"])]
    reports: Vec<PathBuf>,
    #[command(flatten)]
    swept: SweepFlags,
    /// Write the sweep's report to this file, updated after each level.
    #[arg(long, value_name = "FILE", requires = "what")]
    sweep_json: Option<PathBuf>,
    /// Weight of each criterion; unlisted criteria have weight 0.
    #[arg(long, value_name = "CRITERION=WEIGHT,…", value_parser = weights,
        default_value = "performance=40,reliability=30,efficiency=20,simplicity=10")]
    weights: Weights,
    /// How simple each target is to operate, from 1 to 5 (simplest), such as `vllm=3,ollama=5`.
    #[arg(long, value_name = "TARGET=N,…", value_parser = simplicity)]
    simplicity: Option<Values>,
    /// Cost of each target per hour in any currency, or its power in watts; used for the efficiency criterion.
    #[arg(long, value_name = "TARGET=COST,…", value_parser = costs)]
    costs: Option<Values>,
    /// Write the comparison to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

// clap would treat a list of values as several arguments.
type Weights = std::sync::Arc<BTreeMap<Criterion, f64>>;
type Values = std::sync::Arc<BTreeMap<String, f64>>;

fn weights(text: &str) -> Result<Weights, BadPreference> {
    Preferences::parse_weights(text).map(Weights::new)
}

fn simplicity(text: &str) -> Result<Values, BadPreference> {
    Preferences::parse_simplicity(text).map(Values::new)
}

fn costs(text: &str) -> Result<Values, BadPreference> {
    Preferences::parse_costs(text).map(Values::new)
}

pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    if args.json.is_some() && args.json == args.sweep_json {
        bail!("--json and --sweep-json name the same file; one would overwrite the other");
    }
    let mut reports = Vec::new();
    for path in &args.reports {
        reports.push((path.display().to_string(), store::read_any_report(path)?));
    }
    let (mut code, preferences) = (0, args.preferences());
    if args.swept.is_given() {
        let planned = args.swept.plan()?;
        check(&reports, planned.unmeasured(), &preferences)?;
        for path in args.sweep_json.iter().chain(&args.json) {
            store::check_writable(path)?;
        }
        let save =
            |sweep: &Sweep| args.sweep_json.as_ref().map_or(Ok(()), |path| store::write_report(path, sweep));
        let sweep = planned.measure(&save)?;
        code = sweep::exit_code(&sweep);
        println!("{}\n", sweep_table::sweep(&sweep));
        reports.push(named(sweep));
    }
    let candidates = compare::candidates(reports)?;
    let comparison = compare::compare(&candidates, &preferences)?;
    println!("{}", sweep_table::comparison(&comparison));
    if let Some(path) = &args.json {
        store::write_report(path, &comparison)?;
        println!("Comparison: {}", path.display());
    }
    Ok(ExitCode::from(code))
}

/// Rejects a sweep that can't be compared with the reports before it runs.
fn check(
    reports: &[(String, ReportFile)],
    unmeasured: Sweep,
    preferences: &Preferences,
) -> Result<(), NotComparable> {
    let candidates = compare::candidates([reports, &[named(unmeasured)]].concat())?;
    compare::check(&candidates, preferences).map(|_| ())
}

fn named(sweep: Sweep) -> (String, ReportFile) {
    (format!("sweep {}", sweep.run.id), ReportFile::Sweep(Box::new(sweep)))
}

impl CompareArgs {
    fn preferences(&self) -> Preferences {
        let values = |values: &Option<Values>| values.as_deref().cloned().unwrap_or_default();
        Preferences {
            weights: self.weights.as_ref().clone(),
            simplicity: values(&self.simplicity),
            costs: values(&self.costs),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::results::sweep::example;

    #[derive(Debug, Parser)]
    struct CompareCommand {
        #[command(flatten)]
        compare: CompareArgs,
    }

    #[test]
    fn an_incomparable_sweep_is_rejected_before_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let (users, swept) = (folder.path().join("users.json"), folder.path().join("swept.json"));
        store::write_report(&users, &example::crossing()).unwrap();
        let users = users.to_str().unwrap();
        let refused = |flags: &[&str]| {
            let words = ["compare", "--url", "a=http://127.0.0.1:1", "--sweep-json", swept.to_str().unwrap()];
            let command = CompareCommand::try_parse_from([&words[..], flags].concat()).unwrap();
            let error = run(&command.compare).unwrap_err().to_string();
            assert!(!swept.exists(), "the sweep ran before this error: {error}");
            error
        };
        assert!(refused(&[]).starts_with("expected at least two targets, found 1"));
        let axes = refused(&[users, "--rates", "1"]);
        assert!(axes.contains("users.json has levels in users") && axes.contains("in requests/s"), "{axes}");
        let unknown = refused(&[users, "--costs", "a=1,b=1"]);
        assert!(unknown.starts_with("no compared target is named `b`"), "{unknown}");
    }
}
