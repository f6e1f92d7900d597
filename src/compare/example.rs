//! Comparisons of example sweeps, for the renderers' tests.

use crate::compare::{Wishes, compare, contenders};
use crate::results::comparison::Comparison;
use crate::results::file::ReportFile;
use crate::results::sweep::{Sweep, example};

/// `quick` is better for few users, `wide` for many.
pub fn crossing() -> Comparison {
    of(example::crossing(), &Wishes::default())
}

/// Every text of foreign origin is hostile, and one target could not be had.
pub fn nasty() -> Comparison {
    of(example::nasty(), &Wishes::default())
}

pub fn of(sweep: Sweep, wishes: &Wishes) -> Comparison {
    let report = ReportFile::Sweep(Box::new(sweep));
    compare(&contenders(vec![("sweep.json".into(), report)]).unwrap(), wishes).unwrap()
}
