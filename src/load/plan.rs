//! A round of a load, before its clock starts. Times are counted from the round's beginning.

use rand_pcg::Pcg64;

use crate::load::worker::Shard;
use crate::load::{Arrival, Closed, Gaps, Load, Open, Ramp, Replay, StopCondition, ThinkTime};
use crate::units::Nanos;

/// What a scheduler needs to know of a round: a pure function of load and seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When those requests are due that wait for no answer, in order: the first one of every user who comes before the
    /// round's time is up, or all of an open load.
    pub due: DueTimes,
    /// How many are sent; `None` where only the time ends the round.
    pub requests: Option<u32>,
    follow: Option<Follow>,
}

#[derive(Clone, Debug)]
struct Follow {
    think_time: Option<ThinkTime>,
    rng: Pcg64,
    /// When the time is up for requests that follow others.
    until_ns: Option<Nanos>,
}

/// Moments in order: those of the whole load that are to be asked here.
#[derive(Clone, Debug)]
pub struct DueTimes {
    moments: Moments,
    /// Of the next moment within the whole load, from 0.
    place: u32,
    shard: Option<Shard>,
    left: u32,
}

/// Those of a whole load.
///
/// At a rate, the k-th request is due when the rate's integral reaches the sum of k gaps of mean 1 (time rescaling: see
/// Brown et al., The time-rescaling theorem, Neural Computation 14, 2002). The gaps of a round of n requests are scaled
/// so that the n + 1-th would come at n exactly. So a round has the rate that was asked for, and not that rate give or
/// take 1/√n; a Poisson process of which one knows that it had n arrivals looks just like that.
#[derive(Clone, Debug)]
enum Moments {
    Users { next: u32, users: u32, ramp: Option<Ramp> },
    Rate { gaps: Gaps, scale: f64, count: f64, rate: f64, ramp: Option<Ramp> },
    Replay { replay: Replay, next: usize },
}

impl Load {
    pub fn plan(&self, rng: Pcg64) -> Plan {
        let moments = match &self.arrival {
            Arrival::Closed(closed) => closed.moments(),
            Arrival::Open(open) => open.moments(self.stop, rng.clone()),
            Arrival::Replay(replay) => Moments::Replay { replay: replay.clone(), next: 0 },
        };
        let left = self.due_without_answers();
        let due = DueTimes { moments, place: 0, shard: self.shard(), left };
        match &self.arrival {
            Arrival::Closed(Closed { think_time, .. }) => {
                let (rng, until_ns) = (self.own_rng(rng), self.stop.duration_ns());
                let follow = Some(Follow { think_time: *think_time, rng, until_ns });
                Plan { due, requests: self.requests(), follow }
            }
            Arrival::Open(_) | Arrival::Replay(_) => Plan { due, requests: Some(left), follow: None },
        }
    }

    /// How many requests wait for no answer, of those that are to be asked here.
    pub fn due_without_answers(&self) -> u32 {
        self.own(match &self.arrival {
            Arrival::Closed(closed) => closed.count(self.stop),
            Arrival::Open(open) => open.count(self.stop),
            Arrival::Replay(replay) => replay.count(self.stop),
        })
    }

    /// Workers share the moments, and their users think each for themselves.
    fn own_rng(&self, mut rng: Pcg64) -> Pcg64 {
        rng.advance(self.worker.map_or(0, |worker| u128::from(worker.number - 1) << 64));
        rng
    }
}

impl Closed {
    fn moments(&self) -> Moments {
        Moments::Users { next: 0, users: self.concurrency, ramp: self.ramp }
    }

    /// How many users come before the time is up; those who begin the round do, however short it is.
    fn count(&self, stop: StopCondition) -> u32 {
        match self.ramp.and(stop.duration_ns()) {
            Some(until_ns) => self.moments().take_while(|due_ns| *due_ns < until_ns.max(1)).count() as u32,
            None => self.concurrency,
        }
    }
}

impl Open {
    fn moments(&self, stop: StopCondition, rng: Pcg64) -> Moments {
        let requests = self.count(stop);
        let gaps = self.process.gaps(rng);
        let (scale, count) = match &gaps {
            // The first one comes at once.
            Gaps::Alike => (1.0, -1.0),
            Gaps::Drawn(..) => {
                let all: f64 = gaps.clone().take(requests as usize + 1).sum();
                (f64::from(requests) / all, 0.0)
            }
        };
        Moments::Rate { gaps, scale, count, rate: self.rate, ramp: self.ramp }
    }

    /// How many requests a round has.
    fn count(&self, stop: StopCondition) -> u32 {
        match stop {
            StopCondition::Requests(requests) => requests,
            StopCondition::DurationMs(ms) => (self.count_within(ms as f64 / 1e3).round() as u32).max(1),
        }
    }

