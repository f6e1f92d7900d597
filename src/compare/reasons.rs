//! Explains in plain words why a target is recommended.

use std::collections::{BTreeMap, BTreeSet};

use crate::compare::recommendation::Class;
use crate::compare::{Candidate, Preferences};
use crate::metrics::Metric;
use crate::results::comparison::{Criterion, Traffic};
use crate::results::sweep::Axis;
use crate::text::figures;

pub(crate) fn reasons(
    class: &Class,
    all: &[Candidate],
    totals: &BTreeMap<String, f64>,
    preferences: &Preferences,
    left_out: &BTreeMap<Criterion, String>,
) -> Vec<String> {
    let Some((first, second)) = pair(class, totals) else {
        return not_measured(class, all).into_iter().collect();
    };
    let mut reasons = Vec::new();
    reasons.extend(models(first, second));
    reasons.extend(stand_in(class, all));
    let metrics: BTreeSet<Metric> = class.rankings.iter().map(|(_, ranking)| ranking.metric).collect();
    reasons
        .extend(metrics.into_iter().filter_map(|metric| by_metric(class, metric, &first.name, &second.name)));
    reasons.extend(goodput(class, first, second));
    reasons.push(reliability(class, first, second));
    if weighs(preferences, left_out, Criterion::Efficiency) {
        reasons.push(given("Cost per hour", &preferences.costs, first, second));
    }
    if weighs(preferences, left_out, Criterion::Simplicity) {
        reasons.push(given("Simplicity, as given", &preferences.simplicity, first, second));
    }
    reasons.extend(absent(class, all));
    reasons
}

fn weighs(preferences: &Preferences, left_out: &BTreeMap<Criterion, String>, criterion: Criterion) -> bool {
    preferences.weights.get(&criterion).is_some_and(|weight| *weight > 0.0)
        && !left_out.contains_key(&criterion)
}

/// The two targets with the highest totals.
fn pair<'c>(class: &Class<'c>, totals: &BTreeMap<String, f64>) -> Option<(&'c Candidate, &'c Candidate)> {
    let mut ranked = class.candidates.clone();
    ranked.sort_by(|one, other| totals[&other.name].total_cmp(&totals[&one.name]));
    match ranked.as_slice() {
        [first, second, ..] => Some((first, second)),
        _ => None,
    }
}

fn not_measured(class: &Class, all: &[Candidate]) -> Option<String> {
    let (from, up_to) = class.traffic.users();
    let range = match class.traffic {
        Traffic::High => format!("near or above {from} users"),
        _ => format!("in or near the range from {from} to {up_to} users"),
    };
    Some(match all.iter().find_map(|candidate| candidate.trouble.as_ref()) {
        Some(trouble) => format!("Fewer than two targets were measured {range}: {trouble}."),
        None => format!("Fewer than two targets were measured {range}."),
    })
}

/// Repeats the caveat next to the advice, because it matters most there.
fn models(first: &Candidate, second: &Candidate) -> Option<String> {
    let model =
        |candidate: &Candidate| candidate.environment.as_ref().map(|environment| environment.model.clone());
    let (one, other) = (model(first)?, model(second)?);
    (one != other).then(|| {
        format!(
            "The models differ: {} has {one}, {} has {other}. This does not show which engine is faster on the same \
             model.",
            first.name, second.name
        )
    })
}

/// `Based on 8 users, the nearest measured level.`
fn stand_in(class: &Class, all: &[Candidate]) -> Option<String> {
    let [only] = class.levels.as_slice() else { return None };
    let (from, up_to) = class.traffic.users();
    let axis = all.first()?.axis;
    let is_within =
        all.iter().all(|candidate| candidate.axis == Axis::Users && (from..=up_to).contains(only));
    (!is_within).then(|| format!("Based on {}, the nearest measured level.", axis.level(*only)))
}

