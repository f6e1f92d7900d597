//! `tollgate bench`: one load against one URL, without any files.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use jiff::Timestamp;

use crate::cli::FAILED;
use crate::cli::load_flags::LoadFlags;
use crate::cli::run_flags::RunFlags;
use crate::cli::words::one_of;
use crate::cli::workload_args::WorkloadArgs;
use crate::client::{Access, Address, AddressError, Cancel};
use crate::config::{RunPlan, ScenarioId, hash_of, header_twice};
use crate::engine::{EngineChoice, HttpVersion};
use crate::launch::{Launched, Launcher};
use crate::load::Load;
use crate::load::worker::Worker;
use crate::load::workload::Workload;
use crate::report::metrics;
use crate::results;
use crate::results::record_file::Header;
use crate::results::{Report, Run};
use crate::session::event::Event;
use crate::session::{SessionId, SessionOutcome, SessionRequest, run_session};
use crate::store::{self, RecordFile, StoreError};
use crate::suite::harness::{INTERRUPTED, ProgressLine, cancel_on_interrupt, this_run};
use crate::sys::clock;
use crate::target::{Endpoint, Place, ProofPlan, TargetSpec};
use crate::text::secret::Secret;
use crate::units::Nanos;
use crate::verdict::{Verdict, client_late};

/// Drive one load against a server and show every metric.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Base URL of the server, with or without `/v1`.
    #[arg(long, value_parser = base_url)]
    url: String,
    /// Model name in requests [default: the first one that the server lists].
    #[arg(long)]
    model: Option<String>,
    /// Engine type; selects its API and how its version is read.
    #[arg(long, value_parser = one_of::<EngineChoice>(EngineChoice::names()),
        default_value = EngineChoice::Auto.name())]
    engine: EngineChoice,
    #[command(flatten)]
    load: LoadFlags,
    #[command(flatten)]
    workload: WorkloadArgs,
    #[command(flatten)]
    run: RunFlags,
    /// Environment variable with the API key, sent as a bearer token.
    #[arg(long)]
    api_key_env: Option<String>,
    /// HTTP header to send with every request, such as "X-Team: perf".
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, Secret)>,
    /// PEM file with the server's CA certificates [default: the system's].
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// HTTP version; over https://, TLS negotiates version 2, otherwise it is used without negotiation.
    #[arg(long, value_parser = one_of::<HttpVersion>(&HttpVersion::NAMES),
        default_value = HttpVersion::NAMES[0])]
    http_version: HttpVersion,
    /// Write the report to this file, and a record of every request next to it, with the extension `.records`.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Don't write records.
    #[arg(long)]
    no_records: bool,
    /// Run as worker I of N that share this load, such as `2/4`; merge their reports with `tollgate merge`.
    #[arg(long, value_name = "I/N", requires = "start_at")]
    worker: Option<Worker>,
    /// Start the measurement at this time, after the warm-up: RFC 3339, or Unix time in seconds.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    start_at: Option<Timestamp>,
}

pub(crate) fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let cancel = Cancel::new();
    cancel_on_interrupt(&cancel);
    let plan = args.plan()?;
    if let Some(path) = &plan.json {
        store::check_writable(path)?;
    }
    let progress = ProgressLine::default();
    let listen = |event: Event| progress.show(event);
    let launcher =
        Launcher::new(&plan.run.id, PathBuf::from("."), &cancel, |step| listen(Event::Preparation(step)));
    let launched = launcher.check(&plan.target, &[]).and_then(|()| launcher.launch(&plan.target));
    progress.clear();
    let launched = match launched {
        Ok(launched) => launched,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(not_whole(&cancel));
        }
    };
    let records = plan.record_file()?;
    let report = plan.bench(records, &launched, &listen, &cancel);
    progress.clear();
    if report.summary.requests.sent > 0 {
        println!("{}", metrics::metrics(&report));
    }
    if let Some(path) = &plan.json {
        store::write_report(path, &report).context("the report was not written")?;
        println!("Report: {}", path.display());
    }
    if report.passed {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: {}", report.reason);
    Ok(not_whole(&cancel))
}

/// Exit code of a load that did not complete.
fn not_whole(cancel: &Cancel) -> ExitCode {
    ExitCode::from(if cancel.is_cancelled() { INTERRUPTED } else { FAILED })
}

fn base_url(text: &str) -> Result<String, AddressError> {
    Address::of(&Access::to(text)).map(|_| text.to_owned())
}

fn header(text: &str) -> Result<(String, Secret), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE, such as \"X-Team: perf\"")?;
    Ok((name.trim().to_owned(), Secret::new(value.trim())))
}

/// The validated flags.
struct CheckedArgs {
    run: Run,
    scenario: ScenarioId,
    target: TargetSpec,
    workload: Workload,
    /// The whole load, which is the same for all workers.
    whole: Load,
    /// This worker's share of it.
    load: Load,
    /// The hash of what all workers send together.
    hash: String,
    rounds: RunPlan,
    /// When the measured requests start, if that was given.
    begin_ns: Option<Nanos>,
    json: Option<PathBuf>,
}

