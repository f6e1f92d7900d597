//! A benchmark as a library call: one load against one engine, and its summary.

mod comparison;
#[cfg(feature = "container")]
mod container;
mod error;
mod gate;
mod plan;
mod request;
mod run;
mod settings;
mod simulated_engine;
mod summary;
mod summary_text;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::bench::plan::{LoadSettings, PromptSettings, TargetSettings};
use crate::load::ArrivalProcess;
use crate::text::secret::Secret;

pub use comparison::{Comparison, MetricChange, compare};
#[cfg(feature = "container")]
pub use container::Container;
pub use error::BenchError;
pub use gate::GateFailure;
pub use request::RequestResult;
pub use simulated_engine::SimulatedEngine;
pub use summary::{Percentiles, RequestTotals, Summary};

/// A benchmark to run: an engine, a load, and prompts.
///
/// Only the engine is required. By default, one user sends 4 requests with generated prompts of 128 tokens, and
/// requests 128 output tokens each. [`run`](Bench::run) validates the settings.
///
/// A `Bench` can run several times. Each run sends different prompts from the one before, so that no run hits the prefix
/// cache that the last one filled.
#[derive(Clone)]
pub struct Bench {
    target: TargetSettings,
    load: LoadSettings,
    prompts: PromptSettings,
    warm_up: Duration,
    timeout: Duration,
    on_record: Option<OnRecord>,
}

type OnRecord = Arc<dyn Fn(&RequestResult) + Send + Sync>;

/// A request that takes longer has failed, unless [`Bench::timeout`] says otherwise.
const TIMEOUT: Duration = Duration::from_secs(120);

impl Bench {
    /// Benchmarks a running server at its base URL, with or without `/v1`.
    pub fn url(url: impl Into<String>) -> Bench {
        Bench::of(TargetSettings::url(url.into()))
    }

    /// Benchmarks an engine that is started from a container image, for this run only.
    #[cfg(feature = "container")]
    pub fn container(container: Container) -> Bench {
        Bench::of(TargetSettings::container(container))
    }

    fn of(target: TargetSettings) -> Bench {
        Bench {
            target,
            load: LoadSettings::default(),
            prompts: PromptSettings::default(),
            warm_up: Duration::ZERO,
            timeout: TIMEOUT,
            on_record: None,
        }
    }

    /// The engine type, such as `vllm`, `sglang` or `ollama`; by default `auto`, which detects it.
    pub fn engine(mut self, name: impl Into<String>) -> Bench {
        self.target.engine = Some(name.into());
        self
    }

    /// The model's name in requests; by default the first one that the server lists.
    pub fn model(mut self, name: impl Into<String>) -> Bench {
        self.target.model = Some(name.into());
        self
    }

    /// The environment variable that holds the API key, sent as a bearer token.
    pub fn api_key_env(mut self, variable: impl Into<String>) -> Bench {
        self.target.api_key_env = Some(variable.into());
        self
    }

    /// An HTTP header to send with every request.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Bench {
        self.target.headers.push((name.into(), Secret::new(value)));
        self
    }

    /// A closed load: each user sends its next request when its last one is complete.
    pub fn users(mut self, users: u32) -> Bench {
        self.load.users = Some(users);
        self
    }

    /// An open load: requests per second, sent when they are due, whether or not earlier ones are complete. Latencies
    /// count from when a request was due.
    pub fn rate(mut self, requests_per_s: f64) -> Bench {
        self.load.rate = Some(requests_per_s);
        self
    }

    /// How the requests of a [`rate`](Bench::rate) are spaced; evenly by default.
    pub fn arrival(mut self, arrival: ArrivalProcess) -> Bench {
        self.load.arrival = Some(arrival);
        self
    }

    /// An open load that replays a trace: its times, and its lengths unless [`input_tokens`](Bench::input_tokens) or
    /// [`output_tokens`](Bench::output_tokens) override them. A `.csv` in Azure's format, or a `.jsonl` in Mooncake's
    /// or with `{"at_s": …, "input_tokens": …, "output_tokens": …}` per line.
    pub fn trace(mut self, file: impl Into<PathBuf>) -> Bench {
        self.load.trace = Some(file.into());
        self
    }

    /// Ends after this many requests; by default 4 per user, or all of a trace.
    pub fn requests(mut self, requests: u32) -> Bench {
        self.load.requests = Some(requests);
        self
    }

    /// Sends no request later than this after the first, then waits for requests in flight. With a
    /// [`rate`](Bench::rate), 10 s by default.
    pub fn duration(mut self, duration: Duration) -> Bench {
        self.load.duration = Some(duration);
        self
    }

    /// Tokens of every generated prompt; 128 by default.
    pub fn input_tokens(mut self, tokens: u32) -> Bench {
        self.prompts.input_tokens = Some(tokens);
        self
    }

    /// Sends these prompts instead of generated ones, repeatedly and in shuffled order. A short line before each copy
    /// makes it unique, so that none hits the prefix cache.
    pub fn prompts<P: Into<String>>(mut self, prompts: impl IntoIterator<Item = P>) -> Bench {
        self.prompts.list = Some(prompts.into_iter().map(Into::into).collect());
        self
    }

    /// Sends the first turns of the conversations in a ShareGPT file (JSON) instead of generated prompts. Requests as
    /// many output tokens as the file's answers have unless [`output_tokens`](Bench::output_tokens) is set.
    pub fn sharegpt(mut self, file: impl Into<PathBuf>) -> Bench {
        self.prompts.sharegpt = Some(file.into());
        self
    }

    /// Output tokens to request (`max_tokens`); 128 by default.
    pub fn output_tokens(mut self, tokens: u32) -> Bench {
        self.prompts.output_tokens = Some(tokens);
        self
    }

    /// Asks the engine to continue past the end-of-sequence token, so that every answer has the requested length.
    pub fn ignore_eos(mut self, ignore: bool) -> Bench {
        self.prompts.ignore_eos = ignore;
        self
    }

    /// The sampling temperature; the server's own by default.
    pub fn temperature(mut self, temperature: f64) -> Bench {
        self.prompts.temperature = Some(temperature);
        self
    }

    /// The seed for prompts and arrival times; 1 by default.
    pub fn seed(mut self, seed: u64) -> Bench {
        self.prompts.seed = seed;
        self
    }

    /// Runs the load for this long before the measurement, with different prompts. The default and the minimum are one
    /// request per user (with a rate or a trace: one request).
    pub fn warm_up(mut self, duration: Duration) -> Bench {
        self.warm_up = duration;
        self
    }

    /// A request that takes longer has failed; 2 minutes by default.
    pub fn timeout(mut self, timeout: Duration) -> Bench {
        self.timeout = timeout;
        self
    }

    /// Calls this after every measured request, on the load client's thread: return within microseconds, and leave slow
    /// work to another thread.
    pub fn on_record(mut self, callback: impl Fn(&RequestResult) + Send + Sync + 'static) -> Bench {
        self.on_record = Some(Arc::new(callback));
        self
    }
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench")
            .field("target", &self.target)
            .field("load", &self.load)
            .field("prompts", &self.prompts)
            .field("warm_up", &self.warm_up)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
