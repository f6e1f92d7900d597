//! What a user waits between an answer and its next request.

use rand::Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};
use rand_pcg::Pcg64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Nanos;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ThinkTime {
    Constant {
        ms: f64,
    },
    Uniform {
        from_ms: f64,
        to_ms: f64,
    },
    Exponential {
        mean_ms: f64,
    },
    /// Its logarithm is normal, with this standard deviation.
    Lognormal {
        median_ms: f64,
        sigma: f64,
    },
}

/// No draw is longer: a heavy tail must not make a round last for ever.
const LONGEST_MS: f64 = 3_600_000.0;

impl ThinkTime {
    pub fn draw_ns(&self, rng: &mut Pcg64) -> Nanos {
        let ms = match *self {
            ThinkTime::Constant { ms } => ms,
            ThinkTime::Uniform { from_ms, to_ms } => from_ms + rng.random::<f64>() * (to_ms - from_ms),
            ThinkTime::Exponential { mean_ms } => mean_ms * Distribution::<f64>::sample(&Exp1, rng),
            ThinkTime::Lognormal { median_ms, sigma } => {
                median_ms * (sigma * Distribution::<f64>::sample(&StandardNormal, rng)).exp()
            }
        };
        (ms.min(LONGEST_MS) * 1e6) as Nanos
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// Mean and median of many draws, in ms.
    fn drawn(think_time: ThinkTime) -> (f64, f64) {
        let mut rng = Pcg64::seed_from_u64(7);
        let mut draws: Vec<f64> = (0..20_001).map(|_| think_time.draw_ns(&mut rng) as f64 / 1e6).collect();
        draws.sort_by(f64::total_cmp);
        (draws.iter().sum::<f64>() / draws.len() as f64, draws[draws.len() / 2])
    }

    fn near(found: f64, expected: f64) -> bool {
        (found / expected - 1.0).abs() < 0.03
    }

    #[test]
    fn each_distribution_has_the_middle_that_was_asked_for() {
        assert_eq!(drawn(ThinkTime::Constant { ms: 250.0 }), (250.0, 250.0));
        assert!(near(drawn(ThinkTime::Uniform { from_ms: 100.0, to_ms: 300.0 }).0, 200.0));
        let (mean, median) = drawn(ThinkTime::Exponential { mean_ms: 100.0 });
        assert!(near(mean, 100.0) && near(median, 100.0 * 2f64.ln()), "{mean} {median}");
        let (mean, median) = drawn(ThinkTime::Lognormal { median_ms: 100.0, sigma: 0.5 });
        assert!(near(median, 100.0) && near(mean, 100.0 * 0.125f64.exp()), "{mean} {median}");
    }
}
