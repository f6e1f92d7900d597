//! A simulated engine: a real HTTP server whose token times come from a model of continuous batching.

mod batch;
