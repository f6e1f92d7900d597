//! What `tollgate accept` takes and what it refuses.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use tempfile::TempDir;
use tollgate::internals::HttpVersion;
use tollgate::internals::{Baseline, Facts};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::common::Suite;

const PENDING: &str = "baselines/simulator/chat__users-4__sim.snap.new";
const ACCEPTED: &str = "baselines/simulator/chat__users-4__sim.snap";

/// A snapshot file of that many sessions.
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
fn without_anything_pending_it_says_when_there_would_be() {
    Suite::new().accept(&[]).assert_exit(2).assert_complains("no pending baselines below");
}

#[test]
fn an_unknown_scenario_is_answered_with_what_is_pending() {
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
fn a_damaged_file_is_refused_with_its_place() {
    let damaged = snapshot(4).replace("ttft_ms_p50 = [26.5", "ttft_ms_p50 = [\"fast\"");
    let suite = suite_with_pending(&damaged);
    suite.accept(&[]).assert_exit(1).assert_complains(
        "refused: baselines/simulator/chat__users-4__sim.snap.new:11:16: expected one number per session",
    );
    assert!(suite.exists(PENDING) && !suite.exists(ACCEPTED));
}

#[test]
fn one_refusal_does_not_hold_up_the_others() {
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

#[test]
fn another_environments_baseline_is_neither_accepted_nor_used() {
    let suite = Suite::new();
    let elsewhere = "baselines/l40s-qwen3-8b/chat__users-4__sim.snap";
    let complaint = ": the baseline was recorded in `simulator` but is in";
    suite.write(&format!("{elsewhere}.new"), &snapshot(4));
    suite.accept(&[]).assert_exit(1).assert_complains(complaint);
    assert!(!suite.exists(elsewhere));
    suite.write(elsewhere, &snapshot(4));
    suite.run(&[]).assert_exit(2).assert_complains(complaint).assert_says_not("running");
}

/// What CI's artifact of pending baselines holds, as a folder outside of the suite.
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
fn another_machines_baseline_is_accepted_from_a_folder() {
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
fn what_another_machine_left_is_accepted_from_a_zip_file() {
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
fn what_is_refused_here_is_refused_from_elsewhere() {
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
fn a_zip_file_that_leads_out_is_refused_as_a_whole() {
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
fn an_artifact_that_is_none_says_what_was_expected() {
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
