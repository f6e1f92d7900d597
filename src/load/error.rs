//! What can be wrong with a load. A [`Load`] is only ever built through these checks.

use crate::load::{Arrival, ArrivalProcess, Closed, Load, Open, Ramp, Replay, StopCondition, ThinkTimeError};

/// Why an arrival process and a stop condition do not make a load.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    #[error("a load needs at least 1 user")]
    NoUsers,
    #[error("a round needs at least 1 request")]
    NoRequests,
    #[error("a round lasts at least 1ms")]
    NoDuration,
    #[error("{requests} requests for {users} users: {} of them would never send one", users - requests)]
    FewerRequestsThanUsers { requests: u32, users: u32 },
    #[error("a rate is a number greater than 0, not {0}")]
    Rate(f64),
    #[error("the shape of gamma-distributed gaps is a number greater than 0, not {0}")]
    Shape(f64),
    #[error("a speed is a number greater than 0, not {0}")]
    Speed(f64),
    #[error("at least 1 request must be allowed in flight")]
    NoneInFlight,
    #[error("a ramp of users starts with 1 to {users} users, not with {from}")]
    RampOfUsers { from: f64, users: u32 },
    #[error("a ramp of the rate starts above 0, not at {0}")]
    RampOfRate(f64),
    #[error("a ramp takes at least 1ms")]
    NoRampDuration,
    #[error("a stepped ramp has at least 1 step")]
    NoRampSteps,
    #[error(transparent)]
    ThinkTime(#[from] ThinkTimeError),
    #[error("a trace needs at least 1 request")]
    EmptyTrace,
    #[error("{requests} requests from a trace that has {trace}")]
    ShortTrace { requests: u32, trace: u32 },
}

impl Load {
    /// # Errors
    /// If a part is out of range, or if the two do not go together.
    pub fn new(arrival: Arrival, stop: StopCondition) -> Result<Load, LoadError> {
        arrival.check()?;
        stop.check()?;
        match (&arrival, stop) {
            (Arrival::Closed(closed), StopCondition::Requests(requests)) => {
                closed.check_requests(requests)?
            }
            (Arrival::Replay(replay), _) => replay.check_trace(stop)?,
            _ => {}
        }
        Ok(Load { arrival, stop, worker: None })
    }

    /// A load as a report has it. A report names its trace without holding it, and earlier versions allowed fewer
    /// requests than users.
    pub(super) fn reported(arrival: Arrival, stop: StopCondition) -> Result<Load, LoadError> {
        arrival.check()?;
        stop.check()?;
        Ok(Load { arrival, stop, worker: None })
    }
}

impl Arrival {
    fn check(&self) -> Result<(), LoadError> {
        match self {
            Arrival::Closed(closed) => closed.check(),
            Arrival::Open(open) => open.check(),
            Arrival::Replay(replay) => replay.check(),
        }
    }
}

impl StopCondition {
    fn check(self) -> Result<(), LoadError> {
        match self {
            StopCondition::Requests(0) => Err(LoadError::NoRequests),
            StopCondition::DurationMs(0) => Err(LoadError::NoDuration),
            StopCondition::Requests(_) | StopCondition::DurationMs(_) => Ok(()),
        }
    }
}

impl Closed {
    fn check(&self) -> Result<(), LoadError> {
        let users = self.concurrency;
        refuse_if(users == 0, LoadError::NoUsers)?;
        if let Some(think_time) = self.think_time {
            think_time.check()?;
        }
        let Some(ramp) = self.ramp else { return Ok(()) };
        ramp.check()?;
        let starts_within = (1.0..=f64::from(users)).contains(&ramp.from);
        refuse_if(!starts_within, LoadError::RampOfUsers { from: ramp.from, users })
    }

    fn check_requests(&self, requests: u32) -> Result<(), LoadError> {
        let users = self.concurrency;
        refuse_if(requests < users, LoadError::FewerRequestsThanUsers { requests, users })
    }
}

impl Open {
    fn check(&self) -> Result<(), LoadError> {
        refuse_if(!is_positive(self.rate), LoadError::Rate(self.rate))?;
        refuse_if(self.max_in_flight == 0, LoadError::NoneInFlight)?;
        if let ArrivalProcess::Gamma(shape) = self.process {
            refuse_if(!is_positive(shape), LoadError::Shape(shape))?;
        }
        let Some(ramp) = self.ramp else { return Ok(()) };
        ramp.check()?;
        refuse_if(!is_positive(ramp.from), LoadError::RampOfRate(ramp.from))
    }
}

impl Replay {
    fn check(&self) -> Result<(), LoadError> {
        refuse_if(!is_positive(self.speed), LoadError::Speed(self.speed))?;
        refuse_if(self.max_in_flight == 0, LoadError::NoneInFlight)
    }

    fn check_trace(&self, stop: StopCondition) -> Result<(), LoadError> {
        let trace = self.trace.requests().len() as u32;
        refuse_if(trace == 0, LoadError::EmptyTrace)?;
        let requests = stop.requests().unwrap_or(trace);
        refuse_if(requests > trace, LoadError::ShortTrace { requests, trace })
    }
}

impl Ramp {
    fn check(&self) -> Result<(), LoadError> {
        refuse_if(self.over_ms == 0, LoadError::NoRampDuration)?;
        refuse_if(self.steps == Some(0), LoadError::NoRampSteps)
    }
}

fn refuse_if(wrong: bool, error: LoadError) -> Result<(), LoadError> {
    if wrong { Err(error) } else { Ok(()) }
}

