//! Judges one gate: today's figures against the baseline's.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::health::ClientHealth;
use crate::metrics::record::FailureClass;
use crate::metrics::summary::{RequestCounts, Summary};
use crate::metrics::{Better, Family, Gate, Metric};
use crate::text::figures;
use crate::verdict::stats::{self, Difference};
use crate::verdict::{Evidence, Verdict, rule};

/// The baseline's values, one per stored session.
pub(crate) type OldValues = BTreeMap<Metric, Vec<f64>>;

/// Below this share of answers with the requested length, throughput depends on how much the model chose to generate.
pub(crate) const LEAST_SHARE_ENDED_BY_LENGTH: f64 = 0.99;
/// A client whose thread is busy for more than this share of the time is itself the bottleneck.
const MOST_CLIENT_CPU_SHARE: f64 = 0.9;
/// If a larger share of due requests was never sent, the load was not the one requested.
const MOST_NOT_SENT: f64 = 0.01;
/// Asking for more than this many sessions is not useful advice.
const MOST_SESSIONS_TO_ASK_FOR: u32 = 100;

/// One row of the verdict table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateOutcome {
    pub gate: Gate,
    /// Geometric mean over the baseline's sessions.
    pub old: Option<f64>,
    /// Geometric mean over today's sessions.
    pub new: Option<f64>,
    pub change: Option<Change>,
    pub verdict: Verdict,
    /// Why, in words; empty if the figures say it all.
    pub reason: String,
}

/// A relative change of the metric: −0.07 is 7 % less.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub relative: f64,
    /// The 99.8 % interval; absent after a single session.
    pub interval: Option<(f64, f64)>,
}

/// What today's sessions of the new engine are compared with.
#[derive(Clone, Copy, Debug)]
pub enum Old<'a> {
    /// Values from an earlier day, one per session. One session today can only raise suspicion; a regression takes at
    /// least three.
    Stored(&'a [f64]),
    /// Sessions of the old engine, alternating with those of the new one on this machine.
    Alternating(&'a [Evidence<'a>]),
}

pub fn judge(gate: &Gate, old: Old, new: &[Evidence]) -> GateOutcome {
    let outcome = judge_by_figures(gate, old, new);
    match outcome.invalid_for_lack_of_room(old, new) {
        Some(reason) => outcome.concluded(Verdict::Invalid, reason),
        None => outcome,
    }
}

fn judge_by_figures(gate: &Gate, old: Old, new: &[Evidence]) -> GateOutcome {
    let (old_values, both_sides) = match old {
        Old::Stored(values) => (values.to_vec(), new.to_vec()),
        Old::Alternating(sessions) => (values(gate.metric, sessions), [sessions, new].concat()),
    };
    let new_values = values(gate.metric, new);
    let mut outcome = GateOutcome {
        gate: *gate,
        old: typical(gate.metric, &old_values),
        new: typical(gate.metric, &new_values),
        change: None,
        verdict: Verdict::Ok,
        reason: String::new(),
    };
    if new_values.is_empty() || new_values.len() < new.len() {
        return outcome.concluded(Verdict::Invalid, "no request succeeded, so nothing was measured");
    }
    if let Some(reason) = both_sides.iter().find_map(|session| client_late(session.summary)) {
        return outcome.concluded(Verdict::Invalid, reason);
    }
    if let Some((verdict, reason)) = outcome.limit_broken(new) {
        return outcome.concluded(verdict, reason);
    }
    let Some(tolerance) = gate.tolerance else { return outcome };
    if let Some(reason) = output_length_not_fixed(gate.metric, &both_sides) {
        return outcome.concluded(Verdict::NotComparable, reason);
    }
    if let Some(reason) = client_sick(gate.metric, tolerance, &both_sides) {
        return outcome.concluded(Verdict::Invalid, reason);
    }
    if old_values.is_empty() {
        return outcome.concluded(Verdict::NoBaseline, "");
    }
    let scale = |values: &[f64]| -> Option<Vec<f64>> {
        values.iter().map(|value| stats::slowness(gate.metric, *value)).collect()
    };
    let (Some(old_scaled), Some(new_scaled)) = (scale(&old_values), scale(&new_values)) else {
        return outcome.concluded(Verdict::NotComparable, "a value of 0 has no relative change");
    };
    let tau = stats::tau(gate.metric, tolerance);
    match old {
        Old::Stored(_) => outcome.compare_with_stored(tau, &old_scaled, &new_scaled),
        Old::Alternating(_) => outcome.compare_alternating(tau, &old_scaled, &new_scaled),
    }
    outcome
}

fn values(metric: Metric, sessions: &[Evidence]) -> Vec<f64> {
    sessions.iter().filter_map(|session| session.summary.value(metric)).collect()
}

