//! What a gate is able to see: computed from how much the stored sessions scatter.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::metric::Metric;
use crate::stats;

/// A gate's power with a proof of some starts per side.
///
/// A change δ is convicted when the screen suspects it and the proof convicts it. With the sessions' standard deviation
/// s, K stored sessions and n starts of each side, on the scale of slowness:
///
/// - the screen's difference has the standard error s·√(1 + 1/K) and has to exceed τ/2;
/// - the proof's difference has the standard error s·√(2/n) and has to exceed both τ and t₀.₉₉₉(2n − 2)·s·√(2/n).
///
/// Both are taken as normal, and s as known; with K − 1 degrees of freedom it is known roughly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    metric: Metric,
    tau: f64,
    deviation: f64,
    stored: f64,
}

/// What a gate should be able to see, as a multiple of its tolerance. Beyond that it is a wish.
const WISHFUL_BEYOND: f64 = 2.0;
const POWER: f64 = 0.9;
const MOST_STARTS: u32 = 64;

impl Power {
    /// `None` where the stored values have no scatter to speak of.
    pub fn of(metric: Metric, tolerance: f64, stored: &[f64]) -> Option<Power> {
        let scaled: Option<Vec<f64>> = stored.iter().map(|value| stats::slowness(metric, *value)).collect();
        let deviation = stats::deviation(&scaled?)?;
        Some(Power { metric, tau: stats::tau(metric, tolerance), deviation, stored: stored.len() as f64 })
    }

    /// The standard deviation between sessions, relative to the value.
    pub fn deviation(&self) -> f64 {
        self.deviation
    }

    /// The smallest change for the worse, relative to the metric, that is convicted with a chance of 90 %.
    pub fn detectable(&self, starts: u32) -> f64 {
        let (mut low, mut high) = (0.0, self.tau + 1.0);
        while self.convicts(high, starts) < POWER {
            high *= 2.0;
        }
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if self.convicts(middle, starts) < POWER { low = middle } else { high = middle }
        }
        stats::relative_change(self.metric, high)
    }

    /// Whether a loss of twice the tolerance would often go unseen.
    pub fn is_wishful(&self, starts: u32) -> bool {
        self.convicts(WISHFUL_BEYOND * self.tau, starts) < POWER
    }

    /// The starts of each side with which the gate is no longer wishful; `None` beyond any sensible number.
    pub fn starts_needed(&self) -> Option<u32> {
        (2..=MOST_STARTS).step_by(2).find(|starts| !self.is_wishful(*starts))
    }

    /// The chance that an unchanged engine is suspected.
    pub fn false_suspicion(&self) -> f64 {
        let error = self.deviation * (1.0 + 1.0 / self.stored).sqrt();
        exceeds(0.0, error, self.tau / 2.0)
    }

    /// The chance that an unchanged engine is convicted.
    pub fn false_alarm(&self, starts: u32) -> f64 {
        self.convicts(0.0, starts)
    }

    fn convicts(&self, change: f64, starts: u32) -> f64 {
        let n = f64::from(starts);
        let error = self.deviation * (2.0 / n).sqrt();
        let threshold = self.tau.max(stats::t_quantile(1.0 - stats::ALPHA, 2.0 * n - 2.0) * error);
        let screen_error = self.deviation * (1.0 + 1.0 / self.stored).sqrt();
        exceeds(change, screen_error, self.tau / 2.0) * exceeds(change, error, threshold)
    }
}

/// The chance that an estimate of `truth` with a standard error lies above a threshold.
fn exceeds(truth: f64, error: f64, threshold: f64) -> f64 {
    if error == 0.0 {
        return f64::from(u8::from(truth > threshold));
    }
    1.0 - Normal::new(truth, error).expect("an error is positive").cdf(threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power(stored: &[f64]) -> Power {
        Power::of("output_tokens_per_s".parse().unwrap(), 0.03, stored).unwrap()
    }

    #[test]
    fn a_quiet_engine_shows_little_more_than_the_tolerance() {
        let detectable = power(&[1000.0, 1001.0, 999.0, 1000.0]).detectable(4);
        assert!(-0.032 < detectable && detectable < -0.03, "{detectable}");
    }

    #[test]
    fn a_noisy_engine_makes_the_gate_a_wish_that_more_starts_fulfil() {
        let noisy = power(&[1000.0, 1025.0, 975.0, 1010.0]);
        assert!(noisy.is_wishful(4));
        let needed = noisy.starts_needed().unwrap();
        assert!(needed > 4 && !noisy.is_wishful(needed));
        assert!(noisy.detectable(needed) > noisy.detectable(4));
    }

    #[test]
    fn an_unchanged_engine_is_convicted_less_often_than_suspected() {
        let noisy = power(&[1000.0, 1025.0, 975.0, 1010.0]);
        assert!(noisy.false_alarm(4) < stats::ALPHA * noisy.false_suspicion() + 1e-4);
        assert!(noisy.false_suspicion() > 0.1);
    }

    #[test]
    fn a_single_session_has_no_scatter() {
        assert_eq!(Power::of("ttft_ms_p95".parse().unwrap(), 0.1, &[400.0]), None);
    }
}
