//! A version bump can make an LLM serving engine slower, and no test fails. tollgate benchmarks an engine in a Rust test
//! and fails the test when it gets slower.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = tollgate::SimulatedEngine::start()?; // or the URL of your server
//! let summary = tollgate::Bench::url(engine.url()).users(8).requests(16).output_tokens(16).run()?;
//! println!("{summary}");
//! summary.check(["ttft_ms_p95 <= 400", "tpot_ms_p95 <= 60", "success_rate >= 100%"])?;
//! # Ok(())
//! # }
//! ```
//!
//! A [`Bench`] drives one load against an engine: [users](Bench::users), a [rate](Bench::rate) or a
//! [trace](Bench::trace), with generated prompts or your own. It detects whether the server is vLLM, SGLang, TGI,
//! llama.cpp, Ollama, or another server with an OpenAI-compatible API. [`Summary`] holds the results: TTFT, TPOT, ITL,
//! and end-to-end latency as [`Percentiles`], throughput, and the success rate. [`Summary::check`] fails with a list of
//! all broken limits. [`compare()`] compares today's runs with older ones.
//!
//! The guide is the page "tollgate as a library" in the repository, `docs/guide/as-a-library.md`. tollgate runs on Linux
//! only.
//!
//! # The perf suite
//!
//! Absolute limits are easy; "3 % slower than last week" needs baselines, repeated starts, and statistics. For that,
//! [`main!`] turns scenarios in TOML files into the tests of one test binary. tollgate proves a regression by running both
//! versions in turn on the same machine.
//!
//! # Features
//!
//! | feature | on by default | what it adds |
//! |---|---|---|
//! | `suite` | yes | [`main!`] and the perf suite |
//! | `cli` | yes | the `tollgate` command |
//! | `container` | yes | engines started from container images: `Container` |
//! | `gpu` | yes | GPU detection with NVIDIA's library, if it is installed |
//! | `png` | yes | charts as PNG files, for the `tollgate` command |
//!
//! A test that only benchmarks needs none of them, and compiles 145 crates. tollgate isn't on crates.io yet, so depend on
//! a clone of its repository:
//!
//! ```toml
//! [dev-dependencies]
//! tollgate = { path = "../tollgate", default-features = false }
//! ```

#![warn(missing_docs, unreachable_pub)]
// Some code is only used if all features are on.
#![cfg_attr(
    not(all(feature = "cli", feature = "container")),
    allow(dead_code, unreachable_pub, unused_imports)
)]

mod bench;
#[cfg(feature = "cli")]
mod cli;
// The public API is documented; these modules also have items that only `internals` exposes.
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
mod suite;
mod sys;
mod target;
mod text;
mod units;
#[allow(missing_docs)]
mod verdict;

#[cfg(feature = "container")]
pub use crate::bench::Container;
pub use crate::bench::{
    Bench, BenchError, Comparison, GateFailure, MetricChange, Percentiles, RequestResult, RequestTotals,
    SimulatedEngine, Summary, compare,
};
/// How far apart the requests of a [`rate`](Bench::rate) come.
pub use crate::load::ArrivalProcess;
pub use crate::metrics::MalformedGate;
pub use crate::target::{Faults, SimulatorSettings};

/// Runs a perf suite, as the body of its `main`. Put it in `tests/perf.rs` of any crate, and set `harness = false` for
/// that test in `Cargo.toml`:
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

/// Used by the expansion of [`main!`]; not for direct use.
#[cfg(feature = "suite")]
#[doc(hidden)]
pub mod __suite {
    pub use crate::suite::harness::{Crate, run};
    pub use insta;
}

/// Internals for this repository's command, integration tests, and benches. They may change without notice.
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
