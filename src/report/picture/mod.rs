//! A chart laid out: shapes at their places, for whoever writes them down or paints them.

mod layout;
mod legend;
mod panel;
mod radar;
mod shape;

pub use layout::{NARROW, WIDE, picture};
pub use shape::{Anchor, Mark, Picture, Point, Shape, Text};
