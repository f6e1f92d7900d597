//! The perf suite end to end: another crate's test binary, run on suites that take a second or two.

#[path = "../common/mod.rs"]
mod common;

mod acceptance;
mod bisect;
mod engines;
mod first_run;
mod proofs;
mod selection;
mod sweeps;
mod trouble;
mod verdicts;
