//! Which target is the better one, by how much, and for whom: reports in, comparison out.

mod caveats;
mod contender;
mod contest;
mod crossings;
#[cfg(test)]
pub mod example;
mod reasons;
mod recommendation;
mod wishes;

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::metrics::Metric;
use crate::results::comparison::{ComparedLevel, ComparedTarget, Comparison, TargetAtLevel};
use crate::results::file::ReportFile;
use crate::results::limits::Limits;
use crate::results::sweep::{Axis, Level, Sweep};
use crate::results::{Kind, VERSION, curve};

pub use contender::{Contender, NotComparable, contenders};
pub use contest::{TIE, TIE_UNSEEN};
pub use recommendation::{CLOSE_CALL, FAILURES_COUNT};
pub use wishes::{BadWish, Wishes};

/// What is compared level by level: throughput, and each latency in the middle and near its end.
pub const METRICS: [&str; 7] = [
    "output_tokens_per_s",
    "ttft_ms_p50",
    "ttft_ms_p95",
    "tpot_ms_p50",
    "tpot_ms_p95",
    "e2e_ms_p50",
    "e2e_ms_p95",
];

/// Where curves are searched for crossings: throughput, the wait, and the pace.
const CROSSING: [&str; 3] = ["output_tokens_per_s", "ttft_ms_p95", "tpot_ms_p95"];

/// Compares targets by the levels that they have in common.
pub fn compare(contenders: &[Contender], wishes: &Wishes) -> Result<Comparison, NotComparable> {
    let axis = check(contenders, wishes)?;
    let levels = common_levels(contenders);
    let (limits, contenders) = by_common_limits(contenders);
    let contenders: &[Contender] = &contenders;
    Ok(Comparison {
        kind: Kind::Comparison,
        version: VERSION,
        tollgate: env!("CARGO_PKG_VERSION").into(),
        axis,
        limits,
        caveats: caveats::caveats(contenders),
        targets: contenders.iter().map(compared_target).collect(),
        crossings: crossings::crossings(contenders, &levels, &CROSSING.map(metric)),
        recommendation: recommendation::recommend(contenders, &levels, wishes),
        levels: levels.iter().map(|at| compared_level(contenders, *at)).collect(),
        warnings: contenders.iter().flat_map(|contender| contender.warnings.clone()).collect(),
    })
}

/// Compares a sweep's own targets; `None` if there is only one.
pub fn compare_sweep(sweep: &Sweep, wishes: &Wishes) -> Option<Comparison> {
    let report = ReportFile::Sweep(Box::new(sweep.clone()));
    let contenders = contenders(vec![(sweep.run.id.clone(), report)]).ok()?;
    compare(&contenders, wishes).ok()
}

/// Whether these can be compared, measured or not, and by what.
pub fn check(contenders: &[Contender], wishes: &Wishes) -> Result<Axis, NotComparable> {
    let axis = common_axis(contenders)?;
    wishes.check(contenders)?;
    Ok(axis)
}

fn metric(name: &str) -> Metric {
    name.parse().expect("it is the name of a metric")
}

fn common_axis(contenders: &[Contender]) -> Result<Axis, NotComparable> {
    let [first, others @ ..] = contenders else { return Err(NotComparable::TooFew { found: 0 }) };
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

/// Limits that differ are no common ones, and what was counted against them is not compared.
fn by_common_limits(contenders: &[Contender]) -> (Limits, Cow<'_, [Contender]>) {
    let first = &contenders[0].limits;
    match contenders.iter().all(|contender| contender.limits == *first) {
        true => (first.clone(), contenders.into()),
        false => (Limits::default(), contenders.iter().cloned().map(Contender::without_goodput).collect()),
    }
}

/// Levels that at least two targets have measured.
fn common_levels(contenders: &[Contender]) -> Vec<f64> {
    let bits: BTreeSet<u64> = contenders
        .iter()
        .flat_map(|contender| contender.levels.iter().map(|level| level.at.to_bits()))
        .collect();
    let have = |at: f64| contenders.iter().filter(|contender| contender.level(at).is_some()).count();
    // Positive numbers are in the order of their bits.
    bits.into_iter().map(f64::from_bits).filter(|at| have(*at) > 1).collect()
}

fn compared_target(contender: &Contender) -> ComparedTarget {
    ComparedTarget {
        name: contender.name.clone(),
        source: contender.source.clone(),
        environment: contender.environment.clone(),
        knee: curve::knee(&curve::throughput(&contender.levels)),
        meets_limits_up_to: curve::meets_limits_up_to(&contender.levels),
        trouble: contender.trouble.clone(),
    }
}

fn compared_level(contenders: &[Contender], at: f64) -> ComparedLevel {
    let there: Vec<(&Contender, &Level)> =
        contenders.iter().filter_map(|contender| Some((contender, contender.level(at)?))).collect();
    let sides: Vec<(&str, &Level)> =
        there.iter().map(|(contender, level)| (contender.name.as_str(), *level)).collect();
    let contests = METRICS.iter().filter_map(|name| contest::contest(metric(name), &sides));
    ComparedLevel {
        at,
        metrics: contests.filter(|contest| contest.standings.len() > 1).collect(),
        targets: there
            .iter()
            .map(|(contender, level)| TargetAtLevel {
                target: contender.name.clone(),
                requests: level.summary.requests.clone(),
                share_of_ideal: curve::share_of_ideal(&curve::throughput(&contender.levels), at),
                goodput: level.goodput,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests;
