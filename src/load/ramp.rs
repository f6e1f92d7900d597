//! How a level is reached: of users, or of requests per second.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::HumanDuration;

/// A level that goes from `from` to its end, evenly or in steps, and stays there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    pub from: f64,
    pub over_ms: u64,
    /// The number of plateaus of equal length before the end is reached, the first of them at `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected FROM:OVER or FROM:OVER:STEPS, such as 1:30s or 1:30s:5, found `{0}`")]
pub struct NotARamp(String);

/// Reads `1:30s`, or `1:30s:5` for five steps.
impl FromStr for Ramp {
    type Err = NotARamp;

    fn from_str(text: &str) -> Result<Ramp, NotARamp> {
        let read = || {
            let parts: Vec<&str> = text.split(':').collect();
            let (from, over, steps) = match parts[..] {
                [from, over] => (from, over, None),
                [from, over, steps] => (from, over, Some(steps.parse().ok()?)),
                _ => return None,
            };
            let HumanDuration(over) = over.parse().ok()?;
            Some(Ramp { from: from.trim().parse().ok()?, over_ms: over.as_millis() as u64, steps })
        };
        read().ok_or_else(|| NotARamp(text.to_owned()))
    }
}

impl Ramp {
    pub fn over_s(&self) -> f64 {
        self.over_ms as f64 / 1e3
    }

    /// When the level reaches `level`, in seconds from the start; it rises to `to`.
    pub fn reaches_s(&self, level: f64, to: f64) -> f64 {
        if level <= self.from || to <= self.from {
            return 0.0;
        }
        let share = match self.steps {
            // Divide last, so that the level of a step is not rounded up to that of the next one.
            Some(steps) => {
                let steps = f64::from(steps);
                ((level - self.from) * steps / (to - self.from)).ceil() / steps
            }
            None => (level - self.from) / (to - self.from),
        };
        share * self.over_s()
    }

    /// How many requests are due in the first `seconds` if the level is a rate: its integral.
    pub fn count_within(&self, seconds: f64, to: f64) -> f64 {
        let ramped = seconds.min(self.over_s());
        let beyond = (seconds - ramped) * to;
        match self.steps {
            None => {
                let rise_per_s = (to - self.from) / self.over_s();
                beyond + (self.from + rise_per_s * ramped / 2.0) * ramped
            }
            Some(steps) => {
                let plateaus = (0..steps).map(|step| {
                    let (begin_s, rate) = self.plateau(step, steps, to);
                    (ramped - begin_s).clamp(0.0, self.over_s() / f64::from(steps)) * rate
                });
                beyond + plateaus.sum::<f64>()
            }
        }
    }

    /// The inverse of [`Ramp::count_within`]: when `count` requests are due.
    pub fn due_s(&self, count: f64, to: f64) -> f64 {
        let of_ramp = self.count_within(self.over_s(), to);
        if count >= of_ramp {
            return self.over_s() + (count - of_ramp) / to;
        }
        match self.steps {
            // from·t + (rise/2)·t² = count, solved without subtracting numbers that are close to each other.
            None => {
                let rise_per_s = (to - self.from) / self.over_s();
                2.0 * count / (self.from + (self.from * self.from + 2.0 * rise_per_s * count).sqrt())
            }
            Some(steps) => self.due_on_plateaus_s(count, to, steps),
        }
    }

    fn due_on_plateaus_s(&self, count: f64, to: f64, steps: u32) -> f64 {
        let plateau_s = self.over_s() / f64::from(steps);
        let mut before = 0.0;
        for step in 0..steps {
            let (begin_s, rate) = self.plateau(step, steps, to);
            if count < before + rate * plateau_s {
                return begin_s + (count - before) / rate;
            }
            before += rate * plateau_s;
        }
        self.over_s()
    }

    /// When a plateau begins, and its level.
    fn plateau(&self, step: u32, steps: u32, to: f64) -> (f64, f64) {
        let share = f64::from(step) / f64::from(steps);
        (share * self.over_s(), self.from + share * (to - self.from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVEN: Ramp = Ramp { from: 10.0, over_ms: 10_000, steps: None };
    const STEPPED: Ramp = Ramp { from: 10.0, over_ms: 10_000, steps: Some(2) };

    #[test]
    fn a_ramp_is_read_from_its_short_form() {
        assert_eq!("1:30s".parse(), Ok(Ramp { from: 1.0, over_ms: 30_000, steps: None }));
        assert_eq!("0.5:2m:5".parse(), Ok(Ramp { from: 0.5, over_ms: 120_000, steps: Some(5) }));
        for text in ["1", "1:2", "1:1s:x", "1:1s:2:3", ":1s", ""] {
            let error = text.parse::<Ramp>().unwrap_err().to_string();
            assert!(error.contains("such as 1:30s or 1:30s:5"), "{error}");
        }
    }

    #[test]
    fn an_even_ramp_is_due_as_often_as_its_mean_level() {
        assert_eq!(EVEN.count_within(10.0, 30.0), 200.0);
        assert_eq!(EVEN.count_within(5.0, 30.0), 75.0);
        assert_eq!(EVEN.count_within(12.0, 30.0), 260.0);
    }

    #[test]
    fn a_stepped_ramp_stays_on_each_plateau() {
        // 5 s at 10/s, 5 s at 20/s, then 30/s.
        assert_eq!(STEPPED.count_within(5.0, 30.0), 50.0);
        assert_eq!(STEPPED.count_within(10.0, 30.0), 150.0);
        assert_eq!(STEPPED.due_s(60.0, 30.0), 5.5);
        assert_eq!(STEPPED.due_s(180.0, 30.0), 11.0);
    }

    #[test]
    fn what_is_due_is_the_inverse_of_the_count() {
        for ramp in [EVEN, STEPPED, Ramp { from: 50.0, ..EVEN }, Ramp { from: 50.0, ..STEPPED }] {
            for seconds in [0.0, 0.001, 3.0, 7.5, 10.0, 11.0] {
                let due_s = ramp.due_s(ramp.count_within(seconds, 30.0), 30.0);
                assert!((due_s - seconds).abs() < 1e-9, "{ramp:?} {seconds} {due_s}");
            }
        }
    }

    #[test]
    fn users_come_evenly_or_by_steps() {
        let ramp = Ramp { from: 2.0, ..EVEN };
        assert_eq!([1.0, 2.0, 4.0, 6.0].map(|user| ramp.reaches_s(user, 6.0)), [0.0, 0.0, 5.0, 10.0]);
        let stepped = Ramp { from: 2.0, ..STEPPED };
        assert_eq!(
            [2.0, 3.0, 4.0, 5.0, 6.0].map(|user| stepped.reaches_s(user, 6.0)),
            [0.0, 5.0, 5.0, 10.0, 10.0]
        );
    }

    #[test]
    fn with_a_step_for_every_user_each_comes_with_its_own() {
        for users in 2..200u32 {
            let ramp = Ramp { from: 1.0, over_ms: 1000, steps: Some(users - 1) };
            for user in 1..=users {
                let expected = f64::from(user - 1) / f64::from(users - 1);
                assert_eq!(ramp.reaches_s(f64::from(user), f64::from(users)), expected, "{user} of {users}");
            }
        }
    }
}
