//! `cargo test --test perf` runs every scenario of `perf-tests/` as a test.

fn main() -> std::process::ExitCode {
    tollgate::main!()
}
