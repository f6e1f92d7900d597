//! What `tollgate accept` accepts and what it rejects.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;
use tollgate::internals::HttpVersion;
use tollgate::internals::{Baseline, Facts};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::common::{Outcome, Suite};

const PENDING: &str = "baselines/simulator/chat__users-4__sim.snap.new";
const ACCEPTED: &str = "baselines/simulator/chat__users-4__sim.snap";

/// A snapshot file with this many sessions.
fn snapshot(sessions: usize) -> String {
    let facts = Facts {
        scenario: "sha256:0123456789abcdef".into(),
        environment: "simulator".into(),
        engine: "simulator 1.0.0".into(),
        recorded: "2026-10-02".into(),
        machine: "simulated".into(),
        model: "simulated".into(),
        http_version: HttpVersion::default(),
        session_s: None,
        image: None,
        args: None,
        simulator: None,
    };
    let values = [("ttft_ms_p50".parse().unwrap(), vec![26.5; sessions])].into();
    format!("---\nsource: tests/perf.rs\n---\n{}", Baseline { facts, values }.to_toml())
}

fn suite_with_pending(text: &str) -> Suite {
    let suite = Suite::new();
    suite.write(PENDING, text);
    suite
}

#[test]
fn without_pending_baselines_it_says_when_there_are_some() {
    Suite::new().accept(&[]).assert_exit(2).assert_complains("no pending baselines below");
}

#[test]
fn an_unknown_scenario_gets_the_pending_ones_listed() {
    let suite = suite_with_pending(&snapshot(4));
    suite.accept(&["chat::users-5::sim"]).assert_exit(2).assert_complains(
        "`chat::users-5::sim` has no pending baseline; pending baselines: chat::users-4::sim",
    );
    assert!(suite.exists(PENDING) && !suite.exists(ACCEPTED));
}

#[test]
fn only_the_named_scenario_is_accepted() {
    let suite = suite_with_pending(&snapshot(4));
    suite.write("baselines/simulator/chat__users-8__sim.snap.new", &snapshot(4));
    suite.accept(&["chat::users-4::sim"]).assert_exit(0);
    assert_eq!(
        suite.baselines(),
        ["simulator/chat__users-4__sim.snap", "simulator/chat__users-8__sim.snap.new"]
    );
}

#[test]
fn a_damaged_file_is_rejected_with_its_position() {
    let damaged = snapshot(4).replace("ttft_ms_p50 = [26.5", "ttft_ms_p50 = [\"fast\"");
    let suite = suite_with_pending(&damaged);
    suite.accept(&[]).assert_exit(1).assert_complains(
        "refused: baselines/simulator/chat__users-4__sim.snap.new:11:16: expected one number per session",
    );
    assert!(suite.exists(PENDING) && !suite.exists(ACCEPTED));
}

#[test]
fn one_rejection_does_not_block_the_others() {
    let suite = suite_with_pending("not a snapshot");
    suite.write("baselines/simulator/chat__users-8__sim.snap.new", &snapshot(4));
    suite.accept(&[]).assert_exit(1).assert_complains("refused: ").assert_says("accepted ");
    assert!(suite.exists(PENDING) && suite.exists("baselines/simulator/chat__users-8__sim.snap"));
}

#[test]
fn too_few_sessions_need_force() {
    let suite = suite_with_pending(&snapshot(3));
    suite.accept(&[]).assert_exit(1).assert_complains("has 3 sessions").assert_complains("--force");
    assert!(suite.exists(PENDING) && !suite.exists(ACCEPTED));
    suite.accept(&["--force"]).assert_exit(0);
    assert!(!suite.exists(PENDING) && suite.exists(ACCEPTED));
}

/// Runs `accept` where no file may have any bytes; `trap` says whether it survives the attempt.
fn accept_without_space(suite: &Suite, trap: &str) -> Outcome {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{trap}ulimit -f 0; exec \"$0\" accept --root \"$1\"")]);
    Outcome::of(shell.arg(env!("CARGO_BIN_EXE_tollgate")).arg(suite.path(".")))
}

#[test]
fn without_space_the_accepted_baseline_stays_whole() {
    let suite = suite_with_pending(&snapshot(4));
    suite.write(ACCEPTED, &snapshot(5));
    accept_without_space(&suite, "trap '' XFSZ; ")
        .assert_exit(1)
        .assert_complains("simulator/chat__users-4__sim.snap: File too large");
    assert_eq!(suite.read(ACCEPTED), snapshot(5));
    let pending = PENDING.trim_start_matches("baselines/");
    assert_eq!(suite.baselines(), [ACCEPTED.trim_start_matches("baselines/"), pending], "no part is left");
}

#[test]
fn a_killed_accept_leaves_the_baseline_whole() {
    let suite = suite_with_pending(&snapshot(4));
    suite.write(ACCEPTED, &snapshot(5));
    accept_without_space(&suite, "").assert_says_not("accepted");
    assert_eq!(suite.read(ACCEPTED), snapshot(5));
    assert_eq!(suite.read(PENDING), snapshot(4));
    suite.accept(&[]).assert_exit(0);
    assert_ne!(suite.read(ACCEPTED), snapshot(5));
}

#[test]
fn an_unwritten_pending_baseline_has_the_systems_reason() {
    let suite = Suite::new();
    suite.write("baselines/simulator", "a file where a folder belongs");
    suite
        .run(&[])
        .assert_exit(101)
        .assert_says("can't write baselines/simulator/chat__users-4__sim.snap.new: ")
        .assert_says("(os error ")
        .assert_says_not("INSTA_UPDATE");
}

