//! What takes part in a comparison: one target's levels, whichever report they come from.

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
pub struct Contender {
    /// No two contenders share one.
    pub name: String,
    /// The file it was read from.
    pub source: String,
    pub environment: Option<Environment>,
    /// What it was asked, in words.
    pub workload: String,
    /// Equal where the same was asked.
    pub asked: String,
    pub axis: Axis,
    pub limits: Limits,
    /// In rising order.
    pub levels: Vec<Level>,
    pub trouble: Option<String>,
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotComparable {
    #[error("expected at least two targets, found {found}: name more reports, or sweep more targets")]
    TooFew { found: usize },
    #[error("{one} has levels of {}, {other} of {}: sweep both by the same", ones.name(), others.name())]
    Axes { one: String, ones: Axis, other: String, others: Axis },
    #[error("{source_file}: a comparison can't be compared once more: give the reports it was made from")]
    Comparison { source_file: String },
    #[error(
        "{source_file}: a report of version 1 doesn't say which load it drove: measure again with this tollgate"
    )]
    NoLoad { source_file: String },
    #[error("there is no target `{name}` among those compared: {help}")]
    UnknownTarget { name: String, help: String },
}

impl NotComparable {
    pub fn unknown_target(name: &str, contenders: &[Contender]) -> NotComparable {
        let known: Vec<String> = contenders.iter().map(|contender| one_line(&contender.name)).collect();
        let help = did_you_mean(name, known.iter().map(String::as_str));
        NotComparable::UnknownTarget { name: one_line(name), help }
    }
}

impl Contender {
    pub fn level(&self, at: f64) -> Option<&Level> {
        self.levels.iter().find(|level| level.at == at)
    }

    /// As long as its engine is not known, also as it would be told from another of its name.
    pub fn may_be_called(&self, name: &str) -> bool {
        let apart = || {
            let rest = name.strip_prefix(&self.name);
            rest.is_some_and(|rest| rest.starts_with(" (") || rest.starts_with(" #"))
        };
        self.name == name || (self.environment.is_none() && apart())
    }

    pub fn without_goodput(mut self) -> Contender {
        self.levels.iter_mut().for_each(|level| level.goodput = None);
        self
    }
}

/// Everything that takes part, of files and what they hold. Reports of one target, run and scenario file are one curve.
pub fn contenders(reports: Vec<(String, ReportFile)>) -> Result<Vec<Contender>, NotComparable> {
    let mut contenders: Vec<Contender> = Vec::new();
    for (source, report) in reports {
        match report {
            ReportFile::Sweep(sweep) => contenders.extend(of_sweep(&source, *sweep)),
            ReportFile::Scenario(report) => join(of_report(source, *report)?, &mut contenders),
            ReportFile::Comparison(_) => return Err(NotComparable::Comparison { source_file: source }),
        }
    }
    name_apart(&mut contenders);
    Ok(contenders)
}

fn of_sweep(source: &str, sweep: Sweep) -> Vec<Contender> {
    let Sweep { axis, limits, workload, workload_hash, targets, .. } = sweep;
    let of_target = targets.into_iter().map(|target| Contender {
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

fn of_report(source: String, report: Report) -> Result<Contender, NotComparable> {
    let Some(load) = report.load else { return Err(NotComparable::NoLoad { source_file: source }) };
    let (axis, at) = place(&load);
    let level =
        Level { at, load, summary: report.summary, goodput: None, timeline: None, sessions: report.sessions };
    let has_figures = level.summary.requests.sent > 0;
    Ok(Contender {
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

/// A scenario file's loads are levels of one curve.
fn join(contender: Contender, contenders: &mut Vec<Contender>) {
    let is_same = |other: &&mut Contender| {
        other.name == contender.name
            && other.asked == contender.asked
            && other.environment == contender.environment
            && other.axis == contender.axis
            && contender.levels.iter().all(|level| other.level(level.at).is_none())
    };
    match contenders.iter_mut().find(is_same) {
        Some(other) => {
            other.levels.extend(contender.levels);
            other.levels.sort_by(|one, other| one.at.total_cmp(&other.at));
            other.trouble = other.trouble.take().or(contender.trouble);
            other.warnings.extend(contender.warnings);
        }
        None => contenders.push(contender),
    }
}

/// Two of one name are told apart by their engines, where these differ, else by a number.
fn name_apart(contenders: &mut [Contender]) {
    let of = |contenders: &[Contender]| {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        contenders.iter().for_each(|contender| *counts.entry(contender.name.clone()).or_default() += 1);
        counts
    };
    let counts = of(contenders);
    for contender in contenders.iter_mut().filter(|contender| counts[&contender.name] > 1) {
        if let Some(environment) = &contender.environment {
            contender.name = format!("{} ({})", contender.name, environment.engine);
        }
    }
    let counts = of(contenders);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for contender in contenders.iter_mut().filter(|contender| counts[&contender.name] > 1) {
        let number = seen.entry(contender.name.clone()).or_default();
        *number += 1;
        contender.name = format!("{} #{number}", contender.name);
    }
}
