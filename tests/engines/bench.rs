//! How `tollgate bench` begins and ends.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tollgate::report::Report;

use super::QUICK;
use super::common::{EngineProcess, Outcome, await_some};

fn bench(url: &str, json: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(["bench", "--url", url, "--engine", "openai", "--input-tokens", "8", "--max-tokens", "4"]);
    command.arg("--json").arg(json).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn an_interrupted_bench_says_so_by_its_exit_code_and_leaves_its_report() {
    let (engine, folder) = (EngineProcess::start(&QUICK), TempDir::new().unwrap());
    for signal in [Signal::INT, Signal::TERM] {
        let json = folder.path().join("report.json");
        let answered = engine.requests_answered();
        let child = bench(&engine.url, &json).args(["--duration", "1h"]).spawn().unwrap();
        await_some("an answer", || (engine.requests_answered() > answered).then_some(()));
        kill_process(Pid::from_child(&child), signal).unwrap();
        Outcome::at_end_of(child).assert_exit(130).assert_complains("interrupted");
        fs::remove_file(&json).unwrap();
    }
}

#[test]
fn a_report_that_can_not_be_written_is_told_before_anything_is_measured() {
    let (engine, folder) = (EngineProcess::start(&QUICK), TempDir::new().unwrap());
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for json in [folder.path().to_owned(), file.join("report.json")] {
        Outcome::of(&mut bench(&engine.url, &json)).assert_exit(2).assert_complains("can't");
    }
    assert_eq!(engine.requests_answered(), 0);
    let deep = folder.path().join("no/such/folder/report.json");
    Outcome::of(&mut bench(&engine.url, &deep)).assert_exit(0);
    assert!(deep.exists());
}

#[test]
fn no_two_reports_share_their_records() {
    let (engine, folder) = (EngineProcess::start(&QUICK), TempDir::new().unwrap());
    for name in ["run.1", "run.2", "out.records"] {
        let json = folder.path().join(name);
        Outcome::of(&mut bench(&engine.url, &json)).assert_exit(0);
        let report: Report = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
        let records = format!("{name}.records");
        assert_eq!(report.sessions[0].records.as_ref(), Some(&records));
        assert!(folder.path().join(records).exists());
    }
}

#[test]
fn a_header_that_is_given_twice_is_refused() {
    let folder = TempDir::new().unwrap();
    let mut command = bench("http://127.0.0.1:1", &folder.path().join("report.json"));
    let refused = Outcome::of(command.args(["--header", "X-Team: a", "--header", "x-team: b"]));
    refused.assert_exit(2).assert_complains("--header `x-team` is there twice");
}
