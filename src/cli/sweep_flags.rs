//! The flags that define a sweep.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::ArgGroup;

use crate::cli::load_flags::{flag_error, rate, round_duration, users};
use crate::cli::planned_sweep::PlannedSweep;
use crate::cli::run_flags::RunFlags;
use crate::cli::words::one_of;
use crate::cli::workload_args::WorkloadArgs;
use crate::client::{Access, Address};
use crate::config::{RunPlan, SUITE_FOLDER, Suite};
use crate::engine::{EngineChoice, HttpVersion};
use crate::load::workload::Workload;
use crate::load::{
    Arrival, ArrivalProcess, Closed, Load, LoadError, MAX_IN_FLIGHT, OPEN_ROUND, Open, REQUESTS_PER_USER,
    StopCondition,
};
use crate::results::limits::Limits;
use crate::results::sweep::Axis;
use crate::suite::campaign::SweepPlan;
use crate::suite::files;
use crate::suite::harness::this_run;
use crate::target::{Endpoint, Place, ProofPlan, TargetSpec};
use crate::text::nearest::did_you_mean;

#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group(ArgGroup::new("what").args(["targets", "urls"]).multiple(true)))]
#[command(group(ArgGroup::new("how").args(ids_of::<HowFlags>()).multiple(true).requires("what")))]
pub(crate) struct SweepFlags {
    /// Targets from perf-tests/targets.toml, such as `vllm,ollama`.
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// Base URL of a server, optionally with a name: `vllm=http://127.0.0.1:8000`. May be repeated.
    #[arg(long = "url", value_name = "[NAME=]URL", value_parser = named_url)]
    urls: Vec<(String, String)>,
    /// PEM file with the CA certificates of the servers at https:// URLs [default: the system's].
    #[arg(long, value_name = "FILE", requires = "urls")]
    ca_file: Option<PathBuf>,
    /// HTTP version for the servers at URLs; over https://, TLS negotiates version 2, otherwise it is used without
    /// negotiation.
    #[arg(long, value_parser = one_of::<HttpVersion>(&HttpVersion::NAMES), requires = "urls",
        default_value = HttpVersion::NAMES[0])]
    http_version: HttpVersion,
    #[command(flatten)]
    how: HowFlags,
    /// Path to the crate that contains `perf-tests/`.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

/// How targets are swept; these flags require a target.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct HowFlags {
    /// Concurrent users of each level, each sending its next request when its last one is complete.
    #[arg(long, visible_alias = "users", value_parser = users, value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16, 32])]
    concurrency: Vec<u32>,
    /// Requests per second of each level, sent when they are due, whether or not earlier ones are complete; instead of
    /// --concurrency.
    #[arg(long, value_parser = rate, value_delimiter = ',', allow_negative_numbers = true,
        conflicts_with = "concurrency")]
    rates: Vec<f64>,
    /// How requests are spaced: `constant`, `poisson`, or `gamma:SHAPE`; below 1 in bursts, above 1 more evenly.
    #[arg(long, default_value = "constant", requires = "rates")]
    arrival: ArrivalProcess,
    #[arg(long, conflicts_with = "duration",
        help = format!("Requests per level and round, over all users [default without --duration: {REQUESTS_PER_USER} per user, or those of {} s at --rates; at least {MIN_REQUESTS}]", OPEN_ROUND.as_secs()))]
    requests: Option<u32>,
    /// Duration per level and round: send no request later than this, such as `30s`.
    #[arg(long, value_parser = round_duration)]
    duration: Option<StopCondition>,
    /// Measurements of each level per session. The scatter between rounds decides what counts as a tie.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Times to start each target and measure all levels; an endpoint is not restarted, but gets a short pause.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    sessions: u32,
    /// Start all targets at once, and alternate between them level by level.
    #[arg(long)]
    interleaved: bool,
    /// Limits to check each level against, such as `ttft_ms_p95=800,tpot_ms_p95=50`.
    #[arg(long, value_name = "METRIC=BOUND,…")]
    limits: Option<Limits>,
    /// Take the workload from this scenario file instead of flags, such as `chat` or `perf-tests/scenarios/chat.toml`.
    #[arg(long, value_name = "FILE", conflicts_with = "WorkloadArgs")]
    scenario: Option<PathBuf>,
    #[command(flatten)]
    workload: WorkloadArgs,
    #[command(flatten)]
    run: RunFlags,
}

