//! Comparisons of the example sweeps, for tests of the renderers.

use crate::compare::{Preferences, candidates, compare};
use crate::results::comparison::Comparison;
use crate::results::file::ReportFile;
use crate::results::sweep::{Sweep, example};

/// `quick` is better with few users, `wide` with many.
pub(crate) fn crossing() -> Comparison {
    of(example::crossing(), &Preferences::default())
}

/// Every external text is hostile, and one target was not available.
pub(crate) fn nasty() -> Comparison {
    of(example::nasty(), &Preferences::default())
}

pub(crate) fn of(sweep: Sweep, preferences: &Preferences) -> Comparison {
    let report = ReportFile::Sweep(Box::new(sweep));
    compare(&candidates(vec![("sweep.json".into(), report)]).unwrap(), preferences).unwrap()
}
