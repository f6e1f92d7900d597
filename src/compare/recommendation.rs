//! Recommends a target per traffic class, by weighted criteria.

use std::collections::BTreeMap;

use crate::compare::{Candidate, Preferences, metric, ranking, reasons};
use crate::metrics::summary::RequestCounts;
use crate::metrics::{Latency, Metric, Rate, Stat};
use crate::results::comparison::{
    Advice, ClassAdvice, ComparedMetric, Criterion, Recommendation, Standing, Traffic,
};
use crate::results::limits::Goodput;
use crate::results::sweep::{Axis, Level};

/// Totals within this many points (out of 100) are too close to call.
pub(crate) const CLOSE_CALL: f64 = 3.0;
/// Each percent of failed requests costs this many points of reliability: at 10 %, none are left.
pub(crate) const FAILURES_COUNT: f64 = 10.0;
/// If no level lies in a class's range, the nearest one within this factor represents it.
const STANDS_FOR: f64 = 2.0;

/// Throughput and time to first token. In a closed loop, E2E and TPOT are throughput as the user sees it.
const PERFORMANCE: [&str; 2] = ["output_tokens_per_s", "ttft_ms_p95"];

type Scores = BTreeMap<String, f64>;

/// The measurements of one traffic class.
pub(crate) struct Class<'a> {
    pub traffic: Traffic,
    pub levels: Vec<f64>,
    /// Targets that were measured at one of the levels.
    pub candidates: Vec<&'a Candidate>,
    /// The performance metrics, by level.
    pub rankings: Vec<(f64, ComparedMetric)>,
}

pub(crate) fn recommend(
    candidates: &[Candidate],
    levels: &[f64],
    preferences: &Preferences,
) -> Recommendation {
    let left_out = left_out(candidates, preferences);
    let classes = Traffic::ALL.map(|traffic| {
        let class = Class::of(traffic, candidates, levels);
        advise(&class, candidates, preferences, &left_out)
    });
    Recommendation { weights: preferences.weights.clone(), left_out, classes: classes.into() }
}

fn left_out(candidates: &[Candidate], preferences: &Preferences) -> BTreeMap<Criterion, String> {
    let mut left_out = BTreeMap::new();
    let given = [
        (Criterion::Efficiency, &preferences.costs, "no cost given for", "--costs"),
        (Criterion::Simplicity, &preferences.simplicity, "no simplicity rating given for", "--simplicity"),
    ];
    for (criterion, values, what, flag) in given {
        let missing: Vec<&str> = candidates
            .iter()
            .map(|candidate| candidate.name.as_str())
            .filter(|name| !values.contains_key(*name))
            .collect();
        if !missing.is_empty() && preferences.weights.get(&criterion).is_some_and(|weight| *weight > 0.0) {
            left_out.insert(criterion, format!("{what} {} ({flag})", missing.join(", ")));
        }
    }
    left_out
}

