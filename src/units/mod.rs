//! Quantities that everything measured is made of.

mod time;

pub use time::{Clock, Nanos};
