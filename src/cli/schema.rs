//! `tollgate schema`: the JSON Schemas of input files and reports, as checked in under `schemas/`.

use std::process::ExitCode;

use clap::ValueEnum;
use schemars::{Schema, schema_for};

use crate::config::{ScenarioFile, TargetsFile};
use crate::results::Report;
use crate::results::comparison::Comparison;
use crate::results::sweep::Sweep;

/// Print the JSON Schema of a file format.
#[derive(Debug, clap::Args)]
pub(crate) struct SchemaArgs {
    /// File format.
    format: SchemaKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaKind {
    /// perf-tests/targets.toml
    Targets,
    /// perf-tests/scenarios/*.toml
    Scenario,
    /// target/tollgate/<run>/<scenario>.json, and the output of `tollgate bench --json`
    Report,
    /// Output of `tollgate sweep --json`
    Sweep,
    /// Output of `tollgate compare --json`
    Comparison,
}

pub(crate) fn run(args: &SchemaArgs) -> ExitCode {
    print!("{}", args.format.text());
    ExitCode::SUCCESS
}

impl SchemaKind {
    fn schema(self) -> Schema {
        match self {
            SchemaKind::Targets => schema_for!(TargetsFile),
            SchemaKind::Scenario => schema_for!(ScenarioFile),
            SchemaKind::Report => schema_for!(Report),
            SchemaKind::Sweep => schema_for!(Sweep),
            SchemaKind::Comparison => schema_for!(Comparison),
        }
    }

    fn text(self) -> String {
        let mut text = serde_json::to_string_pretty(&self.schema()).expect("a schema is plain JSON");
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::docs::check_file;

    #[test]
    fn the_checked_in_schemas_are_current() {
        for format in SchemaKind::value_variants() {
            let name = format.to_possible_value().unwrap().get_name().to_owned();
            check_file(&format!("schemas/{name}.schema.json"), "schemas", &format.text());
        }
    }
}
