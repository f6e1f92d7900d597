//! Judges a scenario's gates by its measurements.

pub(crate) mod bisection;
pub(crate) mod explain;
mod gate;
pub(crate) mod power;
pub(crate) mod rule;
pub mod stats;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::Metric;
use crate::metrics::health::ClientHealth;
use crate::metrics::summary::Summary;

#[cfg(test)]
pub(crate) use gate::Change;
pub use gate::{GateOutcome, Old, judge};
pub(crate) use gate::{LEAST_SHARE_ENDED_BY_LENGTH, OldValues, bottleneck, client_late, no_room};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    Improved,
    /// Probably slower, but not provable here.
    Suspected,
    /// The budget ran out before the measurements could decide.
    Inconclusive,
    /// There is nothing to compare with.
    NoBaseline,
    /// There is a baseline, but for something else.
    NotComparable,
    /// The client or the engine had a problem, so the figures are meaningless.
    Invalid,
    Regressed,
    /// The target is not available here.
    Ignored,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Improved => "improved",
            Verdict::Suspected => "suspected",
            Verdict::Inconclusive => "inconclusive",
            Verdict::NoBaseline => "no baseline",
            Verdict::NotComparable => "not comparable",
            Verdict::Invalid => "invalid",
            Verdict::Regressed => "regressed",
            Verdict::Ignored => "ignored",
        }
    }

    /// A scenario's verdict is the worst of its gates' verdicts: a gate that can't decide does not undo a regression
    /// that another gate found.
    pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts.into_iter().max().unwrap_or(Verdict::Ok)
    }
}

/// After a screen: whether a gate shows something that only running old and new side by side can prove.
pub fn wants_proof(gates: &[GateOutcome]) -> bool {
    gates.iter().any(|gate| matches!(gate.verdict, Verdict::Suspected | Verdict::Improved))
}

/// After some starts of each side: whether more starts are unlikely to change the scenario's verdict. Whatever the
/// other gates turn out to be, a proven regression stays.
pub fn is_decided(gates: &[GateOutcome]) -> bool {
    gates.iter().any(|gate| gate.verdict == Verdict::Regressed) || gates.iter().all(GateOutcome::is_settled)
}

/// Which engine a session of a proof ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Old,
    New,
}

impl Side {
    /// Old, new, new, old: a steady drift of the machine cancels within each block.
    pub const BLOCK: [Side; 4] = [Side::Old, Side::New, Side::New, Side::Old];
}

/// What the verdict needs of one session of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    pub summary: &'a Summary,
    pub health: &'a ClientHealth,
    /// Whether latencies count from the time a request was due.
    pub open: bool,
}

impl Evidence<'_> {
    fn timing_error(&self, metric: Metric) -> Option<f64> {
        self.health.timing_error(metric, self.summary, self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Gate;

    fn gate(verdict: Verdict) -> GateOutcome {
        let metric = "ttft_ms_p95".parse().unwrap();
        let gate = Gate::relative(metric, 0.1).unwrap();
        GateOutcome { gate, old: None, new: None, change: None, verdict, reason: String::new() }
    }

    #[test]
    fn a_proof_continues_until_all_is_settled_or_one_gate_is_red() {
        use Verdict::{Inconclusive, Ok, Regressed};
        assert!(is_decided(&[gate(Ok), gate(Ok)]));
        assert!(!is_decided(&[gate(Ok), gate(Inconclusive)]));
        assert!(is_decided(&[gate(Regressed), gate(Inconclusive)]));
        let near = Change { relative: 0.095, interval: Some((0.05, 0.14)) };
        assert!(!is_decided(&[GateOutcome { change: Some(near), ..gate(Ok) }]));
    }

    #[test]
    fn the_worst_gate_decides() {
        use Verdict::*;
        assert_eq!(Verdict::worst([Ok, Improved]), Improved);
        assert_eq!(Verdict::worst([Ok, Suspected, NoBaseline]), NoBaseline);
        assert_eq!(Verdict::worst([Invalid, Regressed, Ok]), Regressed);
        assert_eq!(Verdict::worst([]), Ok);
    }
}