impl<'a> Class<'a> {
    fn of(traffic: Traffic, candidates: &'a [Candidate], common: &[f64]) -> Class<'a> {
        let levels = levels_of(traffic, candidates, common);
        let measured = |candidate: &&Candidate| levels.iter().any(|at| candidate.level(*at).is_some());
        let candidates: Vec<&Candidate> = candidates.iter().filter(measured).collect();
        let rankings = levels.iter().flat_map(|at| {
            let sides: Vec<(&str, &Level)> = candidates
                .iter()
                .filter_map(|candidate| Some((candidate.name.as_str(), candidate.level(*at)?)))
                .collect();
            PERFORMANCE.iter().filter_map(move |name| Some((*at, ranking::rank(metric(name), &sides)?)))
        });
        let rankings = rankings.collect();
        Class { traffic, levels, candidates, rankings }
    }

    /// The target's requests at all of the class's levels.
    pub(crate) fn requests(&self, candidate: &Candidate) -> RequestCounts {
        let mut counts = RequestCounts::default();
        for level in self.levels_of(candidate) {
            counts.merge(&level.summary.requests);
        }
        counts
    }

    fn levels_of<'c>(&'c self, candidate: &'c Candidate) -> impl Iterator<Item = &'c Level> {
        self.levels.iter().filter_map(|at| candidate.level(*at))
    }

    /// How close the target comes to the best, as the mean over levels and metrics; ties count as equal. A level that
    /// was run without success scores 0; a level that was not run doesn't count.
    fn performance(&self, candidate: &Candidate) -> f64 {
        let shares = self.rankings.iter().filter_map(|(at, ranking)| {
            let summary = &candidate.level(*at)?.summary;
            let standing = ranking.standings.iter().find(|standing| standing.target == candidate.name);
            // Answers that arrive in one piece have no TTFT, however good they are.
            let failed = || summary.requests.succeeded == 0 || summary.value(ranking.metric).is_some();
            standing.map(share_of_best).or_else(|| failed().then_some(0.0))
        });
        let mut shares: Vec<f64> = shares.collect();
        shares.extend(self.goodput_shares(candidate));
        100.0 * mean(&shares)
    }

    /// The goodput relative to the best target's, if limits were given.
    fn goodput_shares(&self, candidate: &Candidate) -> Vec<f64> {
        let rate = |level: &Level| level.goodput.map(|goodput: Goodput| goodput.requests_per_s);
        let share = |at: &f64| {
            let best = self.candidates.iter().filter_map(|other| rate(other.level(*at)?)).reduce(f64::max)?;
            let own = candidate.level(*at).and_then(rate)?;
            let share = if best > 0.0 { own / best } else { 1.0 };
            Some(if share > 1.0 / (1.0 + ranking::TIE) { 1.0 } else { share })
        };
        self.levels.iter().filter_map(share).collect()
    }

    fn reliability(&self, candidate: &Candidate) -> f64 {
        let counts = self.requests(candidate);
        if counts.sent == 0 {
            return 0.0;
        }
        let failed = 1.0 - counts.succeeded as f64 / counts.sent as f64;
        100.0 * (1.0 - FAILURES_COUNT * failed).max(0.0)
    }

    /// Output tokens per unit of cost relative to the best target, as the mean over the target's levels.
    fn efficiency(&self, candidate: &Candidate, costs: &Scores) -> f64 {
        let throughput = Metric::Rate(Rate::OutputTokensPerS);
        let per_cost = |of: &Candidate, at: f64| {
            let per_s = of.level(at).and_then(|level| level.summary.value(throughput)).unwrap_or(0.0);
            per_s / costs[&of.name]
        };
        let measured = self.levels.iter().filter(|at| candidate.level(**at).is_some());
        let shares = measured.map(|at| {
            let best = self.candidates.iter().map(|other| per_cost(other, *at)).fold(0.0, f64::max);
            if best > 0.0 { per_cost(candidate, *at) / best } else { 0.0 }
        });
        100.0 * mean(&shares.collect::<Vec<f64>>())
    }

    fn scores(&self, criterion: Criterion, preferences: &Preferences) -> Scores {
        let score = |candidate: &Candidate| match criterion {
            Criterion::Performance => self.performance(candidate),
            Criterion::Reliability => self.reliability(candidate),
            Criterion::Efficiency => self.efficiency(candidate, &preferences.costs),
            Criterion::Simplicity => 20.0 * preferences.simplicity[&candidate.name],
        };
        self.candidates.iter().map(|candidate| (candidate.name.clone(), score(candidate))).collect()
    }
}

/// Users, or for an open load the mean number of requests in flight by Little's law: throughput times E2E.
fn users(at: f64, candidates: &[Candidate]) -> f64 {
    let in_flight = |candidate: &Candidate| match candidate.axis {
        Axis::Users => Some(at),
        Axis::RequestsPerS => {
            let summary = &candidate.level(at)?.summary;
            let per_s = summary.value(Metric::Rate(Rate::RequestsPerS))?;
            Some(per_s * summary.value(Metric::Latency(Latency::E2e, Stat::Mean))? / 1000.0)
        }
    };
    let each: Vec<f64> = candidates.iter().filter_map(in_flight).collect();
    mean(&each)
}

fn levels_of(traffic: Traffic, candidates: &[Candidate], common: &[f64]) -> Vec<f64> {
    let (from, up_to) = traffic.users();
    let distance = |at: f64| {
        let users = users(at, candidates);
        (from / users).max(users / up_to).max(1.0)
    };
    let within: Vec<f64> = common.iter().copied().filter(|at| distance(*at) == 1.0).collect();
    if !within.is_empty() {
        return within;
    }
    let nearest = common.iter().copied().min_by(|one, other| distance(*one).total_cmp(&distance(*other)));
    nearest.filter(|at| distance(*at) <= STANDS_FOR).into_iter().collect()
}

fn advise(
    class: &Class,
    all: &[Candidate],
    preferences: &Preferences,
    left_out: &BTreeMap<Criterion, String>,
) -> ClassAdvice {
    let weighed = preferences
        .weights
        .iter()
        .filter(|(criterion, weight)| **weight > 0.0 && !left_out.contains_key(criterion));
    let weights: Vec<(Criterion, f64)> = weighed.map(|(criterion, weight)| (*criterion, *weight)).collect();
    let scores: BTreeMap<Criterion, Scores> =
        weights.iter().map(|(criterion, _)| (*criterion, class.scores(*criterion, preferences))).collect();
    let whole: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let total = |name: &str| {
        let sum: f64 = weights.iter().map(|(criterion, weight)| weight * scores[criterion][name]).sum();
        // If no weighted criterion has data, there are no weights.
        if whole > 0.0 { sum / whole } else { 0.0 }
    };
    let totals: Scores =
        class.candidates.iter().map(|candidate| (candidate.name.clone(), total(&candidate.name))).collect();
    ClassAdvice {
        traffic: class.traffic,
        levels: class.levels.clone(),
        reasons: reasons::reasons(class, all, &totals, preferences, left_out),
        advice: advice(&totals),
        scores,
        totals,
    }
}

fn advice(totals: &Scores) -> Advice {
    let Some(best) = totals.values().copied().reduce(f64::max) else { return Advice::NotMeasured };
    let close: Vec<String> = totals
        .iter()
        .filter(|(_, total)| best - **total < CLOSE_CALL)
        .map(|(name, _)| name.clone())
        .collect();
    match close.as_slice() {
        [only] => Advice::Take(only.clone()),
        _ => Advice::TooCloseToCall(close),
    }
}

fn share_of_best(standing: &Standing) -> f64 {
    if standing.tied_with_best { 1.0 } else { 1.0 / standing.times_worse }
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}
