//! Gates as text, and what breaks them.

use std::fmt;
use std::str::FromStr;

use crate::bench::Summary;
use crate::metrics::{Better, Family, Gate, GateError, GateSpec, Metric};
use crate::units::Percent;
use crate::verdict::{GateOutcome, Old, Verdict, judge};

impl Summary {
    /// Checks absolute limits, such as `"ttft_ms_p95 <= 800"` or `"success_rate >= 99%"`.
    ///
    /// A metric's name is the field's and the statistic's: `ttft_ms`, `tpot_ms`, `itl_ms` or `e2e_ms` with `_mean`,
    /// `_p50`, `_p90`, `_p95`, `_p99`, `_min` or `_max`, or one of `output_tokens_per_s`, `total_tokens_per_s`,
    /// `requests_per_s` and `success_rate`.
    ///
    /// # Errors
    /// With every gate that does not hold and why: its limit is broken, the metric was not measured, or the load client
    /// itself may account for a broken limit. Also if a gate is malformed, or says `within`, which takes
    /// [`Comparison::check`](crate::Comparison::check).
    pub fn check<G: AsRef<str>>(&self, gates: impl IntoIterator<Item = G>) -> Result<(), GateFailure> {
        check_all(gates, |gate| match gate.tolerance {
            Some(_) => Err("`within` needs an older run: use compare(&old, &new).check(…)".to_owned()),
            None => judge_limit(gate, self),
        })
    }
}

/// Why gates do not hold: a message with a line for each, which `{:?}` prints as well, so that a test that returns it
/// is readable.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GateFailure {
    /// A gate's text is not valid.
    #[error(transparent)]
    Malformed(MalformedGate),
    /// Gates that do not hold, and why, one `gate: why` each.
    #[error("{}:\n  {}", do_not_hold(.broken.len(), *.all), .broken.join("\n  "))]
    Broken {
        /// One line for each gate that does not hold.
        broken: Vec<String>,
        /// How many gates were checked.
        all: usize,
    },
}

fn do_not_hold(broken: usize, all: usize) -> String {
    match (broken, all) {
        (1, 1) => "1 gate does not hold".into(),
        (1, _) => format!("1 of {all} gates does not hold"),
        _ => format!("{broken} of {all} gates do not hold"),
    }
}

impl fmt::Debug for GateFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A gate whose text is not valid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{gate}` isn't a valid gate: {why}")]
pub struct MalformedGate {
    gate: String,
    why: String,
}

/// Judges one gate; what is wrong, in words.
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

/// Only `ok` and `improved` hold.
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

const EXPECTED: &str =
    "expected METRIC <= LIMIT, METRIC >= LIMIT or METRIC within PERCENT%, such as \"ttft_ms_p95 <= 800\"";

/// An operator comes before those that it starts with.
const OPERATORS: [&str; 5] = ["<=", ">=", "<", ">", "within"];

fn gate(text: &str) -> Result<Gate, String> {
    let (metric, operator, value) = parts(text).ok_or(EXPECTED)?;
    let metric: Metric = metric.parse().map_err(|unknown| format!("{unknown}"))?;
    let spec = GateSpec { metric, tolerance: None, min: None, max: None };
    let spec = match (operator, metric.better()) {
        ("<=", Better::Lower) => GateSpec { max: Some(limit(metric, value)?), ..spec },
        (">=", Better::Higher) => GateSpec { min: Some(limit(metric, value)?), ..spec },
        ("within", _) => {
            let Percent(tolerance) = value.parse::<Percent>().map_err(|error| error.to_string())?;
            GateSpec { tolerance: Some(tolerance), ..spec }
        }
        ("<", Better::Lower) => return Err("`<` is not an operator: write <=".into()),
        (">", Better::Higher) => return Err("`>` is not an operator: write >=".into()),
        (_, Better::Lower) => return Err(format!("a lower {} is better: write <=", metric.spoken())),
        (_, Better::Higher) => return Err(format!("a higher {} is better: write >=", metric.spoken())),
    };
    Gate::new(spec).map_err(reason)
}

/// Metric, operator, and value.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let split = |operator| Some((operator, text.split_once(operator)?));
    let (operator, (metric, value)) = OPERATORS.into_iter().find_map(split)?;
    let (metric, value) = (metric.trim(), value.trim());
    (!metric.is_empty() && !value.is_empty()).then_some((metric, operator, value))
}

fn limit(metric: Metric, value: &str) -> Result<f64, String> {
    if metric.family() == Family::Success && value.ends_with('%') {
        return value.parse().map(|Percent(share)| share).map_err(|error| error.to_string());
    }
    value.parse().map_err(|_| {
        if value.starts_with(|first: char| first.is_ascii_digit()) {
            format!("write `{value}` as a plain number: the unit is in the name `{metric}`")
        } else {
            format!("`{value}` is not a number")
        }
    })
}

/// In words of gates as text, which have no `min` or `max`.
fn reason(error: GateError) -> String {
    match error {
        GateError::Limit(..) => "the limit must be a number greater than 0".into(),
        GateError::Unreachable(..) => "a success rate is a share from 0 to 1: write 0.99 or 99%".into(),
        error => error.to_string(),
    }
}
