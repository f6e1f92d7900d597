//! Why a benchmark has no summary.

use std::io;

use crate::launch::LaunchError;
use crate::simulator::StartError;

/// Why a benchmark could not be run, or measured nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// Two settings exclude each other.
    #[error("`{first}` and `{second}` contradict each other: {why}")]
    Contradiction {
        /// The setting, by the name of its method.
        first: &'static str,
        /// The setting that excludes it.
        second: &'static str,
        /// What to do about it.
        why: &'static str,
    },
    /// A setting has an invalid value.
    #[error("`{setting}` is {found}: expected {expected}")]
    Setting {
        /// By the name of its method.
        setting: &'static str,
        /// The value as it was given.
        found: String,
        /// What values there are.
        expected: String,
    },
    /// Users, rate, trace, requests or duration don't form a valid load.
    #[error("{0}")]
    Load(String),
    /// The prompts, lengths, or sampling settings are invalid.
    #[error("{0}")]
    Prompts(String),
    /// A trace or a file of conversations can't be read. The message has the file, and the line where there is one.
    #[error("{0}")]
    File(String),
    /// The engine could not be reached or started.
    #[error("{0}")]
    Launch(String),
    /// The engine broke down before the benchmark was over, or no request of the warm-up succeeded.
    #[error("{0}")]
    Session(String),
    /// Every measured request failed.
    #[error("none of {sent} requests succeeded; the first failed with {first_failure}")]
    NoRequestSucceeded {
        /// How many requests were sent.
        sent: u64,
        /// Its class and its detail, such as `http_status: 404 …`.
        first_failure: String,
    },
    /// The load client was too late with more than 1 % of the requests, so the load was not the one requested.
    #[error("{0}")]
    ClientLate(String),
    /// The simulated engine could not be started.
    #[error("the simulated engine did not start: {0}")]
    Simulator(String),
    /// The operating system couldn't start the benchmark's thread.
    #[error("couldn't start a thread: {0}")]
    Thread(io::Error),
}

impl BenchError {
    pub(super) fn setting(
        setting: &'static str,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> BenchError {
        BenchError::Setting { setting, found: found.to_string(), expected: expected.into() }
    }
}

impl From<LaunchError> for BenchError {
    fn from(error: LaunchError) -> BenchError {
        BenchError::Launch(error.to_string())
    }
}

impl From<StartError> for BenchError {
    fn from(error: StartError) -> BenchError {
        BenchError::Simulator(error.to_string())
    }
}
