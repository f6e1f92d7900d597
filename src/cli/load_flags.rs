//! The flags that say how an engine is asked.

use std::time::Duration;

use crate::cli::side_files::trace;
use crate::config::HumanDuration;
use crate::load::trace::Trace;
use crate::load::{
    Arrival, ArrivalProcess, Closed, Load, MAX_IN_FLIGHT, NoRampOfUsers, Open, Ramp, Replay, StopCondition,
    ThinkTime,
};

#[derive(Debug, clap::Args)]
pub struct LoadFlags {
    /// Users, each sending its next request when the last one is answered.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["rate", "trace"])]
    concurrency: u32,
    /// Requests over all users; 4 per user, or all of a --trace, if no --duration is given either.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "duration")]
    requests: Option<u32>,
    /// No request starts later than this, such as `30s`; `10s` with --rate, if no --requests are given either.
    #[arg(long, value_parser = for_a_while)]
    duration: Option<StopCondition>,
    /// What a user waits between an answer and its next request: `2s`, `uniform:1s:3s`, `exponential:2s` (mean),
    /// `lognormal:2s:0.5` (median, sigma).
    #[arg(long, value_parser = think_time, conflicts_with_all = ["rate", "trace"])]
    think_time: Option<ThinkTime>,
    /// Requests per second, sent when they are due, whether earlier ones are answered or not; instead of --concurrency.
    #[arg(long, value_parser = positive, group = "by_the_clock")]
    rate: Option<f64>,
    /// How far apart requests come: `constant`, `poisson`, or `gamma:SHAPE`, below 1 in bursts, above 1 more evenly.
    #[arg(long, value_parser = arrival_process, default_value = "constant", requires = "rate")]
    arrival: ArrivalProcess,
    /// A request that is due while so many are unanswered is not sent and counts as failed.
    #[arg(long, default_value_t = MAX_IN_FLIGHT, value_parser = clap::value_parser!(u32).range(1..),
        requires = "by_the_clock")]
    max_in_flight: u32,
    /// Requests come when those of this trace did, and with its lengths unless others are given: a .csv of Azure's
    /// traces, or a .jsonl of Mooncake's or with {"at_s": …, "input_tokens": …, "output_tokens": …} per line.
    #[arg(long, value_name = "FILE", value_parser = trace, group = "by_the_clock", conflicts_with = "ramp")]
    trace: Option<Trace>,
    /// How many times as fast as the trace; at 2, requests come twice as often.
    #[arg(long, default_value_t = 1.0, value_parser = positive, requires = "trace")]
    speed: f64,
    /// Users, or requests per second, at the start, and how long it takes to reach all of them: `1:30s` evenly,
    /// `1:30s:5` in five steps.
    #[arg(long, value_parser = ramp)]
    ramp: Option<Ramp>,
}

/// How long an open load lasts where nothing is said.
const OPEN_DURATION_MS: u64 = 10_000;

impl LoadFlags {
    /// # Errors
    /// Where flags contradict each other in their values.
    pub fn load(&self) -> Result<Load, NoRampOfUsers> {
        let stop = self.duration.or(self.requests.map(StopCondition::Requests));
        let max_in_flight = self.max_in_flight;
        Ok(match (self.rate, &self.trace) {
            (None, Some(trace)) => {
                let all = StopCondition::Requests(trace.requests().len() as u32);
                let replay = Replay { trace: trace.clone(), speed: self.speed, max_in_flight };
                Load::new(Arrival::Replay(replay), stop.unwrap_or(all))
            }
            (None, None) => {
                let ramp = self.ramp.map(|ramp| ramp.of_users(self.concurrency)).transpose()?;
                let closed = Closed { concurrency: self.concurrency, think_time: self.think_time, ramp };
                let stop = stop.unwrap_or(StopCondition::Requests(self.concurrency.saturating_mul(4)));
                Load::new(Arrival::Closed(closed), stop)
            }
            (Some(rate), _) => {
                let open = Open { rate, process: self.arrival, ramp: self.ramp, max_in_flight };
                Load::new(Arrival::Open(open), stop.unwrap_or(StopCondition::DurationMs(OPEN_DURATION_MS)))
            }
        })
    }

    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// What a load's table would be called in a scenario file.
    pub fn name(&self) -> String {
        match (self.rate, &self.trace) {
            (None, None) => format!("users-{}", self.concurrency),
            (None, Some(_)) => "trace".to_owned(),
            (Some(rate), _) => format!("rate-{rate}"),
        }
    }
}

