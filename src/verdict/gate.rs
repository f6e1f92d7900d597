//! One gate against the figures of today and of the baseline.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::figures;
use crate::metric::Metric;
use crate::scenario::Gate;
use crate::stats::{self, Difference};
use crate::verdict::{Evidence, Verdict};

/// The baseline's values, one per stored session.
pub type OldValues = BTreeMap<Metric, Vec<f64>>;

/// Below this share of answers with the asked-for length, throughput follows what the model chose to say.
pub const LEAST_SHARE_ENDED_BY_LENGTH: f64 = 0.99;
/// A client whose thread computes more than this share of the time is the bottleneck itself.
const MOST_CLIENT_CPU_SHARE: f64 = 0.9;
/// With fewer sessions of today there is a suspicion at most.
const LEAST_SESSIONS_TO_CONVICT: usize = 3;
/// More than this is no advice.
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
    /// Why, in words; empty where the figures say it all.
    pub reason: String,
}

/// A relative change of the metric: −0.07 is 7 % less.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub relative: f64,
    /// The 99.8 % interval; absent after a single session, which has none.
    pub interval: Option<(f64, f64)>,
}

/// What today's sessions of the new engine are compared with.
#[derive(Clone, Copy, Debug)]
pub enum Old<'a> {
    /// Values of earlier days, one per session: one session of today screens, at least three convict.
    Stored(&'a [f64]),
    /// Sessions of the old engine that alternated with those of the new one on this machine.
    Alternating(&'a [Evidence<'a>]),
}

/// Judges one gate.
pub fn judge(gate: &Gate, old: Old, new: &[Evidence]) -> GateOutcome {
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
    if let Some(reason) = outcome.limit_broken() {
        return outcome.concluded(Verdict::Regressed, reason);
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
    /// Regressed by an absolute limit and not by comparison.
    pub fn breaks_limit(&self) -> bool {
        self.verdict == Verdict::Regressed && self.change.is_none()
    }

    fn concluded(mut self, verdict: Verdict, reason: impl Into<String>) -> GateOutcome {
        self.verdict = verdict;
        self.reason = reason.into();
        self
    }

    fn limit_broken(&self) -> Option<String> {
        let value = self.new?;
        let shown = |value| figures::value(self.gate.metric, value);
        match (self.gate.min, self.gate.max) {
            (Some(min), _) if value < min => Some(format!("{} is below {}", shown(value), shown(min))),
            (_, Some(max)) if value > max => Some(format!("{} is above {}", shown(value), shown(max))),
            _ => None,
        }
    }

    fn compare_with_stored(&mut self, tau: f64, old: &[f64], new: &[f64]) {
        if new.len() < LEAST_SESSIONS_TO_CONVICT {
            let d = stats::mean(new) - stats::mean(old);
            let relative = stats::relative_change(self.gate.metric, d);
            self.change = Some(Change { relative, interval: None });
            self.verdict = screened(d, tau);
            return;
        }
        match Difference::to_stored(old, new) {
            Some(difference) => self.decide(&difference, tau, Verdict::Suspected),
            None => {
                self.verdict = Verdict::NotComparable;
                self.reason = "a single stored session has no scatter to judge by".into();
            }
        }
    }

    fn compare_alternating(&mut self, tau: f64, old: &[f64], new: &[f64]) {
        let Some(difference) = Difference::of_alternating(old, new) else {
            self.verdict = Verdict::Inconclusive;
            self.reason = "the proof ended before each side had been started twice".into();
            return;
        };
        self.decide(&difference, tau, Verdict::Inconclusive);
        if self.verdict == Verdict::Inconclusive {
            self.reason = match stats::sessions_to_decide(old, new, MOST_SESSIONS_TO_ASK_FOR) {
                Some(starts) => format!("about {starts} starts of each would decide it"),
                None => format!("even {MOST_SESSIONS_TO_ASK_FOR} starts of each would not decide it"),
            };
        }
    }

    /// Relevant by the tolerance and real by the interval; relevant alone is not proven.
    fn decide(&mut self, difference: &Difference, tau: f64, not_proven: Verdict) {
        let relative = |difference| stats::relative_change(self.gate.metric, difference);
        let Difference { estimate, low, high } = *difference;
        let ends = (relative(low), relative(high));
        self.change = Some(Change {
            relative: relative(estimate),
            interval: Some((ends.0.min(ends.1), ends.0.max(ends.1))),
        });
        self.verdict = if estimate > tau {
            if low > 0.0 { Verdict::Regressed } else { not_proven }
        } else if estimate < -tau && high < 0.0 {
            Verdict::Improved
        } else {
            Verdict::Ok
        };
        if self.verdict == Verdict::Ok && high > tau {
            self.reason = format!("could hide up to {}", figures::signed_percent(relative(high)));
        }
    }
}

/// One session against the baseline's. What is not clearly well goes on to more sessions.
fn screened(d: f64, tau: f64) -> Verdict {
    if d > tau / 2.0 {
        Verdict::Suspected
    } else if d < -tau {
        Verdict::Improved
    } else {
        Verdict::Ok
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
            "only {} of the answers had the asked-for length: gate TTFT and TPOT instead, or set ignore_eos where the engine knows it",
            figures::percent(share)
        )
    })
}