fn is_positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::trace::{Trace, TracedRequest};
    use crate::load::{MAX_IN_FLIGHT, ThinkTime};

    const USERS: Closed = Closed { concurrency: 4, think_time: None, ramp: None };
    const RATE: Open =
        Open { rate: 2.0, process: ArrivalProcess::Constant, ramp: None, max_in_flight: MAX_IN_FLIGHT };
    const RAMP: Ramp = Ramp { from: 1.0, over_ms: 1000, steps: None };

    fn users(closed: Closed, requests: u32) -> Option<LoadError> {
        Load::new(Arrival::Closed(closed), StopCondition::Requests(requests)).err()
    }

    fn rate(open: Open) -> Option<LoadError> {
        Load::new(Arrival::Open(open), StopCondition::DurationMs(1000)).err()
    }

    fn replay(requests: usize, speed: f64, stop: StopCondition) -> Option<LoadError> {
        let request = TracedRequest { at_ns: 0, input_tokens: 1, output_tokens: 1, blocks: Vec::new() };
        let trace = Trace::new("t.jsonl", vec![request; requests]);
        Load::new(Arrival::Replay(Replay { trace, speed, max_in_flight: 1 }), stop).err()
    }

    #[test]
    fn every_user_has_a_request() {
        assert_eq!(users(USERS, 4), None);
        let too_few = LoadError::FewerRequestsThanUsers { requests: 3, users: 4 };
        assert_eq!(users(USERS, 3), Some(too_few));
        assert_eq!(users(Closed { concurrency: 0, ..USERS }, 4), Some(LoadError::NoUsers));
        assert_eq!(users(USERS, 0), Some(LoadError::NoRequests));
    }

    #[test]
    fn a_ramp_of_users_starts_with_one_to_all_of_them() {
        let ramped = |ramp| users(Closed { ramp: Some(ramp), ..USERS }, 8);
        assert_eq!(ramped(Ramp { from: 4.0, ..RAMP }), None);
        for from in [0.5, 5.0] {
            let error = LoadError::RampOfUsers { from, users: 4 };
            assert_eq!(ramped(Ramp { from, ..RAMP }), Some(error));
        }
        assert!(ramped(Ramp { from: f64::NAN, ..RAMP }).is_some());
        assert_eq!(ramped(Ramp { over_ms: 0, ..RAMP }), Some(LoadError::NoRampDuration));
        assert_eq!(ramped(Ramp { steps: Some(0), ..RAMP }), Some(LoadError::NoRampSteps));
    }

    #[test]
    fn a_think_time_is_checked_too() {
        let reversed = ThinkTime::Uniform { from_ms: 3.0, to_ms: 1.0 };
        let error = users(Closed { think_time: Some(reversed), ..USERS }, 8);
        assert_eq!(error, Some(LoadError::ThinkTime(ThinkTimeError::Reversed)));
    }

    #[test]
    fn a_rate_its_ramp_and_its_shape_are_above_zero() {
        assert_eq!(rate(RATE), None);
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(rate(Open { rate: wrong, ..RATE }), Some(LoadError::Rate(_))), "{wrong}");
            let bursts = Open { process: ArrivalProcess::Gamma(wrong), ..RATE };
            assert!(matches!(rate(bursts), Some(LoadError::Shape(_))), "{wrong}");
            let ramped = Open { ramp: Some(Ramp { from: wrong, ..RAMP }), ..RATE };
            assert!(matches!(rate(ramped), Some(LoadError::RampOfRate(_))), "{wrong}");
        }
        assert_eq!(rate(Open { max_in_flight: 0, ..RATE }), Some(LoadError::NoneInFlight));
        let no_time = Load::new(Arrival::Open(RATE), StopCondition::DurationMs(0));
        assert_eq!(no_time.err(), Some(LoadError::NoDuration));
    }

    #[test]
    fn a_trace_has_all_the_requests_of_a_round() {
        assert_eq!(replay(3, 1.0, StopCondition::Requests(3)), None);
        let short = LoadError::ShortTrace { requests: 4, trace: 3 };
        assert_eq!(replay(3, 1.0, StopCondition::Requests(4)), Some(short));
        assert_eq!(replay(0, 1.0, StopCondition::DurationMs(9)), Some(LoadError::EmptyTrace));
        assert_eq!(replay(3, 0.0, StopCondition::Requests(3)), Some(LoadError::Speed(0.0)));
    }

    #[test]
    fn a_reported_load_is_checked_but_for_what_a_report_lacks() {
        let read = |json: &str| serde_json::from_str::<Load>(json).map_err(|error| error.to_string());
        assert!(read(r#"{"arrival": {"closed": {"concurrency": 9}}, "stop": {"requests": 2}}"#).is_ok());
        let trace = r#"{"file": "t", "fingerprint": "f", "requests_per_s": 1.0}"#;
        let replay = format!(r#"{{"replay": {{"trace": {trace}, "speed": 1.0, "max_in_flight": 8}}}}"#);
        assert!(read(&format!(r#"{{"arrival": {replay}, "stop": {{"requests": 2}}}}"#)).is_ok());
        let none = r#"{"arrival": {"closed": {"concurrency": 0}}, "stop": {"requests": 2}}"#;
        assert_eq!(read(none), Err("a load needs at least 1 user".to_owned()));
        let unknown = r#"{"arrival": {"closed": {"concurrency": 1}}, "stop": {"requests": 2}, "x": 1}"#;
        assert!(read(unknown).unwrap_err().contains("unknown field `x`"));
    }
}
