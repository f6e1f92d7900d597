//! Percentages, durations and sizes as they stand in a file: text with its unit.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// `"3%"`, kept as the share 0.03.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percent(pub f64);

/// `"500ms"`, `"30s"`, `"2m"`, `"1h"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HumanDuration(pub Duration);

/// `"512MB"`, `"16GiB"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HumanSize {
    pub bytes: u64,
}

impl FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<HumanDuration, String> {
        HumanDuration::from_text(text).map_err(|error| error.replace('\n', "; "))
    }
}

/// Longer than anything a scenario waits for; beyond it arithmetic on deadlines could overflow.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Text that carries its unit. Errors are two lines: the message, then the help.
trait WithUnit: Sized {
    const EXPECTED: &'static str;

    fn from_text(text: &str) -> Result<Self, String>;

    /// How the bare number was probably meant.
    fn unit_missing(number: f64) -> String;
}

impl WithUnit for Percent {
    const EXPECTED: &'static str = "a percentage such as \"3%\"";

    fn from_text(text: &str) -> Result<Percent, String> {
        let (number, unit) = split_unit(text);
        match (number.parse::<f64>(), unit) {
            (Ok(number), "%") => Ok(Percent(number / 100.0)),
            (Ok(number), "") => Err(Percent::unit_missing(number)),
            (Ok(number), unit) => Err(format!("unknown unit `{unit}`\nwrite \"{number}%\"")),
            (Err(_), _) => Err(not_readable::<Percent>(text)),
        }
    }

    fn unit_missing(number: f64) -> String {
        let percent = if number < 1.0 { (number * 1e4).round() / 100.0 } else { number };
        format!("the number {number} has no unit\nwrite \"{percent}%\" for {percent} percent")
    }
}

impl WithUnit for HumanDuration {
    const EXPECTED: &'static str = "a duration such as \"500ms\", \"30s\", \"2m\" or \"1h\"";

    fn from_text(text: &str) -> Result<HumanDuration, String> {
        let (number, unit) = split_unit(text);
        let Ok(number) = number.parse::<f64>() else { return Err(not_readable::<HumanDuration>(text)) };
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "" => return Err(HumanDuration::unit_missing(number)),
            unit => return Err(format!("unknown unit `{unit}`\nvalid units: ms, s, m, h")),
        };
        match Duration::try_from_secs_f64(number * seconds) {
            Ok(duration) if duration <= LONGEST => Ok(HumanDuration(duration)),
            _ => Err(format!("`{text}` is too long\nthe longest duration is \"168h\"")),
        }
    }

    fn unit_missing(number: f64) -> String {
        format!(
            "the number {number} has no unit\nwrite \"{number}s\" for seconds or \"{number}ms\" for milliseconds"
        )
    }
}

impl WithUnit for HumanSize {
    const EXPECTED: &'static str = "a size such as \"512MB\" or \"16GiB\"";

    fn from_text(text: &str) -> Result<HumanSize, String> {
        let (number, unit) = split_unit(text);
        let Ok(number) = number.parse::<f64>() else { return Err(not_readable::<HumanSize>(text)) };
        let bytes = match unit {
            "MB" => 1e6,
            "GB" => 1e9,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            "" => return Err(HumanSize::unit_missing(number)),
            unit => return Err(format!("unknown unit `{unit}`\nvalid units: MB, GB, MiB, GiB")),
        };
        match number * bytes {
            size if (1.0..=MOST_BYTES).contains(&size) => Ok(HumanSize { bytes: size as u64 }),
            _ => Err(not_readable::<HumanSize>(text)),
        }
    }

    fn unit_missing(number: f64) -> String {
        format!("the number {number} has no unit\nwrite \"{number}GiB\" or \"{number}MB\"")
    }
}

/// More memory than any machine has.
const MOST_BYTES: f64 = 1e15;

/// `"1.5 %"` is `("1.5", "%")`; a sign is not part of a number here.
fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..digits], text[digits..].trim_start())
}

fn not_readable<T: WithUnit>(text: &str) -> String {
    format!("expected {}, found \"{text}\"", T::EXPECTED)
}

struct WithUnitVisitor<T>(std::marker::PhantomData<T>);

impl<T: WithUnit> Visitor<'_> for WithUnitVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        Err(E::custom(T::unit_missing(number as f64)))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        Err(E::custom(T::unit_missing(number as f64)))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        Err(E::custom(T::unit_missing(number)))
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Percent, D::Error> {
        deserializer.deserialize_any(WithUnitVisitor(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HumanDuration, D::Error> {
        deserializer.deserialize_any(WithUnitVisitor(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for HumanSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HumanSize, D::Error> {
        deserializer.deserialize_any(WithUnitVisitor(std::marker::PhantomData))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_read_as_a_share() {
        assert_eq!(Percent::from_text("3%"), Ok(Percent(0.03)));
        assert_eq!(Percent::from_text("2.5 %"), Ok(Percent(0.025)));
    }

    #[test]
    fn a_duration_is_read_in_each_unit() {
        for (text, ms) in [("500ms", 500), ("30s", 30_000), ("1.5m", 90_000), ("1h", 3_600_000)] {
            assert_eq!(HumanDuration::from_text(text), Ok(HumanDuration(Duration::from_millis(ms))));
        }
    }

    #[test]
    fn a_size_is_read_in_each_unit() {
        for (text, bytes) in [("512MB", 512_000_000), ("1GB", 1_000_000_000), ("16GiB", 17_179_869_184)] {
            assert_eq!(HumanSize::from_text(text), Ok(HumanSize { bytes }));
        }
        for text in ["0GB", "1e3GB", "16", "16 kB", "-1GB"] {
            assert!(HumanSize::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bare_share_is_answered_in_percent() {
        assert_eq!(
            Percent::from_text("0.03").unwrap_err(),
            "the number 0.03 has no unit\nwrite \"3%\" for 3 percent"
        );
    }

    #[test]
    fn what_is_no_duration_is_refused_without_a_panic() {
        for text in ["", "s", "-3s", "1e400s", "99999999999999999999h", "3 fortnights", "1.2.3s"] {
            assert!(HumanDuration::from_text(text).is_err(), "{text}");
        }
    }
}