pub fn arrival_process(text: &str) -> Result<ArrivalProcess, String> {
    match text.split(':').collect::<Vec<_>>()[..] {
        ["constant"] => Ok(ArrivalProcess::Constant),
        ["poisson"] => Ok(ArrivalProcess::Poisson),
        ["gamma", shape] => positive(shape).map(ArrivalProcess::Gamma),
        _ => Err("expected constant, poisson or gamma:SHAPE, such as gamma:0.5".into()),
    }
}

pub fn positive(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("expected a number greater than 0".into()),
    }
}

/// How long a round is, as the scenario files have it.
pub fn for_a_while(text: &str) -> Result<StopCondition, String> {
    match duration(text)?.as_millis() as u64 {
        0 => Err("a round lasts at least 1ms".into()),
        ms => Ok(StopCondition::DurationMs(ms)),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    text.parse().map(|HumanDuration(duration)| duration)
}

fn ramp(text: &str) -> Result<Ramp, String> {
    let expected = || "expected FROM:OVER or FROM:OVER:STEPS, such as 1:30s or 1:30s:5".to_owned();
    let mut parts = text.split(':');
    let from = positive(parts.next().unwrap_or_default())?;
    let over = duration(parts.next().ok_or_else(expected)?)?;
    let steps =
        parts.next().map(|steps| steps.parse::<u32>().ok().filter(|steps| *steps > 0).ok_or_else(expected));
    if over.as_millis() == 0 || parts.next().is_some() {
        return Err(expected());
    }
    Ok(Ramp { from, over_ms: over.as_millis() as u64, steps: steps.transpose()? })
}

fn think_time(text: &str) -> Result<ThinkTime, String> {
    let ms = |text: &str| duration(text).map(|duration| duration.as_secs_f64() * 1e3);
    match text.split(':').collect::<Vec<_>>()[..] {
        [constant] => Ok(ThinkTime::Constant { ms: ms(constant)? }),
        ["uniform", from, to] => Ok(ThinkTime::Uniform { from_ms: ms(from)?, to_ms: ms(to)? }),
        ["exponential", mean] => Ok(ThinkTime::Exponential { mean_ms: ms(mean)? }),
        ["lognormal", median, sigma] => {
            Ok(ThinkTime::Lognormal { median_ms: ms(median)?, sigma: positive(sigma)? })
        }
        _ => Err("expected 2s, uniform:1s:3s, exponential:2s or lognormal:2s:0.5".into()),
    }
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
    fn more_users_than_can_ask_four_times_ask_as_often_as_can_be_counted() {
        assert_eq!(load("--concurrency 2000000000").unwrap().stop, StopCondition::Requests(u32::MAX));
    }

    #[test]
    fn a_round_that_lasts_no_time_is_refused() {
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
    fn ramps_and_think_times_are_read_from_short_text() {
        let Arrival::Closed(closed) =
            load("--concurrency 8 --ramp 2:30s:3 --think-time lognormal:2s:0.5").unwrap().arrival
        else {
            panic!("users")
        };
        assert_eq!(closed.ramp, Some(Ramp { from: 2.0, over_ms: 30_000, steps: Some(3) }));
        assert_eq!(closed.think_time, Some(ThinkTime::Lognormal { median_ms: 2000.0, sigma: 0.5 }));
    }

    #[test]
    fn a_ramp_begins_with_no_more_users_than_there_are() {
        assert!(load("--concurrency 4 --ramp 4:30s").is_ok());
        assert!(load("--rate 4 --ramp 8:30s").is_ok());
        for from in ["8", "0.5"] {
            let refusal = load(&format!("--concurrency 4 --ramp {from}:30s")).unwrap_err();
            assert_eq!(refusal, format!("a ramp of users begins with 1 to 4 of them, not with {from}"));
        }
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        for flags in [
            "--rate 1 --concurrency 2",
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
