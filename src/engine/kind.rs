//! Engines by name.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::LazyLock;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::engine::{ENGINES, Engine, openai, simulator};

/// An engine: one of `ENGINES`.
#[derive(Clone, Copy)]
pub struct EngineKind(&'static dyn Engine);

/// The engine that a target names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineChoice {
    /// Detect the engine that answers there.
    Auto,
    Kind(EngineKind),
}

const AUTO: &str = "auto";

static CHOICES: LazyLock<Vec<EngineChoice>> = LazyLock::new(|| {
    let kinds = EngineKind::all().map(EngineChoice::Kind);
    kinds.chain([EngineChoice::Auto]).collect()
});

static NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| CHOICES.iter().map(|choice| choice.name()).collect());

impl EngineKind {
    pub const SIMULATOR: EngineKind = EngineKind(&simulator::Simulator);
    /// Any server with an OpenAI-compatible API.
    pub const OPENAI: EngineKind = EngineKind(&openai::Openai);

    pub fn all() -> impl Iterator<Item = EngineKind> {
        ENGINES.iter().copied().map(EngineKind)
    }

    pub fn named(name: &str) -> Option<EngineKind> {
        EngineKind::all().find(|kind| kind.name() == name)
    }
}

impl Deref for EngineKind {
    type Target = dyn Engine;

    fn deref(&self) -> &'static dyn Engine {
        self.0
    }
}

impl PartialEq for EngineKind {
    fn eq(&self, other: &EngineKind) -> bool {
        self.name() == other.name()
    }
}

impl Eq for EngineKind {}

impl fmt::Debug for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl EngineChoice {
    pub fn name(self) -> &'static str {
        match self {
            EngineChoice::Auto => AUTO,
            EngineChoice::Kind(kind) => kind.name(),
        }
    }

    /// The engine, if the target names one.
    pub fn kind(self) -> Option<EngineKind> {
        match self {
            EngineChoice::Auto => None,
            EngineChoice::Kind(kind) => Some(kind),
        }
    }
}

impl Serialize for EngineChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for EngineChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EngineChoice, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        let choice = CHOICES.iter().find(|choice| choice.name() == name);
        choice.copied().ok_or_else(|| de::Error::unknown_variant(&name, &NAMES))
    }
}

impl JsonSchema for EngineChoice {
    fn schema_name() -> Cow<'static, str> {
        "Engine".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Engine type; \"auto\" detects it at the URL.",
            "type": "string",
            "enum": *NAMES,
        })
    }
}

impl ValueEnum for EngineChoice {
    fn value_variants<'a>() -> &'a [EngineChoice] {
        &CHOICES
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_is_found_by_its_name() {
        for kind in EngineKind::all() {
            assert_eq!(EngineKind::named(kind.name()), Some(kind));
        }
        assert_eq!(NAMES.len(), ENGINES.len() + 1);
        assert_eq!(EngineKind::named(AUTO), None);
    }

    #[test]
    fn an_unknown_engine_error_lists_all_engines() {
        let error = serde_json::from_str::<EngineChoice>("\"vlm\"").unwrap_err().to_string();
        assert!(error.starts_with("unknown variant `vlm`, expected one of `simulator`"), "{error}");
        assert!(error.contains("`vllm`") && error.contains("`auto`"), "{error}");
    }
}
