//! Quantities that everything measured is made of, and how people write them.

mod quantity;
mod time;

pub(crate) use quantity::{HumanDuration, HumanSize, Percent, QuantityError};
pub(crate) use time::Clock;
pub use time::Nanos;
