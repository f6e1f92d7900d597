//! Finds the first bad version between a good and a bad one.

mod versions;

use std::collections::BTreeMap;

use crate::verdict::Verdict;

pub(crate) use versions::between;

/// Versions are indices into a list, oldest first. The first one is good, and every other one is compared with it.
pub(crate) struct Bisection {
    last: usize,
    findings: BTreeMap<usize, Finding>,
}

/// The result of proving a version against the good end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    Good,
    Bad,
    /// It could not be judged: it didn't run, or the proof decided nothing.
    Unjudged,
}

/// Where the search ends: the first bad version comes after `good` and is `bad` at the latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Border {
    pub good: usize,
    pub bad: usize,
    /// The versions in between, which could not be judged.
    pub unjudged: Vec<usize>,
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
            | Verdict::Ignored => Finding::Unjudged,
        }
    }
}

impl Border {
    /// Whether good and bad are neighbors.
    pub(crate) fn is_found(&self) -> bool {
        self.good + 1 == self.bad
    }
}

impl Bisection {
    /// Searches the versions `0..=last`; the last one is known to be bad.
    pub(crate) fn up_to(last: usize) -> Bisection {
        let ends = BTreeMap::from([(0, Finding::Good), (last, Finding::Bad)]);
        Bisection { last, findings: ends }
    }

    pub(crate) fn record(&mut self, version: usize, finding: Finding) {
        self.findings.insert(version, finding);
    }

    /// The version to prove next: the middle one, or its nearest neighbor without a finding. `None` if there is none
    /// left.
    pub(crate) fn next(&self) -> Option<usize> {
        let Border { good, bad, .. } = self.border();
        let middle = good.midpoint(bad);
        let open = (good + 1..bad).filter(|version| !self.findings.contains_key(version));
        open.min_by_key(|version| version.abs_diff(middle))
    }

    pub(crate) fn border(&self) -> Border {
        let first = |wanted, from| (from..=self.last).find(|version| self.is(*version, wanted));
        let bad = first(Finding::Bad, 1).unwrap_or(self.last);
        let good = (0..bad).rev().find(|version| self.is(*version, Finding::Good)).unwrap_or(0);
        let unjudged = (good + 1..bad).filter(|version| self.is(*version, Finding::Unjudged)).collect();
        Border { good, bad, unjudged }
    }

    /// The maximum number of proofs still needed, if every version can be judged.
    pub(crate) fn most_proofs(&self) -> u32 {
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

    /// Where the search ends if `judge` decides about each version, and how many proofs it took.
    fn search(last: usize, judge: impl Fn(usize) -> Finding) -> (Border, u32) {
        let mut bisection = Bisection::up_to(last);
        let mut proofs = 0;
        while let Some(version) = bisection.next() {
            bisection.record(version, judge(version));
            proofs += 1;
        }
        (bisection.border(), proofs)
    }

    fn bad_from(first: usize) -> impl Fn(usize) -> Finding {
        move |version| if version < first { Finding::Good } else { Finding::Bad }
    }

    #[test]
    fn the_first_bad_version_is_found_within_the_promised_proofs() {
        for last in 1..40 {
            let most = Bisection::up_to(last).most_proofs();
            for first in 1..=last {
                let (border, proofs) = search(last, bad_from(first));
                assert_eq!(border, Border { good: first - 1, bad: first, unjudged: vec![] });
                assert!(proofs <= most, "{first} of {last}: {proofs} proofs, expected at most {most}");
            }
        }
    }

    #[test]
    fn eight_versions_take_three_proofs() {
        assert_eq!(Bisection::up_to(7).most_proofs(), 3);
        assert_eq!(Bisection::up_to(1).most_proofs(), 0);
    }

    #[test]
    fn the_neighbors_of_a_version_that_cant_be_judged_are_tried() {
        for (unjudged, first) in (1..9).flat_map(|unjudged| (1..=9).map(move |first| (unjudged, first))) {
            let judge =
                |version| if version == unjudged { Finding::Unjudged } else { bad_from(first)(version) };
            let (border, _) = search(9, judge);
            let expected = match unjudged {
                _ if unjudged == first => {
                    Border { good: first - 1, bad: first + 1, unjudged: vec![unjudged] }
                }
                _ if unjudged + 1 == first => {
                    Border { good: unjudged - 1, bad: first, unjudged: vec![unjudged] }
                }
                _ => Border { good: first - 1, bad: first, unjudged: vec![] },
            };
            assert_eq!(border, expected);
        }
    }

    #[test]
    fn without_any_judgment_the_border_is_the_whole_range() {
        let (border, proofs) = search(5, |_| Finding::Unjudged);
        assert_eq!(border, Border { good: 0, bad: 5, unjudged: vec![1, 2, 3, 4] });
        assert_eq!(proofs, 4);
    }

    #[test]
    fn the_search_starts_in_the_middle() {
        let mut bisection = Bisection::up_to(8);
        assert_eq!(bisection.next(), Some(4));
        bisection.record(4, Finding::Unjudged);
        assert_eq!(bisection.next(), Some(3));
        bisection.record(3, Finding::Good);
        // Between 3 and 8.
        assert_eq!(bisection.next(), Some(5));
        bisection.record(5, Finding::Bad);
        assert_eq!((bisection.next(), bisection.most_proofs()), (None, 1));
    }

    #[test]
    fn only_a_proven_verdict_is_good_or_bad() {
        assert_eq!(Finding::from(Verdict::Improved), Finding::Good);
        assert_eq!(Finding::from(Verdict::Regressed), Finding::Bad);
        for verdict in [Verdict::Inconclusive, Verdict::Invalid, Verdict::Ignored, Verdict::Suspected] {
            assert_eq!(Finding::from(verdict), Finding::Unjudged);
        }
    }
}
