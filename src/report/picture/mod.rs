//! Lays out a chart: shapes with their positions, for a renderer to write or paint.

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
