//! The flags that define the load.

use anyhow::anyhow;

use crate::cli::side_files::trace;
use crate::load::trace::Trace;
use crate::load::{
    Arrival, ArrivalProcess, Closed, Load, LoadError, MAX_IN_FLIGHT, OPEN_ROUND, Open, REQUESTS_PER_USER,
    Ramp, Replay, StopCondition, ThinkTime,
};
use crate::units::{HumanDuration, QuantityError};

#[derive(Debug, clap::Args)]
pub(crate) struct LoadFlags {
    /// Concurrent users, each sending its next request when its last one is complete.
    #[arg(long, visible_alias = "users", value_parser = users, default_value_t = 1,
        conflicts_with_all = ["rate", "trace"])]
    concurrency: u32,
    #[arg(long, conflicts_with = "duration",
        help = format!("Requests over all users [default without --duration: {REQUESTS_PER_USER} per user, or all of --trace]"))]
    requests: Option<u32>,
    #[arg(long, value_parser = round_duration,
        help = format!("Send no request later than this, such as `30s` [default with --rate and without --requests: {}s]", OPEN_ROUND.as_secs()))]
    duration: Option<StopCondition>,
    /// How long a user waits between a response and its next request: `2s`, `uniform:1s:3s`, `exponential:2s` (mean),
    /// `lognormal:2s:0.5` (median, sigma).
    #[arg(long, conflicts_with_all = ["rate", "trace"])]
    think_time: Option<ThinkTime>,
    /// Requests per second, sent when they are due, whether or not earlier ones are complete; instead of --concurrency.
    #[arg(long, value_parser = rate, group = "by_the_clock", allow_negative_numbers = true)]
    rate: Option<f64>,
    /// How requests are spaced: `constant`, `poisson`, or `gamma:SHAPE`; below 1 in bursts, above 1 more evenly.
    #[arg(long, default_value = "constant", requires = "rate")]
    arrival: ArrivalProcess,
    /// A request that comes due while this many are in flight is not sent and counts as failed.
    #[arg(long, default_value_t = MAX_IN_FLIGHT, requires = "by_the_clock")]
    max_in_flight: u32,
    /// Send requests at the times in this trace, with its lengths unless other flags override them: a .csv in the
    /// format of Azure's traces, or a .jsonl in Mooncake's format or with {"at_s": …, "input_tokens": …,
    /// "output_tokens": …} per line.
    #[arg(long, value_name = "FILE", value_parser = trace, group = "by_the_clock", conflicts_with = "ramp")]
    trace: Option<Trace>,
    /// Speed relative to the trace; 2 sends requests twice as often.
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true, requires = "trace")]
    speed: f64,
    /// Users or requests per second at the start, and the time to reach the full load: `1:30s` for a linear ramp,
    /// `1:30s:5` for five steps.
    #[arg(long)]
    ramp: Option<Ramp>,
}

impl LoadFlags {
    /// # Errors
    /// The rule of [`Load::new`] that the flags break, and the flag.
    pub(crate) fn load(&self) -> anyhow::Result<Load> {
        let max_in_flight = self.max_in_flight;
        let arrival = match (self.rate, &self.trace) {
            (None, Some(trace)) => {
                Arrival::Replay(Replay { trace: trace.clone(), speed: self.speed, max_in_flight })
            }
            (None, None) => Arrival::Closed(Closed {
                concurrency: self.concurrency,
                think_time: self.think_time,
                ramp: self.ramp,
            }),
            (Some(rate), _) => {
                Arrival::Open(Open { rate, process: self.arrival, ramp: self.ramp, max_in_flight })
            }
        };
        let stop = self.duration.or(self.requests.map(StopCondition::Requests));
        let stop = stop.unwrap_or_else(|| arrival.default_stop());
        Load::new(arrival, stop).map_err(flag_error)
    }

    pub(crate) fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// A name for the load, as its table in a scenario file would have.
    pub(crate) fn name(&self) -> String {
        match (self.rate, &self.trace) {
            (None, None) => format!("users-{}", self.concurrency),
            (None, Some(_)) => "trace".to_owned(),
            (Some(rate), _) => format!("rate-{rate}"),
        }
    }
}

/// Names the flag whose value breaks a rule.
pub(crate) fn flag_error(error: LoadError) -> anyhow::Error {
    let flag = match error {
        LoadError::NoUsers => "--concurrency",
        LoadError::NoRequests | LoadError::FewerRequestsThanUsers { .. } | LoadError::ShortTrace { .. } => {
            "--requests"
        }
        LoadError::NoDuration => "--duration",
        LoadError::Rate(_) => "--rate",
        LoadError::Shape(_) => "--arrival",
        LoadError::Speed(_) => "--speed",
        LoadError::NoneInFlight => "--max-in-flight",
        LoadError::RampOfUsers { .. }
        | LoadError::RampOfRate(_)
        | LoadError::NoRampDuration
        | LoadError::NoRampSteps => "--ramp",
        LoadError::ThinkTime(_) => "--think-time",
        LoadError::EmptyTrace => "--trace",
    };
    anyhow!("{flag}: {error}")
}

