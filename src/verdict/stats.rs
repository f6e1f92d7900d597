//! The statistics of the verdict.
//!
//! All comparisons use a logarithmic scale on which larger is slower: `y = ln(latency)` or `y = −ln(throughput)`. On
//! it, a change of 3 % is the same distance in any unit, and old against new is the negative of new against old.

use std::sync::LazyLock;

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::metrics::{Better, Metric};

/// The probability, per gate and side, that an interval excludes the true value.
pub const ALPHA: f64 = 0.001;
/// The day-to-day variance, in multiples of the variance between restarts.
pub const DAY_VARIANCE: f64 = 1.0;

/// A metric's value on the scale where larger is slower; `None` if it has no logarithm.
pub fn slowness(metric: Metric, value: f64) -> Option<f64> {
    let y = value.ln();
    y.is_finite().then_some(match metric.better() {
        Better::Lower => y,
        Better::Higher => -y,
    })
}

/// Converts a difference in slowness to the metric's relative change (−0.07 is 7 % less).
pub fn relative_change(metric: Metric, difference: f64) -> f64 {
    match metric.better() {
        Better::Lower => difference.exp_m1(),
        Better::Higher => (-difference).exp_m1(),
    }
}

/// A tolerance as a difference in slowness. The conversion is exact: losing 3 % of throughput means 97 % of it, and
/// adding 3 % of latency means 103 %.
pub fn tau(metric: Metric, tolerance: f64) -> f64 {
    match metric.better() {
        Better::Lower => tolerance.ln_1p(),
        Better::Higher => -(-tolerance).ln_1p(),
    }
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The difference of two means, new − old, with an interval that misses it with probability [`ALPHA`] on each side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
}

impl Difference {
    /// For sessions of both sides that alternated on one machine: Student's two-sample interval with a pooled variance,
    /// one value per session.
    ///
    /// The session is the replicate: the variation between rounds is part of each session's value, and the variation
    /// between restarts lies between the values. Sides that alternate (old, new, new, old) share the day, and a linear
    /// drift cancels: it widens the interval but never shifts it.
    ///
    /// `None` with fewer than two sessions on a side.
    pub fn of_alternating(old: &[f64], new: &[f64]) -> Option<Difference> {
        (old.len() >= 2 && new.len() >= 2).then(|| Difference::pooled(old, new, 0.0))
    }

    /// For sessions of today against stored sessions of another day, one value per session.
    ///
    /// All sessions of a day share its shift: more sessions don't average it out, and two days don't show how much days
    /// differ (Kalibera and Jones 2013, "Rigorous Benchmarking in Reasonable Time": the variance of the highest level
    /// that varies bounds the precision). So days are assumed to differ as much as restarts do ([`DAY_VARIANCE`]): with
    /// a standard deviation of s within both days, the variance is s²·(1/K + 1/n + 2·[`DAY_VARIANCE`]).
    ///
    /// `None` with fewer than two stored sessions, or none from today.
    pub fn to_stored(old: &[f64], new: &[f64]) -> Option<Difference> {
        let between_days = 2.0 * DAY_VARIANCE;
        (old.len() >= 2 && !new.is_empty()).then(|| Difference::pooled(old, new, between_days))
    }

    /// `extra_variance` is the variance between the sides beyond that of their sessions, in multiples of the latter.
    fn pooled(old: &[f64], new: &[f64], extra_variance: f64) -> Difference {
        let (k, n) = (old.len() as f64, new.len() as f64);
        let estimate = mean(new) - mean(old);
        let standard_error = (pooled_variance(old, new) * (1.0 / k + 1.0 / n + extra_variance)).sqrt();
        let reach = t_beyond_alpha(old.len() + new.len() - 2) * standard_error;
        Difference { estimate, low: estimate - reach, high: estimate + reach }
    }
}

