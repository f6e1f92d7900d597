//! The flags that say what is swept, and how.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::ArgGroup;

use crate::cli::load_flags::{arrival_process, for_a_while, positive};
use crate::cli::planned_sweep::PlannedSweep;
use crate::cli::run_flags::RunFlags;
use crate::cli::workload_args::WorkloadArgs;
use crate::client::{Access, Address};
use crate::config::{RunPlan, SUITE_FOLDER, Suite};
use crate::engine::{EngineChoice, HttpVersion};
use crate::load::workload::Workload;
use crate::load::{ArrivalProcess, Load, StopCondition};
use crate::results::limits::Limits;
use crate::results::sweep::Axis;
use crate::suite::campaign::SweepPlan;
use crate::suite::files;
use crate::suite::harness::this_run;
use crate::target::{Endpoint, Place, ProofPlan, TargetSpec};
use crate::text::nearest::did_you_mean;

/// Those that say how go with those that say what.
const HOW: [&str; 25] = [
    "concurrency",
    "rates",
    "arrival",
    "requests",
    "duration",
    "rounds",
    "sessions",
    "interleaved",
    "limits",
    "scenario",
    "warmup",
    "request_timeout",
    "max_tokens",
    "ignore_eos",
    "input_tokens",
    "prompt",
    "sharegpt",
    "conversations",
    "max_input_tokens",
    "max_total_tokens",
    "turns",
    "api",
    "no_stream",
    "temperature",
    "seed",
];

#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group(ArgGroup::new("what").args(["targets", "urls"]).multiple(true)))]
#[command(group(ArgGroup::new("how").args(HOW).multiple(true).requires("what")))]
pub struct SweepFlags {
    /// Targets of perf-tests/targets.toml, such as `vllm,ollama`.
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// A server's base URL, with or without a name before it: `vllm=http://127.0.0.1:8000`. May be given several times.
    #[arg(long = "url", value_name = "[NAME=]URL", value_parser = named_url)]
    urls: Vec<(String, String)>,
    /// The certificates, as PEM, of the authorities that may vouch for the servers at https:// URLs, if not those that
    /// the system trusts.
    #[arg(long, value_name = "FILE", requires = "urls")]
    ca_file: Option<PathBuf>,
    /// Which HTTP is spoken with the servers at URLs: 2 is agreed upon by TLS where they are https://, and else taken
    /// for granted.
    #[arg(long, value_enum, requires = "urls", default_value_t)]
    http_version: HttpVersion,
    /// Users of every level, each sending its next request when the last one is answered.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16, 32],
        value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: Vec<u32>,
    /// Requests per second of every level, sent when they are due, whether earlier ones are answered or not; instead of
    /// --concurrency.
    #[arg(long, value_delimiter = ',', value_parser = positive, conflicts_with = "concurrency")]
    rates: Vec<f64>,
    /// How far apart requests come: `constant`, `poisson`, or `gamma:SHAPE`, below 1 in bursts, above 1 more evenly.
    #[arg(long, value_parser = arrival_process, default_value = "constant", requires = "rates")]
    arrival: ArrivalProcess,
    /// Requests of a level and round, over all users. If no --duration is given either: 4 per user, or what --rates
    /// asks for in 10 s, and at least 16.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "duration")]
    requests: Option<u32>,
    /// Of a level and round: no request starts later than this, such as `30s`.
    #[arg(long, value_parser = for_a_while)]
    duration: Option<StopCondition>,
    /// How often each level is measured in a session. What rounds scatter decides what is a tie.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How often every target is started (an endpoint: left alone for a moment), and all levels are measured.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    sessions: u32,
    /// Have all targets run at once, and take turns level by level.
    #[arg(long)]
    interleaved: bool,
    /// What every level is held against, such as `ttft_ms_p95=800,tpot_ms_p95=50`.
    #[arg(long, value_name = "METRIC=BOUND,…")]
    limits: Option<Limits>,
    /// The workload of this scenario file instead of the flags', such as `chat` or `perf-tests/scenarios/chat.toml`.
    #[arg(long, value_name = "FILE", conflicts_with = "WorkloadArgs")]
    scenario: Option<PathBuf>,
    #[command(flatten)]
    workload: WorkloadArgs,
    #[command(flatten)]
    run: RunFlags,
    /// The crate that holds `perf-tests/`.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

impl SweepFlags {
    pub fn is_given(&self) -> bool {
        !(self.targets.is_empty() && self.urls.is_empty())
    }

