//! Performance regression tests for LLM serving engines.

#[cfg(feature = "cli")]
pub mod cli;
pub mod client;
pub mod compare;
pub mod config;
pub mod engine;
pub mod launch;
pub mod load;
pub mod metrics;
#[cfg(feature = "suite")]
pub mod report;
pub mod results;
pub mod session;
pub mod simulator;
pub mod store;
#[cfg(feature = "suite")]
pub mod suite;
pub mod sys;
pub mod target;
pub mod text;
pub mod units;
pub mod verdict;

/// Expanded by [`main!`]; not for direct use.
#[cfg(feature = "suite")]
#[doc(hidden)]
pub use insta as __insta;

/// The body of a perf suite's `main`. In `tests/perf.rs` of any crate, with `harness = false` for it in `Cargo.toml`:
///
/// ```ignore
/// fn main() -> std::process::ExitCode {
///     tollgate::main!()
/// }
/// ```
#[cfg(feature = "suite")]
#[macro_export]
macro_rules! main {
    () => {
        $crate::suite::harness::run(&$crate::suite::harness::Crate {
            manifest_dir: env!("CARGO_MANIFEST_DIR"),
            target_tmpdir: option_env!("CARGO_TARGET_TMPDIR"),
            assert_snapshot: |name, body| $crate::__insta::assert_snapshot!(name, body),
        })
    };
}
