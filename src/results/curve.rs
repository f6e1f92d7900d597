//! A target's throughput over increasing load: where it stops scaling, and up to which level it meets its limits.

use crate::metrics::{Metric, Rate};
use crate::results::sweep::{Knee, Level};

/// Beyond the knee, each additional user (or request per second) adds less than this share of what each of the first
/// ones added.
///
/// Based on the asymptotic bounds of a closed loop without think time (Denning and Buzen 1978, "The Operational
/// Analysis of Queueing Network Models", §5): X(N) ≤ min(N / R(1), X_max). The slope of the bound falls from 1 / R(1)
/// to 0 where the two meet, and half of the first slope is the middle of that fall.
pub(crate) const KNEE_GAIN: f64 = 0.5;

/// One level's throughput.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ThroughputPoint {
    pub at: f64,
    pub per_s: f64,
}

/// Output tokens per second at each level that has a value.
pub(crate) fn throughput(levels: &[Level]) -> Vec<ThroughputPoint> {
    let points = levels.iter().filter_map(|level| {
        let per_s = level.summary.value(Metric::Rate(Rate::OutputTokensPerS))?;
        Some(ThroughputPoint { at: level.at, per_s })
    });
    points.collect()
}

/// The first level from which every higher one gains less than [`KNEE_GAIN`] of the ideal.
///
/// Gains are chords to every later level, not only to the next one, so a single low level that later ones make up for
/// is not a knee. The ideal is the line from zero through the lowest level. `None` if throughput keeps up, or with
/// fewer than two levels.
pub(crate) fn knee(points: &[ThroughputPoint]) -> Option<Knee> {
    let first = answering(points)?;
    let ideal = first.per_s / first.at;
    let gain =
        |from: &ThroughputPoint, to: &ThroughputPoint| (to.per_s - from.per_s) / (to.at - from.at) / ideal;
    points.iter().enumerate().find_map(|(number, from)| {
        let later = &points[number + 1..];
        let next = later.first()?;
        let stays_below = later.iter().all(|to| gain(from, to) < KNEE_GAIN);
        stays_below.then(|| Knee { after: from.at, by: next.at, gain: gain(from, next) })
    })
}

/// A level's throughput relative to the lowest level's, scaled by their loads: X(N) / (N / N₀ × X(N₀)).
pub(crate) fn share_of_ideal(points: &[ThroughputPoint], at: f64) -> Option<f64> {
    let first = answering(points)?;
    let point = points.iter().find(|point| point.at == at)?;
    Some(point.per_s / (point.at / first.at * first.per_s))
}

/// Whether [`knee`] could find one: an engine that answers nothing never scales and so never stops scaling.
pub(crate) fn can_have_knee(points: &[ThroughputPoint]) -> bool {
    points.len() > 1 && answering(points).is_some()
}

/// The lowest level, if it has any throughput.
fn answering(points: &[ThroughputPoint]) -> Option<&ThroughputPoint> {
    points.first().filter(|first| first.at > 0.0 && first.per_s > 0.0)
}

