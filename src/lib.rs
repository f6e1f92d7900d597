//! Performance regression tests for LLM serving engines.

pub mod cli;
pub mod clock;
pub mod deck;
pub mod distribution;
pub mod engine;
pub mod figures;
pub mod health;
pub mod load;
pub mod measure;
pub mod metric;
pub mod record;
pub mod scenario;
pub mod simulator;
pub mod stats;
pub mod summary;
pub mod target;
pub mod telemetry;
pub mod verdict;
pub mod workload;
