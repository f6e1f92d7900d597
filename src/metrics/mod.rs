//! Metrics, from the record of one request to the summary of a run.

pub mod calibration;
pub mod distribution;
mod gate;
pub mod health;
mod metric;
pub mod record;
pub mod server_side;
pub mod summary;
pub mod timeline;
pub mod truth;
pub mod window;

pub use gate::{Gate, GateError, GateSpec};
pub use metric::{Better, Family, Latency, Metric, Rate, Stat, UnknownMetric};