/// The clap ids of a group's flags.
fn ids_of<F: clap::Args>() -> Vec<clap::Id> {
    let flags = F::augment_args(clap::Command::new("flags"));
    flags.get_arguments().map(|flag| flag.get_id().clone()).collect()
}

impl SweepFlags {
    pub(crate) fn is_given(&self) -> bool {
        !(self.targets.is_empty() && self.urls.is_empty())
    }

    pub(crate) fn plan(&self) -> anyhow::Result<PlannedSweep> {
        let suite = self.suite()?;
        let targets = self.targets(suite.as_ref())?;
        let plan = self.sweep_plan(suite.as_ref())?;
        Ok(PlannedSweep { run: this_run(), targets, plan })
    }

    /// Reads the suite only if one of its targets or scenarios is named.
    fn suite(&self) -> anyhow::Result<Option<Suite>> {
        if self.targets.is_empty() && self.how.scenario.is_none() {
            return Ok(None);
        }
        Ok(Some(files::load(&self.root)?))
    }

    fn targets(&self, suite: Option<&Suite>) -> anyhow::Result<Vec<TargetSpec>> {
        let known = suite.map_or(const { &BTreeMap::new() }, |suite| &suite.targets);
        let mut targets = Vec::new();
        for name in &self.targets {
            let found = known.get(name).ok_or_else(|| {
                let help = did_you_mean(name, known.keys().map(String::as_str));
                anyhow!("there is no target `{name}`: {help}")
            })?;
            targets.push(found.clone());
        }
        targets.extend(self.urls.iter().map(|(name, url)| self.endpoint(name, url)));
        for (number, target) in targets.iter().enumerate() {
            if targets[..number].iter().any(|other| other.name == target.name) {
                bail!(
                    "two targets are named `{0}`: give them different names, such as --url {0}-2=URL",
                    target.name
                );
            }
        }
        Ok(targets)
    }

    fn endpoint(&self, name: &str, url: &str) -> TargetSpec {
        TargetSpec {
            name: name.to_owned(),
            engine: EngineChoice::Auto,
            model: None,
            http_version: self.http_version,
            place: Place::Endpoint(Endpoint {
                ca_file: self.ca_file.clone().filter(|_| url.starts_with("https:")),
                ..Endpoint::at(url)
            }),
            proof: ProofPlan::default(),
            unavailable: None,
        }
    }

    fn sweep_plan(&self, suite: Option<&Suite>) -> anyhow::Result<SweepPlan> {
        let how = &self.how;
        let workload = match (&how.scenario, suite) {
            (Some(file), Some(suite)) => workload_of(file, suite)?,
            _ => how.workload.workload(None)?,
        };
        let (axis, loads) = how.levels()?;
        for (_, load) in &loads {
            workload.check_load(load).map_err(|error| {
                anyhow!("{workload}: {error}; give --concurrency instead of --rates, or send only one turn")
            })?;
        }
        Ok(SweepPlan {
            workload,
            axis,
            loads,
            run: RunPlan { rounds: how.rounds, sessions: how.sessions, ..how.run.plan() },
            limits: how.limits.clone().unwrap_or_default(),
            interleaved: how.interleaved,
        })
    }
}

impl HowFlags {
    fn levels(&self) -> anyhow::Result<(Axis, Vec<(f64, Load)>)> {
        let (axis, mut levels) = if self.rates.is_empty() {
            (Axis::Users, self.concurrency.iter().copied().map(f64::from).collect())
        } else {
            (Axis::RequestsPerS, self.rates.clone())
        };
        levels.sort_unstable_by(f64::total_cmp);
        levels.dedup();
        let loads = levels.into_iter().map(|at| Ok((at, self.load(axis, at)?)));
        Ok((axis, loads.collect::<anyhow::Result<_>>()?))
    }

    fn load(&self, axis: Axis, at: f64) -> anyhow::Result<Load> {
        let (arrival, usual_requests) = match axis {
            Axis::Users => {
                let closed = Closed { concurrency: at as u32, think_time: None, ramp: None };
                (Arrival::Closed(closed), closed.concurrency.saturating_mul(REQUESTS_PER_USER))
            }
            Axis::RequestsPerS => {
                let open = Open { rate: at, process: self.arrival, ramp: None, max_in_flight: MAX_IN_FLIGHT };
                (Arrival::Open(open), (at * OPEN_ROUND.as_secs_f64()).ceil() as u32)
            }
        };
        let requests = self.requests.unwrap_or(usual_requests.max(MIN_REQUESTS));
        Load::new(arrival, self.duration.unwrap_or(StopCondition::Requests(requests))).map_err(|error| {
            match error {
                LoadError::Rate(_) => anyhow!("--rates: {error}"),
                _ => flag_error(error),
            }
        })
    }
}

