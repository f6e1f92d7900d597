//! What a run's load and prompts were, so that a comparison can name what differs.

use std::collections::{BTreeMap, BTreeSet};

use crate::bench::plan::BenchPlan;
use crate::bench::summary::Measured;
use crate::load::workload::Prompts;
use crate::load::{Arrival, StopCondition};

impl Measured {
    /// `the runs differ in load or prompts: users 1 vs 4, output_tokens 4 vs 8`; `None` if they don't.
    pub(super) fn difference(&self, other: &Measured) -> Option<String> {
        if self.hash == other.hash {
            return None;
        }
        let names: BTreeSet<&String> = self.settings.keys().chain(other.settings.keys()).collect();
        let [old, new] =
            [self, other].map(|run| |name| run.settings.get(name).map_or("none", String::as_str));
        let differing = names.into_iter().filter(|name| old(*name) != new(*name));
        let named: Vec<String> =
            differing.map(|name| format!("{name} {} vs {}", old(name), new(name))).collect();
        let detail = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
        Some(format!("the runs differ in load or prompts{detail}"))
    }
}

impl BenchPlan {
    /// Load and prompts, by the names of the methods of [`Bench`](crate::Bench).
    pub(super) fn settings(&self) -> BTreeMap<String, String> {
        let run = [
            ("warm_up", format!("{:?}", self.run.warmup)),
            ("timeout", format!("{:?}", self.run.request_timeout)),
        ];
        let settings = self.load_settings().into_iter().chain(self.prompt_settings()).chain(run);
        settings.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn load_settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = match self.load.arrival() {
            Arrival::Closed(closed) => vec![("users", closed.concurrency.to_string())],
            Arrival::Open(open) => {
                vec![("rate", open.rate.to_string()), ("arrival", format!("{:?}", open.process))]
            }
            Arrival::Replay(replay) => vec![("trace", replay.trace.file.clone())],
        };
        settings.push(match self.load.stop() {
            StopCondition::Requests(requests) => ("requests", requests.to_string()),
            StopCondition::DurationMs(ms) => ("duration", format!("{ms}ms")),
        });
        settings
    }

    fn prompt_settings(&self) -> Vec<(&'static str, String)> {
        let workload = &self.workload;
        let mut settings =
            vec![("ignore_eos", workload.ignore_eos.to_string()), ("seed", workload.seed.to_string())];
        settings.extend(workload.output_tokens.map(|tokens| ("output_tokens", tokens.to_string())));
        settings.extend(workload.sampling.temperature.map(|value| ("temperature", value.to_string())));
        settings.extend(match &workload.prompts {
            Prompts::List(list) => Some(("prompts", list.len().to_string())),
            Prompts::Synthetic(synthetic) => Some(("input_tokens", synthetic.input_tokens.to_string())),
            Prompts::Conversations(conversations) => Some(("sharegpt", conversations.file.clone())),
            Prompts::Trace(_) => None,
        });
        settings
    }
}
