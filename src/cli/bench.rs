//! `tollgate bench`: one load against one URL, without any file.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use jiff::Timestamp;

use crate::cli::FAILED;
use crate::cli::load_flags::LoadFlags;
use crate::cli::run_flags::RunFlags;
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
use crate::store::{self, RecordFile, StoreError};
use crate::suite::campaign::{SessionId, SessionOutcome, SessionRequest, run_session};
use crate::suite::event::Event;
use crate::suite::harness::{INTERRUPTED, ProgressLine, cancel_on_interrupt, this_run};
use crate::sys::clock;
use crate::target::{Endpoint, Place, ProofPlan, TargetSpec};
use crate::text::secret::Secret;
use crate::units::Nanos;
use crate::verdict::{Verdict, client_late};

/// Drive one load against a server and show every metric.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// The server's base URL, with or without `/v1`.
    #[arg(long, value_parser = base_url)]
    url: String,
    /// The model's name in requests; the first that the server lists, if not given.
    #[arg(long)]
    model: Option<String>,
    /// What the server is, for its version and its own ways.
    #[arg(long, value_enum, default_value_t = EngineChoice::Auto)]
    engine: EngineChoice,
    #[command(flatten)]
    load: LoadFlags,
    #[command(flatten)]
    workload: WorkloadArgs,
    #[command(flatten)]
    run: RunFlags,
    /// The environment variable that holds the bearer key.
    #[arg(long)]
    api_key_env: Option<String>,
    /// An HTTP header that goes with every request, such as "X-Team: perf".
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, Secret)>,
    /// The certificates, as PEM, of the authorities that may vouch for the server, if not those that the system trusts.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Which HTTP is spoken: 2 is agreed upon by TLS where the URL is https://, and else taken for granted.
    #[arg(long, value_enum, default_value_t)]
    http_version: HttpVersion,
    /// Write the report to this file, and beside it, as `.records`, what became of every request.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keep no records.
    #[arg(long)]
    no_records: bool,
    /// Be one of several processes that ask this load together, each its share, such as `2/4`; `tollgate merge` puts
    /// their reports together.
    #[arg(long, value_name = "I/N", requires = "start_at")]
    worker: Option<Worker>,
    /// Begin the measured requests at this moment, after the warm-up: RFC 3339, or seconds of Unix time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    start_at: Option<Timestamp>,
}

pub fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let cancel = Cancel::new();
    cancel_on_interrupt(&cancel);
    let run = args.run();
    let (work, target) = (args.work()?, args.target()?);
    if let Some(path) = &args.json {
        store::check_writable(path)?;
    }
    let progress = ProgressLine::default();
    let listen = |event: Event| progress.show(event);
    let launcher =
        Launcher::new(&run.id, PathBuf::from("."), &cancel, |step| listen(Event::Preparation(step)));
    let launched = launcher.check(&target, &[]).and_then(|()| launcher.launch(&target));
    progress.clear();
    let launched = match launched {
        Ok(launched) => launched,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(not_whole(&cancel));
        }
    };
    let records = args.record_file(&run, &work)?;
    let report = bench(&args, run.clone(), work, records, &launched, &listen, &cancel);
    progress.clear();
    if report.summary.requests.sent > 0 {
        println!("{}", metrics::metrics(&report));
    }
    if let Some(path) = &args.json {
        store::write_report(path, &report).context("the report was not written")?;
        println!("Report: {}", path.display());
    }
    if report.passed {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: {}", report.reason);
    Ok(not_whole(&cancel))
}

/// Exit code of a load that was not driven to its end.
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

/// What this process does.
struct Work {
    workload: Workload,
    /// A worker's share.
    load: Load,
    plan: RunPlan,
    /// Of the whole, which is the same for all workers.
    hash: String,
    /// When the measured requests begin, where that was agreed upon.
    begin_ns: Option<Nanos>,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let unix = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    let read = match unix {
        Some(seconds) => Timestamp::from_nanosecond((seconds * 1e9) as i128).ok(),
        None => text.parse().ok(),
    };
    read.ok_or_else(|| "expected a time such as 2026-11-25T20:15:00Z, or seconds of Unix time".to_owned())
}

/// On this machine's monotonic clock.
fn begin_ns(start_at: Timestamp) -> anyhow::Result<Nanos> {
    let now = Timestamp::now();
    if start_at <= now {
        let late_s = now.duration_since(start_at).as_secs_f64();
        bail!("--start-at {start_at} was {late_s:.1} s ago: expected a time that is yet to come");
    }
    let unix_ns = u64::try_from(start_at.as_nanosecond()).unwrap_or(0);
    Ok(unix_ns.saturating_sub(clock::origin().zero_unix_ns))
}

fn bench(
    args: &BenchArgs,
    run: Run,
    work: Work,
    records: Option<RecordFile>,
    launched: &Launched,
    listen: &dyn Fn(Event),
    cancel: &Cancel,
) -> Report {
    let scenario = args.scenario();
    let SessionOutcome { session, error, warnings } = run_session(SessionRequest {
        id: SessionId { number: 1, name: "bench" },
        engine: launched,
        scenario: &scenario,
        workload: &work.workload,
        load: &work.load,
        plan: &work.plan,
        salt: &run.id,
        records,
        begin_ns: work.begin_ns,
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
        run,
        scenario,
        load: Some(Load { worker: None, ..work.load }),
        scenario_hash: Some(work.hash),
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

impl BenchArgs {
    fn target(&self) -> anyhow::Result<TargetSpec> {
        if let Some(name) = header_twice(self.headers.iter().map(|(name, _)| name.as_str())) {
            bail!("--header `{name}` is there twice: give it once; the case of its name makes no difference");
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

    fn plan(&self) -> RunPlan {
        RunPlan { records: !self.no_records, ..self.run.plan() }
    }

    /// Workers of one load have one run, and with it the prompts of one.
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

    fn work(&self) -> anyhow::Result<Work> {
        let (whole, plan) = (self.load.load().context("--ramp")?, self.plan());
        let workload = self.workload.workload(self.load.trace())?;
        if let (Some(trace), Some(asked)) = (self.load.trace(), whole.stop.requests())
            && asked as usize > trace.requests().len()
        {
            bail!("--requests {asked} are more than the {} of {}", trace.requests().len(), trace.file);
        }
        if whole.is_open() && workload.needs_users() {
            bail!(
                "--turns needs users, who hold the conversations: give --concurrency instead of --rate or --trace"
            );
        }
        let hash = hash_of(&workload, &whole, &plan);
        let load = self.worker.map_or_else(|| Ok(whole.clone()), |worker| worker.share(&whole))?;
        let begin_ns = self.start_at.map(begin_ns).transpose()?;
        Ok(Work { workload, load, plan, hash, begin_ns })
    }

    fn record_file(&self, run: &Run, work: &Work) -> Result<Option<RecordFile>, StoreError> {
        let Some(report) = self.json.as_ref().filter(|_| !self.no_records) else { return Ok(None) };
        let scenario_hash = Some(work.hash.clone());
        let header =
            Header { run: run.clone(), scenario: self.scenario(), scenario_hash, clock: clock::origin() };
        RecordFile::replacing(store::records_beside(report), header).map(Some)
    }

    fn scenario(&self) -> ScenarioId {
        ScenarioId { file: "bench".into(), load: self.load.name(), target: "endpoint".into() }
    }
}