    fn count_within(&self, seconds: f64) -> f64 {
        match self.ramp {
            Some(ramp) => ramp.count_within(seconds, self.rate),
            None => seconds * self.rate,
        }
    }
}

impl Plan {
    /// When the request that follows one that has ended is due, if one follows.
    pub fn following_ns(&mut self, ended_ns: Nanos) -> Option<Nanos> {
        let Follow { think_time, rng, until_ns } = self.follow.as_mut()?;
        let due_ns = ended_ns + think_time.map_or(0, |think_time| think_time.draw_ns(rng));
        until_ns.is_none_or(|until_ns| due_ns < until_ns).then_some(due_ns)
    }
}

impl DueTimes {
    pub fn remaining(&self) -> u32 {
        self.left
    }
}

impl Iterator for DueTimes {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        self.left = self.left.checked_sub(1)?;
        loop {
            let due_ns = self.moments.next()?;
            let place = self.place;
            self.place += 1;
            if self.shard.is_none_or(|shard| shard.has(place)) {
                return Some(due_ns);
            }
        }
    }
}

impl Iterator for Moments {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        match self {
            Moments::Users { next, users, ramp } => {
                if next == users {
                    return None;
                }
                *next += 1;
                let reaches_s = |ramp: &mut Ramp| ramp.reaches_s(f64::from(*next), f64::from(*users));
                Some((ramp.as_mut().map_or(0.0, reaches_s) * 1e9) as Nanos)
            }
            Moments::Rate { gaps, scale, count, rate, ramp } => {
                *count += gaps.next()? * *scale;
                Some(due_ns(*count, *rate, *ramp))
            }
            Moments::Replay { replay, next } => {
                *next += 1;
                replay.due_ns(*next - 1)
            }
        }
    }
}

