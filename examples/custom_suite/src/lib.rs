//! Your crate. Its perf suite is `tests/perf.rs` with the files in `perf-tests/`.