/// A third of the tolerance at stake is the most that the client's own error may be.
fn client_sick(metric: Metric, tolerance: f64, sessions: &[Evidence]) -> Option<String> {
    sessions.iter().find_map(|Evidence { summary, health }| {
        if health.cpu_share > MOST_CLIENT_CPU_SHARE {
            let share = figures::percent(health.cpu_share);
            return Some(format!(
                "the load client computed {share} of the time and was the bottleneck itself; give it a core of its own"
            ));
        }
        let error = health.timing_error(metric, summary)?;
        (error > tolerance / 3.0).then(|| {
            format!(
                "the load client's own timing error of {} is more than a third of the tolerance of {} \
                 (event loop late by {}); something else may keep the machine busy",
                figures::percent(error),
                figures::percent(tolerance),
                health.loop_lag_ms,
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Distribution;
    use crate::health::ClientHealth;
    use crate::summary::{RequestCounts, Summary};

    const OLD: [f64; 4] = [1000.0, 1004.0, 998.0, 1002.0];

    fn throughput(tolerance: f64) -> Gate {
        let metric = "output_tokens_per_s".parse().unwrap();
        Gate { metric, tolerance: Some(tolerance), min: None, max: None }
    }

    fn session(tokens_per_s: u64) -> Summary {
        let mut e2e_ms = Distribution::new();
        e2e_ms.record_ms(1000.0);
        Summary {
            window_s: 1.0,
            output_tokens: tokens_per_s,
            requests: RequestCounts { sent: 10, succeeded: 10, ended_by_length: 10, ..Default::default() },
            e2e_ms,
            ..Summary::default()
        }
    }

    fn judged(gate: Gate, summaries: &[Summary], health: &ClientHealth) -> GateOutcome {
        let sessions: Vec<Evidence> = summaries.iter().map(|summary| Evidence { summary, health }).collect();
        judge(&gate, Old::Stored(&OLD), &sessions)
    }

    fn verdict(tokens_per_s: &[u64]) -> Verdict {
        let summaries: Vec<Summary> = tokens_per_s.iter().map(|value| session(*value)).collect();
        judged(throughput(0.03), &summaries, &ClientHealth::default()).verdict
    }

    #[test]
    fn one_session_within_half_the_tolerance_is_ok() {
        assert_eq!(verdict(&[990]), Verdict::Ok);
    }

    #[test]
    fn one_session_beyond_half_the_tolerance_is_only_suspected() {
        assert_eq!(verdict(&[980]), Verdict::Suspected);
        assert_eq!(verdict(&[500]), Verdict::Suspected);
    }

    #[test]
    fn four_sessions_that_agree_convict() {
        assert_eq!(verdict(&[930, 928, 932, 931]), Verdict::Regressed);
    }

    #[test]
    fn four_sessions_that_scatter_stay_a_suspicion() {
        assert_eq!(verdict(&[1000, 850, 990, 840]), Verdict::Suspected);
    }

    #[test]
    fn a_real_loss_within_the_tolerance_is_ok() {
        assert_eq!(verdict(&[980, 981, 979, 980]), Verdict::Ok);
    }

    #[test]
    fn a_gain_beyond_the_tolerance_is_an_improvement() {
        assert_eq!(verdict(&[1080, 1078, 1081, 1079]), Verdict::Improved);
    }

    #[test]
    fn a_sick_client_is_invalid_and_never_regressed() {
        let mut health = ClientHealth::default();
        health.loop_lag_ms.record_ms(50.0);
        let slow = [session(500), session(500), session(500), session(500)];
        let outcome = judged(throughput(0.03), &slow, &health);
        assert_eq!(outcome.verdict, Verdict::Invalid);
        assert!(outcome.reason.contains("5 %"), "{}", outcome.reason);
        let saturated = ClientHealth { cpu_share: 0.97, ..ClientHealth::default() };
        assert_eq!(judged(throughput(0.03), &slow, &saturated).verdict, Verdict::Invalid);
    }

    #[test]
    fn an_absolute_limit_needs_no_baseline() {
        let metric = "success_rate".parse().unwrap();
        let gate = Gate { metric, tolerance: None, min: Some(1.0), max: None };
        let mut lossy = session(1000);
        lossy.requests.succeeded = 9;
        let health = ClientHealth::default();
        let outcome = judge(&gate, Old::Stored(&[]), &[Evidence { summary: &lossy, health: &health }]);
        assert_eq!(outcome.verdict, Verdict::Regressed);
        assert_eq!(outcome.reason, "90 % is below 100 %");
    }

    #[test]
    fn answers_of_free_length_cannot_be_gated_on_throughput() {
        let mut free = session(1000);
        free.requests.ended_by_length = 9;
        let outcome = judged(throughput(0.03), &[free], &ClientHealth::default());
        assert_eq!(outcome.verdict, Verdict::NotComparable);
    }

    fn proven(old: &[u64], new: &[u64]) -> GateOutcome {
        let health = ClientHealth::default();
        let summaries = |values: &[u64]| -> Vec<Summary> { values.iter().map(|v| session(*v)).collect() };
        let (old, new) = (summaries(old), summaries(new));
        let of = |summary| Evidence { summary, health: &health };
        let old: Vec<Evidence> = old.iter().map(of).collect();
        let new: Vec<Evidence> = new.iter().map(of).collect();
        judge(&throughput(0.03), Old::Alternating(&old), &new)
    }

    #[test]
    fn a_proof_convicts_what_is_relevant_and_real() {
        let outcome = proven(&[1000, 1004, 998, 1002], &[930, 928, 932, 931]);
        assert_eq!(outcome.verdict, Verdict::Regressed);
        let (low, high) = outcome.change.unwrap().interval.unwrap();
        assert!(-0.09 < low && low < -0.07 && -0.07 < high && high < -0.05, "{low} {high}");
    }

    #[test]
    fn a_proof_that_scatters_is_inconclusive_and_says_what_would_decide_it() {
        let outcome = proven(&[1000, 1060, 950, 1010], &[950, 1000, 900, 970]);
        assert_eq!(outcome.verdict, Verdict::Inconclusive);
        assert!(outcome.reason.starts_with("about ") && outcome.reason.contains("starts of each"));
    }

    #[test]
    fn a_proof_acquits_what_lies_within_the_tolerance() {
        assert_eq!(proven(&[1000, 1004, 998, 1002], &[985, 983, 986, 984]).verdict, Verdict::Ok);
    }

    #[test]
    fn a_proof_with_one_start_of_each_cannot_tell() {
        assert_eq!(proven(&[1000], &[500]).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn the_verdict_does_not_depend_on_the_unit() {
        let scaled: Vec<f64> = OLD.iter().map(|value| value * 1000.0).collect();
        let (health, gate) = (ClientHealth::default(), throughput(0.03));
        let outcome = |old: &[f64], factor: u64| {
            let summaries: Vec<Summary> = [930, 955, 932, 931].map(|v| session(v * factor)).to_vec();
            let sessions: Vec<Evidence> =
                summaries.iter().map(|summary| Evidence { summary, health: &health }).collect();
            judge(&gate, Old::Stored(old), &sessions)
        };
        let (a, b) = (outcome(&OLD, 1), outcome(&scaled, 1000));
        assert_eq!(a.verdict, b.verdict);
        assert!((a.change.unwrap().relative - b.change.unwrap().relative).abs() < 1e-12);
    }
}
