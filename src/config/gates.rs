//! `[gates]`: what may not become worse, and by how much.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::document::Document;
use crate::config::error::ConfigError;
use crate::metrics::{Better, Gate, GateError, GateSpec, Latency, Metric};
use crate::text::nearest::did_you_mean;
use crate::units::Percent;

/// A metric's limits: relative to the baseline, absolute, or both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { tolerance = \"3%\" }")]
#[schemars(extend("minProperties" = 1))]
pub(crate) struct GateTable {
    /// How much worse the metric may become, relative to the baseline: "3%".
    tolerance: Option<Percent>,
    /// The smallest value allowed, for metrics where more is better.
    min: Option<f64>,
    /// The largest value allowed, for metrics where less is better (latencies, in ms).
    max: Option<f64>,
}

pub(crate) type GateTables = BTreeMap<String, GateTable>;

/// Gates in the order of the file; they always include one on the success rate.
pub(crate) fn gates(
    tables: &GateTables,
    streamed: bool,
    document: &Document,
) -> Result<Vec<Gate>, Vec<ConfigError>> {
    if tables.is_empty() {
        let error = document.error_at(&["gates"], "no gate: this scenario could never fail");
        return Err(vec![
            error.help("add one to [gates], such as output_tokens_per_s = { tolerance = \"3%\" }"),
        ]);
    }
    let mut gates = Vec::new();
    let mut errors = Vec::new();
    for name in document.in_order(&["gates"], tables.keys()) {
        match gate(name, &tables[name], streamed, document) {
            Ok(gate) => gates.push(gate),
            Err(error) => errors.push(error),
        }
    }
    let every_request_succeeds = Gate::every_request_succeeds();
    if !gates.iter().any(|gate| gate.metric == every_request_succeeds.metric) {
        gates.push(every_request_succeeds);
    }
    if errors.is_empty() { Ok(gates) } else { Err(errors) }
}

fn gate(name: &str, table: &GateTable, streamed: bool, document: &Document) -> Result<Gate, ConfigError> {
    let Ok(metric) = name.parse::<Metric>() else {
        let names: Vec<String> = Metric::all().map(|metric| metric.to_string()).collect();
        return Err(document
            .error_at_key(&["gates", name], format!("unknown metric `{name}`"))
            .help(did_you_mean(name, names.iter().map(String::as_str))));
    };
    if needs_stream(metric) && !streamed {
        let message = format!("`{name}` can't be measured with stream = false");
        return Err(document
            .error_at_key(&["gates", name], message)
            .help("without streaming every token arrives at once; gate e2e_ms instead"));
    }
    let tolerance = table.tolerance.map(|Percent(share)| share);
    Gate::new(GateSpec { metric, tolerance, min: table.min, max: table.max })
        .map_err(|error| gate_error(name, error, document))
}

fn needs_stream(metric: Metric) -> bool {
    matches!(metric, Metric::Latency(Latency::Ttft | Latency::Tpot | Latency::Itl, _))
}

fn gate_error(name: &str, error: GateError, document: &Document) -> ConfigError {
    let message = error.to_string();
    let key = |key: &str| document.error_at_key(&["gates", name, key], message.clone());
    let value = |key: &str| document.error_at(&["gates", name, key], message.clone());
    match error {
        GateError::NoLimit(metric) => {
            let example = if metric.takes_tolerance() { "tolerance = \"5%\"" } else { limit_alone(metric) };
            document
                .error_at(&["gates", name], message.clone())
                .help(format!("write {name} = {{ {example} }}"))
        }
        GateError::NoTolerance(metric) => {
            key("tolerance").help(format!("write {name} = {{ {} }}", limit_alone(metric)))
        }
        GateError::Tolerance(_) => value("tolerance")
            .help("no two measurements are equal; 3% is usual for throughput, 10% for a p95 latency"),
        GateError::NeverExceeded(_) => value("tolerance").help("3% is usual for throughput"),
        GateError::Max(_) => key("max").help("write `min`"),
        GateError::Min(_) => key("min").help("write `max`"),
        GateError::Limit(metric, _) => value(match metric.better() {
            Better::Higher => "min",
            Better::Lower => "max",
        }),
        GateError::Unreachable(..) => value("min").help("write 1.0 for 100 %, 0.99 for 99 %"),
    }
}

/// A limit of a metric that takes no tolerance.
fn limit_alone(metric: Metric) -> &'static str {
    match metric.better() {
        Better::Higher => "min = 1.0",
        Better::Lower => "max = 10",
    }
}