    pub fn plan(&self) -> anyhow::Result<PlannedSweep> {
        let suite = self.suite()?;
        let targets = self.targets(suite.as_ref())?;
        let plan = self.sweep_plan(suite.as_ref())?;
        Ok(PlannedSweep { run: this_run(), targets, plan })
    }

    /// Read only where something of it is asked for.
    fn suite(&self) -> anyhow::Result<Option<Suite>> {
        match self.targets.is_empty() && self.scenario.is_none() {
            true => Ok(None),
            false => Ok(Some(files::load(&self.root)?)),
        }
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
                bail!("two targets are called `{0}`: name them apart, such as --url {0}-2=URL", target.name);
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
        let workload = match (&self.scenario, suite) {
            (Some(file), Some(suite)) => workload_of(file, suite)?,
            _ => self.workload.workload(None)?,
        };
        if !self.rates.is_empty() && workload.needs_users() {
            bail!(
                "{workload}: conversations need users, who hold them: give --concurrency instead of --rates, or ask for \
                 one turn only"
            );
        }
        Ok(SweepPlan {
            workload,
            axis: if self.rates.is_empty() { Axis::Users } else { Axis::RequestsPerS },
            loads: if self.rates.is_empty() { self.closed_loads()? } else { self.open_loads() },
            run: RunPlan { rounds: self.rounds, sessions: self.sessions, ..self.run.plan() },
            limits: self.limits.clone().unwrap_or_default(),
            interleaved: self.interleaved,
        })
    }

    fn closed_loads(&self) -> anyhow::Result<Vec<(f64, Load)>> {
        let mut users = self.concurrency.clone();
        users.sort_unstable();
        users.dedup();
        let load = |users: u32| match self.stop(users.saturating_mul(4)) {
            StopCondition::Requests(requests) if requests < users => bail!(
                "--requests {requests} are too few for {users} users: expected at least one for each, or leave it out"
            ),
            stop => Ok((f64::from(users), Load::closed(users, stop))),
        };
        users.into_iter().map(load).collect()
    }

    fn open_loads(&self) -> Vec<(f64, Load)> {
        let mut rates = self.rates.clone();
        rates.sort_unstable_by(f64::total_cmp);
        rates.dedup();
        let load = |rate: f64| {
            let stop = self.stop((rate * OPEN_S).ceil() as u32);
            (rate, Load::open(rate, self.arrival, stop))
        };
        rates.into_iter().map(load).collect()
    }

    /// `usual` are a round's requests where nothing is said.
    fn stop(&self, usual: u32) -> StopCondition {
        let requests = self.requests.unwrap_or(usual.max(LEAST_REQUESTS));
        self.duration.unwrap_or(StopCondition::Requests(requests))
    }
}

/// Of a round, where nothing is said: fewer have no 95th percentile to speak of.
const LEAST_REQUESTS: u32 = 16;
/// How long a round at a rate lasts, where nothing is said.
const OPEN_S: f64 = 10.0;

/// `vllm=http://127.0.0.1:8000`, or the URL alone, which is then called by its host and port.
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
    fn a_ladder_of_users_asks_every_user_four_times_and_nobody_less_than_sixteen_times() {
        let found = loads("--url http://127.0.0.1:1 --concurrency 8,1,8").unwrap();
        let expected = [(1.0, StopCondition::Requests(16)), (8.0, StopCondition::Requests(32))];
        assert_eq!(found, expected.map(|(at, stop)| (at, Load::closed(at as u32, stop))));
    }

    #[test]
    fn a_ladder_of_rates_asks_for_ten_seconds_in_rising_order() {
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
    fn flags_that_contradict_each_other_or_mean_nothing_are_refused() {
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
        assert!(loads("").is_ok(), "nothing is swept, and nothing is asked for");
    }
}
