//! The search for the first bad version between a good and a bad one.

mod versions;

use std::collections::BTreeMap;

use crate::verdict::Verdict;

pub use versions::{ListError, between};

/// Versions by their place in a list, oldest first. The first one is good, and every other one is held against it.
pub struct Bisection {
    last: usize,
    findings: BTreeMap<usize, Finding>,
}

/// What the proof of a version against the good end says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Good,
    Bad,
    /// It could not be judged: it didn't run, or nothing was decided.
    Unknown,
}

/// Where the search ends: the first bad version comes after `good`, and is `bad` at the latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Border {
    pub good: usize,
    pub bad: usize,
    /// Those in between, which could not be judged.
    pub unknown: Vec<usize>,
}

impl From<Verdict> for Finding {
    fn from(verdict: Verdict) -> Finding {
        match verdict {
            Verdict::Ok | Verdict::Improved => Finding::Good,
            Verdict::Regressed => Finding::Bad,
            Verdict::Suspected
            | Verdict::Inconclusive
            | Verdict::NoBaseline
            | Verdict::NotComparable
            | Verdict::Invalid
            | Verdict::Ignored => Finding::Unknown,
        }
    }
}

impl Border {
    /// Whether it is between two neighbors.
    pub fn is_found(&self) -> bool {
        self.good + 1 == self.bad
    }
}

impl Bisection {
    /// Of the versions `0..=last`, with the last one known to be bad.
    pub fn up_to(last: usize) -> Bisection {
        let ends = BTreeMap::from([(0, Finding::Good), (last, Finding::Bad)]);
        Bisection { last, findings: ends }
    }

    pub fn tell(&mut self, version: usize, finding: Finding) {
        self.findings.insert(version, finding);
    }

    /// The version to be proven next: the one in the middle, or its nearest neighbor whose result is not known yet.
    /// `None` when there is nothing left to ask.
    pub fn next(&self) -> Option<usize> {
        let Border { good, bad, .. } = self.border();
        let middle = good.midpoint(bad);
        let open = (good + 1..bad).filter(|version| !self.findings.contains_key(version));
        open.min_by_key(|version| version.abs_diff(middle))
    }

    pub fn border(&self) -> Border {
        let first = |wanted, from| (from..=self.last).find(|version| self.is(*version, wanted));
        let bad = first(Finding::Bad, 1).unwrap_or(self.last);
        let good = (0..bad).rev().find(|version| self.is(*version, Finding::Good)).unwrap_or(0);
        let unknown = (good + 1..bad).filter(|version| self.is(*version, Finding::Unknown)).collect();
        Border { good, bad, unknown }
    }

    /// How many more proofs it takes at most, if every version can be judged.
    pub fn most_proofs(&self) -> u32 {
        let Border { good, bad, .. } = self.border();
        (bad - good).next_power_of_two().ilog2()
    }

    fn is(&self, version: usize, finding: Finding) -> bool {
        self.findings.get(&version) == Some(&finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How the search ends when `judge` says what each version is, and how many proofs it took.
    fn search(last: usize, judge: impl Fn(usize) -> Finding) -> (Border, u32) {
        let mut bisection = Bisection::up_to(last);
        let mut proofs = 0;
        while let Some(version) = bisection.next() {
            bisection.tell(version, judge(version));
            proofs += 1;
        }
        (bisection.border(), proofs)
    }

    fn bad_from(first: usize) -> impl Fn(usize) -> Finding {
        move |version| if version < first { Finding::Good } else { Finding::Bad }
    }

    #[test]
    fn the_first_bad_version_is_found_wherever_it_is_and_in_no_more_proofs_than_announced() {
        for last in 1..40 {
            let most = Bisection::up_to(last).most_proofs();
            for first in 1..=last {
                let (border, proofs) = search(last, bad_from(first));
                assert_eq!(border, Border { good: first - 1, bad: first, unknown: vec![] });
                assert!(proofs <= most, "{first} of {last}: {proofs} proofs, and {most} announced");
            }
        }
    }

    #[test]
    fn eight_versions_take_three_proofs() {
        assert_eq!(Bisection::up_to(7).most_proofs(), 3);
        assert_eq!(Bisection::up_to(1).most_proofs(), 0);
    }

    #[test]
    fn a_version_that_cant_be_judged_has_its_neighbors_tried() {
        for (unknown, first) in (1..9).flat_map(|unknown| (1..=9).map(move |first| (unknown, first))) {
            let judge =
                |version| if version == unknown { Finding::Unknown } else { bad_from(first)(version) };
            let (border, _) = search(9, judge);
            let expected = match unknown {
                _ if unknown == first => Border { good: first - 1, bad: first + 1, unknown: vec![unknown] },
                _ if unknown + 1 == first => Border { good: unknown - 1, bad: first, unknown: vec![unknown] },
                _ => Border { good: first - 1, bad: first, unknown: vec![] },
            };
            assert_eq!(border, expected);
        }
    }

    #[test]
    fn where_nothing_between_can_be_judged_the_border_is_as_wide_as_the_search() {
        let (border, proofs) = search(5, |_| Finding::Unknown);
        assert_eq!(border, Border { good: 0, bad: 5, unknown: vec![1, 2, 3, 4] });
        assert_eq!(proofs, 4);
    }

    #[test]
    fn the_search_goes_from_the_middle() {
        let mut bisection = Bisection::up_to(8);
        assert_eq!(bisection.next(), Some(4));
        bisection.tell(4, Finding::Unknown);
        assert_eq!(bisection.next(), Some(3));
        bisection.tell(3, Finding::Good);
        // Between 3 and 8.
        assert_eq!(bisection.next(), Some(5));
        bisection.tell(5, Finding::Bad);
        assert_eq!((bisection.next(), bisection.most_proofs()), (None, 1));
    }

    #[test]
    fn only_a_proven_verdict_tells_anything() {
        assert_eq!(Finding::from(Verdict::Improved), Finding::Good);
        assert_eq!(Finding::from(Verdict::Regressed), Finding::Bad);
        for verdict in [Verdict::Inconclusive, Verdict::Invalid, Verdict::Ignored, Verdict::Suspected] {
            assert_eq!(Finding::from(verdict), Finding::Unknown);
        }
    }
}