/// How many alternating sessions per side would make the interval exclude zero, if variation and difference stay as
/// observed; `None` beyond `most`.
pub fn sessions_to_decide(old: &[f64], new: &[f64], most: u32) -> Option<u32> {
    let estimate = (mean(new) - mean(old)).abs();
    let deviation = pooled_variance(old, new).sqrt();
    (2..=most).find(|per_side| {
        let n = f64::from(*per_side);
        t_beyond_alpha(2 * *per_side as usize - 2) * deviation * (2.0 / n).sqrt() < estimate
    })
}

fn pooled_variance(old: &[f64], new: &[f64]) -> f64 {
    (squares(old) + squares(new)) / ((old.len() + new.len()) as f64 - 2.0)
}

/// The standard deviation within a group; `None` for fewer than two values.
pub fn deviation(values: &[f64]) -> Option<f64> {
    (values.len() >= 2).then(|| (squares(values) / (values.len() - 1) as f64).sqrt())
}

/// Sum of squared distances from the mean.
fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// The quantile of Student's distribution that is exceeded with probability [`ALPHA`].
fn t_beyond_alpha(degrees_of_freedom: usize) -> f64 {
    /// Cached for common degrees of freedom: computing one is slow, and a simulation needs millions.
    static USUAL: LazyLock<Vec<f64>> = LazyLock::new(|| (1..=128).map(quantile).collect());
    fn quantile(degrees_of_freedom: usize) -> f64 {
        StudentsT::new(0.0, 1.0, degrees_of_freedom as f64)
            .expect("degrees of freedom are positive")
            .inverse_cdf(1.0 - ALPHA)
    }
    USUAL.get(degrees_of_freedom - 1).copied().unwrap_or_else(|| quantile(degrees_of_freedom))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution as _, Normal};
    use rand_pcg::Pcg64;

    use super::*;

    fn throughput() -> Metric {
        "output_tokens_per_s".parse().unwrap()
    }

    #[test]
    fn lower_throughput_and_higher_latency_are_both_slower() {
        let ttft = "ttft_ms_p95".parse().unwrap();
        assert!(slowness(throughput(), 90.0) > slowness(throughput(), 100.0));
        assert!(slowness(ttft, 110.0) > slowness(ttft, 100.0));
        assert_eq!(slowness(ttft, 0.0), None);
    }

    #[test]
    fn a_relative_change_survives_the_round_trip() {
        let d = slowness(throughput(), 93.0).unwrap() - slowness(throughput(), 100.0).unwrap();
        assert!((relative_change(throughput(), d) + 0.07).abs() < 1e-12);
    }

    #[test]
    fn a_tolerance_is_exact_in_both_directions() {
        let (rate, latency) = (throughput(), "ttft_ms_p95".parse().unwrap());
        assert!((relative_change(rate, tau(rate, 0.1)) + 0.1).abs() < 1e-12);
        assert!((relative_change(latency, tau(latency, 0.1)) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn quantiles_agree_with_the_printed_table() {
        // Student's t, upper 0.001: 10.2145 at 3 degrees of freedom, 4.1437 at 10.
        assert!((t_beyond_alpha(3) - 10.2145).abs() < 1e-3);
        assert!((t_beyond_alpha(10) - 4.1437).abs() < 1e-3);
    }

    fn normal(deviation: f64) -> impl FnMut() -> f64 {
        let mut rng = Pcg64::seed_from_u64(7);
        let normal = Normal::new(0.0, deviation).unwrap();
        move || normal.sample(&mut rng)
    }

    /// Checks that an interval misses the true value as often as it should: on either side with probability ALPHA.
    fn assert_misses_as_often_as_alpha(truth: f64, mut interval: impl FnMut() -> Difference) {
        const SUITES: u32 = 40_000;
        let intervals: Vec<Difference> = (0..SUITES).map(|_| interval()).collect();
        let expected = f64::from(SUITES) * ALPHA;
        for outside in [
            intervals.iter().filter(|found| found.low > truth).count(),
            intervals.iter().filter(|found| found.high < truth).count(),
        ] {
            assert!(
                (outside as f64 - expected).abs() < 4.0 * expected.sqrt(),
                "{outside}, expected {expected}"
            );
        }
    }

    #[test]
    fn intervals_of_alternating_sides_miss_as_often_as_alpha() {
        for (k, n) in [(2, 2), (4, 4), (4, 12), (32, 32)] {
            let (truth, mut noise) = (0.05, normal(0.01));
            assert_misses_as_often_as_alpha(truth, || {
                let old: Vec<f64> = (0..k).map(|_| noise()).collect();
                let new: Vec<f64> = (0..n).map(|_| truth + noise()).collect();
                Difference::of_alternating(&old, &new).unwrap()
            });
        }
    }

    #[test]
    fn intervals_of_two_days_miss_as_often_as_alpha() {
        for (k, n) in [(4, 3), (4, 4), (8, 8)] {
            let (truth, mut noise, mut day) = (0.05, normal(0.01), normal(0.01 * DAY_VARIANCE.sqrt()));
            assert_misses_as_often_as_alpha(truth, || {
                let (yesterday, today) = (day(), truth + day());
                let old: Vec<f64> = (0..k).map(|_| yesterday + noise()).collect();
                let new: Vec<f64> = (0..n).map(|_| today + noise()).collect();
                Difference::to_stored(&old, &new).unwrap()
            });
        }
    }

    #[test]
    fn more_sessions_do_not_average_out_the_day() {
        let reach = |sessions: usize| {
            let scattered: Vec<f64> = (0..sessions).map(|n| if n % 2 == 0 { 0.01 } else { -0.01 }).collect();
            let found = Difference::to_stored(&scattered, &scattered).unwrap();
            found.high - found.estimate
        };
        let least = t_beyond_alpha(10_000) * 0.01 * (2.0 * DAY_VARIANCE).sqrt();
        assert!(reach(4) > reach(100) && reach(100) > least, "{} {} {least}", reach(4), reach(100));
    }

    proptest! {
        #[test]
        fn swapping_old_and_new_mirrors_the_interval(old in sessions(), new in sessions()) {
            for compare in COMPARISONS {
                let (there, back) = (compare(&old, &new).unwrap(), compare(&new, &old).unwrap());
                prop_assert!((there.estimate + back.estimate).abs() < 1e-12);
                prop_assert!((there.low + back.high).abs() < 1e-12 && (there.high + back.low).abs() < 1e-12);
            }
        }

        #[test]
        fn an_interval_moves_with_the_new_side_and_stretches_with_all(
            (old, new) in (sessions(), sessions()), shift in -1.0..1.0_f64, stretch in 0.01..100.0_f64,
        ) {
            for compare in COMPARISONS {
                let found = compare(&old, &new).unwrap();
                let moved = compare(&old, &new.iter().map(|y| y + shift).collect::<Vec<_>>()).unwrap();
                prop_assert!((moved.low - found.low - shift).abs() < 1e-9);
                let stretched = |side: &[f64]| side.iter().map(|y| y * stretch).collect::<Vec<_>>();
                let stretched = compare(&stretched(&old), &stretched(&new)).unwrap();
                prop_assert!((stretched.high - found.high * stretch).abs() < 1e-9 * stretch.max(1.0));
            }
        }
    }

    type Compare = fn(&[f64], &[f64]) -> Option<Difference>;
    const COMPARISONS: [Compare; 2] = [Difference::of_alternating, Difference::to_stored];

    fn sessions() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec(-1.0..1.0, 2..12)
    }

    #[test]
    fn more_sessions_decide_what_few_can_not() {
        let (old, new) = ([0.0, 0.02, -0.02, 0.0], [0.04, 0.06, 0.02, 0.04]);
        assert!(Difference::of_alternating(&old, &new).unwrap().low < 0.0);
        let needed = sessions_to_decide(&old, &new, 100).unwrap();
        assert!((5..=12).contains(&needed), "{needed}");
        assert_eq!(sessions_to_decide(&old, &old, 100), None);
    }
}
