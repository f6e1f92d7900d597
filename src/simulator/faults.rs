//! Decides which requests fail, and how, and which responses the model ends early.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

use crate::target::Faults;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Sound,
    Refused,
    /// The connection breaks at this token of the response.
    Reset(u32),
    /// The response stalls from this token on.
    Stalled(u32),
    /// This token's event is not valid JSON.
    Malformed(u32),
}

/// Draws the requests' fates. The same start draws the same ones, in the order in which requests arrive.
#[derive(Debug)]
pub(crate) struct Lottery {
    faults: Faults,
    eos_rate: f64,
    fates: Pcg64,
    lengths: Pcg64,
}

impl Lottery {
    pub(crate) fn new(faults: Faults, eos_rate: f64, seed: u64, start_number: u64) -> Lottery {
        let seed = !seed ^ start_number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let [fates, lengths] = [seed, seed.rotate_left(32)].map(Pcg64::seed_from_u64);
        Lottery { faults, eos_rate, fates, lengths }
    }

    /// Length in tokens of a response that the model ends early; `None` means the full length.
    pub(crate) fn early_end(&mut self, max_tokens: u32, ignore_eos: bool) -> Option<u32> {
        let hit = self.lengths.random::<f64>() < self.eos_rate;
        (hit && !ignore_eos && max_tokens > 1).then(|| self.lengths.random_range(1..max_tokens))
    }

    pub(crate) fn draw(&mut self, max_tokens: u32) -> Fate {
        let drawn: f64 = self.fates.random();
        // Halfway: after the first token, if there are several.
        let token = match max_tokens {
            0 | 1 => 0,
            tokens => self.fates.random_range(1..tokens),
        };
        let mut upper = 0.0;
        let fates = [
            (self.faults.error_rate, Fate::Refused),
            (self.faults.reset_rate, Fate::Reset(token)),
            (self.faults.stall_rate, Fate::Stalled(token)),
            (self.faults.malformed_rate, Fate::Malformed(token)),
        ];
        let hit = fates.into_iter().find(|(rate, _)| {
            upper += rate;
            drawn < upper
        });
        hit.map_or(Fate::Sound, |(_, fate)| fate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(faults: Faults, start_number: u64) -> Vec<Fate> {
        let mut lottery = Lottery::new(faults, 0.0, 1, start_number);
        (0..10_000).map(|_| lottery.draw(10)).collect()
    }

    #[test]
    fn every_fault_hits_its_share_of_requests() {
        let fates = drawn(
            Faults {
                error_rate: 0.01,
                reset_rate: 0.05,
                stall_rate: 0.1,
                malformed_rate: 0.2,
                ..Faults::default()
            },
            0,
        );
        let share = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count() as f64 / 10_000.0;
        for (found, asked) in [
            (share(|fate| *fate == Fate::Refused), 0.01),
            (share(|fate| matches!(fate, Fate::Reset(1..10))), 0.05),
            (share(|fate| matches!(fate, Fate::Stalled(1..10))), 0.1),
            (share(|fate| matches!(fate, Fate::Malformed(1..10))), 0.2),
        ] {
            // Four standard deviations of a share of 10,000.
            let spread = 4.0 * (asked * (1.0 - asked) / 10_000.0_f64).sqrt();
            assert!((found - asked).abs() < spread, "{found} instead of {asked}");
        }
    }

    #[test]
    fn starts_differ_in_their_faults_but_are_reproducible() {
        let faults = || Faults { error_rate: 0.3, ..Faults::default() };
        assert_eq!(drawn(faults(), 1), drawn(faults(), 1));
        assert_ne!(drawn(faults(), 1), drawn(faults(), 2));
    }

    #[test]
    fn rates_of_0_and_1_hit_no_request_and_all() {
        assert!(drawn(Faults::default(), 0).iter().all(|fate| *fate == Fate::Sound));
        let faulty = drawn(Faults { error_rate: 1.0, ..Faults::default() }, 0);
        assert!(faulty.iter().all(|fate| *fate == Fate::Refused));
    }

    #[test]
    fn a_response_of_one_token_fails_at_that_token() {
        let mut lottery = Lottery::new(Faults { reset_rate: 1.0, ..Faults::default() }, 0.0, 1, 0);
        assert_eq!(lottery.draw(1), Fate::Reset(0));
    }

    #[test]
    fn eos_rate_ends_its_share_of_responses_early() {
        let mut lottery = Lottery::new(Faults::default(), 0.5, 1, 0);
        let ends: Vec<u32> = (0..1000).filter_map(|_| lottery.early_end(10, false)).collect();
        // Four standard deviations.
        assert!((437..=563).contains(&ends.len()), "{} of 1000", ends.len());
        assert!(ends.iter().all(|end| (1..10).contains(end)));
        assert!((0..100).all(|_| lottery.early_end(10, true).is_none()));
        assert!((0..100).all(|_| lottery.early_end(1, false).is_none()));
    }
}
