//! `[load.NAME]`: how the engine is asked.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::document::Document;
use crate::config::error::ConfigError;
use crate::config::names;
use crate::config::prompts::{PromptLoader, side_file};
use crate::config::think_time::ThinkTimeValue;
use crate::config::trace_file::read_trace;
use crate::config::units::HumanDuration;
use crate::load::{Arrival, ArrivalProcess, Closed, Load, MAX_IN_FLIGHT, Open, Ramp, Replay, StopCondition};

/// Users that wait for their answers (`concurrency`), or requests that come by the clock (`rate`) or as they once did
/// (`trace`).
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
pub struct LoadTable {
    /// Users that ask at the same time, each sending its next request when the last one is answered.
    #[schemars(range(min = 1))]
    concurrency: Option<u32>,
    /// With `concurrency`: what a user waits between an answer and its next request.
    think_time: Option<ThinkTimeValue>,
    /// Requests per second, sent when they are due, whether earlier ones are answered or not.
    #[schemars(extend("exclusiveMinimum" = 0))]
    rate: Option<f64>,
    /// With `rate`: how far apart requests come.
    #[schemars(extend("default" = "constant"))]
    arrival: Option<ArrivalWord>,
    /// The shape of gamma distributed gaps, with arrival = "gamma": below 1 in bursts, 1 is Poisson, above 1 more
    /// evenly.
    #[schemars(extend("exclusiveMinimum" = 0))]
    burstiness: Option<f64>,
    /// Requests come when those of this trace did, a file relative to perf-tests/: a .csv with Azure's columns
    /// TIMESTAMP,ContextTokens,GeneratedTokens, or a .jsonl with {"at_s": …, "input_tokens": …, "output_tokens": …} per
    /// line or Mooncake's {"timestamp": …, "input_length": …, "output_length": …, "hash_ids": […]}.
    trace: Option<String>,
    /// With `trace`: how many times as fast; at 2, requests come twice as often.
    #[schemars(extend("exclusiveMinimum" = 0, "default" = 1))]
    speed: Option<f64>,
    /// With `rate` or `trace`: a request that is due while so many are unanswered is not sent and counts as failed.
    #[schemars(range(min = 1), extend("default" = MAX_IN_FLIGHT))]
    max_in_flight: Option<u32>,
    /// How the users, or the rate, are reached.
    ramp: Option<RampTable>,
    /// Requests in a round, over all users; instead of `duration`. A trace has all of its own, if neither is given.
    #[schemars(range(min = 1))]
    requests: Option<u32>,
    /// How long a round sends requests: "30s"; instead of `requests`.
    duration: Option<HumanDuration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ArrivalWord {
    /// All gaps alike.
    Constant,
    /// Gaps are exponential.
    Poisson,
    /// Gaps are gamma distributed, by `burstiness`.
    Gamma,
}

/// From a level to that of the load, evenly, or in steps.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { from = 1, over = \"30s\" }")]
struct RampTable {
    /// Users, or requests per second, at the start.
    #[schemars(range(min = 0))]
    from: f64,
    /// How long it takes: "30s".
    over: HumanDuration,
    /// In so many plateaus of equal length; evenly, if not given.
    #[schemars(range(min = 1))]
    steps: Option<u32>,
}

pub type LoadTables = BTreeMap<String, LoadTable>;

/// Loads in the order of the file.
pub fn loads(
    tables: &LoadTables,
    document: &Document,
    loader: PromptLoader,
) -> Result<Vec<(String, Load)>, Vec<ConfigError>> {
    if tables.is_empty() {
        let error = document.error_at(&["load"], "no load: nothing says how the engine is asked");
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
            (None, None, Some(file)) => return self.replayed(file, loader),
            (None, None, None) => {
                let message = format!("nothing says when requests of load `{}` come", self.name);
                let help = "add concurrency = 4 for users that wait for their answers, rate = 2.5 for requests per \
                            second, or trace = \"…\" for those of a file";
                return Err(vec![self.document.error_at(&["load", self.name], message).help(help)]);
            }
            (concurrency, ..) => {
                let [one, other] = match (concurrency, &self.table.trace) {
                    (Some(_), None) => ["concurrency", "rate"],
                    (Some(_), Some(_)) => ["concurrency", "trace"],
                    (None, _) => ["rate", "trace"],
                };
                let message = format!("load `{}` has both `{one}` and `{other}`", self.name);
                let help = "requests come from users that wait, or by the clock, or as a trace has them; remove one of \
                            the two";
                return Err(vec![self.key_error(other, message).help(help)]);
            }
        };
        Ok(Load::new(arrival, self.stop().map_err(one)?))
    }

