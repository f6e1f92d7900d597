//! Values that accept any JSON: an odd one is ignored and does not cost the response.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::units::Nanos;

/// Whether a value is present and neither empty, zero, nor false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filled(pub bool);

/// A number; anything else is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Number(pub Option<f64>);

/// An object; anything else is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Object<T>(pub Option<T>);

impl Number {
    /// As a number of tokens: 8.0 is 8, but −35, 8.5 and 10^11 are none.
    pub(crate) fn count(self) -> Option<u32> {
        let is_count = |value: &f64| value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(value);
        self.0.filter(is_count).map(|value| value as u32)
    }

    /// As a duration; zero if it is none.
    pub(crate) fn nanos(self) -> Nanos {
        self.0.unwrap_or(0.0) as Nanos
    }
}

impl<T> Default for Object<T> {
    fn default() -> Object<T> {
        Object(None)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

/// The visits of a value that is none.
macro_rules! none {
    ($none:expr; $($visit:ident: $of:ty),*) => {
        $(fn $visit<E: de::Error>(self, _: $of) -> Result<Self::Value, E> {
            Ok($none)
        })*

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok($none)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok($none)
        }
    };
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number(Some(value as f64)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(Some(value as f64)))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
        Ok(Number(Some(value)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Number, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Number(None))
    }

    none!(Number(None); visit_bool: bool, visit_str: &str);
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|object| Object(Some(object)))
    }

    none!(Object(None); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);
}

impl<'de> Deserialize<'de> for Filled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Filled, D::Error> {
        deserializer.deserialize_any(FilledVisitor)
    }
}

struct FilledVisitor;

impl<'de> Visitor<'de> for FilledVisitor {
    type Value = Filled;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Filled, E> {
        Ok(Filled(false))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Filled, E> {
        Ok(Filled(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Filled, E> {
        Ok(Filled(value != 0))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Filled, E> {
        Ok(Filled(value != 0))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Filled, E> {
        Ok(Filled(value != 0.0))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Filled, E> {
        Ok(Filled(!value.is_empty()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Filled, A::Error> {
        let mut filled = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Filled(filled))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Filled, A::Error> {
        let mut filled = false;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Filled(filled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(json: &str) -> Option<u32> {
        serde_json::from_str::<Number>(json).unwrap().count()
    }

    #[test]
    fn only_a_whole_number_is_a_count() {
        assert_eq!([count("8"), count("8.0"), count("0")], [Some(8), Some(8), Some(0)]);
        for odd in ["-35", "8.5", "\"8\"", "100000000000", "1e300", "true", "null", "[8]", "{\"a\":8}"] {
            assert_eq!(count(odd), None, "{odd}");
        }
    }

    #[test]
    fn empty_zero_and_false_are_not_filled() {
        let filled = |json: &str| serde_json::from_str::<Filled>(json).unwrap().0;
        for empty in ["null", "0", "0.0", "false", "\"\"", "[]", "{}"] {
            assert!(!filled(empty), "{empty}");
        }
        for full in ["1", "-1.5", "true", "\"a\"", "[0]", "{\"a\":null}"] {
            assert!(filled(full), "{full}");
        }
    }
}
