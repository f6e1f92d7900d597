//! Performance regression tests for LLM serving engines.

pub mod cli;
pub mod clock;
pub mod load;
pub mod metric;
pub mod record;
pub mod scenario;
pub mod suite;
pub mod target;
pub mod workload;
