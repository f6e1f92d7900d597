//! `think_time` of a load: a duration, or a distribution of durations.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::load::ThinkTime;
use crate::units::HumanDuration;

#[derive(Clone, Copy, Debug)]
pub(crate) enum ThinkTimeValue {
    Constant(HumanDuration),
    Drawn(DrawnTable),
}

/// Set exactly one of these keys.
#[derive(Clone, Copy, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ThinkTimeTable", extend("minProperties" = 1, "maxProperties" = 1))]
pub(crate) struct DrawnTable {
    /// Uniform between two durations: ["1s", "3s"].
    uniform: Option<(HumanDuration, HumanDuration)>,
    /// Exponential, with this mean: "2s".
    exponential: Option<HumanDuration>,
    lognormal: Option<LognormalTable>,
}

/// Most draws are near the median, some are much longer.
#[derive(Clone, Copy, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { median = \"2s\", sigma = 0.5 }")]
struct LognormalTable {
    median: HumanDuration,
    /// The standard deviation of the logarithm.
    #[schemars(range(min = 0))]
    sigma: f64,
}

impl ThinkTimeValue {
    /// # Errors
    /// If the table does not name exactly one distribution.
    pub(crate) fn resolve(self) -> Result<ThinkTime, &'static str> {
        let table = match self {
            ThinkTimeValue::Constant(duration) => return Ok(ThinkTime::Constant { ms: duration.ms() }),
            ThinkTimeValue::Drawn(table) => table,
        };
        match (table.uniform, table.exponential, table.lognormal) {
            (Some((from, to)), None, None) => Ok(ThinkTime::Uniform { from_ms: from.ms(), to_ms: to.ms() }),
            (None, Some(mean), None) => Ok(ThinkTime::Exponential { mean_ms: mean.ms() }),
            (None, None, Some(LognormalTable { median, sigma })) => {
                Ok(ThinkTime::Lognormal { median_ms: median.ms(), sigma })
            }
            _ => Err("`think_time` needs exactly one of `uniform`, `exponential` and `lognormal`"),
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
