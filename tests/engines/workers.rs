//! Records on disk, and a load shared by several processes.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tollgate::internals::Report;

use super::QUICK;
use super::common::{EngineProcess, Outcome};

const OUTPUT_TOKENS: u64 = 12;
const USERS: [&str; 4] = ["--concurrency", "8", "--requests", "60"];

fn tollgate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn bench(engine: &EngineProcess, json: &Path, arguments: &[&str]) -> Command {
    let mut command = tollgate(&["bench", "--url", &engine.url, "--engine", "openai", "--ignore-eos"]);
    command.args(["--input-tokens", "16", "--max-tokens", &OUTPUT_TOKENS.to_string()]);
    command.args(arguments).arg("--json").arg(json);
    command
}

fn report(path: &Path) -> Report {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The records as `tollgate records` prints them.
fn records(path: &Path) -> Vec<Value> {
    let outcome = Outcome::of(tollgate(&["records"]).arg(path));
    outcome.assert_exit(0);
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn field_ms(record: &Value, name: &str) -> f64 {
    record[name].as_f64().unwrap()
}

#[test]
fn every_requests_record_is_next_to_the_report() {
    let (engine, folder) = (EngineProcess::start(&QUICK), TempDir::new().unwrap());
    let json = folder.path().join("report.json");
    for _ in 0..2 {
        // The second one replaces the files of the first.
        Outcome::of(&mut bench(&engine, &json, &["--concurrency", "3", "--requests", "9"])).assert_exit(0);
    }
    let file = folder.path().join("report.records");
    assert_eq!(report(&json).sessions[0].records.as_deref(), Some("report.records"));
    let records = records(&file);
    assert_eq!(records.len(), 9);
    for record in &records {
        assert_eq!(record["content_ms"].as_array().unwrap().len() as u64, OUTPUT_TOKENS);
        assert_eq!((&record["output_tokens"], &record["failure"]), (&OUTPUT_TOKENS.into(), &Value::Null));
        assert!(field_ms(record, "end_ms") > field_ms(record, "sent_ms"));
    }
    let csv = Outcome::of(tollgate(&["records", "--format", "csv"]).arg(&file));
    csv.assert_exit(0).assert_says("session,round,id,due,taken_ms,sent_ms,");
    assert_eq!(csv.stdout.lines().count(), 10);

    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 40]).unwrap();
    let cut = Outcome::of(tollgate(&["records"]).arg(&file));
    cut.assert_exit(1).assert_complains("truncated");
    assert_eq!(cut.stdout.lines().count(), 8);
}

struct Crew {
    folder: TempDir,
    start_at: String,
}

impl Crew {
    fn new() -> Crew {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        // Enough time for processes to start on a busy machine.
        Crew { folder: TempDir::new().unwrap(), start_at: (now_s + 15).to_string() }
    }

    fn json(&self, worker: &str) -> PathBuf {
        self.folder.path().join(format!("{}.json", worker.replace('/', "-of-")))
    }

    fn start(&self, engine: &EngineProcess, worker: &str, load: &[&str]) -> Child {
        let shared = ["--worker", worker, "--start-at", &self.start_at];
        bench(engine, &self.json(worker), &[load, &shared].concat()).spawn().unwrap()
    }

    fn merge(&self, workers: &[&str]) -> Outcome {
        let reports = workers.iter().map(|worker| self.json(worker));
        Outcome::of(tollgate(&["merge"]).args(reports).arg("--output").arg(self.whole("json")))
    }

    /// The output of `merge`, in a folder that it creates.
    fn whole(&self, extension: &str) -> PathBuf {
        self.folder.path().join("merged/whole").with_extension(extension)
    }
}

/// Milliseconds from each request to the next.
fn gaps_ms(records: &[Value]) -> Vec<f64> {
    let mut due: Vec<Timestamp> =
        records.iter().map(|record| record["due"].as_str().unwrap().parse().unwrap()).collect();
    due.sort_unstable();
    due.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64() * 1e3).collect()
}

