//! The flags that say how rounds are run, whatever they ask.

use std::time::Duration;

use crate::config::{HumanDuration, OnSuspected, RunPlan};

#[derive(Debug, clap::Args)]
pub struct RunFlags {
    /// Load before what is measured, with prompts of its own; one request at least, per user if there are users.
    #[arg(long, default_value = "0s")]
    warmup: HumanDuration,
    /// A request that takes longer has failed.
    #[arg(long, default_value = "2m")]
    request_timeout: HumanDuration,
}

impl RunFlags {
    /// A single round, without records.
    pub fn plan(&self) -> RunPlan {
        RunPlan {
            warmup: self.warmup.0,
            rounds: 1,
            sessions: 1,
            request_timeout: self.request_timeout.0.max(Duration::from_millis(1)),
            on_suspected: OnSuspected::Warn,
            records: false,
        }
    }
}
