//! `tollgate bisect`: finds the first bad version between a good and a bad one, by proofs.

mod steps;
mod text;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::comparison::{Subject, Variant, VersionComparison, exit_code};
use crate::client::Cancel;
use crate::config::Scenario;
use crate::session::event::Event;
use crate::suite::harness::{ProgressLine, cancel_on_interrupt, this_run};
use crate::verdict::Verdict;
use crate::verdict::bisection::{self, Bisection, Finding};

use steps::{Step, Steps};

/// Find the first bad version between a good and a bad one by running proofs against the good one. To resume after an
/// interruption, run the same command again.
#[derive(Debug, clap::Args)]
pub(crate) struct BisectArgs {
    #[command(flatten)]
    subject: Subject,
    /// A good version, as listed in the --tags file.
    #[arg(long, value_name = "VERSION")]
    good: String,
    /// A later version that is bad.
    #[arg(long, value_name = "VERSION")]
    bad: String,
    /// File that lists all versions, oldest first, one per line: tags of the target's image, full image names, or
    /// anything else that `ab` accepts. `#` starts a comment.
    #[arg(long, value_name = "FILE")]
    tags: PathBuf,
}

pub(crate) fn run(BisectArgs { subject, good, bad, tags }: BisectArgs) -> anyhow::Result<ExitCode> {
    let list = fs::read_to_string(&tags).with_context(|| format!("can't read {}", tags.display()))?;
    let versions = bisection::between(&list, &good, &bad)
        .with_context(|| format!("can't search the versions in {}", tags.display()))?;
    // Report a mistake in any version before spending hours on the others.
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
        println!("Interrupted. To resume, run the same command again.");
        return Ok(ExitCode::from(exit_code(Verdict::Invalid)));
    };
    Ok(ExitCode::from(exit_code(verdict)))
}

/// Returns `Regressed` if the first bad version was found, `Inconclusive` if it was only narrowed down, and otherwise
/// the verdict on the bad end. `None` if interrupted.
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
    variants.iter_mut().for_each(|variant| variant.scenarios = only_regressed(&variant.scenarios, &end));
    let mut proofs = vec![(last, end)];
    while let Some(version) = bisection.next() {
        let Some(step) = steps.prove(&versions[version], &variants[version])? else {
            println!("{}", text::border(versions, &bisection.border()));
            return Ok(None);
        };
        println!("{}", text::step(&step));
        bisection.record(version, step.verdict.into());
        proofs.push((version, step));
    }
    let border = bisection.border();
    println!("\n{}\n{}", text::border(versions, &border), text::cost(proofs.iter().map(|(_, step)| step)));
    for (_, step) in proofs.iter().filter(|(version, _)| *version == border.bad) {
        print!("{}", text::proof(step));
    }
    Ok(Some(if border.is_found() { Verdict::Regressed } else { Verdict::Inconclusive }))
}

/// Narrows the search to the scenarios and gates that regressed at the bad end.
fn only_regressed(scenarios: &[Scenario], end: &Step) -> Vec<Scenario> {
    let regressed = |scenario: &Scenario| {
        let report = end.reports.iter().find(|report| report.scenario == scenario.id)?;
        let gates = report.gates.iter().filter(|gate| gate.verdict == Verdict::Regressed);
        let gates: Vec<_> = gates.map(|outcome| outcome.gate).collect();
        (!gates.is_empty()).then(|| Scenario { gates, ..scenario.clone() })
    };
    scenarios.iter().filter_map(regressed).collect()
}
