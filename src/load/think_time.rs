//! How long a user waits between an answer and its next request.

use std::str::FromStr;

use rand::Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};
use rand_pcg::Pcg64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{HumanDuration, Nanos};

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

/// No draw is longer: a heavy tail must not make a round last forever.
const LONGEST_MS: f64 = 3_600_000.0;
/// Beyond this a draw is longer than any round.
const MAX_SIGMA: f64 = 5.0;

/// Why a think time cannot be drawn.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ThinkTimeError {
    #[error("a think time is 0 ms or more, not {0} ms")]
    Negative(f64),
    #[error("the second duration of a uniform think time must not be shorter than the first")]
    Reversed,
    #[error("the sigma of a lognormal think time is a number from 0 to {MAX_SIGMA}, not {0}")]
    Sigma(f64),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 2s, uniform:1s:3s, exponential:2s or lognormal:2s:0.5, found `{0}`")]
pub struct NotAThinkTime(String);

/// Reads `2s`, `uniform:1s:3s`, `exponential:2s` (mean) or `lognormal:2s:0.5` (median, sigma).
impl FromStr for ThinkTime {
    type Err = NotAThinkTime;

    fn from_str(text: &str) -> Result<ThinkTime, NotAThinkTime> {
        let ms = |text: &str| text.parse().ok().map(|duration: HumanDuration| duration.ms());
        let read = || {
            Some(match text.split(':').collect::<Vec<_>>()[..] {
                [constant] => ThinkTime::Constant { ms: ms(constant)? },
                ["uniform", from, to] => ThinkTime::Uniform { from_ms: ms(from)?, to_ms: ms(to)? },
                ["exponential", mean] => ThinkTime::Exponential { mean_ms: ms(mean)? },
                ["lognormal", median, sigma] => {
                    ThinkTime::Lognormal { median_ms: ms(median)?, sigma: sigma.trim().parse().ok()? }
                }
                _ => return None,
            })
        };
        read().ok_or_else(|| NotAThinkTime(text.to_owned()))
    }
}

impl ThinkTime {
    pub(super) fn check(&self) -> Result<(), ThinkTimeError> {
        let (shortest_ms, longest_ms) = match *self {
            ThinkTime::Constant { ms } => (ms, ms),
            ThinkTime::Uniform { from_ms, to_ms } => (from_ms, to_ms),
            ThinkTime::Exponential { mean_ms } => (mean_ms, mean_ms),
            ThinkTime::Lognormal { median_ms, .. } => (median_ms, median_ms),
        };
        let wrong = [shortest_ms, longest_ms].into_iter().find(|ms| !ms.is_finite() || *ms < 0.0);
        if let Some(ms) = wrong {
            return Err(ThinkTimeError::Negative(ms));
        }
        match *self {
            ThinkTime::Uniform { .. } if longest_ms < shortest_ms => Err(ThinkTimeError::Reversed),
            ThinkTime::Lognormal { sigma, .. } if !(0.0..=MAX_SIGMA).contains(&sigma) => {
                Err(ThinkTimeError::Sigma(sigma))
            }
            _ => Ok(()),
        }
    }

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
    fn a_think_time_is_read_from_its_short_form() {
        assert_eq!("2s".parse(), Ok(ThinkTime::Constant { ms: 2000.0 }));
        assert_eq!("uniform:1s:3s".parse(), Ok(ThinkTime::Uniform { from_ms: 1000.0, to_ms: 3000.0 }));
        assert_eq!("exponential:2s".parse(), Ok(ThinkTime::Exponential { mean_ms: 2000.0 }));
        let lognormal = ThinkTime::Lognormal { median_ms: 2000.0, sigma: 0.5 };
        assert_eq!("lognormal:2s:0.5".parse(), Ok(lognormal));
        for text in ["", "2", "gauss:1s", "uniform:1s", "lognormal:2s:x", "exponential:2s:3s"] {
            let error = text.parse::<ThinkTime>().unwrap_err().to_string();
            assert!(error.contains("exponential:2s"), "{error}");
        }
    }

    #[test]
    fn a_think_time_that_could_not_be_drawn_is_refused() {
        let check = |think_time: ThinkTime| think_time.check().err();
        assert_eq!(check(ThinkTime::Uniform { from_ms: 1.0, to_ms: 1.0 }), None);
        assert_eq!(check(ThinkTime::Uniform { from_ms: 2.0, to_ms: 1.0 }), Some(ThinkTimeError::Reversed));
        assert_eq!(check(ThinkTime::Constant { ms: -1.0 }), Some(ThinkTimeError::Negative(-1.0)));
        assert!(check(ThinkTime::Exponential { mean_ms: f64::NAN }).is_some());
        let lognormal = |sigma| check(ThinkTime::Lognormal { median_ms: 1.0, sigma });
        assert_eq!((lognormal(0.0), lognormal(5.0)), (None, None));
        assert_eq!(lognormal(5.5), Some(ThinkTimeError::Sigma(5.5)));
    }

    #[test]
    fn each_distribution_has_the_requested_center() {
        assert_eq!(drawn(ThinkTime::Constant { ms: 250.0 }), (250.0, 250.0));
        assert!(near(drawn(ThinkTime::Uniform { from_ms: 100.0, to_ms: 300.0 }).0, 200.0));
        let (mean, median) = drawn(ThinkTime::Exponential { mean_ms: 100.0 });
        assert!(near(mean, 100.0) && near(median, 100.0 * 2f64.ln()), "{mean} {median}");
        let (mean, median) = drawn(ThinkTime::Lognormal { median_ms: 100.0, sigma: 0.5 });
        assert!(near(median, 100.0) && near(mean, 100.0 * 0.125f64.exp()), "{mean} {median}");
    }
}
