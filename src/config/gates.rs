//! `[gates]`: what may not become worse, and by how much.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::document::Document;
use crate::config::error::ConfigError;
use crate::config::units::Percent;
use crate::metrics::{Better, Gate, Latency, Metric, Rate};
use crate::text::nearest::did_you_mean;

/// A metric's limits: relative to the baseline, absolute, or both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { tolerance = \"3%\" }")]
#[schemars(extend("minProperties" = 1))]
pub struct GateTable {
    /// How much worse the metric may become, relative to the baseline: "3%".
    tolerance: Option<Percent>,
    /// The smallest value allowed, for metrics of which more is better.
    min: Option<f64>,
    /// The largest value allowed, for metrics of which less is better (latencies, in ms).
    max: Option<f64>,
}

pub type GateTables = BTreeMap<String, GateTable>;

/// Gates in the order of the file; one on the success rate is always among them.
pub fn gates(
    tables: &GateTables,
    streamed: bool,
    document: &Document,
) -> Result<Vec<Gate>, Vec<ConfigError>> {
    if tables.is_empty() {
        let error = document.error_at(&["gates"], "no gate: such a scenario could never fail");
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
    if !gates.iter().any(|gate| gate.metric == SUCCESS_RATE) {
        gates.push(EVERY_REQUEST_SUCCEEDS);
    }
    if errors.is_empty() { Ok(gates) } else { Err(errors) }
}

const SUCCESS_RATE: Metric = Metric::Rate(Rate::SuccessRate);

/// Holds unless a scenario says otherwise: an engine that fails fast must not pass for a fast one.
const EVERY_REQUEST_SUCCEEDS: Gate =
    Gate { metric: SUCCESS_RATE, tolerance: None, min: Some(1.0), max: None };

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
    let gate = Gate { metric, tolerance: table.tolerance.map(|p| p.0), min: table.min, max: table.max };
    check_tolerance(name, &gate, document)?;
    check_limits(name, &gate, document)?;
    if gate.tolerance.is_none() && gate.min.is_none() && gate.max.is_none() {
        let example = if metric.takes_tolerance() { "tolerance = \"5%\"" } else { limit_alone(metric).1 };
        return Err(document
            .error_at(&["gates", name], format!("the gate on `{name}` has no limit"))
            .help(format!("write {name} = {{ {example} }}")));
    }
    Ok(gate)
}

fn needs_stream(metric: Metric) -> bool {
    matches!(metric, Metric::Latency(Latency::Ttft | Latency::Tpot | Latency::Itl, _))
}

/// Why a metric takes no tolerance, and the limit that it takes instead.
fn limit_alone(metric: Metric) -> (&'static str, &'static str) {
    match metric.better() {
        Better::Higher => ("it is a share that should be 1", "min = 1.0"),
        Better::Lower => ("it is the load client's own lateness, not the engine's", "max = 10"),
    }
}

fn check_tolerance(name: &str, gate: &Gate, document: &Document) -> Result<(), ConfigError> {
    let Some(tolerance) = gate.tolerance else { return Ok(()) };
    let at = ["gates", name, "tolerance"];
    if !gate.metric.takes_tolerance() {
        let (why, limit) = limit_alone(gate.metric);
        let message = format!("`{name}` takes no tolerance: {why}");
        return Err(document.error_at_key(&at, message).help(format!("write {name} = {{ {limit} }}")));
    }
    if tolerance <= 0.0 {
        return Err(document
            .error_at(&at, "a tolerance has to be greater than 0")
            .help("no two measurements are equal; for throughput 3% is usual, for a p95 latency 10%"));
    }
    if tolerance >= 1.0 && gate.metric.better() == Better::Higher {
        let message = format!("a tolerance of 100% or more on `{name}` could never be exceeded");
        return Err(document.error_at(&at, message).help("for throughput 3% is usual"));
    }
    Ok(())
}

fn check_limits(name: &str, gate: &Gate, document: &Document) -> Result<(), ConfigError> {
    let spoken = gate.metric.spoken();
    let (wrong, why, right) = match gate.metric.better() {
        Better::Higher => ("max", "more of it is better", "min"),
        Better::Lower => ("min", "less of it is better", "max"),
    };
    let (refused, limit) = match gate.metric.better() {
        Better::Higher => (gate.max, gate.min),
        Better::Lower => (gate.min, gate.max),
    };
    if refused.is_some() {
        let message = format!("`{wrong}` makes no sense for {spoken}: {why}");
        return Err(document.error_at_key(&["gates", name, wrong], message).help(format!("write `{right}`")));
    }
    let Some(limit) = limit else { return Ok(()) };
    let at = ["gates", name, right];
    if !limit.is_finite() || limit <= 0.0 {
        return Err(document.error_at(&at, format!("`{right}` has to be a number greater than 0")));
    }
    if gate.metric == SUCCESS_RATE && limit > 1.0 {
        let message = format!("{spoken} is a share from 0 to 1, so `min = {limit}` can't be reached");
        return Err(document.error_at(&at, message).help("write 1.0 for 100 %, 0.99 for 99 %"));
    }
    Ok(())
}
