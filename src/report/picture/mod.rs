//! Lays out a chart: shapes with their positions, for a renderer to write or paint.

mod layout;
mod legend;
pub(crate) mod letters;
mod panel;
mod radar;
mod shape;

pub(crate) use layout::{NARROW, WIDE, picture};
#[cfg(test)]
pub(crate) use shape::Color;
pub(crate) use shape::{Anchor, EDGE, Mark, OUTLINE, Picture, Position, Shape, Text, dash};
