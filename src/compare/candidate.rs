//! A participant in a comparison: one target's levels, from whichever report.

use std::collections::BTreeMap;

use crate::load::{Arrival, Load};
use crate::results::Report;
use crate::results::file::ReportFile;
use crate::results::limits::Limits;
use crate::results::sweep::{Axis, Level, Sweep};
use crate::target::Environment;
use crate::text::nearest::did_you_mean;
use crate::text::printable::one_line;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    /// Unique.
    pub name: String,
    /// The file that it was read from.
    pub source: String,
    pub environment: Option<Environment>,
    /// The workload, in words.
    pub workload: String,
    /// Equal for equal workloads.
    pub asked: String,
    pub axis: Axis,
    pub limits: Limits,
    /// In ascending order.
    pub levels: Vec<Level>,
    pub trouble: Option<String>,
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum NotComparable {
    #[error("expected at least two targets, found {found}: name more reports, or sweep more targets")]
    TooFew { found: usize },
    #[error("{one} has levels in {}, {other} in {}: sweep both over the same axis", ones.name(), others.name())]
    Axes { one: String, ones: Axis, other: String, others: Axis },
    #[error("{source_file}: a comparison can't be compared again: give the reports it was made from")]
    Comparison { source_file: String },
    #[error(
        "{source_file}: a version 1 report doesn't record its load: measure again with this version of tollgate"
    )]
    NoLoad { source_file: String },
    #[error("no compared target is named `{name}`: {help}")]
    UnknownTarget { name: String, help: String },
}

impl NotComparable {
    pub(crate) fn unknown_target(name: &str, candidates: &[Candidate]) -> NotComparable {
        let known: Vec<String> = candidates.iter().map(|candidate| one_line(&candidate.name)).collect();
        let help = did_you_mean(name, known.iter().map(String::as_str));
        NotComparable::UnknownTarget { name: one_line(name), help }
    }
}

impl Candidate {
    pub(crate) fn level(&self, at: f64) -> Option<&Level> {
        self.levels.iter().find(|level| level.at == at)
    }

    /// Before its engine is known, any name that [`make_unique`] could give it also matches.
    pub(crate) fn may_be_called(&self, name: &str) -> bool {
        let has_suffix = || {
            let rest = name.strip_prefix(&self.name);
            rest.is_some_and(|rest| rest.starts_with(" (") || rest.starts_with(" #"))
        };
        self.name == name || (self.environment.is_none() && has_suffix())
    }

    pub(crate) fn without_goodput(mut self) -> Candidate {
        self.levels.iter_mut().for_each(|level| level.goodput = None);
        self
    }
}

/// All participants, from file names and their reports. Reports of the same target, run, and scenario file form one
/// curve.
pub(crate) fn candidates(reports: Vec<(String, ReportFile)>) -> Result<Vec<Candidate>, NotComparable> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for (source, report) in reports {
        match report {
            ReportFile::Sweep(sweep) => candidates.extend(of_sweep(&source, *sweep)),
            ReportFile::Scenario(report) => join(of_report(source, *report)?, &mut candidates),
            ReportFile::Comparison(_) => return Err(NotComparable::Comparison { source_file: source }),
        }
    }
    make_unique(&mut candidates);
    Ok(candidates)
}

fn of_sweep(source: &str, sweep: Sweep) -> Vec<Candidate> {
    let Sweep { axis, limits, workload, workload_hash, targets, .. } = sweep;
    let of_target = targets.into_iter().map(|target| Candidate {
        name: target.name,
        source: source.to_owned(),
        environment: target.environment,
        workload: workload.clone(),
        asked: workload_hash.clone(),
        axis,
        limits: limits.clone(),
        levels: target.levels,
        trouble: target.trouble,
        warnings: target.warnings,
    });
    of_target.collect()
}

fn of_report(source: String, report: Report) -> Result<Candidate, NotComparable> {
    let Some(load) = report.load else { return Err(NotComparable::NoLoad { source_file: source }) };
    let (axis, at) = place(&load);
    let level =
        Level { at, load, summary: report.summary, goodput: None, timeline: None, sessions: report.sessions };
    let has_figures = level.summary.requests.sent > 0;
    Ok(Candidate {
        name: report.scenario.target,
        source,
        environment: report.environment,
        workload: format!("scenario file {}", report.scenario.file),
        asked: format!("{} of run {}", report.scenario.file, report.run.id),
        axis,
        limits: Limits::default(),
        levels: if has_figures { vec![level] } else { Vec::new() },
        trouble: (!has_figures).then_some(report.reason),
        warnings: report.warnings,
    })
}

fn place(load: &Load) -> (Axis, f64) {
    match load.arrival() {
        Arrival::Closed(closed) => (Axis::Users, f64::from(closed.concurrency)),
        Arrival::Open(open) => (Axis::RequestsPerS, open.rate),
        Arrival::Replay(replay) => (Axis::RequestsPerS, replay.rate()),
    }
}

/// The loads of a scenario file are the levels of one curve.
fn join(candidate: Candidate, candidates: &mut Vec<Candidate>) {
    let is_same = |other: &&mut Candidate| {
        other.name == candidate.name
            && other.asked == candidate.asked
            && other.environment == candidate.environment
            && other.axis == candidate.axis
            && candidate.levels.iter().all(|level| other.level(level.at).is_none())
    };
    match candidates.iter_mut().find(is_same) {
        Some(other) => {
            other.levels.extend(candidate.levels);
            other.levels.sort_by(|one, other| one.at.total_cmp(&other.at));
            other.trouble = other.trouble.take().or(candidate.trouble);
            other.warnings.extend(candidate.warnings);
        }
        None => candidates.push(candidate),
    }
}

/// Distinguishes equal names by their engines if these differ, otherwise by number.
fn make_unique(candidates: &mut [Candidate]) {
    let count_names = |candidates: &[Candidate]| {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        candidates.iter().for_each(|candidate| *counts.entry(candidate.name.clone()).or_default() += 1);
        counts
    };
    let counts = count_names(candidates);
    for candidate in candidates.iter_mut().filter(|candidate| counts[&candidate.name] > 1) {
        if let Some(environment) = &candidate.environment {
            candidate.name = format!("{} ({})", candidate.name, environment.engine);
        }
    }
    let counts = count_names(candidates);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for candidate in candidates.iter_mut().filter(|candidate| counts[&candidate.name] > 1) {
        let number = seen.entry(candidate.name.clone()).or_default();
        *number += 1;
        candidate.name = format!("{} #{number}", candidate.name);
    }
}
