//! Gates as text.

use std::str::FromStr;

use crate::metrics::{Better, Family, Gate, GateError, GateSpec, Metric};
use crate::units::Percent;

/// A gate that can't be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{gate}` isn't a valid gate: {why}")]
pub struct MalformedGate {
    gate: String,
    why: String,
}

/// `METRIC <= LIMIT`, `METRIC >= LIMIT` or `METRIC within PERCENT%`.
impl FromStr for Gate {
    type Err = MalformedGate;

    fn from_str(text: &str) -> Result<Gate, MalformedGate> {
        read(text).map_err(|why| MalformedGate { gate: text.to_owned(), why })
    }
}

const EXPECTED: &str =
    "expected METRIC <= LIMIT, METRIC >= LIMIT or METRIC within PERCENT%, such as \"ttft_ms_p95 <= 800\"";

/// An operator comes before those that it starts with.
const OPERATORS: [&str; 5] = ["<=", ">=", "<", ">", "within"];

fn read(text: &str) -> Result<Gate, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_reads_the_same_with_and_without_spaces() {
        let gate = |text: &str| text.parse::<Gate>().unwrap();
        for (short, long) in [
            ("ttft_ms_p95<=800", "ttft_ms_p95 <= 800"),
            (" output_tokens_per_s>=120 ", "output_tokens_per_s >= 120"),
            ("success_rate >= 99%", "success_rate >= 0.99"),
            ("success_rate>=99.5 %", "success_rate >= 0.995"),
            ("tpot_ms_mean within 5 %", "tpot_ms_mean within 5%"),
        ] {
            assert_eq!(gate(short), gate(long));
        }
    }
}
