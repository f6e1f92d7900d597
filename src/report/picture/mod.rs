//! A chart laid out: shapes at their places, for whoever writes them down or paints them.

mod layout;
mod legend;
pub mod letters;
mod panel;
mod radar;
mod shape;

pub use layout::{NARROW, WIDE, picture};
#[cfg(test)]
pub use shape::Color;
pub use shape::{Anchor, EDGE, Mark, OUTLINE, Picture, Position, Shape, Text, dash};
