//! Formats figures and external text for people.

pub mod columns;
pub mod csv_cell;
pub mod figures;
pub mod fingerprint;
pub mod nearest;
pub mod printable;
pub mod secret;
