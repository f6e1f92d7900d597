//! `tollgate sweep`: one load after another on one or several targets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{anyhow, bail};

use crate::campaign::{Ladder, Sweeping};
use crate::cli::compare;
use crate::cli::workload_args::WorkloadArgs;
use crate::comparison::Wishes;
use crate::engine::EngineChoice;
use crate::event::Event;
use crate::harness::{ProgressLine, cancel_on_interrupt, this_run};
use crate::launch::Launcher;
use crate::limits::Limits;
use crate::load::{Load, Stop};
use crate::measure::{Address, Cancel};
use crate::nearest::did_you_mean;
use crate::report::sweep::{Axis, Sweep};
use crate::report::sweep_table;
use crate::scenario::{HumanDuration, OnSuspected, RunPlan, SUITE_FOLDER, Suite};
use crate::store;
use crate::suite;
use crate::target::{Endpoint, Place, ProofPlan, TargetSpec};
use crate::workload::Workload;

/// Drive a ladder of loads against one or several targets: where each slows down, and which is the better one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Targets of perf-tests/targets.toml, such as `vllm,ollama`.
    #[arg(long, value_delimiter = ',', required_unless_present = "urls")]
    targets: Vec<String>,
    /// A server's base URL, with or without a name before it: `vllm=http://127.0.0.1:8000`. May be given several times.
    #[arg(long = "url", value_name = "[NAME=]URL", value_parser = named_url)]
    urls: Vec<(String, String)>,
    /// Users of every level, each sending its next request when the last one is answered.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16, 32],
        value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: Vec<u32>,
    /// Requests of a level and round, over all users; 4 per user and at least 16, if no --duration is given either.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "duration")]
    requests: Option<u32>,
    /// Of a level and round: no request starts later than this, such as `30s`.
    #[arg(long)]
    duration: Option<HumanDuration>,
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
    #[arg(long, value_name = "FILE", conflicts_with_all = ["max_tokens", "ignore_eos", "input_tokens", "prompt", "sharegpt", "turns", "api", "no_stream", "temperature", "seed"])]
    scenario: Option<PathBuf>,
    #[command(flatten)]
    workload: WorkloadArgs,
    /// Load before every level, with prompts of its own and one request per user at least.
    #[arg(long, default_value = "0s")]
    warmup: HumanDuration,
    /// A request that takes longer has failed.
    #[arg(long, default_value = "2m")]
    request_timeout: HumanDuration,
    /// The crate that holds `perf-tests/`.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Write the report to this file, anew after each level.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Exit code of an engine or client failure.
const FAILED: u8 = 4;
/// Exit code of a sweep that was cut off by Ctrl-C.
const INTERRUPTED: u8 = 130;

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let suite = args.suite()?;
    let targets = args.targets(suite.as_ref())?;
    let ladder = args.ladder(suite.as_ref())?;
    let cancel = Cancel::new();
    cancel_on_interrupt(&cancel);
    let run = this_run();
    let progress = ProgressLine::default();
    let listen = |event: Event| progress.show(event);
    let save = |sweep: &Sweep| args.json.as_ref().map_or(Ok(()), |path| store::write_report(path, sweep));
    let sweeping = Sweeping {
        ladder: &ladder,
        run: &run,
        targets: &targets,
        launcher: Launcher::new(&run.id, PathBuf::from("."), &cancel, &listen),
        cancel: &cancel,
        listen: &listen,
        save: &save,
    };
    let swept = sweeping.run();
    progress.clear();
    let sweep = swept?;
    println!("{}", sweep_table::sweep(&sweep));
    if let Some(comparison) = compare::of_sweep(&sweep, &Wishes::default()) {
        println!("\n{}", sweep_table::comparison(&comparison));
    }
    if let Some(path) = &args.json {
        println!("Report: {}", path.display());
    }
    Ok(ExitCode::from(exit_code(&sweep)))
}

fn exit_code(sweep: &Sweep) -> u8 {
    let none_succeeded = |target: &crate::report::sweep::SweptTarget| {
        target.levels.iter().all(|level| level.summary.requests.succeeded == 0)
    };
    let failed = sweep.targets.iter().any(|target| target.trouble.is_some() || none_succeeded(target));
    match (sweep.interrupted, failed) {
        (true, _) => INTERRUPTED,
        (false, true) => FAILED,
        (false, false) => 0,
    }
}

/// `vllm=http://127.0.0.1:8000`, or the URL alone, which is then called by its host and port.
fn named_url(text: &str) -> Result<(String, String), String> {
    let (name, url) = match text.split_once('=') {
        Some((name, url)) if !name.contains("://") => (Some(name.trim()), url),
        _ => (None, text),
    };
    let address = Address::parse(url).map_err(|error| error.to_string())?;
    match name {
        Some("") => Err("the name before `=` is empty".into()),
        Some(name) => Ok((name.to_owned(), url.to_owned())),
        None => Ok((address.authority().to_owned(), url.to_owned())),
    }
}

impl Args {
    /// Read only where something of it is asked for.
    fn suite(&self) -> anyhow::Result<Option<Suite>> {
        match self.targets.is_empty() && self.scenario.is_none() {
            true => Ok(None),
            false => Ok(Some(suite::load(&self.root)?)),
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
        targets.extend(self.urls.iter().map(|(name, url)| endpoint(name, url)));
        for (number, target) in targets.iter().enumerate() {
            if targets[..number].iter().any(|other| other.name == target.name) {
                bail!("two targets are called `{0}`: name them apart, such as --url {0}-2=URL", target.name);
            }
        }
        Ok(targets)
    }

    fn ladder(&self, suite: Option<&Suite>) -> anyhow::Result<Ladder> {
        let mut users = self.concurrency.clone();
        users.sort_unstable();
        users.dedup();
        let level = |users: u32| -> anyhow::Result<(f64, Load)> {
            Ok((f64::from(users), Load::closed(users, self.stop(users)?)))
        };
        Ok(Ladder {
            workload: match (&self.scenario, suite) {
                (Some(file), Some(suite)) => workload_of(file, suite)?,
                _ => self.workload.workload(None),
            },
            axis: Axis::Users,
            loads: users.into_iter().map(level).collect::<anyhow::Result<_>>()?,
            run: RunPlan {
                warmup: self.warmup.0,
                rounds: self.rounds,
                sessions: self.sessions,
                request_timeout: self.request_timeout.0.max(Duration::from_millis(1)),
                on_suspected: OnSuspected::Warn,
                records: false,
            },
            limits: self.limits.clone().unwrap_or_default(),
            interleaved: self.interleaved,
        })
    }

    fn stop(&self, users: u32) -> anyhow::Result<Stop> {
        match (&self.duration, self.requests) {
            (Some(duration), _) => Ok(Stop::DurationMs(duration.0.as_millis() as u64)),
            (None, Some(requests)) if requests < users => bail!(
                "--requests {requests} are too few for {users} users: expected at least one for each, or leave it out"
            ),
            (None, Some(requests)) => Ok(Stop::Requests(requests)),
            (None, None) => Ok(Stop::Requests((4 * users).max(16))),
        }
    }
}

fn endpoint(name: &str, url: &str) -> TargetSpec {
    TargetSpec {
        name: name.to_owned(),
        engine: EngineChoice::Auto,
        model: None,
        place: Place::Endpoint(Endpoint {
            url: url.to_owned(),
            old_url: None,
            api_key_env: None,
            headers: BTreeMap::new(),
            hardware: None,
        }),
        proof: ProofPlan::default(),
        unavailable: None,
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
