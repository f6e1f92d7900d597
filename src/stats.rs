//! The statistics of the verdict.
//!
//! Everything is compared on a logarithmic scale on which larger is slower: `y = ln(latency)` or `y = −ln(throughput)`.
//! There a change of 3 % is the same distance whatever the unit, and old against new is the negative of new against old.

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::metric::{Better, Metric};

/// The chance, per gate and side, that an interval leaves the truth out.
pub const ALPHA: f64 = 0.001;

/// A metric's value on the scale where larger is slower; `None` for what has no logarithm.
pub fn slowness(metric: Metric, value: f64) -> Option<f64> {
    let y = value.ln();
    y.is_finite().then_some(match metric.better() {
        Better::Lower => y,
        Better::Higher => -y,
    })
}

/// The metric's relative change (−0.07 is 7 % less) that a difference in slowness stands for.
pub fn relative_change(metric: Metric, difference: f64) -> f64 {
    match metric.better() {
        Better::Lower => difference.exp_m1(),
        Better::Higher => (-difference).exp_m1(),
    }
}

/// A tolerance as a difference in slowness. It is met exactly: 3 % of throughput are lost at 97 % of it, and 3 % of
/// latency are added at 103 %.
pub fn tau(metric: Metric, tolerance: f64) -> f64 {
    match metric.better() {
        Better::Lower => tolerance.ln_1p(),
        Better::Higher => -(-tolerance).ln_1p(),
    }
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A difference of two means, new − old, with the interval that leaves it out with a chance of [`ALPHA`] on each side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
}

impl Difference {
    /// Sessions of both sides that were run in turn on one machine: Student's two-sample interval with a pooled
    /// variance, one value per session.
    ///
    /// The session is the replicate: what rounds within a session scatter is part of each session's value, and what
    /// restarts scatter lies between the values. Sides that alternate (old, new, new, old) share the day, and a linear
    /// drift cancels; it widens the interval and never shifts it.
    ///
    /// `None` with fewer than two sessions on a side.
    pub fn of_alternating(old: &[f64], new: &[f64]) -> Option<Difference> {
        let degrees_of_freedom = (old.len() + new.len()).checked_sub(2)?;
        (old.len() >= 2 && new.len() >= 2).then(|| Difference::pooled(old, new, degrees_of_freedom as f64))
    }

    /// Sessions of today against stored sessions, one value per session.
    ///
    /// As for alternating sides, except for the degrees of freedom: they are those of the stored sessions alone,
    /// K − 1. Sessions of one day share that day's conditions, so the candidate's own scatter says little about what
    /// lies between the days, and counting its degrees of freedom would claim a precision that isn't there.
    ///
    /// `None` with fewer than two stored sessions, or none of today.
    pub fn to_stored(old: &[f64], new: &[f64]) -> Option<Difference> {
        (old.len() >= 2 && !new.is_empty()).then(|| Difference::pooled(old, new, (old.len() - 1) as f64))
    }

    fn pooled(old: &[f64], new: &[f64], degrees_of_freedom: f64) -> Difference {
        let (k, n) = (old.len() as f64, new.len() as f64);
        let estimate = mean(new) - mean(old);
        let standard_error = (pooled_variance(old, new) * (1.0 / k + 1.0 / n)).sqrt();
        let reach = t_quantile(1.0 - ALPHA, degrees_of_freedom) * standard_error;
        Difference { estimate, low: estimate - reach, high: estimate + reach }
    }
}

/// How many alternating sessions per side would put the interval beside zero, if scatter and difference stay as they
/// were seen; `None` beyond `most`.
pub fn sessions_to_decide(old: &[f64], new: &[f64], most: u32) -> Option<u32> {
    let estimate = (mean(new) - mean(old)).abs();
    let deviation = pooled_variance(old, new).sqrt();
    (2..=most).find(|per_side| {
        let n = f64::from(*per_side);
        t_quantile(1.0 - ALPHA, 2.0 * n - 2.0) * deviation * (2.0 / n).sqrt() < estimate
    })
}

fn pooled_variance(old: &[f64], new: &[f64]) -> f64 {
    (squares(old) + squares(new)) / ((old.len() + new.len()) as f64 - 2.0)
}

