//! Performance regression tests for LLM serving engines.

pub mod baseline;
pub mod cli;
pub mod clock;
pub mod distribution;
pub mod event;
pub mod figures;
pub mod health;
pub mod load;
pub mod metric;
pub mod record;
pub mod report;
pub mod scenario;
pub mod simulator;
pub mod stats;
pub mod store;
pub mod summary;

pub mod target;
pub mod verdict;
pub mod workload;