/// The minimum for a round's default number of requests: with fewer, a 95th percentile means little.
const MIN_REQUESTS: u32 = 16;

/// `vllm=http://127.0.0.1:8000`, or the URL alone, which is then named after its host and port.
fn named_url(text: &str) -> Result<(String, String), String> {
    let (name, url) = match text.split_once('=') {
        Some((name, url)) if !name.contains("://") => (Some(name.trim()), url),
        _ => (None, text),
    };
    let address = Address::of(&Access::to(url)).map_err(|error| error.to_string())?;
    match name {
        Some("") => Err("the name before `=` is empty".into()),
        Some(name) => Ok((name.to_owned(), url.to_owned())),
        None => Ok((address.authority().to_owned(), url.to_owned())),
    }
}

fn workload_of(file: &Path, suite: &Suite) -> anyhow::Result<Workload> {
    let wanted = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let found = suite.scenarios.iter().find(|scenario| scenario.id.file == wanted);
    let found = found.ok_or_else(|| {
        let help = did_you_mean(&wanted, suite.scenarios.iter().map(|scenario| scenario.id.file.as_str()));
        anyhow!("there is no scenario file {SUITE_FOLDER}/scenarios/{wanted}.toml: {help}")
    })?;
    Ok(found.workload.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parsed;

    fn loads(flags: &str) -> Result<Vec<(f64, Load)>, String> {
        parsed::<SweepFlags>(flags)?
            .sweep_plan(None)
            .map(|plan| plan.loads)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_level_that_is_no_number_is_refused_with_an_example() {
        let error = loads("--url http://127.0.0.1:1 --concurrency 1,x").unwrap_err();
        assert!(error.contains("'x'") && error.contains("expected a number of users"), "{error}");
    }

    #[test]
    fn a_level_of_users_has_four_requests_per_user_and_at_least_16() {
        let found = loads("--url http://127.0.0.1:1 --concurrency 8,1,8").unwrap();
        let expected = [(1.0, StopCondition::Requests(16)), (8.0, StopCondition::Requests(32))];
        assert_eq!(found, expected.map(|(at, stop)| (at, Load::closed(at as u32, stop))));
    }

    #[test]
    fn levels_of_rates_rise_and_last_ten_seconds() {
        let found = loads("--url http://127.0.0.1:1 --rates 4,0.5 --arrival poisson").unwrap();
        let expected = [(0.5, StopCondition::Requests(16)), (4.0, StopCondition::Requests(40))];
        assert_eq!(found, expected.map(|(at, stop)| (at, Load::open(at, ArrivalProcess::Poisson, stop))));
        let found = loads("--url http://127.0.0.1:1 --rates 4 --arrival gamma:0.5 --duration 3s").unwrap();
        assert_eq!(
            found,
            [(4.0, Load::open(4.0, ArrivalProcess::Gamma(0.5), StopCondition::DurationMs(3000)))]
        );
    }

    #[test]
    fn flags_that_contradict_each_other_are_rejected() {
        for flags in ["--rates 1 --concurrency 2", "--rates 0", "--rates 1,nan", "--arrival poisson"] {
            assert!(loads(&format!("--url http://127.0.0.1:1 {flags}")).is_err(), "{flags}");
        }
        let error = loads("--url http://127.0.0.1:1 --rates 1 --turns 5").unwrap_err();
        assert!(error.contains("give --concurrency instead of --rates"), "{error}");
        for flags in ["--rates 2", "--max-tokens 8", "--interleaved"] {
            let error = loads(flags).unwrap_err();
            assert!(error.contains("--targets") && error.contains("--url"), "{error}");
        }
        for flags in ["--max-tokens 8", "--ignore-eos", "--turns 1", "--seed 1"] {
            let error = loads(&format!("--url http://127.0.0.1:1 --scenario chat {flags}")).unwrap_err();
            assert!(error.contains("cannot be used with") && error.contains("--scenario"), "{error}");
        }
        assert!(loads("--url http://127.0.0.1:1 --scenario chat --warmup 1s").is_ok());
        assert!(loads("").is_ok(), "nothing to sweep");
    }
}
