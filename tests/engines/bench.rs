//! How `tollgate bench` and similar commands start and end.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tollgate::internals::Report;

use super::QUICK;
use super::common::{EngineProcess, Outcome, await_some};

fn bench(url: &str, json: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(["bench", "--url", url, "--engine", "openai", "--input-tokens", "8", "--max-tokens", "4"]);
    command.arg("--json").arg(json).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn an_interrupted_bench_has_its_exit_code_and_keeps_its_report() {
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
fn an_unwritable_report_is_an_error_before_the_measurement() {
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
fn a_duplicate_header_is_rejected() {
    let folder = TempDir::new().unwrap();
    let mut command = bench("http://127.0.0.1:1", &folder.path().join("report.json"));
    let refused = Outcome::of(command.args(["--header", "X-Team: a", "--header", "x-team: b"]));
    refused.assert_exit(2).assert_complains("--header `x-team` is given twice");
}

#[test]
fn an_engine_accepts_as_many_connections_as_the_system_allows() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tollgate")]);
    let (engine, folder) = (EngineProcess::by(command, &QUICK), TempDir::new().unwrap());
    let mut crowd = bench(&engine.url, &folder.path().join("report.json"));
    crowd.args(["--concurrency", "96", "--requests", "96"]);
    Outcome::of(&mut crowd).assert_exit(0).assert_says("96 succeeded");
}

#[test]
fn a_killed_calibration_leaves_no_engine_running() {
    let cache = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.arg("calibrate").env("XDG_CACHE_HOME", cache.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut calibration = command.spawn().unwrap();
    let (own, children) = (calibration.id(), format!("/proc/{0}/task/{0}/children", calibration.id()));
    let engine = await_some("the engine", || {
        let child: u32 = fs::read_to_string(&children).ok()?.split_whitespace().next()?.parse().ok()?;
        command_line(child).filter(|words| words.contains("--with-parent")).map(|_| child)
    });
    kill_process(Pid::from_raw(own as i32).unwrap(), Signal::TERM).unwrap();
    calibration.wait().unwrap();
    await_some("the engine's end", || command_line(engine).is_none().then_some(()));
}

/// The command line of a process, if it is still running.
fn command_line(process: u32) -> Option<String> {
    let words = fs::read_to_string(format!("/proc/{process}/cmdline")).ok()?;
    (!words.is_empty()).then_some(words)
}
