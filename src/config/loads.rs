//! `[load.NAME]`: how the engine is driven.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::document::Document;
use crate::config::error::ConfigError;
use crate::config::names;
use crate::config::prompts::{PromptLoader, side_file};
use crate::config::think_time::ThinkTimeValue;
use crate::config::trace_file::read_trace;
use crate::load::{
    Arrival, ArrivalProcess, Closed, Load, LoadError, MAX_IN_FLIGHT, Open, Ramp, Replay, StopCondition,
    ThinkTimeError,
};
use crate::units::HumanDuration;

/// A number of users (`concurrency`), a request rate (`rate`), or recorded requests (`trace`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { concurrency = 4, requests = 100 }")]
#[schemars(extend("allOf" = [
    { "oneOf": [{ "required": ["concurrency"] }, { "required": ["rate"] }, { "required": ["trace"] }] },
    { "oneOf": [
        { "required": ["requests"] },
        { "required": ["duration"] },
        { "required": ["trace"], "not": { "anyOf": [{ "required": ["requests"] }, { "required": ["duration"] }] } },
    ] },
]))]
pub(crate) struct LoadTable {
    /// Concurrent users, each sending its next request when its last one is complete.
    #[schemars(range(min = 1))]
    concurrency: Option<u32>,
    /// With `concurrency`: how long a user waits between a response and its next request.
    think_time: Option<ThinkTimeValue>,
    /// Requests per second, sent when they are due, whether or not earlier ones are complete.
    #[schemars(extend("exclusiveMinimum" = 0))]
    rate: Option<f64>,
    /// With `rate`: how requests are spaced.
    #[schemars(extend("default" = "constant"))]
    arrival: Option<ArrivalWord>,
    /// With arrival = "gamma": the shape of the gamma-distributed gaps. Below 1, requests come in bursts; 1 is Poisson;
    /// above 1, they are spaced more evenly.
    #[schemars(extend("exclusiveMinimum" = 0))]
    burstiness: Option<f64>,
    /// Send requests at the times in this trace, a file relative to perf-tests/: a .csv with Azure's columns
    /// TIMESTAMP,ContextTokens,GeneratedTokens, or a .jsonl with {"at_s": …, "input_tokens": …, "output_tokens": …} per
    /// line or Mooncake's {"timestamp": …, "input_length": …, "output_length": …, "hash_ids": […]}.
    trace: Option<String>,
    /// With `trace`: the speed relative to the trace; 2 sends requests twice as often.
    #[schemars(extend("exclusiveMinimum" = 0, "default" = 1))]
    speed: Option<f64>,
    /// With `rate` or `trace`: a request that comes due while this many are in flight is not sent and counts as failed.
    #[schemars(range(min = 1), extend("default" = MAX_IN_FLIGHT))]
    max_in_flight: Option<u32>,
    /// How to reach the number of users or the rate.
    ramp: Option<RampTable>,
    /// Requests per round, over all users; instead of `duration`. With neither, a trace sends all of its requests.
    #[schemars(range(min = 1))]
    requests: Option<u32>,
    /// How long a round sends requests: "30s"; instead of `requests`.
    duration: Option<HumanDuration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ArrivalWord {
    /// All gaps are equal.
    Constant,
    /// Gaps are exponential.
    Poisson,
    /// Gaps are gamma-distributed; `burstiness` is the shape.
    Gamma,
}

/// From a starting level to the full load, linearly or in steps.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { from = 1, over = \"30s\" }")]
struct RampTable {
    /// Users or requests per second at the start.
    #[schemars(range(min = 0))]
    from: f64,
    /// How long the ramp takes: "30s".
    over: HumanDuration,
    /// The number of plateaus of equal length. Default: a linear ramp.
    #[schemars(range(min = 1))]
    steps: Option<u32>,
}

pub(crate) type LoadTables = BTreeMap<String, LoadTable>;

/// Loads in the order of the file.
pub(crate) fn loads(
    tables: &LoadTables,
    document: &Document,
    loader: PromptLoader,
) -> Result<Vec<(String, Load)>, Vec<ConfigError>> {
    if tables.is_empty() {
        let error = document.error_at(&["load"], "no load: nothing says how to drive the engine");
        return Err(vec![
            error.help("add a table such as [load.users-4] with concurrency = 4, requests = 100"),
        ]);
    }
    let mut loads = Vec::new();
    let mut errors = Vec::new();
    for name in document.in_order(&["load"], tables.keys()) {
        let check = LoadCheck { name, table: &tables[name], document };
        match check.load(loader) {
            Ok(load) => loads.push((name.clone(), load)),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(loads) } else { Err(errors) }
}

struct LoadCheck<'a, 'd> {
    name: &'a str,
    table: &'a LoadTable,
    document: &'a Document<'d>,
}

impl LoadCheck<'_, '_> {
    fn load(&self, loader: PromptLoader) -> Result<Load, Vec<ConfigError>> {
        if let Some(objection) = names::objection(self.name, names::NAME) {
            let message = format!("not a load's name: {objection}");
            return Err(vec![self.document.error_at_key(&["load", self.name], message)]);
        }
        let one = |error: ConfigError| vec![error];
        let arrival = match (self.table.concurrency, self.table.rate, &self.table.trace) {
            (Some(concurrency), None, None) => Arrival::Closed(self.closed(concurrency).map_err(one)?),
            (None, Some(rate), None) => Arrival::Open(self.open(rate).map_err(one)?),
            (None, None, Some(file)) => Arrival::Replay(self.replay(file, loader)?),
            _ => return Err(vec![self.not_one_arrival()]),
        };
        let stop = self.stop(&arrival).map_err(one)?;
        Load::new(arrival, stop).map_err(|error| vec![self.load_error(&error)])
    }

    fn not_one_arrival(&self) -> ConfigError {
        let [one, other] = match (self.table.concurrency, self.table.rate, &self.table.trace) {
            (None, None, None) => {
                let message = format!("nothing says when load `{}` sends requests", self.name);
                let help = "add concurrency = 4 for users that wait for their answers, rate = 2.5 for requests per \
                            second, or trace = \"…\" for the requests of a file";
                return self.document.error_at(&["load", self.name], message).help(help);
            }
            (Some(_), _, None) => ["concurrency", "rate"],
            (Some(_), _, Some(_)) => ["concurrency", "trace"],
            (None, ..) => ["rate", "trace"],
        };
        let message = format!("load `{}` has both `{one}` and `{other}`", self.name);
        let help = "requests come from users that wait, by the clock, or from a trace; remove one of the two";
        self.key_error(other, message).help(help)
    }

    fn closed(&self, concurrency: u32) -> Result<Closed, ConfigError> {
        self.refuse(
            "rate",
            &[
                ("arrival", self.table.arrival.is_some()),
                ("burstiness", self.table.burstiness.is_some()),
                ("max_in_flight", self.table.max_in_flight.is_some()),
            ],
        )?;
        self.refuse("trace", &[("speed", self.table.speed.is_some())])?;
        let think_time = self
            .table
            .think_time
            .map(ThinkTimeValue::resolve)
            .transpose()
            .map_err(|message| self.document.error_at(&["load", self.name, "think_time"], message))?;
        Ok(Closed { concurrency, think_time, ramp: self.ramp() })
    }

    fn open(&self, rate: f64) -> Result<Open, ConfigError> {
        self.refuse("concurrency", &[("think_time", self.table.think_time.is_some())])?;
        self.refuse("trace", &[("speed", self.table.speed.is_some())])?;
        Ok(Open {
            rate,
            process: self.arrival_process()?,
            ramp: self.ramp(),
            max_in_flight: self.max_in_flight(),
        })
    }

    fn replay(&self, file: &str, loader: PromptLoader) -> Result<Replay, Vec<ConfigError>> {
        let foreign = [
            ("arrival", self.table.arrival.is_some()),
            ("burstiness", self.table.burstiness.is_some()),
            ("ramp", self.table.ramp.is_some()),
        ];
        self.refuse("concurrency", &[("think_time", self.table.think_time.is_some())])
            .and_then(|()| self.refuse("rate", &foreign))
            .map_err(|error| vec![error])?;
        let (path, text) = side_file(file, &["load", self.name, "trace"], self.document, loader)
            .map_err(|error| vec![error])?;
        let trace = read_trace(&path, &text)?;
        Ok(Replay { trace, speed: self.table.speed.unwrap_or(1.0), max_in_flight: self.max_in_flight() })
    }

    fn arrival_process(&self) -> Result<ArrivalProcess, ConfigError> {
        match (self.table.arrival, self.table.burstiness) {
            (None | Some(ArrivalWord::Constant), None) => Ok(ArrivalProcess::Constant),
            (Some(ArrivalWord::Poisson), None) => Ok(ArrivalProcess::Poisson),
            (Some(ArrivalWord::Gamma), Some(shape)) => Ok(ArrivalProcess::Gamma(shape)),
            (Some(ArrivalWord::Gamma), None) => Err(self
                .document
                .error_at(
                    &["load", self.name, "arrival"],
                    "\"gamma\" needs `burstiness`: the shape of its gaps",
                )
                .help("add burstiness = 0.5 for bursts; 1 is Poisson")),
            (_, Some(_)) => Err(self
                .key_error("burstiness", "`burstiness` goes with arrival = \"gamma\" only")
                .help("remove it, or add arrival = \"gamma\"")),
        }
    }

    fn ramp(&self) -> Option<Ramp> {
        let RampTable { from, over: HumanDuration(over), steps } = self.table.ramp?;
        Some(Ramp { from, over_ms: over.as_millis() as u64, steps })
    }

    fn max_in_flight(&self) -> u32 {
        self.table.max_in_flight.unwrap_or(MAX_IN_FLIGHT)
    }

    fn stop(&self, arrival: &Arrival) -> Result<StopCondition, ConfigError> {
        match (self.table.requests, self.table.duration, arrival) {
            (Some(requests), None, _) => Ok(StopCondition::Requests(requests)),
            (None, Some(HumanDuration(duration)), _) => Ok(StopCondition::after(duration)),
            (None, None, Arrival::Replay(_)) => Ok(arrival.default_stop()),
            (Some(_), Some(_), _) => Err(self
                .key_error("duration", format!("load `{}` has both `requests` and `duration`", self.name))
                .help("a round ends by one of them; remove the other")),
            (None, None, _) => Err(self
                .document
                .error_at(
                    &["load", self.name],
                    format!("nothing says when a round of load `{}` is over", self.name),
                )
                .help("add requests = 100, or duration = \"30s\"")),
        }
    }

    /// Keys that require another one.
    fn refuse(&self, without: &str, keys: &[(&str, bool)]) -> Result<(), ConfigError> {
        match keys.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((key, _)) => Err(self
                .key_error(key, format!("`{key}` goes with `{without}` only"))
                .help(format!("remove it, or give `{without}` instead"))),
        }
    }

    fn load_error(&self, error: &LoadError) -> ConfigError {
        let path: Vec<&str> = ["load", self.name].into_iter().chain(keys_of(error).iter().copied()).collect();
        let at = self.document.error_at(&path, error.to_string());
        match help_on(error) {
            Some(help) => at.help(help),
            None => at,
        }
    }

    fn key_error(&self, key: &str, message: impl Into<String>) -> ConfigError {
        self.document.error_at_key(&["load", self.name, key], message)
    }
}

/// The keys of a load's table that lead to the mistake.
fn keys_of(error: &LoadError) -> &'static [&'static str] {
    match error {
        LoadError::NoUsers => &["concurrency"],
        LoadError::NoRequests | LoadError::FewerRequestsThanUsers { .. } | LoadError::ShortTrace { .. } => {
            &["requests"]
        }
        LoadError::NoDuration => &["duration"],
        LoadError::Rate(_) => &["rate"],
        LoadError::Shape(_) => &["burstiness"],
        LoadError::Speed(_) => &["speed"],
        LoadError::NoneInFlight => &["max_in_flight"],
        LoadError::RampOfUsers { .. } | LoadError::RampOfRate(_) => &["ramp", "from"],
        LoadError::NoRampDuration => &["ramp", "over"],
        LoadError::NoRampSteps => &["ramp", "steps"],
        LoadError::ThinkTime(ThinkTimeError::Negative(_)) => &["think_time"],
        LoadError::ThinkTime(ThinkTimeError::Reversed) => &["think_time", "uniform"],
        LoadError::ThinkTime(ThinkTimeError::Sigma(_)) => &["think_time", "lognormal", "sigma"],
        LoadError::EmptyTrace => &["trace"],
    }
}

fn help_on(error: &LoadError) -> Option<String> {
    match error {
        LoadError::FewerRequestsThanUsers { users, .. } => {
            Some(format!("`requests` counts all users together; make it at least {users}"))
        }
        LoadError::ShortTrace { trace, .. } => Some(format!("make it at most {trace}, or leave it out")),
        LoadError::RampOfRate(_) => Some("for example from = 0.1: a request every 10 s".to_owned()),
        LoadError::NoRampSteps => Some("leave it out for an even ramp".to_owned()),
        _ => None,
    }
}