    fn replayed(&self, file: &str, loader: PromptLoader) -> Result<Load, Vec<ConfigError>> {
        let check = || {
            self.refuse("concurrency", &[("think_time", self.table.think_time.is_some())])?;
            self.refuse(
                "rate",
                &[
                    ("arrival", self.table.arrival.is_some()),
                    ("burstiness", self.table.burstiness.is_some()),
                    ("ramp", self.table.ramp.is_some()),
                ],
            )?;
            self.at_least_one("max_in_flight", self.table.max_in_flight)?;
            self.positive("speed", self.table.speed.unwrap_or(1.0))
        };
        check().map_err(|error| vec![error])?;
        let (path, text) = side_file(file, &["load", self.name, "trace"], self.document, loader)
            .map_err(|error| vec![error])?;
        let trace = read_trace(&path, &text)?;
        let all = trace.requests().len() as u32;
        if let Some(requests) = self.table.requests.filter(|requests| *requests > all) {
            let message = format!("{requests} requests of a trace that has {all}");
            let error = self.document.error_at(&["load", self.name, "requests"], message);
            return Err(vec![error.help(format!("make it at most {all}, or leave it out"))]);
        }
        let stop = match (self.table.requests, self.table.duration) {
            (None, None) => StopCondition::Requests(all),
            _ => self.stop().map_err(|error| vec![error])?,
        };
        let replay = Replay {
            trace,
            speed: self.table.speed.unwrap_or(1.0),
            max_in_flight: self.table.max_in_flight.unwrap_or(MAX_IN_FLIGHT),
        };
        Ok(Load::new(Arrival::Replay(replay), stop))
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
        self.at_least_one("concurrency", Some(concurrency))?;
        let think_time = match &self.table.think_time {
            None => None,
            Some(value) => Some(value.check().map_err(|(key, message)| {
                let at = ["load", self.name, "think_time", key];
                self.document.error_at(&at[..if key.is_empty() { 3 } else { 4 }], message)
            })?),
        };
        let ramp = self.ramp()?.map(|ramp| ramp.of_users(concurrency)).transpose();
        let ramp = ramp.map_err(|objection| {
            self.document.error_at(&["load", self.name, "ramp", "from"], objection.to_string())
        })?;
        Ok(Closed { concurrency, think_time, ramp })
    }

    fn open(&self, rate: f64) -> Result<Open, ConfigError> {
        self.refuse("concurrency", &[("think_time", self.table.think_time.is_some())])?;
        self.refuse("trace", &[("speed", self.table.speed.is_some())])?;
        self.positive("rate", rate)?;
        self.at_least_one("max_in_flight", self.table.max_in_flight)?;
        let ramp = self.ramp()?;
        if let Some(ramp) = ramp.filter(|ramp| !ramp.from.is_finite() || ramp.from <= 0.0) {
            let message = format!("a ramp of the rate begins with a number above 0, not with {}", ramp.from);
            return Err(self
                .document
                .error_at(&["load", self.name, "ramp", "from"], message)
                .help("for example from = 0.1: a request every 10 s"));
        }
        Ok(Open {
            rate,
            process: self.arrival_process()?,
            ramp,
            max_in_flight: self.table.max_in_flight.unwrap_or(MAX_IN_FLIGHT),
        })
    }