fn due_ns(count: f64, rate: f64, ramp: Option<Ramp>) -> Nanos {
    let due_s = ramp.map_or(count / rate, |ramp| ramp.due_s(count, rate));
    (due_s * 1e9).round() as Nanos
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use statrs::distribution::{ContinuousCDF, Gamma};

    use super::*;
    use crate::load::ArrivalProcess;
    use crate::load::worker::Worker;

    fn due(load: &Load) -> Vec<Nanos> {
        load.plan(Pcg64::seed_from_u64(1)).due.collect()
    }

    fn open(process: ArrivalProcess, stop: StopCondition) -> Load {
        Load::open(100.0, process, stop)
    }

    /// The largest distance between the gaps' distribution and the one they shall have, against what a true sample
    /// exceeds once in a thousand times (Kolmogorov–Smirnov).
    fn assert_gaps_follow(due: &[Nanos], shape: f64) {
        let expected = Gamma::new(shape, shape * 100.0).unwrap();
        let mut gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e9).collect();
        gaps.sort_by(f64::total_cmp);
        let n = gaps.len() as f64;
        let distance = gaps.iter().enumerate().fold(0f64, |most, (i, gap)| {
            let (below, above) = (i as f64 / n, (i + 1) as f64 / n);
            let share = expected.cdf(*gap);
            most.max(share - below).max(above - share)
        });
        assert!(distance < 1.95 / n.sqrt(), "distance {distance} of {n} gaps, shape {shape}");
    }

    #[test]
    fn at_a_constant_rate_requests_are_due_to_the_nanosecond() {
        assert_eq!(
            due(&open(ArrivalProcess::Constant, StopCondition::Requests(4))),
            [0, 10_000_000, 20_000_000, 30_000_000]
        );
        let whole = due(&Load::open(500.0, ArrivalProcess::Constant, StopCondition::DurationMs(60_000)));
        assert_eq!((whole.len(), whole[29_999]), (30_000, 59_998_000_000));
    }

    #[test]
    fn drawn_gaps_follow_their_distribution() {
        for (process, shape) in [
            (ArrivalProcess::Poisson, 1.0),
            (ArrivalProcess::Gamma(0.5), 0.5),
            (ArrivalProcess::Gamma(4.0), 4.0),
        ] {
            assert_gaps_follow(&due(&open(process, StopCondition::Requests(20_000))), shape);
        }
    }

    #[test]
    fn a_test_of_gaps_notices_the_wrong_distribution() {
        let bursts = due(&open(ArrivalProcess::Gamma(0.9), StopCondition::Requests(20_000)));
        assert!(std::panic::catch_unwind(|| assert_gaps_follow(&bursts, 1.0)).is_err());
    }

    #[test]
    fn a_round_has_the_rate_that_was_asked_for() {
        for process in [ArrivalProcess::Constant, ArrivalProcess::Poisson, ArrivalProcess::Gamma(0.3)] {
            let load = open(process, StopCondition::DurationMs(10_000));
            let due = due(&load);
            assert_eq!(due.len(), 1000, "{process:?}");
            assert!(due.iter().all(|due_ns| *due_ns < 10_000_000_000), "{process:?}");
            assert!(due.is_sorted(), "{process:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_moments_and_another_seed_others() {
        let load = open(ArrivalProcess::Poisson, StopCondition::Requests(100));
        assert_eq!(due(&load), due(&load));
        let other: Vec<Nanos> = load.plan(Pcg64::seed_from_u64(2)).due.collect();
        assert_ne!(due(&load), other);
    }

    #[test]
    fn a_ramped_rate_comes_more_and_more_often() {
        let mut load = open(ArrivalProcess::Constant, StopCondition::DurationMs(20_000));
        let Arrival::Open(open) = &mut load.arrival else { unreachable!() };
        open.ramp = Some(Ramp { from: 10.0, over_ms: 10_000, steps: None });
        let due = due(&load);
        // 10 s at 55/s on average, then 10 s at 100/s.
        assert_eq!(due.len(), 1550);
        assert_eq!(due.iter().filter(|due_ns| **due_ns < 10_000_000_000).count(), 550);
    }

    #[test]
    fn users_begin_at_once_and_follow_their_answers() {
        let mut plan = Load::closed(3, StopCondition::Requests(9)).plan(Pcg64::seed_from_u64(1));
        assert_eq!(plan.due.clone().collect::<Vec<_>>(), [0, 0, 0]);
        assert_eq!(plan.following_ns(5), Some(5));
        let mut open =
            open(ArrivalProcess::Constant, StopCondition::Requests(1)).plan(Pcg64::seed_from_u64(1));
        assert_eq!(open.following_ns(5), None);
    }

    #[test]
    fn a_user_thinks_before_it_asks_again() {
        let think_time = Some(ThinkTime::Constant { ms: 20.0 });
        let closed = Closed { concurrency: 1, think_time, ramp: None };
        let load = Load::new(Arrival::Closed(closed), StopCondition::Requests(2));
        let mut plan = load.plan(Pcg64::seed_from_u64(1));
        assert_eq!(plan.following_ns(1_000_000), Some(21_000_000));
    }

    fn ramped_users(stop: StopCondition) -> Load {
        let ramp = Some(Ramp { from: 1.0, over_ms: 100, steps: None });
        Load::new(Arrival::Closed(Closed { concurrency: 3, think_time: None, ramp }), stop)
    }

    #[test]
    fn users_who_would_come_after_the_round_are_not_planned() {
        assert_eq!(due(&ramped_users(StopCondition::Requests(9))), [0, 50_000_000, 100_000_000]);
        assert_eq!(due(&ramped_users(StopCondition::DurationMs(100))), [0, 50_000_000]);
        assert_eq!(ramped_users(StopCondition::DurationMs(100)).connections(), 2);
    }

    #[test]
    fn those_who_begin_a_round_ask_once_even_if_it_has_no_time() {
        let mut plan = Load::closed(3, StopCondition::DurationMs(0)).plan(Pcg64::seed_from_u64(1));
        assert_eq!(plan.due.clone().collect::<Vec<_>>(), [0, 0, 0]);
        assert_eq!(plan.following_ns(0), None);
        assert_eq!(due(&ramped_users(StopCondition::DurationMs(0))), [0]);
    }

    #[test]
    fn nothing_follows_an_answer_once_the_time_is_up() {
        let mut plan = Load::closed(1, StopCondition::DurationMs(10)).plan(Pcg64::seed_from_u64(1));
        assert_eq!(plan.following_ns(9_999_999), Some(9_999_999));
        assert_eq!(plan.following_ns(10_000_000), None);
    }

    #[test]
    fn the_moments_of_all_workers_together_are_those_of_one_process() {
        let ramp = Some(Ramp { from: 1.0, over_ms: 1000, steps: None });
        let ramped = Closed { concurrency: 7, think_time: None, ramp };
        for load in [
            open(ArrivalProcess::Poisson, StopCondition::Requests(101)),
            open(ArrivalProcess::Constant, StopCondition::DurationMs(700)),
            Load::new(Arrival::Closed(ramped), StopCondition::Requests(20)),
        ] {
            let shares = (1..=3).map(|number| Worker { number, of: 3 }.share(&load).unwrap());
            let mut together: Vec<Nanos> = shares.flat_map(|share| due(&share)).collect();
            together.sort_unstable();
            assert_eq!(together, due(&load), "{load:?}");
        }
    }

    #[test]
    fn users_of_several_workers_do_not_think_alike() {
        let think_time = Some(ThinkTime::Exponential { mean_ms: 100.0 });
        let closed = Closed { concurrency: 2, think_time, ramp: None };
        let load = Load::new(Arrival::Closed(closed), StopCondition::Requests(20));
        let thinks = [1, 2].map(|number| {
            let share = Worker { number, of: 2 }.share(&load).unwrap();
            share.plan(Pcg64::seed_from_u64(1)).following_ns(0)
        });
        assert_ne!(thinks[0], thinks[1]);
    }
}
