//! Comparisons of example sweeps, for the renderers' tests.

use crate::compare::{Preferences, candidates, compare};
use crate::results::comparison::Comparison;
use crate::results::file::ReportFile;
use crate::results::sweep::{Sweep, example};

/// `quick` is better for few users, `wide` for many.
pub fn crossing() -> Comparison {
    of(example::crossing(), &Preferences::default())
}

/// Every text of foreign origin is hostile, and one target could not be had.
pub fn nasty() -> Comparison {
    of(example::nasty(), &Preferences::default())
}

pub fn of(sweep: Sweep, preferences: &Preferences) -> Comparison {
    let report = ReportFile::Sweep(Box::new(sweep));
    compare(&candidates(vec![("sweep.json".into(), report)]).unwrap(), preferences).unwrap()
}
