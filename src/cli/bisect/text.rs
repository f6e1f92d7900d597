//! Describes a search in words.

use crate::cli::bisect::steps::Step;
use crate::report::table;
use crate::text::figures::counted;
use crate::verdict::Verdict;
use crate::verdict::bisection::{Bisection, Border};

pub(crate) fn plan(versions: &[String], bisection: &Bisection) -> String {
    let most = bisection.most_proofs();
    format!(
        "{} from {} to {}: the bad end first, then at most {}.",
        counted(versions.len() as u64, "version"),
        versions[0],
        versions[versions.len() - 1],
        counted(most.into(), "proof"),
    )
}

/// `v0.32.0: regressed (8 starts, 3.8 min)`, and the reason unless it is obvious.
pub(crate) fn step(step: &Step) -> String {
    let earlier = step.earlier_run.as_ref().map(|when| format!(", from a run at {when}")).unwrap_or_default();
    let starts = counted(step.starts as u64, "start");
    let head =
        format!("{}: {} ({starts}, {:.1} min{earlier})", step.version, step.verdict.name(), step.minutes);
    let decisive = step.reports.iter().filter(|report| report.verdict == step.verdict);
    let reasons = decisive.filter(|_| step.verdict != Verdict::Ok).map(|report| {
        let reason = report.reason.replace('\n', "\n  ");
        format!("  {}: {reason}", report.scenario)
    });
    std::iter::once(head).chain(reasons).collect::<Vec<_>>().join("\n")
}

/// There is nothing to search for.
pub(crate) fn no_bad_end(versions: &[String], end: &Step) -> String {
    let (good, bad) = (&versions[0], &end.version);
    match end.verdict {
        Verdict::Ok | Verdict::Improved => format!("NOT BAD: {bad} is not slower than {good}."),
        _ => format!("NOT STARTED: can't tell whether {bad} is slower than {good}."),
    }
}

pub(crate) fn border(versions: &[String], border: &Border) -> String {
    let Border { good, bad, unjudged } = border;
    let (last_good, first_bad) = (&versions[*good], &versions[*bad]);
    if border.is_found() {
        return format!("FIRST BAD: {first_bad}. The version before it, {last_good}, is good.");
    }
    let suspects: Vec<&str> = versions[good + 1..=*bad].iter().map(String::as_str).collect();
    let unjudged: Vec<&str> = unjudged.iter().map(|version| versions[*version].as_str()).collect();
    let why = if unjudged.len() + 1 == suspects.len() {
        format!(" {} could not be judged.", unjudged.join(", "))
    } else {
        String::new()
    };
    format!("FIRST BAD: one of {}. {last_good} is good.{why}", suspects.join(", "))
}

/// The cost of the search, including earlier runs.
pub(crate) fn cost<'s>(steps: impl Iterator<Item = &'s Step>) -> String {
    let steps: Vec<&Step> = steps.collect();
    let earlier = match steps.iter().filter(|step| step.earlier_run.is_some()).count() {
        0 => String::new(),
        earlier => format!("; {earlier} of the proofs from an earlier run"),
    };
    format!(
        "The search took {}, including the bad end: {}, {:.1} min{earlier}.",
        counted(steps.len() as u64, "proof"),
        counted(steps.iter().map(|step| step.starts as u64).sum(), "start"),
        steps.iter().map(|step| step.minutes).sum::<f64>(),
    )
}

/// The full reports, as `ab` prints them.
pub(crate) fn proof(step: &Step) -> String {
    let tables =
        step.reports.iter().map(|report| format!("\n{}\n{}\n", report.scenario, table::table(report)));
    tables.chain([format!("Reports: {}\n", step.folder.display())]).collect()
}
