//! Gates as text, and the errors for those that fail.

use std::fmt;
use std::str::FromStr;

use crate::bench::Summary;
use crate::metrics::{Better, Gate, GateSpec, Metric};
use crate::units::Percent;
use crate::verdict::{GateOutcome, Old, Verdict, judge};

impl Summary {
    /// Checks absolute limits, such as `"ttft_ms_p95 <= 800"` or `"success_rate >= 0.99"`.
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
    #[error("{} of {all} gates failed:\n  {}", .broken.len(), .broken.join("\n  "))]
    Broken {
        /// One line per gate that failed.
        broken: Vec<String>,
        /// How many gates were checked.
        all: usize,
    },
}

impl fmt::Debug for GateFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A gate that can't be parsed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{gate}` is no gate: {why}")]
pub struct MalformedGate {
    gate: String,
    why: String,
}

/// Judges one gate. The error says what is wrong.
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

/// `METRIC <= LIMIT`, `METRIC >= LIMIT` or `METRIC within PERCENT%`.
impl FromStr for Gate {
    type Err = MalformedGate;

    fn from_str(text: &str) -> Result<Gate, MalformedGate> {
        gate(text).map_err(|why| MalformedGate { gate: text.to_owned(), why })
    }
}

fn gate(text: &str) -> Result<Gate, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [metric, operator, value] = words[..] else {
        return Err(EXPECTED.into());
    };
    let metric: Metric = metric.parse().map_err(|unknown| format!("{unknown}"))?;
    let number = || value.parse::<f64>().map_err(|_| format!("`{value}` is not a number"));
    let spec = GateSpec { metric, tolerance: None, min: None, max: None };
    let spec = match (operator, metric.better()) {
        ("<=", Better::Lower) => GateSpec { max: Some(number()?), ..spec },
        (">=", Better::Higher) => GateSpec { min: Some(number()?), ..spec },
        ("within", _) => {
            let Percent(tolerance) = value.parse::<Percent>().map_err(|error| error.to_string())?;
            GateSpec { tolerance: Some(tolerance), ..spec }
        }
        ("<=", Better::Higher) => return Err(format!("more {} is better: write >=", metric.spoken())),
        (">=", Better::Lower) => return Err(format!("less {} is better: write <=", metric.spoken())),
        _ => return Err(EXPECTED.into()),
    };
    Gate::new(spec).map_err(|error| error.to_string())
}

const EXPECTED: &str =
    "expected METRIC <= LIMIT, METRIC >= LIMIT or METRIC within PERCENT%, such as \"ttft_ms_p95 <= 800\"";
