//! `[load.NAME]`: how the engine is asked.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::load::{Load, Stop};
use crate::scenario::document::Document;
use crate::scenario::error::ConfigError;
use crate::scenario::names;
use crate::scenario::units::HumanDuration;

/// So many users, each sending its next request when the last one is answered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { concurrency = 4, requests = 100 }")]
#[schemars(extend("oneOf" = [{ "required": ["requests"] }, { "required": ["duration"] }]))]
pub struct LoadTable {
    /// Users that ask at the same time.
    #[schemars(range(min = 1))]
    concurrency: u32,
    /// Requests in a round, over all users; instead of `duration`.
    #[schemars(range(min = 1))]
    requests: Option<u32>,
    /// How long a round sends requests: "30s"; instead of `requests`.
    duration: Option<HumanDuration>,
}

pub type LoadTables = BTreeMap<String, LoadTable>;

/// Loads in the order of the file.
pub fn loads(tables: &LoadTables, document: &Document) -> Result<Vec<(String, Load)>, Vec<ConfigError>> {
    if tables.is_empty() {
        let error = document.error_at(&["load"], "no load: nothing says how the engine is asked");
        return Err(vec![
            error.help("add a table such as [load.users-4] with concurrency = 4, requests = 100"),
        ]);
    }
    let mut loads = Vec::new();
    let mut errors = Vec::new();
    for name in document.in_order(&["load"], tables.keys()) {
        match load(name, &tables[name], document) {
            Ok(load) => loads.push((name.clone(), load)),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(loads) } else { Err(errors) }
}

fn load(name: &str, table: &LoadTable, document: &Document) -> Result<Load, ConfigError> {
    if let Some(objection) = names::objection(name, names::NAME) {
        return Err(document.error_at_key(&["load", name], format!("not a load's name: {objection}")));
    }
    if table.concurrency == 0 {
        return Err(document.error_at(&["load", name, "concurrency"], "`concurrency` has to be at least 1"));
    }
    let stop = match (table.requests, table.duration) {
        (Some(requests), None) => stop_at_requests(name, requests, table.concurrency, document)?,
        (None, Some(HumanDuration(duration))) => match duration.as_millis() as u64 {
            0 => {
                let at = ["load", name, "duration"];
                return Err(document.error_at(&at, "`duration` has to be at least \"1ms\""));
            }
            ms => Stop::DurationMs(ms),
        },
        (Some(_), Some(_)) => {
            let at = ["load", name, "duration"];
            return Err(document
                .error_at_key(&at, format!("load `{name}` has both `requests` and `duration`"))
                .help("a round ends by one of them; remove the other"));
        }
        (None, None) => {
            return Err(document
                .error_at(&["load", name], format!("nothing says when a round of load `{name}` is over"))
                .help("add requests = 100, or duration = \"30s\""));
        }
    };
    Ok(Load::closed(table.concurrency, stop))
}

fn stop_at_requests(
    name: &str,
    requests: u32,
    concurrency: u32,
    document: &Document,
) -> Result<Stop, ConfigError> {
    if requests == 0 {
        return Err(document.error_at(&["load", name, "requests"], "`requests` has to be at least 1"));
    }
    if requests < concurrency {
        let message = format!(
            "{requests} requests for {concurrency} users: {} of them would never send one",
            concurrency - requests
        );
        let help = format!("`requests` counts all users together; make it at least {concurrency}");
        return Err(document.error_at(&["load", name, "requests"], message).help(help));
    }
    Ok(Stop::Requests(requests))
}