impl GateOutcome {
    /// After some starts of each side: whether more starts are unlikely to change the outcome.
    pub fn is_settled(&self) -> bool {
        let metric = self.gate.metric;
        let difference = self.change.and_then(|change| change.difference(metric));
        match self.gate.tolerance.zip(difference) {
            Some((tolerance, found)) => rule::is_settled(self.verdict, &found, stats::tau(metric, tolerance)),
            None => self.verdict != Verdict::Inconclusive,
        }
    }

    /// Whether it regressed because of an absolute limit rather than by comparison.
    pub fn breaks_limit(&self) -> bool {
        self.verdict == Verdict::Regressed && self.change.is_none()
    }

    /// A suspicion that can no longer be proven may pass, unless the engine is slower than it looks: such an engine
    /// would not pass with good figures either.
    pub fn left_unproven(self, new: &[Evidence]) -> GateOutcome {
        match slower_than_it_looks("the engine", new) {
            Some(reason) if self.verdict == Verdict::Suspected => self.concluded(Verdict::Invalid, reason),
            _ => self,
        }
    }

    fn concluded(mut self, verdict: Verdict, reason: impl Into<String>) -> GateOutcome {
        self.verdict = verdict;
        self.reason = reason.into();
        self
    }

    /// An engine that leaves no room for requests is slower than it looks: its figures lack the requests that would
    /// have waited longest. So its figures can neither clear it nor prove that another engine regressed against it.
    /// Failed requests still count as failed, and a broken limit is broken whatever the old engine did.
    fn invalid_for_lack_of_room(&self, old: Old, new: &[Evidence]) -> Option<String> {
        match (self.verdict, old) {
            (Verdict::Ok | Verdict::Improved | Verdict::NoBaseline, _)
                if self.gate.metric.family() != Family::Success =>
            {
                slower_than_it_looks("the engine", new)
            }
            (Verdict::Regressed | Verdict::Inconclusive, Old::Alternating(sessions))
                if !self.breaks_limit() =>
            {
                slower_than_it_looks("the old engine", sessions)
            }
            _ => None,
        }
    }

    /// A limit counts as broken if it is still broken after subtracting the client's own error.
    fn limit_broken(&self, new: &[Evidence]) -> Option<(Verdict, String)> {
        let value = self.new?;
        let mut broken = self.beyond_limit(value)?;
        if self.gate.metric.family() == Family::Success
            && let Some(what) = new.iter().find_map(|session| no_room(session.summary))
        {
            broken += &format!(": the engine {what}");
        }
        Some(match self.client_to_blame(value, new) {
            None => (Verdict::Regressed, broken),
            Some(why) => (Verdict::Invalid, format!("{broken}, but {why}")),
        })
    }

    /// Why the client may be to blame for a broken limit, if it may be. A late client makes latencies longer and rates
    /// lower; the only failures it can cause are those of requests that stayed unanswered too long.
    fn client_to_blame(&self, value: f64, new: &[Evidence]) -> Option<String> {
        let metric = self.gate.metric;
        let unanswered = |summary: &Summary| {
            let failed = &summary.requests.failed;
            [FailureClass::Timeout, FailureClass::NoRoom].iter().any(|class| failed.contains_key(class))
        };
        let mut touched =
            new.iter().filter(|session| metric.family() != Family::Success || unanswered(session.summary));
        if let Some(reason) = touched.find_map(|session| bottleneck(session.health)) {
            return Some(reason);
        }
        let errors = new.iter().filter_map(|session| session.timing_error(metric));
        let error = errors.fold(0.0, f64::max);
        let at_best = match metric.better() {
            Better::Lower => value * (1.0 - error).max(0.0),
            Better::Higher => value / (1.0 - error).max(0.0),
        };
        self.beyond_limit(at_best).is_none().then(|| {
            let error = figures::percent(error);
            format!(
                "the load client's own timing error of {error} may explain that; another process may be keeping the \
                 machine busy"
            )
        })
    }

    fn beyond_limit(&self, value: f64) -> Option<String> {
        let shown = |value| self.gate.metric.format(value);
        match (self.gate.min, self.gate.max) {
            (Some(min), _) if value < min => Some(format!("{} is below {}", shown(value), shown(min))),
            (_, Some(max)) if value > max => Some(format!("{} is above {}", shown(value), shown(max))),
            _ => None,
        }
    }

    fn compare_with_stored(&mut self, tau: f64, old: &[f64], new: &[f64]) {
        if new.len() < rule::MIN_SESSIONS_FOR_REGRESSION {
            let d = stats::mean(new) - stats::mean(old);
            let relative = stats::relative_change(self.gate.metric, d);
            self.change = Some(Change { relative, interval: None });
            self.verdict = rule::screen(old, new, tau);
            return;
        }
        match Difference::to_stored(old, new) {
            Some(difference) => self.conclude(&difference, tau, Verdict::Suspected),
            None => {
                self.verdict = Verdict::NotComparable;
                self.reason = "a single stored session does not show how much sessions vary".into();
            }
        }
    }

