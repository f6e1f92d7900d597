//! Quantities that everything measured is made of, and how people write them.

mod quantity;
mod time;

pub use quantity::{HumanDuration, HumanSize, Percent, QuantityError};
pub use time::{Clock, Nanos};
