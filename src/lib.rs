//! A version bump of an LLM serving engine can make it slower, and nothing turns red. Tollgate benchmarks an engine in a
//! Rust test and fails the test when it got slower.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = tollgate::SimulatedEngine::start()?; // or the URL of your server
//! let summary = tollgate::Bench::url(engine.url()).users(8).requests(16).output_tokens(16).run()?;
//! assert!(summary.ttft_ms.p95 < 400.0);
//! summary.check(["tpot_ms_p95 <= 60", "success_rate >= 1.0"])?;
//! # Ok(())
//! # }
//! ```
//!
//! A [`Bench`] drives one load against an engine: [users](Bench::users), a [rate](Bench::rate) or a
//! [trace](Bench::trace), with generated prompts or your own. It finds out by itself whether the server is vLLM, SGLang,
//! TGI, llama.cpp, Ollama or another one that speaks OpenAI's API. [`Summary`] has what it measured: TTFT, TPOT, ITL and
//! end-to-end latency as [`Percentiles`], throughput, and the success rate. [`Summary::check`] fails with every limit that
//! is broken. [`compare()`] puts runs of today beside older ones.
//!
//! # The perf suite
//!
//! Absolute limits are one thing; "3 % slower than last week" needs baselines, repeated starts and statistics. For that,
//! scenarios in TOML files become tests of one test binary by [`main!`], with verdicts that old and new versions, run in
//! turn on the same machine, have to prove.
//!
//! # Features
//!
//! | feature | on by default | brings |
//! |---|---|---|
//! | `suite` | yes | [`main!`] and the perf suite |
//! | `cli` | yes | the `tollgate` command |
//! | `container` | yes | engines started from images: `Container` |
//! | `gpu` | yes | which GPUs there are, from NVIDIA's library where it is installed |
//! | `png` | yes | charts as PNG files, for the command |
//!
//! A test that only benchmarks needs none of them:
//!
//! ```toml
//! [dev-dependencies]
//! tollgate = { version = "0.1", default-features = false }
//! ```

#![warn(missing_docs, unreachable_pub)]
// All features together use everything.
#![cfg_attr(not(all(feature = "cli", feature = "container")), allow(dead_code, unreachable_pub, unused_imports))]

mod bench;
#[cfg(feature = "cli")]
mod cli;
// Documented is what is public; these modules also have what is public to `internals` alone.
#[allow(missing_docs)]
mod client;
mod compare;
#[allow(missing_docs)]
mod config;
#[allow(missing_docs)]
mod engine;
mod launch;
#[allow(missing_docs)]
mod load;
#[allow(missing_docs)]
mod metrics;
#[cfg(feature = "suite")]
mod report;
#[allow(missing_docs)]
mod results;
mod session;
mod simulator;
mod store;
#[cfg(feature = "suite")]
#[allow(missing_docs)]
mod suite;
#[allow(missing_docs)]
mod sys;
#[allow(missing_docs)]
mod target;
mod text;
mod units;
#[allow(missing_docs)]
mod verdict;

#[cfg(feature = "container")]
pub use crate::bench::Container;
pub use crate::bench::{
    Bench, BenchError, Comparison, GateFailure, MalformedGate, MetricChange, Percentiles, RequestResult,
    RequestTotals, SimulatedEngine, Summary, compare,
};
pub use crate::load::ArrivalProcess;
pub use crate::target::{Faults, SimulatorSettings};

/// The body of a perf suite's `main`. In `tests/perf.rs` of any crate, with `harness = false` for it in `Cargo.toml`:
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     tollgate::main!()
/// }
/// ```
#[cfg(feature = "suite")]
#[macro_export]
macro_rules! main {
    () => {
        $crate::__suite::run(&$crate::__suite::Crate {
            manifest_dir: env!("CARGO_MANIFEST_DIR"),
            target_tmpdir: option_env!("CARGO_TARGET_TMPDIR"),
            assert_snapshot: |name, body| $crate::__suite::insta::assert_snapshot!(name, body),
        })
    };
}

/// What [`main!`] expands to; not for direct use.
#[cfg(feature = "suite")]
#[doc(hidden)]
pub mod __suite {
    pub use crate::suite::harness::{Crate, run};
    pub use insta;
}

/// What the command, the integration tests and the benches of this repository need. It changes without notice.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod internals {
    pub use crate::cli::run as run_command;
    pub use crate::client::{Access, Cancel, Client, ClientSettings, Progress, Watch};
    pub use crate::config::{ScenarioId, Suite, SuiteErrors, SuiteText, TextFile, parse};
    pub use crate::engine::{EngineKind, HttpVersion};
    pub use crate::load::prompts::PromptSampler;
    pub use crate::load::workload::{Api, Prompts, Sampling, Synthetic, Workload, WorkloadSpec};
    pub use crate::load::{ArrivalProcess, Load, StopCondition};
    pub use crate::metrics::distribution::Distribution;
    pub use crate::metrics::health::ClientHealth;
    pub use crate::metrics::record::{FailureClass, RequestRecord, TokenCount};
    pub use crate::metrics::server_side::ServerTimes;
    pub use crate::metrics::summary::{RequestCounts, Summary};
    pub use crate::metrics::truth::{RequestTruth, Truth};
    pub use crate::metrics::{Gate, GateSpec, Latency, Metric, Stat};
    pub use crate::report::junit::junit;
    pub use crate::results::baseline::{Baseline, Facts};
    pub use crate::results::{Kind, ProofEnd, Report, Run, VERSION};
    pub use crate::simulator::Simulator;
    pub use crate::suite::files::load_with;
    pub use crate::sys::arrival::Arrivals;
    pub use crate::sys::clock;
    pub use crate::target::{Faults, SimulatorSettings};
    pub use crate::units::Nanos;
    pub use crate::verdict::rule::MOST_STARTS_OF_PLANNED;
    pub use crate::verdict::stats::{self, ALPHA, mean};
    pub use crate::verdict::{Evidence, GateOutcome, Old, Side, Verdict, is_decided, judge, wants_proof};
}
