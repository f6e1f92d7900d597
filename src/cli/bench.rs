//! `tollgate bench`: one load against one URL, without any file.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;

use crate::campaign::{Asked, Held, Which, hold};
use crate::clock;
use crate::engine::EngineChoice;
use crate::event::Event;
use crate::harness::{ProgressLine, cancel_on_interrupt, this_run};
use crate::launch::{Launched, Launcher};
use crate::load::{Load, Stop};
use crate::measure::{Address, AddressError, Cancel};
use crate::record_file::Header;
use crate::report::{self, Report, Run, metrics};
use crate::scenario::{HumanDuration, OnSuspected, RunPlan, ScenarioId};
use crate::secret::Secret;
use crate::store::{self, RECORDS, RecordFile, StoreError};
use crate::target::{Endpoint, Place, ProofPlan, TargetSpec};
use crate::verdict::Verdict;
use crate::workload::{Api, Prompt, Prompts, Sampling, Synthetic, Workload};

/// Drive one load against a server and show every metric.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The server's base URL, with or without `/v1`.
    #[arg(long, value_parser = base_url)]
    url: String,
    /// The model's name in requests; the first that the server lists, if not given.
    #[arg(long)]
    model: Option<String>,
    /// What the server is, for its version and its own ways.
    #[arg(long, value_enum, default_value_t = EngineChoice::Auto)]
    engine: EngineChoice,
    /// Users, each sending its next request when the last one is answered.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,
    /// Requests over all users; 4 per user, if no --duration is given either.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "duration")]
    requests: Option<u32>,
    /// No request starts later than this, such as `30s`.
    #[arg(long)]
    duration: Option<HumanDuration>,
    /// Output tokens of every answer.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// Ask the engine to go on past its end-of-sequence token, so that every answer has the same length.
    #[arg(long)]
    ignore_eos: bool,
    /// Tokens of every generated prompt.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    input_tokens: u32,
    /// This prompt instead of generated ones; before each copy goes a line that makes it unique.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    prompt: Option<String>,
    /// Which of the OpenAI routes is asked.
    #[arg(long, value_enum, default_value_t = Api::Chat)]
    api: Api,
    /// Ask for answers in one piece; then there is no TTFT, TPOT or ITL.
    #[arg(long)]
    no_stream: bool,
    /// Of sampling; the server's own, if not given.
    #[arg(long)]
    temperature: Option<f64>,
    /// What prompts are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Load before the measured one, with prompts of its own and one request per user at least.
    #[arg(long, default_value = "0s")]
    warmup: HumanDuration,
    /// A request that takes longer has failed.
    #[arg(long, default_value = "2m")]
    request_timeout: HumanDuration,
    /// The environment variable that holds the bearer key.
    #[arg(long)]
    api_key_env: Option<String>,
    /// An HTTP header that goes with every request, such as "X-Team: perf".
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, Secret)>,
    /// Write the report to this file, and beside it, as `.records`, what became of every request.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keep no records.
    #[arg(long)]
    no_records: bool,
}

/// Exit code of an engine or client failure.
const FAILED: u8 = 4;

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let cancel = Cancel::new();
    cancel_on_interrupt(&cancel);
    let run = this_run();
    let progress = ProgressLine::default();
    let listen = |event: Event| progress.show(event);
    let launcher = Launcher::new(&run.id, PathBuf::from("."), &cancel, &listen);
    let target = args.target();
    let launched = launcher.check(&target, &[]).and_then(|()| launcher.launch(&target));
    progress.clear();
    let launched = match launched {
        Ok(launched) => launched,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(FAILED));
        }
    };
    let records = args.record_file(&run, &args.scenario())?;
    let report = bench(&args, run, records, &launched, &listen, &cancel);
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
    Ok(ExitCode::from(FAILED))
}

fn base_url(text: &str) -> Result<String, AddressError> {
    Address::parse(text).map(|_| text.to_owned())
}

fn header(text: &str) -> Result<(String, Secret), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE, such as \"X-Team: perf\"")?;
    Ok((name.trim().to_owned(), Secret::new(value.trim())))
}

fn bench(
    args: &Args,
    run: Run,
    records: Option<RecordFile>,
    launched: &Launched,
    listen: &dyn Fn(Event),
    cancel: &Cancel,
) -> Report {
    let (workload, load, plan, scenario) = (args.workload(), args.load(), args.plan(), args.scenario());
    let asked =
        Asked { scenario: &scenario, workload: &workload, load: &load, run: &plan, salt: &run.id, records };
    let which = Which { number: 1, name: "bench" };
    let Held { session, trouble, warnings } = hold(&asked, launched, which, listen, cancel);
    let nothing = session.summary.requests.succeeded == 0;
    let trouble = trouble.map(|trouble| trouble.to_string());
    let trouble = trouble.or_else(|| nothing.then(|| "no request succeeded".to_owned()));
    Report {
        version: report::VERSION,
        run,
        scenario,
        scenario_hash: None,
        passed: trouble.is_none(),
        verdict: if trouble.is_none() { Verdict::Ok } else { Verdict::Invalid },
        reason: trouble.unwrap_or_else(|| "figures only: no gate was given.".into()),
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

impl Args {
    fn target(&self) -> TargetSpec {
        TargetSpec {
            name: "endpoint".into(),
            engine: self.engine,
            model: self.model.clone(),
            place: Place::Endpoint(Endpoint {
                url: self.url.clone(),
                api_key_env: self.api_key_env.clone(),
                headers: self.headers.iter().cloned().collect(),
                hardware: None,
            }),
            proof: ProofPlan::default(),
            unavailable: None,
        }
    }

    fn workload(&self) -> Workload {
        Workload {
            api: self.api,
            stream: !self.no_stream,
            prompts: match &self.prompt {
                Some(prompt) => Prompts::List(vec![Prompt::Text(prompt.clone())]),
                None => Prompts::Synthetic(Synthetic { input_tokens: self.input_tokens, shared_prefix: 0.0 }),
            },
            output_tokens: self.max_tokens,
            ignore_eos: self.ignore_eos,
            seed: self.seed,
            sampling: Sampling { temperature: self.temperature, ..Sampling::default() },
        }
    }

    fn load(&self) -> Load {
        let stop = match &self.duration {
            Some(duration) => Stop::DurationMs(duration.0.as_millis() as u64),
            None => Stop::Requests(self.requests.unwrap_or(4 * self.concurrency)),
        };
        Load::closed(self.concurrency, stop)
    }

    fn plan(&self) -> RunPlan {
        RunPlan {
            warmup: self.warmup.0,
            rounds: 1,
            sessions: 1,
            request_timeout: self.request_timeout.0.max(Duration::from_millis(1)),
            on_suspected: OnSuspected::Warn,
            records: !self.no_records,
        }
    }

    fn record_file(&self, run: &Run, scenario: &ScenarioId) -> Result<Option<RecordFile>, StoreError> {
        let Some(report) = self.json.as_ref().filter(|_| !self.no_records) else { return Ok(None) };
        let (run, scenario, clock) = (run.clone(), scenario.clone(), clock::origin());
        let header = Header { run, scenario, scenario_hash: None, clock };
        RecordFile::replacing(report.with_extension(RECORDS), header).map(Some)
    }

    fn scenario(&self) -> ScenarioId {
        let load = format!("users-{}", self.concurrency);
        ScenarioId { file: "bench".into(), load, target: "endpoint".into() }
    }
}