/// The last level before the first one that misses a limit. `None` if the lowest level misses one, or without limits.
pub(crate) fn meets_limits_up_to(levels: &[Level]) -> Option<f64> {
    let met = levels.iter().take_while(|level| level.goodput.is_some_and(|goodput| goodput.met));
    met.last().map(|level| level.at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::results::sweep::example;

    fn curve(points: &[(f64, f64)]) -> Vec<ThroughputPoint> {
        points.iter().map(|(at, per_s)| ThroughputPoint { at: *at, per_s: *per_s }).collect()
    }

    #[test]
    fn the_knee_is_where_slots_run_out() {
        let found =
            knee(&curve(&[(1.0, 10.0), (2.0, 20.0), (4.0, 39.0), (8.0, 41.0), (16.0, 41.0)])).unwrap();
        assert_eq!((found.after, found.by), (4.0, 8.0));
        assert!((found.gain - 0.05).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn an_engine_that_keeps_up_has_no_knee() {
        assert_eq!(knee(&curve(&[(1.0, 10.0), (2.0, 19.0), (4.0, 35.0), (8.0, 65.0)])), None);
    }

    #[test]
    fn a_single_low_level_is_not_a_knee() {
        assert_eq!(knee(&curve(&[(1.0, 10.0), (2.0, 14.0), (4.0, 39.0), (8.0, 78.0)])), None);
    }

    #[test]
    fn without_any_scaling_the_knee_is_at_the_lowest_level() {
        assert_eq!(knee(&curve(&[(1.0, 10.0), (2.0, 10.0), (4.0, 10.0)])).map(|knee| knee.after), Some(1.0));
    }

    #[test]
    fn too_few_levels_have_no_knee() {
        assert_eq!(knee(&[]), None);
        assert_eq!(knee(&curve(&[(1.0, 10.0)])), None);
        assert_eq!(knee(&curve(&[(1.0, 0.0), (2.0, 0.0)])), None);
    }

    #[test]
    fn limits_are_met_up_to_the_level_before_the_first_miss() {
        let mut levels = example::crossing().targets[1].levels.clone();
        let mut met = |met: [bool; 5]| {
            for (level, met) in levels.iter_mut().zip(met) {
                level.goodput.as_mut().unwrap().met = met;
            }
            meets_limits_up_to(&levels)
        };
        assert_eq!(met([true, true, false, true, false]), Some(2.0));
        assert_eq!(met([false, true, true, true, true]), None);
        assert_eq!(met([true; 5]), Some(16.0));
    }

    /// Throughputs at the levels 1, 2, 4, …
    fn throughputs() -> impl Strategy<Value = Vec<ThroughputPoint>> {
        proptest::collection::vec(0.1..1000.0_f64, 2..8).prop_map(|values| {
            let at = |number: usize| f64::from(1 << number);
            values
                .iter()
                .enumerate()
                .map(|(number, per_s)| ThroughputPoint { at: at(number), per_s: *per_s })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn the_knee_does_not_depend_on_the_unit_of_throughput(points in throughputs(), scale in 0.01..100.0_f64) {
            let scaled: Vec<ThroughputPoint> =
                points.iter().map(|point| ThroughputPoint { per_s: point.per_s * scale, ..*point }).collect();
            let levels = |knee: Option<Knee>| knee.map(|knee| (knee.after, knee.by));
            prop_assert_eq!(levels(knee(&points)), levels(knee(&scaled)));
        }

        #[test]
        fn a_straight_line_has_no_knee(slope in 0.1..1000.0_f64, levels in 2..12_usize) {
            let line: Vec<ThroughputPoint> =
                (1..=levels).map(|at| ThroughputPoint { at: at as f64, per_s: slope * at as f64 }).collect();
            prop_assert_eq!(knee(&line), None);
            prop_assert!((share_of_ideal(&line, levels as f64).unwrap() - 1.0).abs() < 1e-9);
        }

        #[test]
        fn the_knee_of_a_saturating_curve_is_where_it_saturates(places in 1..7_u32) {
            let ladder: Vec<ThroughputPoint> = (0..8)
                .map(|number| f64::from(1 << number))
                .map(|at| ThroughputPoint { at, per_s: at.min(f64::from(1 << places)) })
                .collect();
            prop_assert_eq!(knee(&ladder).map(|knee| knee.after), Some(f64::from(1 << places)));
        }

        #[test]
        fn beyond_the_knee_no_level_gains_half_of_the_ideal(points in throughputs()) {
            if let Some(found) = knee(&points) {
                let from = points.iter().find(|point| point.at == found.after).unwrap();
                let ideal = points[0].per_s / points[0].at;
                for to in points.iter().filter(|point| point.at > found.after) {
                    prop_assert!(to.per_s - from.per_s < KNEE_GAIN * ideal * (to.at - from.at));
                }
            }
        }
    }
}