#[test]
fn another_environments_baseline_is_not_accepted_or_used() {
    let suite = Suite::new();
    let elsewhere = "baselines/l40s-qwen3-8b/chat__users-4__sim.snap";
    let complaint = ": the baseline was recorded in `simulator` but is in";
    suite.write(&format!("{elsewhere}.new"), &snapshot(4));
    suite.accept(&[]).assert_exit(1).assert_complains(complaint);
    assert!(!suite.exists(elsewhere));
    suite.write(elsewhere, &snapshot(4));
    suite.run(&[]).assert_exit(2).assert_complains(complaint).assert_says_not("running");
}

/// The contents of CI's artifact of pending baselines, in a folder outside the suite.
fn artifact(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// The same as a ZIP file.
fn zipped(folder: &TempDir, files: &[(&str, &str)]) -> PathBuf {
    let path = folder.path().join("pending-baselines.zip");
    let mut archive = ZipWriter::new(File::create(&path).unwrap());
    for (name, text) in files {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
    path
}

#[test]
fn another_machines_baselines_are_accepted_from_a_folder() {
    let suite = Suite::new();
    let downloaded = artifact(&[(PENDING, &snapshot(4))]);
    let from = downloaded.path().to_str().unwrap();
    suite
        .accept(&["--from", from, "chat::users-4::sim"])
        .assert_exit(0)
        .assert_says(&format!("accepted {ACCEPTED}"));
    assert!(suite.exists(ACCEPTED) && downloaded.path().join(PENDING).exists());
    suite.write(PENDING, &snapshot(4));
    suite.accept(&["--from", from]).assert_exit(0);
    assert!(suite.exists(PENDING), "what waits here is another measurement");
}

#[test]
fn another_machines_baselines_are_accepted_from_a_zip_file() {
    let suite = Suite::new();
    let folder = TempDir::new().unwrap();
    let zip = zipped(&folder, &[("readme.txt", "not ours"), (PENDING, &snapshot(4))]);
    suite.accept(&["--from", zip.to_str().unwrap()]).assert_exit(0);
    let accepted = suite.read(ACCEPTED);
    suite.write(PENDING, &snapshot(4));
    suite.accept(&[]).assert_exit(0);
    assert_eq!(suite.read(ACCEPTED), accepted, "the same as from here");
    assert_eq!(suite.baselines(), ["simulator/chat__users-4__sim.snap"]);
}

#[test]
fn what_is_rejected_here_is_rejected_from_elsewhere() {
    let suite = Suite::new();
    let elsewhere = "baselines/l40s-qwen3-8b/chat__users-4__sim.snap.new";
    for (files, complaint) in [
        ([(PENDING, snapshot(3))], "has 3 sessions"),
        ([(PENDING, snapshot(4).replace("[26.5", "[\"fast\""))], "expected one number per session"),
        ([(elsewhere, snapshot(4))], "the baseline was recorded in `simulator` but is in"),
    ] {
        let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
        let folder = artifact(&files);
        let from = folder.path().to_str().unwrap().to_owned();
        let zip = zipped(&folder, &files);
        for from in [from.as_str(), zip.to_str().unwrap()] {
            let refused = suite.accept(&["--from", from]);
            refused
                .assert_exit(1)
                .assert_complains(&format!("refused: {from}/baselines/"))
                .assert_complains(complaint);
        }
        assert_eq!(suite.baselines(), [""; 0]);
    }
}

#[test]
fn a_zip_file_with_escaping_paths_is_rejected() {
    let suite = Suite::new();
    let folder = TempDir::new().unwrap();
    for name in ["../escaped.snap.new", "/tmp/tollgate-escaped.snap.new", "baselines/../../escaped.snap.new"]
    {
        let zip = zipped(&folder, &[(PENDING, &snapshot(4)), (name, "")]);
        let refused = suite.accept(&["--from", zip.to_str().unwrap()]);
        refused.assert_exit(2).assert_complains(&format!("entry `{name}` points outside of the archive"));
        assert_eq!(suite.baselines(), [""; 0]);
    }
}

#[test]
fn a_zip_file_has_one_limit_over_all_entries() {
    let suite = Suite::new();
    let folder = TempDir::new().unwrap();
    let names: Vec<String> =
        (0..20).map(|number| format!("baselines/simulator/chat__users-{number}__sim.snap.new")).collect();
    let large = "0".repeat(1 << 20);
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), large.as_str())).collect();
    let zip = zipped(&folder, &files);
    assert!(zip.metadata().unwrap().len() < 100_000);
    let rejected = suite.accept(&["--from", zip.to_str().unwrap()]);
    rejected.assert_exit(2).assert_complains("larger than 16777216 bytes together");
}

#[test]
fn an_invalid_artifact_says_what_was_expected() {
    let suite = Suite::new();
    let folder = artifact(&[("chat__users-4__sim.snap.new", &snapshot(4)), ("text.zip", "not a ZIP file")]);
    let from = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let expected = "expected files such as baselines/<environment>/<scenario>.snap.new";
    suite.accept(&["--from", &from("")]).assert_exit(2).assert_complains(expected);
    suite
        .accept(&["--from", &from("text.zip")])
        .assert_exit(2)
        .assert_complains("neither a folder nor a readable ZIP file");
    suite.accept(&["--from", &from("gone")]).assert_exit(2).assert_complains("No such file or directory");
}