impl BenchArgs {
    fn plan(self) -> anyhow::Result<CheckedArgs> {
        let whole = self.load.load()?;
        let workload = self.workload.workload(self.load.trace())?;
        workload
            .check_load(&whole)
            .map_err(|error| anyhow!("--turns: {error}; give --concurrency instead of --rate or --trace"))?;
        let rounds = RunPlan { records: !self.no_records, ..self.run.plan() };
        Ok(CheckedArgs {
            run: self.run(),
            scenario: ScenarioId { file: "bench".into(), load: self.load.name(), target: "endpoint".into() },
            hash: hash_of(&workload, &whole, &rounds),
            load: self.worker.map_or_else(|| Ok(whole.clone()), |worker| worker.share(&whole))?,
            begin_ns: self.start_at.map(begin_ns).transpose()?,
            target: self.target()?,
            json: self.json,
            workload,
            whole,
            rounds,
        })
    }

    fn target(&self) -> anyhow::Result<TargetSpec> {
        if let Some(name) = header_twice(self.headers.iter().map(|(name, _)| name.as_str())) {
            bail!("--header `{name}` is given twice; header names are case-insensitive");
        }
        if let Some(name) = self.api_key_env.as_ref().filter(|name| std::env::var_os(name).is_none()) {
            bail!("--api-key-env {name}: this environment variable is not set");
        }
        Ok(TargetSpec {
            name: "endpoint".into(),
            engine: self.engine,
            model: self.model.clone(),
            http_version: self.http_version,
            place: Place::Endpoint(Endpoint {
                api_key_env: self.api_key_env.clone(),
                headers: self.headers.iter().cloned().collect(),
                ca_file: self.ca_file.clone(),
                ..Endpoint::at(&self.url)
            }),
            proof: ProofPlan::default(),
            unavailable: None,
        })
    }

    /// Workers that share a load have the same run, and so draw the prompts of a single process.
    fn run(&self) -> Run {
        let run = this_run();
        match (self.worker, self.start_at) {
            (Some(worker), Some(start_at)) => {
                let id = format!("{}-{}", start_at.strftime("%Y%m%dT%H%M%S%.fZ"), worker.of);
                Run { id, worker: Some(worker), ..run }
            }
            _ => run,
        }
    }
}

impl CheckedArgs {
    fn record_file(&self) -> Result<Option<RecordFile>, StoreError> {
        let Some(report) = self.json.as_ref().filter(|_| self.rounds.records) else { return Ok(None) };
        let header = Header {
            run: self.run.clone(),
            scenario: self.scenario.clone(),
            scenario_hash: Some(self.hash.clone()),
            clock: clock::origin(),
        };
        RecordFile::replacing(store::records_beside(report), header).map(Some)
    }

    fn bench(
        &self,
        records: Option<RecordFile>,
        launched: &Launched,
        listen: &dyn Fn(Event),
        cancel: &Cancel,
    ) -> Report {
        let SessionOutcome { session, error, warnings } = run_session(SessionRequest {
            id: SessionId { number: 1, name: "bench" },
            engine: launched,
            scenario: &self.scenario,
            workload: &self.workload,
            load: &self.load,
            plan: &self.rounds,
            salt: &self.run.id,
            records,
            begin_ns: self.begin_ns,
            listen,
            cancel,
            sink: None,
        });
        let nothing = session.summary.requests.succeeded == 0;
        let failure = error
            .map(|error| error.to_string())
            .or_else(|| nothing.then(|| "no request succeeded".to_owned()))
            .or_else(|| client_late(&session.summary));
        Report {
            kind: results::Kind::Scenario,
            version: results::VERSION,
            run: self.run.clone(),
            scenario: self.scenario.clone(),
            load: Some(self.whole.clone()),
            scenario_hash: Some(self.hash.clone()),
            passed: failure.is_none(),
            verdict: if failure.is_none() { Verdict::Ok } else { Verdict::Invalid },
            reason: failure.unwrap_or_else(|| "figures only: no gate was given.".into()),
            gates: Vec::new(),
            warnings,
            environment: Some(launched.environment.clone()),
            baseline: None,
            proof: None,
            pending: None,
            summary: session.summary.clone(),
            sessions: vec![session],
        }
    }
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let unix = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    let read = match unix {
        Some(seconds) => Timestamp::from_nanosecond((seconds * 1e9) as i128).ok(),
        None => text.parse().ok(),
    };
    read.ok_or_else(|| "expected a time such as 2026-11-25T20:15:00Z, or Unix time in seconds".to_owned())
}

/// The time on this machine's monotonic clock.
fn begin_ns(start_at: Timestamp) -> anyhow::Result<Nanos> {
    let now = Timestamp::now();
    if start_at <= now {
        let late_s = now.duration_since(start_at).as_secs_f64();
        bail!("--start-at {start_at} was {late_s:.1} s ago: expected a time in the future");
    }
    let unix_ns = u64::try_from(start_at.as_nanosecond()).unwrap_or(0);
    Ok(unix_ns.saturating_sub(clock::origin().zero_unix_ns))
}