/// The standard deviation within a group; `None` of fewer than two values.
pub fn deviation(values: &[f64]) -> Option<f64> {
    (values.len() >= 2).then(|| (squares(values) / (values.len() - 1) as f64).sqrt())
}

/// Sum of squared distances from the mean.
fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// Of Student's distribution.
pub fn t_quantile(probability: f64, degrees_of_freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees_of_freedom)
        .expect("degrees of freedom are positive")
        .inverse_cdf(probability)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throughput() -> Metric {
        "output_tokens_per_s".parse().unwrap()
    }

    #[test]
    fn less_throughput_and_more_latency_are_both_slower() {
        let ttft = "ttft_ms_p95".parse().unwrap();
        assert!(slowness(throughput(), 90.0) > slowness(throughput(), 100.0));
        assert!(slowness(ttft, 110.0) > slowness(ttft, 100.0));
        assert_eq!(slowness(ttft, 0.0), None);
    }

    #[test]
    fn a_change_reads_back_from_the_scale() {
        let d = slowness(throughput(), 93.0).unwrap() - slowness(throughput(), 100.0).unwrap();
        assert!((relative_change(throughput(), d) + 0.07).abs() < 1e-12);
    }

    #[test]
    fn a_tolerance_is_met_exactly_in_both_directions() {
        let (rate, latency) = (throughput(), "ttft_ms_p95".parse().unwrap());
        assert!((relative_change(rate, tau(rate, 0.1)) + 0.1).abs() < 1e-12);
        assert!((relative_change(latency, tau(latency, 0.1)) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn quantiles_agree_with_the_printed_table() {
        // Student's t, upper 0.001: 10.2145 at 3 degrees of freedom, 4.1437 at 10.
        assert!((t_quantile(0.999, 3.0) - 10.2145).abs() < 1e-3);
        assert!((t_quantile(0.999, 10.0) - 4.1437).abs() < 1e-3);
    }

    #[test]
    fn swapping_old_and_new_mirrors_the_interval() {
        let (a, b) = ([1.0, 1.1, 0.9, 1.05], [1.2, 1.25, 1.3, 1.22]);
        let (ab, ba) = (Difference::to_stored(&a, &b).unwrap(), Difference::to_stored(&b, &a).unwrap());
        assert!((ab.estimate + ba.estimate).abs() < 1e-12);
        assert!((ab.low + ba.high).abs() < 1e-12);
    }

    #[test]
    fn the_interval_covers_an_unchanged_engine() {
        use rand::SeedableRng;
        use rand_distr::{Distribution as _, Normal};
        let mut rng = rand_pcg::Pcg64::seed_from_u64(7);
        let noise = Normal::new(0.0, 0.01).unwrap();
        let mut draw = || -> Vec<f64> { (0..4).map(|_| noise.sample(&mut rng)).collect() };
        let outside =
            (0..20_000).filter(|_| Difference::to_stored(&draw(), &draw()).unwrap().low > 0.0).count();
        // With six true degrees of freedom and the quantile of three, far fewer than ALPHA.
        assert!(outside <= 20, "{outside} of 20000");
    }

    #[test]
    fn alternating_sides_leave_the_truth_out_as_often_as_alpha_says() {
        use rand::SeedableRng;
        use rand_distr::{Distribution as _, Normal};
        let mut rng = rand_pcg::Pcg64::seed_from_u64(11);
        let noise = Normal::new(0.0, 0.01).unwrap();
        let mut draw = || -> Vec<f64> { (0..4).map(|_| noise.sample(&mut rng)).collect() };
        let suites = 100_000;
        let outside =
            (0..suites).filter(|_| Difference::of_alternating(&draw(), &draw()).unwrap().low > 0.0).count();
        let expected = f64::from(suites) * ALPHA;
        assert!((outside as f64 - expected).abs() < 4.0 * expected.sqrt(), "{outside}, expected {expected}");
    }

    #[test]
    fn more_sessions_decide_what_few_could_not() {
        let (old, new) = ([0.0, 0.02, -0.02, 0.0], [0.04, 0.06, 0.02, 0.04]);
        assert!(Difference::of_alternating(&old, &new).unwrap().low < 0.0);
        let needed = sessions_to_decide(&old, &new, 100).unwrap();
        assert!((5..=12).contains(&needed), "{needed}");
        assert_eq!(sessions_to_decide(&old, &old, 100), None);
    }
}