    fn compare_alternating(&mut self, tau: f64, old: &[f64], new: &[f64]) {
        let Some(difference) = Difference::of_alternating(old, new) else {
            self.verdict = Verdict::Inconclusive;
            self.reason = "the proof ended before each side had started twice".into();
            return;
        };
        self.conclude(&difference, tau, Verdict::Inconclusive);
        if self.verdict == Verdict::Inconclusive {
            self.reason = match stats::sessions_to_decide(old, new, MOST_SESSIONS_TO_ASK_FOR) {
                Some(starts) => format!("about {starts} starts of each side would decide it"),
                None => format!("even {MOST_SESSIONS_TO_ASK_FOR} starts of each side would not decide it"),
            };
        }
    }

    fn conclude(&mut self, difference: &Difference, tau: f64, not_proven: Verdict) {
        self.change = Some(Change::of(self.gate.metric, difference));
        self.verdict = rule::conclude(difference, tau, not_proven);
        if self.verdict == Verdict::Ok && difference.high > tau {
            let worst = stats::relative_change(self.gate.metric, difference.high);
            self.reason = format!("could hide up to {}", figures::signed_percent(worst));
        }
    }
}

impl Change {
    fn of(metric: Metric, difference: &Difference) -> Change {
        let relative = |difference| stats::relative_change(metric, difference);
        let ends = (relative(difference.low), relative(difference.high));
        Change {
            relative: relative(difference.estimate),
            interval: Some((ends.0.min(ends.1), ends.0.max(ends.1))),
        }
    }

    /// Back on the scale of slowness; `None` without an interval.
    fn difference(&self, metric: Metric) -> Option<Difference> {
        let slowness = |relative: f64| stats::slowness(metric, 1.0 + relative);
        let (a, b) = self.interval?;
        let (a, b) = (slowness(a)?, slowness(b)?);
        Some(Difference { estimate: slowness(self.relative)?, low: a.min(b), high: a.max(b) })
    }
}

fn typical(metric: Metric, values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let logs: Option<Vec<f64>> = values.iter().map(|value| stats::slowness(metric, *value)).collect();
    let origin = stats::slowness(metric, 1.0).expect("1 has a logarithm");
    Some(match logs {
        Some(logs) => 1.0 + stats::relative_change(metric, stats::mean(&logs) - origin),
        None => stats::mean(values),
    })
}

fn output_length_not_fixed(metric: Metric, sessions: &[Evidence]) -> Option<String> {
    let share =
        sessions.iter().filter_map(|session| session.summary.share_ended_by_length()).fold(1.0, f64::min);
    (metric.needs_fixed_output_length() && share < LEAST_SHARE_ENDED_BY_LENGTH).then(|| {
        format!(
            "only {} of the answers had the requested length: gate TTFT and TPOT instead, or set ignore_eos if the engine supports it",
            figures::percent(share)
        )
    })
}

/// If the client was too late to send some requests, the engine did not get the scenario's load.
pub(crate) fn client_late(summary: &Summary) -> Option<String> {
    let RequestCounts { sent, late, .. } = summary.requests;
    (summary.requests.share_late() > MOST_NOT_SENT).then(|| {
        format!(
            "the load client was too late to send {late} of the {} requests that were due: give it its own core, or \
             lower the rate",
            sent + late,
        )
    })
}

/// The same if requests weren't sent because too many were in flight; that is the engine's fault.
pub(crate) fn no_room(summary: &Summary) -> Option<String> {
    let (without, all) = (summary.requests.without_room(), summary.requests.sent);
    (without as f64 > MOST_NOT_SENT * all as f64)
        .then(|| format!("left no room for {without} of {all} requests (`max_in_flight` was reached)"))
}

fn slower_than_it_looks(engine: &str, sessions: &[Evidence]) -> Option<String> {
    let what = sessions.iter().find_map(|session| no_room(session.summary))?;
    Some(format!("{engine} {what}, so it is slower than it looks: lower the rate, or raise `max_in_flight`"))
}

/// The client's own error may be at most a third of the tolerance.
fn client_sick(metric: Metric, tolerance: f64, sessions: &[Evidence]) -> Option<String> {
    sessions.iter().find_map(|session| {
        if let Some(reason) = bottleneck(session.health) {
            return Some(reason);
        }
        let error = session.timing_error(metric)?;
        let lateness = || format!("; requests picked up late by {}", session.summary.queue_lag_ms);
        (error > tolerance / 3.0).then(|| {
            format!(
                "the load client's own timing error of {} is more than a third of the tolerance of {} \
                 (event loop late by {}{}); another process may be keeping the machine busy",
                figures::percent(error),
                figures::percent(tolerance),
                session.health.loop_lag_ms,
                if session.open { lateness() } else { String::new() },
            )
        })
    })
}

/// Whether the client had no time left to be on time.
pub(crate) fn bottleneck(health: &ClientHealth) -> Option<String> {
    let share = figures::percent(health.cpu_share);
    (health.cpu_share > MOST_CLIENT_CPU_SHARE).then(|| {
        format!(
            "the load client was busy {share} of the time and was itself the bottleneck; give it its own core"
        )
    })
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
