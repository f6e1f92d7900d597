//! `tollgate bisect`: the first bad version between a good and a bad one, by proofs.

mod steps;
mod text;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::comparison::{Subject, Variant, VersionComparison, exit_code};
use crate::client::Cancel;
use crate::config::Scenario;
use crate::suite::event::Event;
use crate::suite::harness::{ProgressLine, cancel_on_interrupt, this_run};
use crate::verdict::Verdict;
use crate::verdict::bisection::{self, Bisection, Finding};

use steps::{Step, Steps};

/// Find the first bad version between a good and a bad one, by proofs against the good one. Run again after an
/// interruption, it goes on from there.
#[derive(Debug, clap::Args)]
pub struct BisectArgs {
    #[command(flatten)]
    subject: Subject,
    /// A version that is good, as the list has it.
    #[arg(long, value_name = "VERSION")]
    good: String,
    /// A later one that is bad.
    #[arg(long, value_name = "VERSION")]
    bad: String,
    /// A file with all versions, oldest first, one a line: tags of the target's image, whole images, or what else `ab`
    /// takes. `#` begins a comment.
    #[arg(long, value_name = "FILE")]
    tags: PathBuf,
}

pub fn run(BisectArgs { subject, good, bad, tags }: BisectArgs) -> anyhow::Result<ExitCode> {
    let list = fs::read_to_string(&tags).with_context(|| format!("can't read {}", tags.display()))?;
    let versions = bisection::between(&list, &good, &bad)
        .with_context(|| format!("{} is no list to search", tags.display()))?;
    // A mistake in any of them is reported before hours are spent on the others.
    let variants: Vec<Variant> = versions
        .iter()
        .map(|version| subject.variant(&tags.display().to_string(), std::slice::from_ref(version)))
        .collect::<Result<_, _>>()?;
    let cancel = Cancel::new();
    cancel_on_interrupt(&cancel);
    let run = this_run();
    let progress = ProgressLine::default();
    let listen = |event: Event| progress.show(event);
    let comparison = VersionComparison { run: &run, cancel: &cancel, listen: &listen };
    let old = variants[0].target.clone();
    let steps = Steps { comparison: &comparison, target_dir: subject.root.join("target"), old: &old };
    let Some(verdict) = search(&versions, variants, &steps)? else {
        println!("Interrupted: the same command goes on from here.");
        return Ok(ExitCode::from(exit_code(Verdict::Invalid)));
    };
    Ok(ExitCode::from(exit_code(verdict)))
}

/// Regressed, where the first bad version was found; inconclusive, where it was narrowed down only; else the verdict on
/// the bad end. `None` if it was interrupted.
fn search(versions: &[String], mut variants: Vec<Variant>, steps: &Steps) -> anyhow::Result<Option<Verdict>> {
    let last = versions.len() - 1;
    let mut bisection = Bisection::up_to(last);
    println!("{}", text::plan(versions, &bisection));
    let Some(end) = steps.prove(&versions[last], &variants[last])? else { return Ok(None) };
    println!("{}", text::step(&end));
    if Finding::from(end.verdict) != Finding::Bad {
        println!("{}\nReports: {}", text::no_bad_end(versions, &end), end.folder.display());
        return Ok(Some(end.verdict));
    }
    variants.iter_mut().for_each(|variant| variant.scenarios = looked_for(&variant.scenarios, &end));
    let mut proven = vec![(last, end)];
    while let Some(version) = bisection.next() {
        let Some(step) = steps.prove(&versions[version], &variants[version])? else {
            println!("{}", text::border(versions, &bisection.border()));
            return Ok(None);
        };
        println!("{}", text::step(&step));
        bisection.tell(version, step.verdict.into());
        proven.push((version, step));
    }
    let border = bisection.border();
    println!("\n{}\n{}", text::border(versions, &border), text::cost(proven.iter().map(|(_, step)| step)));
    for (_, step) in proven.iter().filter(|(version, _)| *version == border.bad) {
        print!("{}", text::proof(step));
    }
    Ok(Some(if border.is_found() { Verdict::Regressed } else { Verdict::Inconclusive }))
}

/// What is wrong with the bad end is what is looked for: neither another scenario nor another gate.
fn looked_for(scenarios: &[Scenario], end: &Step) -> Vec<Scenario> {
    let regressed = |scenario: &Scenario| {
        let report = end.reports.iter().find(|report| report.scenario == scenario.id)?;
        let gates = report.gates.iter().filter(|gate| gate.verdict == Verdict::Regressed);
        let gates: Vec<_> = gates.map(|outcome| outcome.gate).collect();
        (!gates.is_empty()).then(|| Scenario { gates, ..scenario.clone() })
    };
    scenarios.iter().filter_map(regressed).collect()
}
