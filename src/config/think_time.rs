//! `think_time` of a load: a duration, or a distribution of durations.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::config::units::HumanDuration;
use crate::load::ThinkTime;

#[derive(Clone, Copy, Debug)]
pub enum ThinkTimeValue {
    Constant(HumanDuration),
    Drawn(DrawnTable),
}

/// Give one of the keys.
#[derive(Clone, Copy, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ThinkTimeTable", extend("minProperties" = 1, "maxProperties" = 1))]
pub struct DrawnTable {
    /// Anything between two durations: ["1s", "3s"].
    uniform: Option<(HumanDuration, HumanDuration)>,
    /// Exponential, with this mean: "2s".
    exponential: Option<HumanDuration>,
    lognormal: Option<LognormalTable>,
}

/// Most are near the median, some much longer.
#[derive(Clone, Copy, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { median = \"2s\", sigma = 0.5 }")]
struct LognormalTable {
    median: HumanDuration,
    /// The standard deviation of the logarithm.
    #[schemars(range(min = 0))]
    sigma: f64,
}

/// Beyond it a draw is longer than any round.
const MOST_SIGMA: f64 = 5.0;

impl ThinkTimeValue {
    /// An error is about a key of the table, or about the whole value where the key is empty.
    pub fn check(&self) -> Result<ThinkTime, (&'static str, String)> {
        let ms = |duration: HumanDuration| duration.0.as_secs_f64() * 1e3;
        match *self {
            ThinkTimeValue::Constant(duration) => Ok(ThinkTime::Constant { ms: ms(duration) }),
            ThinkTimeValue::Drawn(DrawnTable {
                uniform: Some((from, to)),
                exponential: None,
                lognormal: None,
            }) => {
                if to.0 < from.0 {
                    return Err(("uniform", "the second duration is the longer one".to_owned()));
                }
                Ok(ThinkTime::Uniform { from_ms: ms(from), to_ms: ms(to) })
            }
            ThinkTimeValue::Drawn(DrawnTable { uniform: None, exponential: Some(mean), lognormal: None }) => {
                Ok(ThinkTime::Exponential { mean_ms: ms(mean) })
            }
            ThinkTimeValue::Drawn(DrawnTable {
                uniform: None,
                exponential: None,
                lognormal: Some(LognormalTable { median, sigma }),
            }) => {
                if !(0.0..=MOST_SIGMA).contains(&sigma) {
                    return Err(("lognormal", format!("`sigma` has to be a number from 0 to {MOST_SIGMA}")));
                }
                Ok(ThinkTime::Lognormal { median_ms: ms(median), sigma })
            }
            ThinkTimeValue::Drawn(_) => {
                Err(("", "`think_time` needs exactly one of `uniform`, `exponential` and `lognormal`".into()))
            }
        }
    }
}

impl<'de> Deserialize<'de> for ThinkTimeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ThinkTimeValue, D::Error> {
        struct TextOrTable;

        impl<'de> Visitor<'de> for TextOrTable {
            type Value = ThinkTimeValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"2s\", or a table such as { exponential = \"2s\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ThinkTimeValue, E> {
                HumanDuration::deserialize(StrDeserializer::new(text)).map(ThinkTimeValue::Constant)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ThinkTimeValue, A::Error> {
                DrawnTable::deserialize(MapAccessDeserializer::new(map)).map(ThinkTimeValue::Drawn)
            }
        }

        deserializer.deserialize_any(TextOrTable)
    }
}

impl JsonSchema for ThinkTimeValue {
    fn schema_name() -> Cow<'static, str> {
        "ThinkTime".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration, or a distribution of durations.",
            "anyOf": [
                generator.subschema_for::<HumanDuration>(),
                generator.subschema_for::<DrawnTable>(),
            ],
        })
    }
}