/// Compares two targets in one metric over the class's levels.
fn by_metric(class: &Class, metric: Metric, first: &str, second: &str) -> Option<String> {
    let axis = class.candidates.first()?.axis;
    let (mut ahead, mut behind) = (Outcomes::default(), Outcomes::default());
    let mut ties = 0;
    for (at, ranking) in class.rankings.iter().filter(|(_, ranking)| ranking.metric == metric) {
        let standing = |name: &str| ranking.standings.iter().find(|standing| standing.target == name);
        let (Some(one), Some(other)) = (standing(first), standing(second)) else { continue };
        let times = other.times_worse / one.times_worse;
        match (one.tied_with_best, other.tied_with_best) {
            (true, true) => ties += 1,
            _ if times > 1.0 => ahead.add(*at, times),
            _ => behind.add(*at, 1.0 / times),
        }
    }
    let what = metric.spoken();
    match (ahead.is_empty(), behind.is_empty()) {
        (true, true) => (ties > 0).then(|| format!("They tie on {what}.")),
        (false, true) => {
            Some(format!("{first} has better {what} {}{}.", ahead.describe(axis), and_ties(ties)))
        }
        (true, false) => {
            Some(format!("{second} has better {what} {}{}.", behind.describe(axis), and_ties(ties)))
        }
        (false, false) => Some(format!(
            "Mixed {what}: {first} is better {}, {second} is better {}{}.",
            ahead.describe(axis),
            behind.describe(axis),
            and_ties(ties)
        )),
    }
}

fn and_ties(ties: u32) -> String {
    match ties {
        0 => String::new(),
        1 => "; they tie at one level".into(),
        ties => format!("; they tie at {ties} levels"),
    }
}

/// Levels at which one side is ahead, and by how much.
#[derive(Default)]
struct Outcomes {
    at: Vec<f64>,
    times: Vec<f64>,
}

impl Outcomes {
    fn add(&mut self, at: f64, times: f64) {
        self.at.push(at);
        self.times.push(times);
    }

    fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// `by a factor of 1.4 to 2.1 (at 1, 2, 4 users)`.
    fn describe(&self, axis: Axis) -> String {
        let least = figures::number(self.times.iter().copied().fold(f64::INFINITY, f64::min));
        let most = figures::number(self.times.iter().copied().fold(0.0, f64::max));
        let factor = if least == most { most } else { format!("{least} to {most}") };
        let levels = match self.at.as_slice() {
            [only] => axis.level(*only),
            at => {
                let at: Vec<String> = at.iter().map(f64::to_string).collect();
                format!("{} {}", at.join(", "), axis.name())
            }
        };
        format!("by a factor of {factor} (at {levels})")
    }
}

fn goodput(class: &Class, first: &Candidate, second: &Candidate) -> Option<String> {
    let share = |candidate: &Candidate| {
        let levels = class.levels.iter().filter_map(|at| candidate.level(*at));
        let parts: Option<Vec<(u64, u64)>> =
            levels.map(|level| Some((level.goodput?.requests, level.summary.requests.sent))).collect();
        let (good, sent) = parts?.into_iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        (sent > 0).then(|| figures::percent(good as f64 / sent as f64))
    };
    let (one, other) = (share(first)?, share(second)?);
    Some(if one == other {
        format!("Both meet all limits in {one} of their requests.")
    } else {
        format!("{} meets all limits in {one} of its requests, {} in {other}.", first.name, second.name)
    })
}

fn reliability(class: &Class, first: &Candidate, second: &Candidate) -> String {
    let failures = |candidate: &Candidate| {
        let counts = class.requests(candidate);
        let classes: Vec<String> =
            counts.failed.iter().map(|(failure, count)| format!("{count} {}", failure.name())).collect();
        (counts.failures() > 0).then(|| {
            format!(
                "{} failed {} of {} ({})",
                candidate.name,
                counts.failures(),
                counts.sent,
                classes.join(", ")
            )
        })
    };
    match (failures(first), failures(second)) {
        (None, None) => "Both answered every request.".into(),
        (Some(one), Some(other)) => format!("Requests failed on both: {one}; {other}."),
        (Some(one), None) => format!("{one}; {} answered every request.", second.name),
        (None, Some(other)) => format!("{} answered every request; {other}.", first.name),
    }
}

fn given(what: &str, values: &BTreeMap<String, f64>, first: &Candidate, second: &Candidate) -> String {
    format!("{what}: {} {}, {} {}.", first.name, values[&first.name], second.name, values[&second.name])
}

fn absent(class: &Class, all: &[Candidate]) -> Vec<String> {
    let is_present =
        |candidate: &Candidate| class.candidates.iter().any(|other| other.name == candidate.name);
    let missing = all.iter().filter(|candidate| !is_present(candidate));
    missing
        .map(|candidate| match &candidate.trouble {
            Some(trouble) => format!("{} was not measured here: {trouble}.", candidate.name),
            None => format!("{} was not measured here.", candidate.name),
        })
        .collect()
}
