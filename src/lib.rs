//! Performance regression tests for LLM serving engines.

pub mod arrival;
pub mod baseline;
pub mod bisection;
pub mod calibration;
pub mod campaign;
pub mod cli;
pub mod clock;
pub mod comparison;
pub mod curve;
pub mod deck;
pub mod dialogue;
pub mod distribution;
#[cfg(feature = "container")]
pub mod docker;
pub mod engine;
pub mod event;
pub mod figures;
pub mod fingerprint;
pub mod gpu;
pub mod harness;
pub mod health;
pub mod launch;
pub mod limits;
pub mod load;
pub mod machine;
pub mod measure;
pub mod metric;
pub mod museum;
pub mod nearest;
pub mod record;
pub mod record_file;
pub mod report;
pub mod scenario;
pub mod secret;
pub mod server_side;
pub mod simulator;
pub mod stats;
pub mod store;
pub mod suite;
pub mod summary;
pub mod target;
pub mod telemetry;
pub mod timeline;
pub mod trace;
pub mod verdict;
pub mod window;
pub mod worker;
pub mod workload;

/// Expanded by [`main!`]; not for direct use.
#[doc(hidden)]
pub use insta as __insta;

/// The body of a perf suite's `main`. In `tests/perf.rs` of any crate, with `harness = false` for it in `Cargo.toml`:
///
/// ```ignore
/// fn main() -> std::process::ExitCode {
///     tollgate::main!()
/// }
/// ```
#[macro_export]
macro_rules! main {
    () => {
        $crate::harness::run(&$crate::harness::Crate {
            manifest_dir: env!("CARGO_MANIFEST_DIR"),
            target_tmpdir: option_env!("CARGO_TARGET_TMPDIR"),
            assert_snapshot: |name, body| $crate::__insta::assert_snapshot!(name, body),
        })
    };
}
