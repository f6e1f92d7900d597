//! Requests that are sent at the times of a trace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::StopCondition;
use crate::load::trace::Trace;
use crate::units::Nanos;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    pub trace: Trace,
    /// The speed relative to the trace: at 2, requests come twice as often.
    pub speed: f64,
    /// A request that comes due while this many are in flight is not sent and counts as failed.
    pub max_in_flight: u32,
}

impl Replay {
    /// How many requests a round has.
    pub fn count(&self, stop: StopCondition) -> u32 {
        let all = self.trace.requests().len() as u32;
        match stop {
            StopCondition::Requests(requests) => requests.min(all),
            StopCondition::DurationMs(ms) => {
                let times = self.trace.requests();
                let within = times.partition_point(|request| self.at_speed(request.at_ns) < ms * 1_000_000);
                (within as u32).max(1).min(all)
            }
        }
    }

    /// A round that sends every request of the trace.
    pub fn all_requests(&self) -> StopCondition {
        StopCondition::Requests(self.trace.requests().len() as u32)
    }

    /// Requests per second, on average.
    pub fn rate(&self) -> f64 {
        self.trace.requests_per_s * self.speed
    }

    pub(super) fn due_ns(&self, place: usize) -> Option<Nanos> {
        self.trace.requests().get(place).map(|request| self.at_speed(request.at_ns))
    }

    fn at_speed(&self, at_ns: Nanos) -> Nanos {
        (at_ns as f64 / self.speed).round() as Nanos
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    use super::*;
    use crate::load::trace::TracedRequest;
    use crate::load::{Arrival, Load};

    const S: Nanos = 1_000_000_000;

    fn replay(speed: f64) -> Replay {
        let request = |at_ns| TracedRequest { at_ns, input_tokens: 1, output_tokens: 1, blocks: Vec::new() };
        let trace = Trace::new("t.jsonl", [0, S, 4 * S, 10 * S].map(request).into());
        Replay { trace, speed, max_in_flight: 8 }
    }

    fn due(speed: f64, stop: StopCondition) -> Vec<Nanos> {
        let load = Load::new(Arrival::Replay(replay(speed)), stop).unwrap();
        load.plan(Pcg64::seed_from_u64(1)).due.collect()
    }

    #[test]
    fn requests_keep_the_times_of_the_trace_at_its_speed() {
        assert_eq!(due(1.0, StopCondition::Requests(4)), [0, S, 4 * S, 10 * S]);
        assert_eq!(due(2.0, StopCondition::Requests(3)), [0, S / 2, 2 * S]);
        assert_eq!(due(0.5, StopCondition::DurationMs(3000)), [0, 2 * S]);
    }

    #[test]
    fn its_rate_is_the_mean_rate() {
        assert_eq!(replay(2.0).rate(), 0.6);
    }
}
