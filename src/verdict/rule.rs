//! The decision rule: turns the sessions of one gate into a verdict, on the slowness scale (see [`stats`]).
//!
//! `d` is the mean of the new sessions minus the mean of the old ones, `τ` the gate's tolerance, and `[L, U]` the
//! interval around `d`.

use crate::verdict::Verdict;
use crate::verdict::stats::{self, Difference};

/// With fewer sessions today, the worst verdict is a suspicion.
pub(crate) const MIN_SESSIONS_FOR_REGRESSION: usize = 3;
/// The maximum number of starts of each side in a proof, as a multiple of the planned number. A change that is not
/// decided by then is too small or too noisy to spend more on.
pub const MOST_STARTS_OF_PLANNED: u32 = 8;

/// The screen's distance from the tolerance, in standard deviations of the stored sessions.
const SCREEN_CLEARANCE: f64 = 1.5;
/// The fraction of the way from `d` to `U` that must lie within the tolerance before a proof may end with `ok`.
const OK_CLEARANCE: f64 = 0.15;

/// The screen compares one or two sessions of today with the stored ones. It can clear a gate or doubt it, but never
/// decides that it regressed.
///
/// It doubts a gate if `d > min(τ/2, τ − 1.5·s)`, where `s` is the standard deviation of the stored sessions, or `d <
/// −τ`. Half of the tolerance allows for day-to-day shifts. If sessions vary so much that one session of a slow engine
/// may well look fine, the screen doubts nearly every gate and leaves the decision to the proof.
pub(crate) fn screen(old: &[f64], new: &[f64], tau: f64) -> Verdict {
    let d = stats::mean(new) - stats::mean(old);
    let deviation = stats::deviation(old).unwrap_or(0.0);
    if d > (tau / 2.0).min(tau - SCREEN_CLEARANCE * deviation) {
        Verdict::Suspected
    } else if d < -tau {
        Verdict::Improved
    } else {
        Verdict::Ok
    }
}

/// The tolerance decides what is relevant, the interval what is real: `regressed` if `d > τ` and `L > 0`, `improved` if
/// `d < −τ` and `U < 0`. A relevant loss that may not be real is `not_proven`; anything else is `ok`.
pub(crate) fn conclude(difference: &Difference, tau: f64, not_proven: Verdict) -> Verdict {
    let Difference { estimate, low, high } = *difference;
    if estimate > tau {
        if low > 0.0 { Verdict::Regressed } else { not_proven }
    } else if estimate < -tau && high < 0.0 {
        Verdict::Improved
    } else {
        Verdict::Ok
    }
}

/// Whether more starts of each side are unlikely to change the conclusion. An `ok` is settled if `d + 0.15·(U − d) ≤
/// τ`.
///
/// That fraction of the interval is half to three quarters of a standard error. Without it, a loss beyond the tolerance
/// would pass as soon as chance puts `d` below `τ` once, and every further look is another chance.
pub(crate) fn is_settled(concluded: Verdict, difference: &Difference, tau: f64) -> bool {
    let Difference { estimate, high, .. } = *difference;
    match concluded {
        Verdict::Inconclusive => false,
        Verdict::Ok => estimate + OK_CLEARANCE * (high - estimate) <= tau,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAU: f64 = 0.03;
    const QUIET: [f64; 4] = [0.0, 0.001, -0.001, 0.0];

    #[test]
    fn sessions_that_agree_are_doubted_beyond_half_the_tolerance() {
        assert_eq!(screen(&QUIET, &[0.014], TAU), Verdict::Ok);
        assert_eq!(screen(&QUIET, &[0.016], TAU), Verdict::Suspected);
        assert_eq!(screen(&QUIET, &[-0.031], TAU), Verdict::Improved);
    }

    #[test]
    fn sessions_that_vary_are_doubted_sooner() {
        let noisy = [0.02, -0.02, 0.02, -0.02];
        assert_eq!(screen(&noisy, &[0.0], TAU), Verdict::Suspected);
        assert_eq!(screen(&noisy, &[-0.01], TAU), Verdict::Ok);
    }

    #[test]
    fn an_ok_is_settled_at_a_distance_from_the_tolerance() {
        let found = |estimate| Difference { estimate, low: estimate - 0.04, high: estimate + 0.04 };
        assert!(is_settled(Verdict::Ok, &found(0.023), TAU));
        assert!(!is_settled(Verdict::Ok, &found(0.025), TAU));
    }
}
