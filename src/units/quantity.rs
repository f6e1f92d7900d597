//! Percentages, durations and sizes as people write them in files and flags: text with its unit.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// `"3%"`, kept as the share 0.03.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percent(pub f64);

/// `"500ms"`, `"30s"`, `"2m"`, `"1h"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HumanDuration(pub Duration);

/// `"512MB"`, `"16GiB"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HumanSize {
    pub bytes: u64,
}

/// What is wrong with a quantity's text, and how to write it instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QuantityError {
    pub message: String,
    pub help: Option<String>,
}

/// Longer than anything tollgate waits for; beyond it arithmetic on deadlines could overflow.
const MAX_DURATION: Duration = Duration::from_secs(7 * 24 * 3600);

/// More memory than any machine has.
const MAX_BYTES: f64 = 1e15;

/// Text that carries its unit.
trait Quantity: FromStr<Err = QuantityError> {
    const EXPECTED: &'static str;

    /// How the bare number was probably meant.
    fn unit_missing(number: f64) -> QuantityError;
}

impl HumanDuration {
    pub(crate) fn ms(self) -> f64 {
        self.0.as_secs_f64() * 1e3
    }
}

impl FromStr for Percent {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Percent, QuantityError> {
        match number_and_unit::<Percent>(text)? {
            (number, "%") => Ok(Percent(number / 100.0)),
            (number, unit) => Err(QuantityError::unknown_unit(unit, format!("write \"{number}%\""))),
        }
    }
}

impl Quantity for Percent {
    const EXPECTED: &'static str = "a percentage such as \"3%\"";

    fn unit_missing(number: f64) -> QuantityError {
        let percent = if number < 1.0 { (number * 1e4).round() / 100.0 } else { number };
        QuantityError::no_unit(number, format!("write \"{percent}%\" for {percent} percent"))
    }
}

impl FromStr for HumanDuration {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<HumanDuration, QuantityError> {
        let (number, unit) = number_and_unit::<HumanDuration>(text)?;
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            unit => return Err(QuantityError::unknown_unit(unit, "valid units: ms, s, m, h".into())),
        };
        match Duration::try_from_secs_f64(number * seconds) {
            Ok(duration) if duration <= MAX_DURATION => Ok(HumanDuration(duration)),
            _ => Err(QuantityError {
                message: format!("`{text}` is too long"),
                help: Some("the longest duration is \"168h\"".into()),
            }),
        }
    }
}

impl Quantity for HumanDuration {
    const EXPECTED: &'static str = "a duration such as \"500ms\", \"30s\", \"2m\" or \"1h\"";

    fn unit_missing(number: f64) -> QuantityError {
        let help = format!("write \"{number}s\" for seconds or \"{number}ms\" for milliseconds");
        QuantityError::no_unit(number, help)
    }
}

impl FromStr for HumanSize {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<HumanSize, QuantityError> {
        let (number, unit) = number_and_unit::<HumanSize>(text)?;
        let bytes = match unit {
            "MB" => 1e6,
            "GB" => 1e9,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            unit => return Err(QuantityError::unknown_unit(unit, "valid units: MB, GB, MiB, GiB".into())),
        };
        match number * bytes {
            size if (1.0..=MAX_BYTES).contains(&size) => Ok(HumanSize { bytes: size as u64 }),
            _ => Err(QuantityError::unreadable::<HumanSize>(text)),
        }
    }
}

impl Quantity for HumanSize {
    const EXPECTED: &'static str = "a size such as \"512MB\" or \"16GiB\"";

    fn unit_missing(number: f64) -> QuantityError {
        QuantityError::no_unit(number, format!("write \"{number}GiB\" or \"{number}MB\""))
    }
}

/// `"1.5 %"` is `(1.5, "%")`; a sign is not part of a number here.
fn number_and_unit<Q: Quantity>(text: &str) -> Result<(f64, &str), QuantityError> {
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let number = trimmed[..digits].parse().map_err(|_| QuantityError::unreadable::<Q>(text))?;
    match trimmed[digits..].trim_start() {
        "" => Err(Q::unit_missing(number)),
        unit => Ok((number, unit)),
    }
}

impl QuantityError {
    fn unreadable<Q: Quantity>(text: &str) -> QuantityError {
        QuantityError { message: format!("expected {}, found \"{text}\"", Q::EXPECTED), help: None }
    }

    fn no_unit(number: f64, help: String) -> QuantityError {
        QuantityError { message: format!("the number {number} has no unit"), help: Some(help) }
    }

    fn unknown_unit(unit: &str, help: String) -> QuantityError {
        QuantityError { message: format!("unknown unit `{unit}`"), help: Some(help) }
    }

    /// Of two lines, the message and the help: what a deserializer's error has room for.
    fn into_serde<E: de::Error>(self) -> E {
        let lines = [Some(self.message), self.help].into_iter().flatten();
        E::custom(lines.collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for QuantityError {}

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

struct QuantityVisitor<Q>(PhantomData<Q>);

impl<Q: Quantity> Visitor<'_> for QuantityVisitor<Q> {
    type Value = Q;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Q::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Q, E> {
        text.parse().map_err(QuantityError::into_serde)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Q, E> {
        Err(Q::unit_missing(number as f64).into_serde())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Q, E> {
        Err(Q::unit_missing(number as f64).into_serde())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Q, E> {
        Err(Q::unit_missing(number).into_serde())
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Percent, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HumanDuration, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for HumanSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HumanSize, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(PhantomData))
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? ?%$",
            "examples": ["3%"],
        })
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? ?(ms|s|m|h)$",
            "examples": ["500ms", "30s", "2m", "1h"],
        })
    }
}

impl JsonSchema for HumanSize {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)? ?(MB|GB|MiB|GiB)$",
            "examples": ["16GiB"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_read_as_a_share() {
        assert_eq!("3%".parse(), Ok(Percent(0.03)));
        assert_eq!("2.5 %".parse(), Ok(Percent(0.025)));
    }

    #[test]
    fn a_duration_is_read_in_each_unit() {
        for (text, ms) in [("500ms", 500), ("30s", 30_000), ("1.5m", 90_000), ("1h", 3_600_000)] {
            assert_eq!(text.parse(), Ok(HumanDuration(Duration::from_millis(ms))));
        }
    }

    #[test]
    fn a_size_is_read_in_each_unit() {
        for (text, bytes) in [("512MB", 512_000_000), ("1GB", 1_000_000_000), ("16GiB", 17_179_869_184)] {
            assert_eq!(text.parse(), Ok(HumanSize { bytes }));
        }
        for text in ["0GB", "1e3GB", "16", "16 kB", "-1GB"] {
            assert!(text.parse::<HumanSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_bare_share_is_answered_in_percent() {
        let error = "0.03".parse::<Percent>().unwrap_err();
        assert_eq!(error.to_string(), "the number 0.03 has no unit; write \"3%\" for 3 percent");
    }

    #[test]
    fn text_that_is_not_a_duration_is_refused() {
        for text in ["", "s", "-3s", "1e400s", "99999999999999999999h", "3 fortnights", "1.2.3s"] {
            assert!(text.parse::<HumanDuration>().is_err(), "{text}");
        }
    }
}
