//! `tollgate calibrate`: measures how accurate this machine's client is.

mod engine;

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;

use crate::client::{Access, Cancel, Client, ClientError, ClientSettings, Progress, Round, Watch};
use crate::engine::EngineKind;
use crate::load::prompts::PromptSampler;
use crate::load::workload::Workload;
use crate::load::{ArrivalProcess, Load, StopCondition};
use crate::metrics::calibration::{Calibration, Level, NotTried, Pace, ServerStamps};
use crate::metrics::record::RequestRecord;
use crate::metrics::truth::{RequestTruth, Truth};
use crate::report::calibration_table::calibration_table;
use crate::store;
use crate::sys::machine;
use crate::sys::open_files::open_files;

use engine::CalibrationEngine;

/// Measure the load client's timing error on this machine against the simulated engine's timestamps.
#[derive(Debug, clap::Args)]
pub(crate) struct CalibrateArgs {
    /// Print the calibration as JSON.
    #[arg(long)]
    json: bool,
}

/// A load to try.
struct Trial {
    streams: u32,
    step_ms: f64,
    output_tokens: u32,
    /// Requests that each stream sends.
    waves: u32,
}

/// What a load yielded, and the client that ran it.
struct TriedLoad {
    client: Client,
    round: Round,
    records: Vec<RequestRecord>,
}

/// TTFT 50 ms and ITL 10 ms, the load for which the accuracy is stated; then faster tokens, and short responses for the
/// request rate.
const TRIALS: [Trial; 7] = [
    Trial { streams: 1, step_ms: 10.0, output_tokens: 64, waves: 8 },
    Trial { streams: 32, step_ms: 10.0, output_tokens: 64, waves: 6 },
    Trial { streams: 256, step_ms: 10.0, output_tokens: 64, waves: 6 },
    Trial { streams: 1024, step_ms: 10.0, output_tokens: 64, waves: 3 },
    Trial { streams: 256, step_ms: 5.0, output_tokens: 128, waves: 6 },
    Trial { streams: 64, step_ms: 10.0, output_tokens: 2, waves: 50 },
    Trial { streams: 256, step_ms: 10.0, output_tokens: 2, waves: 50 },
];

/// Open loads: requests of a few tokens at random times.
const RATES_PER_S: [f64; 3] = [100.0, 500.0, 1000.0];
const PACE_S: f64 = 5.0;
const PACED: Trial = Trial { streams: 256, step_ms: 5.0, output_tokens: 4, waves: 0 };

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn run(args: &CalibrateArgs) -> anyhow::Result<ExitCode> {
    let path = store::calibration_path()?;
    store::check_writable(&path)?;
    // Before this process pins itself to one processor.
    let machine = machine::describe();
    let apart = engine::pin_to_first_processor();
    let mut not_tried = Vec::new();
    let mut levels = Vec::new();
    for trial in &TRIALS {
        eprintln!("{} streams, a token every {} ms …", trial.streams, trial.step_ms);
        levels.extend(skip_if_too_large(
            trial.run(apart),
            format!("{} streams", trial.streams),
            &mut not_tried,
        )?);
    }
    let mut paces = Vec::new();
    for rate_per_s in RATES_PER_S {
        eprintln!("{rate_per_s} requests/s …");
        paces.extend(skip_if_too_large(
            pace(rate_per_s, apart),
            format!("{rate_per_s} requests/s"),
            &mut not_tried,
        )?);
    }
    let calibration = Calibration {
        tollgate: env!("CARGO_PKG_VERSION").into(),
        taken: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        machine,
        apart,
        open_files: open_files(),
        levels,
        not_tried,
        paces,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&calibration)?)
    } else {
        println!("{}", calibration_table(&calibration))
    }
    store::save_calibration(&path, &calibration)?;
    eprintln!("Stored: {}", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Records a load that this machine has no room for; the other loads are still worth measuring.
fn skip_if_too_large<T>(
    result: anyhow::Result<T>,
    load: String,
    not_tried: &mut Vec<NotTried>,
) -> anyhow::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.downcast_ref() {
            Some(ClientError::Connections(why)) => {
                not_tried.push(NotTried { load, why: why.to_string() });
                Ok(None)
            }
            _ => Err(error.context(format!("can't measure {load}"))),
        },
    }
}

impl Trial {
    fn run(&self, apart: bool) -> anyhow::Result<Level> {
        let engine = CalibrationEngine::start(self.step_ms, self.streams, apart)?;
        let load = Load::closed(self.streams, StopCondition::Requests(self.streams * self.waves));
        let TriedLoad { client, round, records } = self.ask(&engine, &load)?;
        let truth =
            client.truth().map_err(|why| anyhow!("can't read /truth of the simulated engine: {why}"))?;
        let seconds = (round.ended_ns - round.started_ns) as f64 / 1e9;
        let tokens: u64 = records.iter().map(|record| u64::from(record.output_tokens)).sum();
        let mut level = Level::new(self.streams, self.step_ms);
        compare(&mut level, &records, &truth);
        Ok(Level {
            tokens_per_s: tokens as f64 / seconds,
            requests_per_s: records.len() as f64 / seconds,
            client_cpu_share: round.health.cpu_share,
            ..level
        })
    }

    fn ask(&self, engine: &CalibrationEngine, load: &Load) -> anyhow::Result<TriedLoad> {
        let mut client = Client::new(ClientSettings {
            access: Access::to(engine.url.clone()),
            engine: EngineKind::SIMULATOR,
            model: None,
            request_timeout: REQUEST_TIMEOUT,
        })?;
        client.identity()?;
        let workload = self.workload();
        let mut sampler = PromptSampler::measured(&workload, "calibrate", 0);
        let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
        let mut records: Vec<RequestRecord> = Vec::new();
        let round = client.run_round(&workload, load, &mut sampler, watch, &mut records)?;
        Ok(TriedLoad { client, round, records })
    }

    fn workload(&self) -> Workload {
        Workload::synthetic(8, self.output_tokens)
    }
}

fn pace(rate_per_s: f64, apart: bool) -> anyhow::Result<Pace> {
    let engine = CalibrationEngine::start(PACED.step_ms, PACED.streams, apart)?;
    let load = Load::open(
        rate_per_s,
        ArrivalProcess::Poisson,
        StopCondition::Requests((rate_per_s * PACE_S) as u32),
    );
    Ok(Pace::of(rate_per_s, &PACED.ask(&engine, &load)?.records))
}

fn compare(level: &mut Level, records: &[RequestRecord], truth: &Truth) {
    let by_id: HashMap<&str, &RequestTruth> =
        truth.requests.iter().map(|request| (request.id.as_str(), request)).collect();
    for record in records {
        let seen = by_id.get(record.id.as_str()).map_or(
            ServerStamps { received_ns: 0, token_due_ns: &[], token_written_ns: &[] },
            |request| ServerStamps {
                received_ns: request.received_ns,
                token_due_ns: &request.token_due_ns,
                token_written_ns: &request.token_written_ns,
            },
        );
        level.compare(record, seen);
    }
}
