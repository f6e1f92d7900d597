//! The perf suite: its files, its measurements and its test binary.

pub mod campaign;
pub mod files;
pub mod harness;