    fn arrival_process(&self) -> Result<ArrivalProcess, ConfigError> {
        match (self.table.arrival, self.table.burstiness) {
            (None | Some(ArrivalWord::Constant), None) => Ok(ArrivalProcess::Constant),
            (Some(ArrivalWord::Poisson), None) => Ok(ArrivalProcess::Poisson),
            (Some(ArrivalWord::Gamma), Some(shape)) => {
                self.positive("burstiness", shape)?;
                Ok(ArrivalProcess::Gamma(shape))
            }
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

    fn ramp(&self) -> Result<Option<Ramp>, ConfigError> {
        let Some(RampTable { from, over: HumanDuration(over), steps }) = self.table.ramp else {
            return Ok(None);
        };
        let at = |key| ["load", self.name, "ramp", key];
        if over.as_millis() == 0 {
            return Err(self.document.error_at(&at("over"), "`over` has to be at least \"1ms\""));
        }
        if steps == Some(0) {
            return Err(self
                .document
                .error_at(&at("steps"), "`steps` has to be at least 1")
                .help("leave it out for an even ramp"));
        }
        Ok(Some(Ramp { from, over_ms: over.as_millis() as u64, steps }))
    }

    fn stop(&self) -> Result<StopCondition, ConfigError> {
        match (self.table.requests, self.table.duration) {
            (Some(requests), None) => self.stop_at_requests(requests),
            (None, Some(HumanDuration(duration))) => match duration.as_millis() as u64 {
                0 => {
                    let at = ["load", self.name, "duration"];
                    Err(self.document.error_at(&at, "`duration` has to be at least \"1ms\""))
                }
                ms => Ok(StopCondition::DurationMs(ms)),
            },
            (Some(_), Some(_)) => Err(self
                .key_error("duration", format!("load `{}` has both `requests` and `duration`", self.name))
                .help("a round ends by one of them; remove the other")),
            (None, None) => Err(self
                .document
                .error_at(
                    &["load", self.name],
                    format!("nothing says when a round of load `{}` is over", self.name),
                )
                .help("add requests = 100, or duration = \"30s\"")),
        }
    }

    fn stop_at_requests(&self, requests: u32) -> Result<StopCondition, ConfigError> {
        self.at_least_one("requests", Some(requests))?;
        if let Some(concurrency) = self.table.concurrency.filter(|concurrency| requests < *concurrency) {
            let message = format!(
                "{requests} requests for {concurrency} users: {} of them would never send one",
                concurrency - requests
            );
            let help = format!("`requests` counts all users together; make it at least {concurrency}");
            return Err(self.document.error_at(&["load", self.name, "requests"], message).help(help));
        }
        Ok(StopCondition::Requests(requests))
    }

    /// Keys that say nothing without another one.
    fn refuse(&self, without: &str, keys: &[(&str, bool)]) -> Result<(), ConfigError> {
        match keys.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((key, _)) => Err(self
                .key_error(key, format!("`{key}` goes with `{without}` only"))
                .help(format!("remove it, or give `{without}` instead"))),
        }
    }

    fn at_least_one(&self, key: &str, value: Option<u32>) -> Result<(), ConfigError> {
        match value {
            Some(0) => {
                let message = format!("`{key}` has to be at least 1");
                Err(self.document.error_at(&["load", self.name, key], message))
            }
            _ => Ok(()),
        }
    }

    fn positive(&self, key: &str, value: f64) -> Result<(), ConfigError> {
        if value.is_finite() && value > 0.0 {
            return Ok(());
        }
        let message = format!("`{key}` has to be a number greater than 0");
        Err(self.document.error_at(&["load", self.name, key], message))
    }

    fn key_error(&self, key: &str, message: impl Into<String>) -> ConfigError {
        self.document.error_at_key(&["load", self.name, key], message)
    }
}