#[test]
fn the_merged_report_matches_the_workers_records() {
    let (engine, crew, open_crew) = (EngineProcess::start(&QUICK), Crew::new(), Crew::new());
    let workers = ["1/4", "2/4", "3/4", "4/4"];
    let children = workers.map(|worker| crew.start(&engine, worker, &USERS));
    let by_the_clock = ["--rate", "40", "--requests", "60"];
    let others = ["1/2", "2/2"].map(|worker| open_crew.start(&engine, worker, &by_the_clock));
    for child in children.into_iter().chain(others) {
        Outcome::at_end_of(child).assert_exit(0);
    }
    crew.merge(&workers).assert_exit(0).assert_says("Requests: 60 sent, 60 succeeded.");
    let whole = report(&crew.whole("json"));
    assert_eq!(whole.summary.output_tokens, 60 * OUTPUT_TOKENS);
    assert_eq!((whole.run.worker, whole.sessions.len()), (None, 1));

    let records = records(&crew.whole("records"));
    let ids: HashSet<&str> = records.iter().map(|record| record["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 60);
    let ttft_ms = |record: &Value| record["content_ms"][0].as_f64().unwrap() - field_ms(record, "sent_ms");
    let mut ttft_ms: Vec<f64> = records.iter().map(ttft_ms).collect();
    ttft_ms.sort_by(f64::total_cmp);
    for (percentile, stated) in [(0.5, "ttft_ms_p50"), (0.9, "ttft_ms_p90"), (0.99, "ttft_ms_p99")] {
        let exact = ttft_ms[(percentile * 60.0_f64).ceil() as usize - 1];
        let merged = whole.summary.value(stated.parse().unwrap()).unwrap();
        assert!((merged / exact - 1.0).abs() < 2e-3, "{stated}: {merged}, of all records {exact}");
    }

    open_crew.merge(&["1/2", "2/2"]).assert_exit(0).assert_says("Requests: 60 sent, 60 succeeded.");
    let gaps_ms = gaps_ms(&self::records(&open_crew.whole("records")));
    assert!(gaps_ms.iter().all(|ms| (ms - 25.0).abs() < 1.0), "{gaps_ms:?}");
    assert_eq!(gaps_ms.len(), 59);

    fs::remove_file(open_crew.folder.path().join("1-of-2.records")).unwrap();
    let merged = open_crew.merge(&["1/2", "2/2"]);
    merged.assert_exit(0).assert_says("Requests: 60 sent").assert_says("records were not merged");
    assert_eq!(self::records(&open_crew.whole("records")).len(), 30);
    let onto = open_crew.json("2/2");
    let refused = Outcome::of(
        tollgate(&["merge"]).args([open_crew.json("1/2"), onto.clone()]).arg("--output").arg(onto),
    );
    refused.assert_exit(2).assert_complains("would overwrite a worker's report or records");
}

#[test]
fn parts_that_do_not_belong_together_are_rejected() {
    let (engine, crew) = (EngineProcess::start(&QUICK), Crew::new());
    let other_seed = [USERS.as_slice(), &["--seed", "2"]].concat();
    let children = [crew.start(&engine, "1/2", &USERS), crew.start(&engine, "2/2", &other_seed)];
    for child in children {
        Outcome::at_end_of(child).assert_exit(0);
    }
    crew.merge(&["1/2"]).assert_exit(2).assert_complains("worker 2 is missing");
    crew.merge(&["1/2", "1/2"]).assert_exit(2).assert_complains("both are from worker 1");
    crew.merge(&["1/2", "2/2"]).assert_exit(2).assert_complains("the scenario's hash is");
}

#[test]
fn a_past_start_and_an_idle_worker_are_rejected() {
    let (engine, folder) = (EngineProcess::start(&QUICK), TempDir::new().unwrap());
    let json = folder.path().join("report.json");
    let refused = |arguments: &[&str], why: &str| {
        Outcome::of(&mut bench(&engine, &json, arguments)).assert_exit(2).assert_complains(why);
    };
    refused(&["--start-at", "2020-01-01T00:00:00Z"], "expected a time in the future");
    refused(&["--start-at", "tomorrow"], "expected a time such as");
    refused(&["--worker", "1/2"], "--start-at");
    refused(&["--worker", "3/2", "--start-at", "9999999999"], "such as 2/4");
    let load = ["--concurrency", "2", "--worker", "3/3", "--start-at", "9999999999"];
    refused(&load, "worker 3/3 has nothing to do");
}
