//! The perf suite: its files, its measurements and its test binary.

pub(crate) mod campaign;
pub(crate) mod files;
pub(crate) mod harness;
