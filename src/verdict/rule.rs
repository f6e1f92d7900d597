//! The rule: what the sessions of one gate say, on the scale of slowness (see [`stats`]).
//!
//! `d` is the mean of the new sessions less the mean of the old ones, `τ` the gate's tolerance, `[L, U]` the interval
//! around `d`.

use crate::verdict::Verdict;
use crate::verdict::stats::{self, Difference};

/// With fewer sessions of today there is a suspicion at most.
pub const LEAST_SESSIONS_TO_CONVICT: usize = 3;
/// Starts of each side in a proof at most, as a multiple of those that were planned: what is not decided by then is too
/// small or too noisy to be worth more.
pub const MOST_STARTS_OF_PLANNED: u32 = 8;

/// The screen's distance from the tolerance, in standard deviations of the stored sessions.
const SCREEN_CLEARANCE: f64 = 1.5;
/// The part of the way from `d` to `U` that has to lie within the tolerance before a proof may end with `ok`.
const ACQUITTAL_CLEARANCE: f64 = 0.15;

/// The screen: a session of today, or two, against the stored ones. It acquits and doubts, and convicts nobody.
///
/// Doubted is `d > min(τ/2, τ − 1.5·s)`, with the stored sessions' standard deviation `s`, and `d < −τ`. Half of the
/// tolerance is room for what a day shifts. Where the sessions scatter so much that a single one of a slow engine may
/// well look sound, nearly every gate is doubted: there the proof has to see what the screen can't.
pub fn screen(old: &[f64], new: &[f64], tau: f64) -> Verdict {
    let d = stats::mean(new) - stats::mean(old);
    let scatter = stats::deviation(old).unwrap_or(0.0);
    if d > (tau / 2.0).min(tau - SCREEN_CLEARANCE * scatter) {
        Verdict::Suspected
    } else if d < -tau {
        Verdict::Improved
    } else {
        Verdict::Ok
    }
}

/// Relevant by the tolerance and real by the interval: `regressed` if `d > τ` and `L > 0`, `improved` if `d < −τ` and
/// `U < 0`. Relevant alone is `not_proven`, all else `ok`.
pub fn conclude(difference: &Difference, tau: f64, not_proven: Verdict) -> Verdict {
    let Difference { estimate, low, high } = *difference;
    if estimate > tau {
        if low > 0.0 { Verdict::Regressed } else { not_proven }
    } else if estimate < -tau && high < 0.0 {
        Verdict::Improved
    } else {
        Verdict::Ok
    }
}

/// Whether more starts of each side would hardly change what was concluded. An `ok` is settled by
/// `d + 0.15·(U − d) ≤ τ`.
///
/// That part of the interval's reach is half to three quarters of a standard error. Without it, a loss beyond the
/// tolerance is acquitted as soon as chance puts `d` below `τ` once, and every further look is another chance.
pub fn is_settled(concluded: Verdict, difference: &Difference, tau: f64) -> bool {
    let Difference { estimate, high, .. } = *difference;
    match concluded {
        Verdict::Inconclusive => false,
        Verdict::Ok => estimate + ACQUITTAL_CLEARANCE * (high - estimate) <= tau,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAU: f64 = 0.03;
    const QUIET: [f64; 4] = [0.0, 0.001, -0.001, 0.0];

    #[test]
    fn half_the_tolerance_is_doubted_where_sessions_agree() {
        assert_eq!(screen(&QUIET, &[0.014], TAU), Verdict::Ok);
        assert_eq!(screen(&QUIET, &[0.016], TAU), Verdict::Suspected);
        assert_eq!(screen(&QUIET, &[-0.031], TAU), Verdict::Improved);
    }

    #[test]
    fn less_is_doubted_where_sessions_scatter_and_a_slow_one_may_look_sound() {
        let restless = [0.02, -0.02, 0.02, -0.02];
        assert_eq!(screen(&restless, &[0.0], TAU), Verdict::Suspected);
        assert_eq!(screen(&restless, &[-0.01], TAU), Verdict::Ok);
    }

    #[test]
    fn an_acquittal_is_settled_once_it_keeps_a_distance_from_the_tolerance() {
        let found = |estimate| Difference { estimate, low: estimate - 0.04, high: estimate + 0.04 };
        assert!(is_settled(Verdict::Ok, &found(0.023), TAU));
        assert!(!is_settled(Verdict::Ok, &found(0.025), TAU));
    }
}
