//! How an engine is asked: when requests arrive, and when a round is over.

mod arrival_process;
pub mod conversations;
mod plan;
pub mod prompts;
mod ramp;
mod replay;
mod think_time;
pub mod trace;
pub mod worker;
pub mod workload;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::worker::{Shard, Worker};
use crate::units::Nanos;

pub use crate::load::arrival_process::{ArrivalProcess, Gaps};
pub use crate::load::plan::{DueTimes, Plan};
pub use crate::load::ramp::{NoRampOfUsers, Ramp};
pub use crate::load::replay::Replay;
pub use crate::load::think_time::ThinkTime;

/// A load is data; one scheduler consumes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    pub arrival: Arrival,
    pub stop: StopCondition,
    /// Of which process's share is to be asked, where several ask it together.
    #[serde(skip)]
    pub worker: Option<Worker>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    Closed(Closed),
    Open(Open),
    Replay(Replay),
}

/// So many users, each sending its next request when the last one is answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    pub concurrency: u32,
    /// What a user waits between an answer and its next request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think_time: Option<ThinkTime>,
    /// How the users come; without one all of them begin at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
}

/// Requests come when they are due, whatever the engine does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Requests per second.
    pub rate: f64,
    #[serde(rename = "spacing")]
    pub process: ArrivalProcess,
    /// How the rate is reached; without one it is so from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// A request that is due while so many are unanswered is not sent and counts as failed.
    pub max_in_flight: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopCondition {
    /// A round is over when this many requests have ended.
    Requests(u32),
    /// No request starts later than this after the round's begin; those in flight are awaited.
    DurationMs(u64),
}

/// What an open load takes for `max_in_flight` where nothing is said: more than most engines answer at once.
pub const MAX_IN_FLIGHT: u32 = 1024;

impl Load {
    pub fn new(arrival: Arrival, stop: StopCondition) -> Load {
        Load { arrival, stop, worker: None }
    }

    pub fn closed(concurrency: u32, stop: StopCondition) -> Load {
        Load::new(Arrival::Closed(Closed { concurrency, think_time: None, ramp: None }), stop)
    }

    pub fn open(rate: f64, process: ArrivalProcess, stop: StopCondition) -> Load {
        Load::new(Arrival::Open(Open { rate, process, ramp: None, max_in_flight: MAX_IN_FLIGHT }), stop)
    }

    /// The most requests that can be in flight at once, of those that a round has.
    pub fn connections(&self) -> u32 {
        let most = match &self.arrival {
            Arrival::Closed(closed) => closed.concurrency,
            Arrival::Open(open) => open.max_in_flight,
            Arrival::Replay(replay) => replay.max_in_flight,
        };
        // Every worker needs one at least.
        let most = self.own(most).max(1).min(self.due_without_answers());
        self.requests().map_or(most, |requests| most.min(requests))
    }

    /// How many are sent, where that is what ends a round.
    pub fn requests(&self) -> Option<u32> {
        self.stop.requests().map(|requests| self.own(requests))
    }

    /// Which requests of the load are to be asked here; `None` where all of them are.
    pub fn shard(&self) -> Option<Shard> {
        self.worker.map(|worker| worker.shard(self.all_users()))
    }

    /// How many of the first places are to be asked here.
    fn own(&self, places: u32) -> u32 {
        self.shard().map_or(places, |shard| shard.count(places))
    }

    /// Those that send their requests here; `None` where requests come by the clock and not from users.
    pub fn users(&self) -> Option<u32> {
        self.all_users().map(|users| self.own(users))
    }

    fn all_users(&self) -> Option<u32> {
        match &self.arrival {
            Arrival::Closed(closed) => Some(closed.concurrency),
            Arrival::Open(_) | Arrival::Replay(_) => None,
        }
    }

    /// Requests per second that are asked for here, of a ramp at its end, of a trace on average; `None` from users, who
    /// ask for as many as are answered.
    pub fn rate_per_s(&self) -> Option<f64> {
        let whole = match &self.arrival {
            Arrival::Closed(_) => return None,
            Arrival::Open(open) => open.rate,
            Arrival::Replay(replay) => replay.rate(),
        };
        Some(whole / self.worker.map_or(1.0, |worker| f64::from(worker.of)))
    }

    pub fn ramp(&self) -> Option<Ramp> {
        match &self.arrival {
            Arrival::Closed(closed) => closed.ramp,
            Arrival::Open(open) => open.ramp,
            Arrival::Replay(_) => None,
        }
    }

    /// Whether requests come by the clock. Then a request that is sent late has waited since it was due, and its
    /// latencies count from there: an engine that stalls must not profit from what could not be sent meanwhile.
    pub fn is_open(&self) -> bool {
        !matches!(self.arrival, Arrival::Closed(_))
    }

    /// The same load for a while and without a ramp, as an engine is warmed up with it.
    pub fn warm_up(&self, duration: Duration) -> Load {
        let arrival = match &self.arrival {
            Arrival::Closed(closed) => Arrival::Closed(Closed { ramp: None, ..*closed }),
            Arrival::Open(open) => Arrival::Open(Open { ramp: None, ..*open }),
            Arrival::Replay(replay) => Arrival::Replay(replay.clone()),
        };
        Load { arrival, stop: StopCondition::DurationMs(duration.as_millis() as u64), ..*self }
    }
}

impl StopCondition {
    pub fn duration(&self) -> Option<Duration> {
        match self {
            StopCondition::Requests(_) => None,
            StopCondition::DurationMs(ms) => Some(Duration::from_millis(*ms)),
        }
    }

    fn duration_ns(&self) -> Option<Nanos> {
        self.duration().map(|duration| duration.as_nanos() as Nanos)
    }

    pub fn requests(&self) -> Option<u32> {
        match self {
            StopCondition::Requests(requests) => Some(*requests),
            StopCondition::DurationMs(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_load_has_no_more_in_flight_than_a_round_has_requests() {
        assert_eq!(Load::open(10.0, ArrivalProcess::Poisson, StopCondition::Requests(5)).connections(), 5);
        assert_eq!(
            Load::open(10.0, ArrivalProcess::Poisson, StopCondition::DurationMs(2000)).connections(),
            20
        );
        assert_eq!(
            Load::open(1e6, ArrivalProcess::Poisson, StopCondition::DurationMs(2000)).connections(),
            MAX_IN_FLIGHT
        );
    }
}
