//! Counts over simulated suites, and the shares they stand for.

use std::collections::BTreeMap;

use serde::Serialize;
use statrs::distribution::{Beta, ContinuousCDF};

use tollgate::internals::Verdict;

use crate::suite::{Effect, METRICS, SCENARIOS, SuiteOutcome};

/// A count out of a total.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    pub count: u64,
    pub of: u64,
}

impl Share {
    pub fn value(self) -> f64 {
        self.count as f64 / self.of as f64
    }

    /// The 95 % interval of Clopper and Pearson (1934).
    pub fn interval(self) -> (f64, f64) {
        let (k, n) = (self.count as f64, self.of as f64);
        let beta = |a, b, p| Beta::new(a, b).expect("both shapes are positive").inverse_cdf(p);
        let low = if self.count == 0 { 0.0 } else { beta(k, n - k + 1.0, 0.025) };
        let high = if self.count == self.of { 1.0 } else { beta(k + 1.0, n - k, 0.975) };
        (low, high)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub suites: u64,
    pub red: u64,
    /// Red, inconclusive or invalid.
    pub not_green: u64,
    /// None red, at least one suspected.
    pub suspected: u64,
    pub gates: BTreeMap<Verdict, u64>,
    pub doubted_scenarios: u64,
    pub suites_with_proof: u64,
    pub starts: u64,
    pub scenario_sessions: u64,
    /// The changed gate's verdicts.
    pub changed: BTreeMap<Verdict, u64>,
    /// Suites in which the gate of an unchanged metric was red.
    pub wrong_gate: u64,
}

impl Tally {
    pub fn add(&mut self, outcome: &SuiteOutcome, effect: Option<Effect>) {
        let is_changed =
            |s: usize, m: usize| effect.is_some_and(|effect| (effect.scenario, effect.metric) == (s, m));
        let (mut red, mut wrong, mut undecided, mut suspected) = (false, false, false, false);
        for (s, scenario) in outcome.verdicts.iter().enumerate() {
            for (m, verdict) in scenario.iter().enumerate() {
                if is_changed(s, m) {
                    *self.changed.entry(*verdict).or_default() += 1;
                } else {
                    *self.gates.entry(*verdict).or_default() += 1;
                    wrong |= *verdict == Verdict::Regressed;
                }
                red |= *verdict == Verdict::Regressed;
                suspected |= *verdict == Verdict::Suspected;
                undecided |= matches!(verdict, Verdict::Inconclusive | Verdict::Invalid);
            }
        }
        self.suites += 1;
        self.red += u64::from(red);
        self.not_green += u64::from(red || undecided);
        self.suspected += u64::from(suspected && !red);
        self.wrong_gate += u64::from(wrong);
        self.doubted_scenarios += outcome.doubted as u64;
        self.suites_with_proof += u64::from(outcome.starts > 0);
        self.starts += outcome.starts as u64;
        self.scenario_sessions += outcome.scenario_sessions as u64;
    }

    pub fn merge(mut self, other: Tally) -> Tally {
        self.suites += other.suites;
        self.red += other.red;
        self.not_green += other.not_green;
        self.suspected += other.suspected;
        self.doubted_scenarios += other.doubted_scenarios;
        self.suites_with_proof += other.suites_with_proof;
        self.starts += other.starts;
        self.scenario_sessions += other.scenario_sessions;
        self.wrong_gate += other.wrong_gate;
        for (verdict, count) in other.gates {
            *self.gates.entry(verdict).or_default() += count;
        }
        for (verdict, count) in other.changed {
            *self.changed.entry(verdict).or_default() += count;
        }
        self
    }

    pub fn of_suites(&self, count: u64) -> Share {
        Share { count, of: self.suites }
    }

    /// The verdicts of the gates of unchanged metrics.
    pub fn of_gates(&self, verdict: Verdict) -> Share {
        let count = self.gates.get(&verdict).copied().unwrap_or(0);
        Share { count, of: self.gates.values().sum() }
    }

    pub fn of_changed(&self, verdict: Verdict) -> Share {
        self.of_suites(self.changed.get(&verdict).copied().unwrap_or(0))
    }

    pub fn doubted(&self) -> Share {
        Share { count: self.doubted_scenarios, of: self.suites * SCENARIOS as u64 }
    }

    /// Requests spent on a suite, in units of one session of all its scenarios.
    pub fn cost(&self) -> f64 {
        self.scenario_sessions as f64 / (self.suites * SCENARIOS as u64) as f64
    }

    pub fn mean_starts(&self) -> f64 {
        self.starts as f64 / self.suites_with_proof.max(1) as f64
    }
}

/// Red suites and caught changes of a naive gate.
#[derive(Clone, Copy, Debug, Default)]
pub struct NaiveTally {
    pub suites: u64,
    pub red: u64,
    pub caught: u64,
}

impl NaiveTally {
    pub fn add(&mut self, red: &[[bool; METRICS]; SCENARIOS], effect: Option<Effect>) {
        self.suites += 1;
        self.red += u64::from(red.iter().flatten().any(|red| *red));
        self.caught += u64::from(effect.is_some_and(|effect| red[effect.scenario][effect.metric]));
    }

    pub fn merge(self, other: NaiveTally) -> NaiveTally {
        NaiveTally {
            suites: self.suites + other.suites,
            red: self.red + other.red,
            caught: self.caught + other.caught,
        }
    }

    pub fn red(&self) -> Share {
        Share { count: self.red, of: self.suites }
    }

    pub fn caught(&self) -> Share {
        Share { count: self.caught, of: self.suites }
    }
}

/// A share as written to the JSON.
#[derive(Serialize)]
pub struct Counted {
    count: u64,
    of: u64,
    share: f64,
    interval_95: (f64, f64),
}

impl From<Share> for Counted {
    fn from(share: Share) -> Counted {
        Counted { count: share.count, of: share.of, share: share.value(), interval_95: share.interval() }
    }
}
