//! Gates as text, and the errors for those that fail.

use std::fmt;

use crate::bench::Summary;
use crate::metrics::{Gate, MalformedGate};
use crate::verdict::{GateOutcome, Old, Verdict, judge};

impl Summary {
    /// Checks absolute limits, such as `"ttft_ms_p95 <= 800"` or `"success_rate >= 99%"`.
    ///
    /// A metric's name is a field and a statistic: `ttft_ms`, `tpot_ms`, `itl_ms` or `e2e_ms` with `_mean`, `_p50`,
    /// `_p90`, `_p95`, `_p99`, `_min` or `_max`; or it is one of `output_tokens_per_s`, `total_tokens_per_s`,
    /// `requests_per_s` and `success_rate`.
    ///
    /// # Errors
    /// Lists every gate that fails and why: its limit is broken, the metric was not measured, or the load client itself
    /// may account for a broken limit. Also fails if a gate is malformed, or says `within`, which needs
    /// [`Comparison::check`](crate::Comparison::check).
    pub fn check<G: AsRef<str>>(&self, gates: impl IntoIterator<Item = G>) -> Result<(), GateFailure> {
        check_all(gates, |gate| match gate.tolerance {
            Some(_) => Err("`within` needs an older run: use compare(&old, &new).check(…)".to_owned()),
            None => judge_limit(gate, self),
        })
    }
}

/// Why gates failed: one line per gate. `{:?}` prints the same text, so a test that returns this error is readable.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GateFailure {
    /// The gate can't be parsed.
    #[error(transparent)]
    Malformed(MalformedGate),
    /// The gates that failed, each as `gate: why`.
    #[error("{}:\n  {}", failed(.broken.len(), *.all), .broken.join("\n  "))]
    Broken {
        /// One line per gate that failed.
        broken: Vec<String>,
        /// How many gates were checked.
        all: usize,
    },
}

fn failed(broken: usize, all: usize) -> String {
    if all == 1 { "1 gate failed".to_owned() } else { format!("{broken} of {all} gates failed") }
}

impl fmt::Debug for GateFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Checks every gate. `judged` says in words why one does not hold.
pub(super) fn check_all<G: AsRef<str>>(
    gates: impl IntoIterator<Item = G>,
    judged: impl Fn(&Gate) -> Result<(), String>,
) -> Result<(), GateFailure> {
    let (mut broken, mut all) = (Vec::new(), 0);
    for text in gates {
        let text = text.as_ref();
        let gate: Gate = text.parse().map_err(GateFailure::Malformed)?;
        all += 1;
        if let Err(why) = judged(&gate) {
            broken.push(format!("{text}: {why}"));
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(GateFailure::Broken { broken, all }) }
}

pub(super) fn judge_limit(gate: &Gate, summary: &Summary) -> Result<(), String> {
    if summary.value(gate.metric).is_none() {
        return Err("was not measured".into());
    }
    held(judge(gate, Old::Stored(&[]), &[summary.evidence()]))
}

/// Only `ok` and `improved` pass.
pub(super) fn held(outcome: GateOutcome) -> Result<(), String> {
    match outcome.verdict {
        Verdict::Ok | Verdict::Improved => Ok(()),
        verdict if outcome.reason.is_empty() => Err(verdict.name().to_owned()),
        Verdict::Regressed => Err(outcome.reason),
        verdict => Err(format!("{}: {}", verdict.name(), outcome.reason)),
    }
}
