//! Why a target is recommended, in plain words.

use std::collections::{BTreeMap, BTreeSet};

use crate::compare::recommendation::Class;
use crate::compare::{Candidate, Preferences};
use crate::metrics::Metric;
use crate::results::comparison::{Criterion, Traffic};
use crate::results::sweep::Axis;
use crate::text::figures;

pub fn reasons(
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
        reasons.push(stated_values("an hour of", "costs", &preferences.costs, first, second));
    }
    if weighs(preferences, left_out, Criterion::Simplicity) {
        reasons.push(stated_values("simplicity, as given:", "has", &preferences.simplicity, first, second));
    }
    reasons.extend(absent(class, all));
    reasons
}

fn weighs(preferences: &Preferences, left_out: &BTreeMap<Criterion, String>, criterion: Criterion) -> bool {
    preferences.weights.get(&criterion).is_some_and(|weight| *weight > 0.0)
        && !left_out.contains_key(&criterion)
}

/// The one with the highest total, and the next.
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
        Traffic::High => format!("from {from} users on"),
        _ => format!("between {from} and {up_to} users"),
    };
    Some(match all.iter().find_map(|candidate| candidate.trouble.as_ref()) {
        Some(trouble) => format!("Nothing was measured on two targets {range}, or near it: {trouble}."),
        None => format!("Nothing was measured on two targets {range}, or near it."),
    })
}

/// Said once more where it is decided: whoever takes the advice has to know it.
fn models(first: &Candidate, second: &Candidate) -> Option<String> {
    let model =
        |candidate: &Candidate| candidate.environment.as_ref().map(|environment| environment.model.clone());
    let (one, other) = (model(first)?, model(second)?);
    (one != other).then(|| {
        format!(
            "The models differ: {} has {one}, {} has {other}. Which engine would be the better one with the same model, \
             this does not tell.",
            first.name, second.name
        )
    })
}

/// `No level lies between 10 and 20 users; 8 stands for it.`
fn stand_in(class: &Class, all: &[Candidate]) -> Option<String> {
    let [only] = class.levels.as_slice() else { return None };
    let (from, up_to) = class.traffic.users();
    let unit = all.first()?.axis.name();
    let is_within =
        all.iter().all(|candidate| candidate.axis == Axis::Users && (from..=up_to).contains(only));
    (!is_within).then(|| format!("The level of {only} {unit} stands for it, the nearest that was measured."))
}

/// How one metric stands between two targets over the class's levels.
fn by_metric(class: &Class, metric: Metric, first: &str, second: &str) -> Option<String> {
    let mut ahead = Outcomes::default();
    let mut behind = Outcomes::default();
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
        (true, true) => (ties > 0).then(|| format!("Their {what} is a tie.")),
        (false, true) => Some(format!("{first} has the better {what}: {ahead}{}.", and_ties(ties))),
        (true, false) => Some(format!("{second} has the better {what}: {behind}{}.", and_ties(ties))),
        (false, false) => Some(format!(
            "The {what} is mixed: {first} is better {ahead}, {second} {behind}{}.",
            and_ties(ties)
        )),
    }
}

fn and_ties(ties: u32) -> String {
    match ties {
        0 => String::new(),
        1 => ", and a tie at one level".into(),
        ties => format!(", and a tie at {ties} levels"),
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
}

/// `1.4 to 2.1 times at 1, 2, 4`.
impl std::fmt::Display for Outcomes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let least = figures::number(self.times.iter().copied().fold(f64::INFINITY, f64::min));
        let most = figures::number(self.times.iter().copied().fold(0.0, f64::max));
        let times = if least == most { format!("{most} times") } else { format!("{least} to {most} times") };
        let at: Vec<String> = self.at.iter().map(f64::to_string).collect();
        write!(f, "{times} at {}", at.join(", "))
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
    Some(match one == other {
        true => format!("Both keep all limits in {one} of the requests."),
        false => {
            format!("{} keeps all limits in {one} of its requests, {} in {other}.", first.name, second.name)
        }
    })
}

fn reliability(class: &Class, first: &Candidate, second: &Candidate) -> String {
    let figures = |candidate: &Candidate| {
        let counts = class.requests(candidate);
        let failures: Vec<String> =
            counts.failed.iter().map(|(failure, count)| format!("{count} {}", failure.name())).collect();
        (counts.failures() > 0).then(|| {
            format!(
                "{} failed {} of {} ({})",
                candidate.name,
                counts.failures(),
                counts.sent,
                failures.join(", ")
            )
        })
    };
    match (figures(first), figures(second)) {
        (None, None) => "Both answered every request.".into(),
        (Some(one), Some(other)) => format!("Requests failed on both: {one}; {other}."),
        (Some(one), None) => format!("{one}, {} answered every request.", second.name),
        (None, Some(other)) => format!("{} answered every request; {other}.", first.name),
    }
}

fn stated_values(
    what: &str,
    verb: &str,
    values: &BTreeMap<String, f64>,
    first: &Candidate,
    second: &Candidate,
) -> String {
    let mut sentence = format!(
        "{what} {} {verb} {}, {} {}.",
        first.name, values[&first.name], second.name, values[&second.name]
    );
    if let Some(initial) = sentence.get_mut(..1) {
        initial.make_ascii_uppercase();
    }
    sentence
}

fn absent(class: &Class, all: &[Candidate]) -> Vec<String> {
    let is_here = |candidate: &Candidate| class.candidates.iter().any(|here| here.name == candidate.name);
    let missing = all.iter().filter(|candidate| !is_here(candidate));
    missing
        .map(|candidate| match &candidate.trouble {
            Some(trouble) => format!("{} was not measured here: {trouble}.", candidate.name),
            None => format!("{} was not measured here.", candidate.name),
        })
        .collect()
}
