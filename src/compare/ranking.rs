//! One metric at one level: which target is best, and by how much.

use crate::metrics::Metric;
use crate::results::comparison::{ComparedMetric, Standing};
use crate::results::sweep::Level;
use crate::verdict::stats::{Difference, mean, slowness};

/// A smaller difference than this is a tie, however certain it is.
pub(crate) const TIE: f64 = 0.03;
/// The same if a side has only one value, so that its variation is unknown.
pub(crate) const TIE_UNSEEN: f64 = 0.1;

/// How many times worse one side is than another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    /// Below 1, it is better.
    pub times_worse: f64,
    pub interval: Option<(f64, f64)>,
}

impl Ratio {
    /// `other` against `one`. With two or more values on both sides (sessions, or the rounds of a single session), the
    /// interval is that of [`Difference::of_alternating`], which misses the true value with a probability of 0.2 %.
    pub(crate) fn of(metric: Metric, one: &Level, other: &Level) -> Option<Ratio> {
        let (one, other) = (slownesses(metric, one)?, slownesses(metric, other)?);
        match Difference::of_alternating(&one, &other) {
            Some(found) => Some(Ratio {
                times_worse: found.estimate.exp(),
                interval: Some((found.low.exp(), found.high.exp())),
            }),
            None => Some(Ratio { times_worse: (mean(&other) - mean(&one)).exp(), interval: None }),
        }
    }

    /// Whether the difference doesn't count: it is below [`TIE`] or its interval includes none; without an interval, it
    /// is below [`TIE_UNSEEN`].
    pub(crate) fn is_tie(&self) -> bool {
        let distance = self.times_worse.max(1.0 / self.times_worse) - 1.0;
        match self.interval {
            Some((low, high)) => distance < TIE || (low <= 1.0 && high >= 1.0),
            None => distance < TIE_UNSEEN,
        }
    }
}

/// Ranks all targets of a level by a metric, best first, without those that have no value. `None` if none has one.
pub(crate) fn rank(metric: Metric, sides: &[(&str, &Level)]) -> Option<ComparedMetric> {
    let mut ranked: Vec<(f64, &str, &Level)> = sides
        .iter()
        .filter_map(|(name, level)| Some((mean(&slownesses(metric, level)?), *name, *level)))
        .collect();
    ranked.sort_by(|(one, ..), (other, ..)| one.total_cmp(other));
    let [(_, best_name, best), others @ ..] = ranked.as_slice() else { return None };
    let value = |level: &Level| level.summary.value(metric).expect("a target with a slowness has a value");
    let mut standings = vec![Standing {
        target: (*best_name).to_owned(),
        value: value(best),
        times_worse: 1.0,
        interval: None,
        tied_with_best: true,
    }];
    for (_, name, level) in others {
        let ratio = Ratio::of(metric, best, level)?;
        standings.push(Standing {
            target: (*name).to_owned(),
            value: value(level),
            times_worse: ratio.times_worse,
            interval: ratio.interval,
            tied_with_best: ratio.is_tie(),
        });
    }
    let wins = standings[1..].iter().all(|standing| !standing.tied_with_best);
    Some(ComparedMetric { metric, winner: wins.then(|| (*best_name).to_owned()), standings })
}

/// One per session or round if each of them has a value, otherwise one for the whole level.
fn slownesses(metric: Metric, level: &Level) -> Option<Vec<f64>> {
    let whole = slowness(metric, level.summary.value(metric)?)?;
    let values = level.values(metric);
    let parts: Option<Vec<f64>> = values.iter().map(|value| slowness(metric, *value)).collect();
    Some(parts.filter(|parts| parts.len() > 1).unwrap_or_else(|| vec![whole]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::sweep::example;

    fn throughput() -> Metric {
        "output_tokens_per_s".parse().unwrap()
    }

    fn levels(number: usize) -> (Level, Level) {
        let sweep = example::crossing();
        (sweep.targets[0].levels[number].clone(), sweep.targets[1].levels[number].clone())
    }

    #[test]
    fn the_better_target_wins_by_a_factor_with_its_interval() {
        let (quick, wide) = levels(4);
        let found = rank(throughput(), &[("quick", &quick), ("wide", &wide)]).unwrap();
        assert_eq!(found.winner.as_deref(), Some("wide"));
        let Standing { times_worse, interval: Some((low, high)), .. } = found.standings[1] else { panic!() };
        assert!(1.0 < low && low < times_worse && times_worse < high, "{low} {times_worse} {high}");
    }

    #[test]
    fn an_engine_against_itself_is_a_tie() {
        let (quick, _) = levels(2);
        let found = rank(throughput(), &[("one", &quick), ("other", &quick)]).unwrap();
        assert_eq!(found.winner, None);
        assert!(found.standings[1].tied_with_best && found.standings[1].times_worse == 1.0);
    }

    #[test]
    fn swapping_the_sides_inverts_the_ratio() {
        let (quick, wide) = levels(3);
        let there = Ratio::of(throughput(), &quick, &wide).unwrap();
        let back = Ratio::of(throughput(), &wide, &quick).unwrap();
        assert!((there.times_worse * back.times_worse - 1.0).abs() < 1e-12);
        assert_eq!(there.is_tie(), back.is_tie());
    }

    #[test]
    fn a_tiny_difference_is_a_tie_however_certain_it_is() {
        assert!(Ratio { times_worse: 1.02, interval: Some((1.019, 1.021)) }.is_tie());
        assert!(Ratio { times_worse: 1.2, interval: Some((0.9, 1.6)) }.is_tie());
        assert!(!Ratio { times_worse: 1.2, interval: Some((1.1, 1.3)) }.is_tie());
        assert!(!Ratio { times_worse: 0.8, interval: Some((0.7, 0.9)) }.is_tie());
        assert!(Ratio { times_worse: 1.09, interval: None }.is_tie());
        assert!(!Ratio { times_worse: 0.9, interval: None }.is_tie());
    }

    #[test]
    fn a_target_without_a_value_is_not_ranked() {
        let (quick, mut wide) = levels(0);
        wide.summary = crate::metrics::summary::Summary::default();
        let found = rank(throughput(), &[("quick", &quick), ("wide", &wide)]).unwrap();
        assert_eq!(found.standings.len(), 1);
        assert_eq!(found.winner.as_deref(), Some("quick"));
        assert_eq!(rank(throughput(), &[("wide", &wide)]), None);
    }
}
