//! Compares reports: which target is better, by how much, and for which traffic.

mod candidate;
mod caveats;
mod crossings;
#[cfg(test)]
pub(crate) mod example;
mod preferences;
mod ranking;
mod reasons;
mod recommendation;

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::metrics::Metric;
use crate::results::comparison::{ComparedLevel, ComparedTarget, Comparison, TargetAtLevel};
use crate::results::file::ReportFile;
use crate::results::limits::Limits;
use crate::results::sweep::{Axis, Level, Sweep};
use crate::results::{Kind, VERSION, curve};

pub(crate) use candidate::{Candidate, NotComparable, candidates};
pub(crate) use preferences::{BadPreference, Preferences};

/// The metrics compared at each level: throughput, and each latency's median and 95th percentile.
pub(crate) const METRICS: [&str; 7] = [
    "output_tokens_per_s",
    "ttft_ms_p50",
    "ttft_ms_p95",
    "tpot_ms_p50",
    "tpot_ms_p95",
    "e2e_ms_p50",
    "e2e_ms_p95",
];

/// The metrics whose curves are searched for crossings: throughput, time to first token, and pace.
const CROSSING: [&str; 3] = ["output_tokens_per_s", "ttft_ms_p95", "tpot_ms_p95"];

/// Compares targets at the levels that they have in common.
pub(crate) fn compare(
    candidates: &[Candidate],
    preferences: &Preferences,
) -> Result<Comparison, NotComparable> {
    let axis = check(candidates, preferences)?;
    let levels = common_levels(candidates);
    let (limits, candidates) = by_common_limits(candidates);
    let candidates: &[Candidate] = &candidates;
    Ok(Comparison {
        kind: Kind::Comparison,
        version: VERSION,
        tollgate: env!("CARGO_PKG_VERSION").into(),
        axis,
        limits,
        caveats: caveats::caveats(candidates),
        targets: candidates.iter().map(compared_target).collect(),
        crossings: crossings::crossings(candidates, &levels, &CROSSING.map(metric)),
        recommendation: recommendation::recommend(candidates, &levels, preferences),
        levels: levels.iter().map(|at| compared_level(candidates, *at)).collect(),
        warnings: candidates.iter().flat_map(|candidate| candidate.warnings.clone()).collect(),
    })
}

/// Compares a sweep's own targets; `None` if there is only one.
pub(crate) fn compare_sweep(sweep: &Sweep, preferences: &Preferences) -> Option<Comparison> {
    let report = ReportFile::Sweep(Box::new(sweep.clone()));
    let candidates = candidates(vec![(sweep.run.id.clone(), report)]).ok()?;
    compare(&candidates, preferences).ok()
}

/// Checks whether these targets can be compared, measured or not, and returns their common axis.
pub(crate) fn check(candidates: &[Candidate], preferences: &Preferences) -> Result<Axis, NotComparable> {
    let axis = common_axis(candidates)?;
    preferences.check(candidates)?;
    Ok(axis)
}

fn metric(name: &str) -> Metric {
    name.parse().expect("it is the name of a metric")
}

fn common_axis(candidates: &[Candidate]) -> Result<Axis, NotComparable> {
    let [first, others @ ..] = candidates else { return Err(NotComparable::TooFew { found: 0 }) };
    if others.is_empty() {
        return Err(NotComparable::TooFew { found: 1 });
    }
    match others.iter().find(|other| other.axis != first.axis) {
        None => Ok(first.axis),
        Some(other) => Err(NotComparable::Axes {
            one: first.source.clone(),
            ones: first.axis,
            other: other.source.clone(),
            others: other.axis,
        }),
    }
}

/// If limits differ, there are no common ones, and goodput is not compared.
fn by_common_limits(candidates: &[Candidate]) -> (Limits, Cow<'_, [Candidate]>) {
    let first = &candidates[0].limits;
    if candidates.iter().all(|candidate| candidate.limits == *first) {
        (first.clone(), candidates.into())
    } else {
        (Limits::default(), candidates.iter().cloned().map(Candidate::without_goodput).collect())
    }
}

/// Levels measured on at least two targets.
fn common_levels(candidates: &[Candidate]) -> Vec<f64> {
    let bits: BTreeSet<u64> = candidates
        .iter()
        .flat_map(|candidate| candidate.levels.iter().map(|level| level.at.to_bits()))
        .collect();
    let have = |at: f64| candidates.iter().filter(|candidate| candidate.level(at).is_some()).count();
    // Positive floats sort by their bits.
    bits.into_iter().map(f64::from_bits).filter(|at| have(*at) > 1).collect()
}

fn compared_target(candidate: &Candidate) -> ComparedTarget {
    ComparedTarget {
        name: candidate.name.clone(),
        source: candidate.source.clone(),
        environment: candidate.environment.clone(),
        knee: curve::knee(&curve::throughput(&candidate.levels)),
        meets_limits_up_to: curve::meets_limits_up_to(&candidate.levels),
        trouble: candidate.trouble.clone(),
    }
}

fn compared_level(candidates: &[Candidate], at: f64) -> ComparedLevel {
    let present: Vec<(&Candidate, &Level)> =
        candidates.iter().filter_map(|candidate| Some((candidate, candidate.level(at)?))).collect();
    let sides: Vec<(&str, &Level)> =
        present.iter().map(|(candidate, level)| (candidate.name.as_str(), *level)).collect();
    let rankings = METRICS.iter().filter_map(|name| ranking::rank(metric(name), &sides));
    ComparedLevel {
        at,
        metrics: rankings.filter(|ranking| ranking.standings.len() > 1).collect(),
        targets: present
            .iter()
            .map(|(candidate, level)| TargetAtLevel {
                target: candidate.name.clone(),
                requests: level.summary.requests.clone(),
                share_of_ideal: curve::share_of_ideal(&curve::throughput(&candidate.levels), at),
                goodput: level.goodput,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests;
