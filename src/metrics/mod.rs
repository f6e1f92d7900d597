//! Metrics, from the record of one request to the summary of a run.

pub(crate) mod calibration;
pub(crate) mod distribution;
mod gate;
mod gate_text;
pub(crate) mod health;
mod metric;
pub(crate) mod record;
pub(crate) mod server_side;
pub(crate) mod summary;
pub(crate) mod timeline;
pub(crate) mod truth;
pub(crate) mod window;

pub(crate) use gate::GateError;
pub use gate::{Gate, GateSpec};
pub use gate_text::MalformedGate;
pub(crate) use metric::{Better, Family, Rate, UnknownMetric};
pub use metric::{Latency, Metric, Stat};
