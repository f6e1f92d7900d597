//! How an engine is driven: when requests arrive, and when a round is over.

mod arrival_process;
pub(crate) mod conversations;
mod error;
mod plan;
pub(crate) mod prompts;
mod ramp;
mod replay;
mod think_time;
pub(crate) mod trace;
pub(crate) mod worker;
pub(crate) mod workload;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::load::worker::{Shard, Worker};
use crate::units::Nanos;

pub use crate::load::arrival_process::ArrivalProcess;
pub(crate) use crate::load::arrival_process::Gaps;
pub(crate) use crate::load::error::LoadError;
pub(crate) use crate::load::plan::{DueTimes, Plan};
pub(crate) use crate::load::ramp::Ramp;
pub(crate) use crate::load::replay::Replay;
pub(crate) use crate::load::think_time::{ThinkTime, ThinkTimeError};

/// A load is data; one scheduler consumes it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    arrival: Arrival,
    stop: StopCondition,
    /// The process whose share this is, if several processes share the load.
    #[serde(skip)]
    worker: Option<Worker>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    Closed(Closed),
    Open(Open),
    Replay(Replay),
}

/// A number of users, each sending its next request when its last one is complete.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    pub concurrency: u32,
    /// How long a user waits between an answer and its next request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think_time: Option<ThinkTime>,
    /// How users are added; without a ramp, all of them start at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
}

/// Requests are sent when they are due, whatever the engine does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Requests per second.
    pub rate: f64,
    #[serde(rename = "spacing")]
    pub process: ArrivalProcess,
    /// How the rate is reached; without a ramp, it applies from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// A request that comes due while this many are in flight is not sent and counts as failed.
    pub max_in_flight: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopCondition {
    /// A round is over when this many requests have ended.
    Requests(u32),
    /// No request starts later than this after the start of the round; requests in flight are awaited.
    DurationMs(u64),
}

/// The default of `max_in_flight`: more than most engines answer at once.
pub(crate) const MAX_IN_FLIGHT: u32 = 1024;
/// How many requests each user sends by default.
pub(crate) const REQUESTS_PER_USER: u32 = 4;
/// How long a rate lasts by default.
pub(crate) const OPEN_ROUND: Duration = Duration::from_secs(10);

impl Load {
    /// Users without think time or ramp, for numbers that are known to be right.
    ///
    /// # Panics
    /// Where [`Load::new`] returns an error.
    pub fn closed(concurrency: u32, stop: StopCondition) -> Load {
        let closed = Closed { concurrency, think_time: None, ramp: None };
        Load::new(Arrival::Closed(closed), stop).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A rate without a ramp, for numbers that are known to be right.
    ///
    /// # Panics
    /// Where [`Load::new`] returns an error.
    pub fn open(rate: f64, process: ArrivalProcess, stop: StopCondition) -> Load {
        let open = Open { rate, process, ramp: None, max_in_flight: MAX_IN_FLIGHT };
        Load::new(Arrival::Open(open), stop).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    pub fn stop(&self) -> StopCondition {
        self.stop
    }

    /// Whether this is one worker's share of a load.
    pub fn is_share(&self) -> bool {
        self.worker.is_some()
    }

    /// The most requests of a round that can be in flight at once.
    pub fn connections(&self) -> u32 {
        let most = match &self.arrival {
            Arrival::Closed(closed) => closed.concurrency,
            Arrival::Open(open) => open.max_in_flight,
            Arrival::Replay(replay) => replay.max_in_flight,
        };
        // Every worker needs at least one.
        let most = self.own(most).max(1).min(self.due_without_answers());
        self.requests().map_or(most, |requests| most.min(requests))
    }

    /// How many requests are sent here, if that is what ends a round.
    pub fn requests(&self) -> Option<u32> {
        self.stop.requests().map(|requests| self.own(requests))
    }

    /// Which requests of the load are sent here; `None` if all of them are.
    pub fn shard(&self) -> Option<Shard> {
        self.worker.map(|worker| worker.shard(self.all_users()))
    }

    /// How many of the first `places` requests or users belong here.
    fn own(&self, places: u32) -> u32 {
        self.shard().map_or(places, |shard| shard.count(places))
    }

    /// How many users send their requests here; `None` if requests come by the clock and not from users.
    pub fn users(&self) -> Option<u32> {
        self.all_users().map(|users| self.own(users))
    }

    fn all_users(&self) -> Option<u32> {
        match &self.arrival {
            Arrival::Closed(closed) => Some(closed.concurrency),
            Arrival::Open(_) | Arrival::Replay(_) => None,
        }
    }

    /// Requests per second sent here: at the end of a ramp, on average for a trace. `None` for users, who send as many
    /// as are answered.
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

    /// Whether requests come by the clock. If so, a request that is sent late has waited since it was due, and its
    /// latencies count from then: an engine that stalls must not profit from what could not be sent meanwhile.
    pub fn is_open(&self) -> bool {
        !matches!(self.arrival, Arrival::Closed(_))
    }

    /// The same load for a given time and without a ramp, for warming up an engine. The time may be 0: then every user,
    /// or the rate, sends one request.
    pub fn warm_up(&self, duration: Duration) -> Load {
        let arrival = match &self.arrival {
            Arrival::Closed(closed) => Arrival::Closed(Closed { ramp: None, ..*closed }),
            Arrival::Open(open) => Arrival::Open(Open { ramp: None, ..*open }),
            Arrival::Replay(replay) => Arrival::Replay(replay.clone()),
        };
        Load { arrival, stop: StopCondition::after(duration), ..*self }
    }
}

impl<'de> Deserialize<'de> for Load {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Load, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Load", deny_unknown_fields)]
        struct Fields {
            arrival: Arrival,
            stop: StopCondition,
        }

        let Fields { arrival, stop } = Fields::deserialize(deserializer)?;
        Load::reported(arrival, stop).map_err(de::Error::custom)
    }
}

impl Arrival {
    /// When a round is over by default.
    pub(crate) fn default_stop(&self) -> StopCondition {
        match self {
            Arrival::Closed(closed) => {
                StopCondition::Requests(closed.concurrency.saturating_mul(REQUESTS_PER_USER))
            }
            Arrival::Open(_) => StopCondition::after(OPEN_ROUND),
            Arrival::Replay(replay) => replay.all_requests(),
        }
    }
}

impl StopCondition {
    /// No request starts later than this, to the millisecond.
    pub(crate) fn after(duration: Duration) -> StopCondition {
        StopCondition::DurationMs(duration.as_millis() as u64)
    }

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