pub(crate) fn users(text: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| "expected a number of users, such as 8".to_owned())
}

pub(crate) fn rate(text: &str) -> Result<f64, String> {
    text.trim()
        .parse()
        .map_err(|_| "expected a number of requests per second, without a unit, such as 2.5".to_owned())
}

/// How long a round lasts.
pub(crate) fn round_duration(text: &str) -> Result<StopCondition, QuantityError> {
    text.parse().map(|HumanDuration(duration)| StopCondition::after(duration))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parsed;

    fn load(flags: &str) -> Result<Load, String> {
        parsed::<LoadFlags>(flags)?.load().map_err(|error| error.to_string())
    }

    #[test]
    fn without_flags_one_user_sends_four_requests() {
        assert_eq!(load("").unwrap(), Load::closed(1, StopCondition::Requests(4)));
        assert_eq!(load("--concurrency 3").unwrap(), Load::closed(3, StopCondition::Requests(12)));
    }

    #[test]
    fn requests_of_very_many_users_do_not_overflow() {
        assert_eq!(load("--concurrency 2000000000").unwrap().stop(), StopCondition::Requests(u32::MAX));
    }

    #[test]
    fn a_round_of_no_time_is_rejected() {
        assert!(load("--duration 1ms").is_ok());
        for flags in ["--duration 0s", "--rate 1 --duration 0.1ms"] {
            assert!(load(flags).unwrap_err().contains("at least 1ms"), "{flags}");
        }
    }

    #[test]
    fn a_rate_makes_an_open_load() {
        assert_eq!(
            load("--rate 2.5 --arrival poisson --requests 9").unwrap(),
            Load::open(2.5, ArrivalProcess::Poisson, StopCondition::Requests(9))
        );
        assert_eq!(
            load("--rate 2.5 --arrival gamma:0.5").unwrap(),
            Load::open(2.5, ArrivalProcess::Gamma(0.5), StopCondition::DurationMs(10_000))
        );
    }

    #[test]
    fn ramps_and_think_times_are_parsed_from_short_text() {
        let load = load("--concurrency 8 --ramp 2:30s:3 --think-time lognormal:2s:0.5").unwrap();
        let Arrival::Closed(closed) = load.arrival() else { panic!("users") };
        assert_eq!(closed.ramp, Some(Ramp { from: 2.0, over_ms: 30_000, steps: Some(3) }));
        assert_eq!(closed.think_time, Some(ThinkTime::Lognormal { median_ms: 2000.0, sigma: 0.5 }));
    }

    #[test]
    fn a_value_that_breaks_a_rule_is_rejected_with_its_flag() {
        assert!(load("--rate 4 --ramp 8:30s").is_ok());
        let expected = "--ramp: a ramp of users starts with 1 to 4 users, not with 8";
        assert_eq!(load("--concurrency 4 --ramp 8:30s").unwrap_err(), expected);
        let expected = "--requests: 3 requests for 4 users: 1 of them would never send one";
        assert_eq!(load("--concurrency 4 --requests 3").unwrap_err(), expected);
        let expected = "--rate: a rate is a number greater than 0, not -1";
        assert_eq!(load("--rate -1").unwrap_err(), expected);
    }

    #[test]
    fn users_are_what_concurrency_counts() {
        assert_eq!(load("--users 3").unwrap(), load("--concurrency 3").unwrap());
    }

    #[test]
    fn a_value_with_a_unit_is_rejected_with_an_example() {
        let error = load("--rate 5/s").unwrap_err();
        assert!(error.contains("'5/s'") && error.contains("per second, without a unit"), "{error}");
        assert!(load("--concurrency x").unwrap_err().contains("expected a number of users, such as 8"));
    }

    #[test]
    fn flags_that_contradict_each_other_are_rejected() {
        for flags in [
            "--rate 1 --concurrency 2",
            "--concurrency 0",
            "--requests 0",
            "--rate 1 --max-in-flight 0",
            "--think-time uniform:3s:1s",
            "--rate 1 --think-time 1s",
            "--rate 0",
            "--rate nan",
            "--rate 1 --arrival gamma",
            "--rate 1 --arrival gamma:0",
            "--arrival poisson",
            "--max-in-flight 2",
            "--speed 2",
            "--trace nowhere.csv",
            "--ramp 1",
            "--ramp 1:0s",
            "--ramp 1:1s:0",
            "--think-time gauss:1s",
        ] {
            assert!(load(flags).is_err(), "{flags}");
        }
    }
}
