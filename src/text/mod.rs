//! Formats figures and external text for people.

pub(crate) mod columns;
pub(crate) mod csv_cell;
pub(crate) mod figures;
pub(crate) mod fingerprint;
pub(crate) mod nearest;
pub(crate) mod printable;
pub(crate) mod secret;
