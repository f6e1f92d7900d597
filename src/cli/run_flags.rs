//! The flags that define how rounds run.

use std::time::Duration;

use crate::config::RunPlan;
use crate::units::HumanDuration;

#[derive(Debug, clap::Args)]
pub(crate) struct RunFlags {
    /// Duration of the load before the measurement, with its own prompts; sends at least one request, or one per user.
    #[arg(long, default_value = "0s")]
    warmup: HumanDuration,
    /// A request that takes longer than this counts as failed.
    #[arg(long, default_value = "2m")]
    request_timeout: HumanDuration,
}

impl RunFlags {
    /// A single round, without records.
    pub(crate) fn plan(&self) -> RunPlan {
        let request_timeout = self.request_timeout.0.max(Duration::from_millis(1));
        RunPlan::single_round(self.warmup.0, request_timeout)
    }
}
