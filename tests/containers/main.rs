//! Engines in containers, end to end: proves a version bump, and leaves nothing behind, however a run ends.

#[path = "../common/mod.rs"]
mod common;
mod images;

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use rustix::process::{Pid, Signal, kill_process};
use tollgate::internals::Verdict;

use common::requirement::lacking;
use common::user_crate::UserCrate;
use common::{Outcome, Suite, await_some};
use images::{Images, docker};

const ID: &str = "chat::users-4::engine";

/// An answer takes 46 ms + 29 × 6.2 ms, or about three times that.
const CHAT: &str = r#"targets = ["engine"]
[workload]
prompts = { synthetic = { input_tokens = 16 } }
output_tokens = 30
[load.users-4]
concurrency = 4
requests = 8
[run]
warmup = "0s"
rounds = 1
[gates]
output_tokens_per_s = { tolerance = "40%" }
"#;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = [
        trial("a_version_bump_is_proven_and_accepted", a_version_bump_is_proven_and_accepted),
        trial("the_same_image_under_another_tag_is_the_same_engine", the_same_image_under_another_tag),
        trial("an_old_image_that_is_gone_leaves_nothing_to_run", an_old_image_that_is_gone),
        trial("another_machines_baseline_says_what_to_prove_against", another_machines_baseline),
        trial("two_images_are_compared_without_a_baseline", two_images_are_compared),
        trial("the_first_bad_of_eight_tags_is_found_in_three_proofs", the_first_bad_of_eight_tags),
        trial("an_engine_that_dies_at_its_start_is_reported_with_its_last_words", an_engine_that_dies),
        trial(
            "an_engine_that_never_becomes_ready_is_reported_with_its_last_words",
            an_engine_that_never_becomes_ready,
        ),
        trial("a_port_that_is_taken_is_named", a_port_that_is_taken),
        trial("an_image_that_is_nowhere_is_named", an_image_that_is_nowhere),
        trial("an_image_that_may_not_be_pulled_makes_its_tests_ignored", an_image_that_may_not_be_pulled),
        trial("without_docker_the_tests_are_ignored_or_an_error_where_it_is_required", without_docker),
        trial("an_interrupt_while_the_engine_starts_leaves_nothing", an_interrupt_while_the_engine_starts),
        trial(
            "an_interrupt_while_it_is_measured_leaves_results_and_nothing_else",
            an_interrupt_while_measuring,
        ),
        trial("a_killed_run_leaves_nothing", a_killed_run),
        trial("one_start_serves_all_scenarios", one_start_serves_all_scenarios),
        trial(
            "one_start_serves_all_scenarios_of_a_runner_with_a_process_per_test",
            one_start_serves_all_processes,
        ),
    ];
    // Each of them checks which containers exist.
    let arguments = Arguments { test_threads: Some(1), ..arguments };
    let conclusion = libtest_mimic::run(&arguments, trials.into());
    // A static is not dropped.
    IMAGES.get().into_iter().for_each(Images::remove);
    conclusion.exit_code()
}

static IMAGES: OnceLock<Images> = OnceLock::new();

fn trial(name: &str, test: fn(&Images)) -> Trial {
    let run = move || -> Result<Completion, Failed> {
        if !images::is_there() {
            return lacking("docker", "there is no Docker here");
        }
        let images = IMAGES.get_or_init(Images::make);
        let before = unused_volumes();
        test(images);
        // The reaper needs a moment.
        await_some("the containers' end", || images.containers().is_empty().then_some(()));
        await_some("the volumes' end", || unused_volumes().is_subset(&before).then_some(()));
        Ok(Completion::Completed)
    };
    Trial::ignorable_test(name, run)
}

/// Volumes without a container; volumes in use belong to others.
fn unused_volumes() -> BTreeSet<String> {
    docker(&["volume", "ls", "-q", "--filter", "dangling=true"]).lines().map(str::to_owned).collect()
}

fn targets(image: &str, more: &str) -> String {
    format!("[targets.engine]\nengine = \"vllm\"\nimage = \"{image}\"\nport = 8080\npull = \"never\"\n{more}")
}

fn suite_on(image: &str) -> Suite {
    suite_with(image, "", CHAT)
}

fn suite_with(image: &str, more: &str, scenario: &str) -> Suite {
    Suite::of(&[("targets.toml", &targets(image, more)), ("scenarios/chat.toml", scenario)])
}

/// Bumps the version, as Renovate would.
fn bump(suite: &Suite, image: &str) {
    suite.write("perf-tests/targets.toml", &targets(image, ""));
}

fn a_version_bump_is_proven_and_accepted(images: &Images) {
    let suite = suite_on(&images.of("1.0"));
    suite.run(&[]).assert_exit(101).assert_says("NO BASELINE");
    suite.accept(&[]).assert_exit(0);
    let file = format!("baselines/cpu-simulated/{}.snap", ID.replace("::", "__"));
    let baseline = suite.read(&file);
    assert!(baseline.contains(&format!("image = \"{}@sha256:", images.of("1.0"))), "{baseline}");

    suite.run(&[]).assert_exit(0);

    bump(&suite, &images.of("2.0"));
    let red = suite.run(&[]);
    red.assert_exit(101).assert_says("REGRESSED").assert_says("Proven on this machine");
    let report = suite.report(ID);
    let proof = report.proof.as_ref().expect("it was proven");
    assert_eq!((proof.starts, proof.old.engine.as_str()), (4, "vllm 1.0"), "{red}");
    assert_eq!(report.environment.unwrap().engine, "vllm 2.0", "{red}");
    let junit = suite.junit_text("failure").unwrap();
    assert!(junit.contains("lower in vllm 2.0 than in vllm 1.0"), "{junit}");

    suite.accept(&[]).assert_exit(0);
    suite.run(&[]).assert_exit(0);
    assert!(suite.read(&file).contains(&images.of("2.0")));
}

fn the_same_image_under_another_tag(images: &Images) {
    let suite = suite_on(&images.of("1.0"));
    suite.record_baselines();
    // The same engine can't have changed, so the machine has, and the engine is not to blame.
    let file = format!("baselines/cpu-simulated/{}.snap", ID.replace("::", "__"));
    let baseline = suite.read(&file);
    let doctored = baseline.lines().map(|line| {
        if line.starts_with("output_tokens_per_s") {
            "output_tokens_per_s = [9990.0, 9991.0, 9992.0, 9993.0]\n".to_owned()
        } else {
            format!("{line}\n")
        }
    });
    suite.write(&file, &doctored.collect::<String>());
    bump(&suite, &images.of("1.0-same"));
    suite.run(&[]).assert_exit(0);
    let report = suite.report(ID);
    assert_eq!(report.verdict, Verdict::Suspected, "{}", report.reason);
    assert!(report.reason.contains("the machine has changed"), "{}", report.reason);
}

fn an_old_image_that_is_gone(images: &Images) {
    let suite = suite_on(&images.of("1.0"));
    suite.record_baselines();
    let file = format!("baselines/cpu-simulated/{}.snap", ID.replace("::", "__"));
    let baseline = suite.read(&file);
    let (before, after) = baseline.split_once("@sha256:").unwrap();
    let lost = format!("nowhere.invalid/{}", images.of("1.0"));
    let before = before.replace(&images.of("1.0"), &lost);
    suite.write(&file, &format!("{before}@sha256:{}{}", "0".repeat(64), &after[64..]));
    bump(&suite, &images.of("2.0"));
    suite.run(&[]);
    let report = suite.report(ID);
    assert!(matches!(report.verdict, Verdict::Regressed | Verdict::Suspected), "{}", report.reason);
    assert!(report.proof.is_none(), "there was nothing to prove it with");
    assert_eq!(report.sessions.len(), 4, "more sessions stand in for the proof");
    let warned = report.warnings.iter().any(|warning| {
        warning.contains("could not run the old version") && warning.contains("nowhere.invalid")
    });
    assert!(warned, "{:?}", report.warnings);
}

fn another_machines_baseline(images: &Images) {
    let suite = suite_with(&images.of("1.0"), "hardware = \"laptop\"\n", CHAT);
    suite.record_baselines();
    let on_desktop = |tag: &str| {
        suite.write("perf-tests/targets.toml", &targets(&images.of(tag), "hardware = \"desktop\"\n"));
        suite.run(&[])
    };
    // The same engine on another machine, without a baseline to compare with.
    on_desktop("1.0").assert_exit(101).assert_says("NO BASELINE");
    fs::remove_dir_all(suite.path("baselines/desktop-simulated")).unwrap();

    let slower = on_desktop("2.0");
    slower
        .assert_exit(101)
        .assert_says("lower in vllm 2.0 than in vllm 1.0")
        .assert_says("Proven on this machine");
    let pending = suite.exists("baselines/desktop-simulated/chat__users-4__engine.snap.new");
    assert!(pending, "{slower}");
}

fn two_images_are_compared(images: &Images) {
    let suite = suite_on(&images.of("1.0"));
    let ab = |old: &str, new: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        suite.make_at_home(&mut command);
        command.args(["ab", "--target", "engine", "--old", &images.of(old), "--new", &images.of(new)]);
        Outcome::of(&mut command)
    };
    ab("1.0", "2.0").assert_exit(1).assert_says("lower in vllm 2.0 than in vllm 1.0");
    ab("1.0", "no-such-tag").assert_exit(4).assert_says("no-such-tag is not on this machine");
}

fn the_first_bad_of_eight_tags(images: &Images) {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let first_bad = 1 + (seed % 7) as usize;
    eprintln!("seed {seed}: the first bad tag is 8.{first_bad}");
    let tags: Vec<String> = (0..8).map(|number| format!("8.{number}")).collect();
    for (number, tag) in tags.iter().enumerate() {
        images.tag(tag, if number < first_bad { &[] } else { &["--set", "decode_scale=3"] });
    }
    let suite = suite_on(&images.of("1.0"));
    suite.write("tags.txt", &tags.join("\n"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    suite.make_at_home(&mut command);
    command.args(["bisect", "--target", "engine", "--tags", "tags.txt", "--good", "8.0", "--bad", "8.7"]);
    let outcome = Outcome::of(&mut command);
    tags.iter().for_each(|tag| drop(docker(&["rmi", &images.of(tag)])));
    let found = format!("FIRST BAD: 8.{first_bad}. The version before it, 8.{}, is good.", first_bad - 1);
    outcome.assert_exit(1).assert_says(&found).assert_says("including the bad end");
    let proofs = outcome.stdout.lines().filter(|line| line.contains(" starts, ") && line.starts_with("8."));
    assert!(proofs.count() <= 1 + 3, "{outcome}");
}

fn an_engine_that_dies(images: &Images) {
    let suite = suite_on(&images.of("dying"));
    suite.run(&[]).assert_exit(101).assert_says("exited with code 2").assert_says("no_such_setting");
    assert!(suite.junit_text("error").unwrap().contains("no_such_setting"));
}

fn an_engine_that_never_becomes_ready(images: &Images) {
    let suite = suite_with(&images.of("asleep"), "start_timeout = \"2s\"\n", CHAT);
    let run = suite.run(&[]);
    run.assert_exit(101)
        .assert_says("accepted no requests within")
        .assert_says("simulated engine asleep listens");
}

fn a_port_that_is_taken(images: &Images) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let suite = suite_with(&images.of("1.0"), &format!("host_port = {port}\n"), CHAT);
    suite.run(&[]).assert_exit(101).assert_says(&port.to_string()).assert_says("already in use");
}

fn an_image_that_is_nowhere(_: &Images) {
    let targets = targets("nowhere.invalid/no-such-image:1", "").replace("never", "missing");
    let suite = Suite::of(&[("targets.toml", &targets), ("scenarios/chat.toml", CHAT)]);
    suite.run(&[]).assert_exit(101).assert_says("can't pull nowhere.invalid/no-such-image:1");
}

fn an_image_that_may_not_be_pulled(images: &Images) {
    let suite = suite_on(&images.of("no-such-tag"));
    suite.run(&[]).assert_exit(0).assert_says("is not on this machine and `pull` is \"never\"");
    suite
        .run_with(&[("TOLLGATE_REQUIRE", "engine")])
        .assert_exit(101)
        .assert_says("TOLLGATE_REQUIRE names `engine`");
}

fn without_docker(images: &Images) {
    let suite = suite_on(&images.of("1.0"));
    let nowhere = ("DOCKER_HOST", "unix:///nowhere.sock");
    suite.run_with(&[nowhere]).assert_exit(0).assert_says("Docker is not available");
    suite.run_with(&[nowhere, ("TOLLGATE_REQUIRE", "docker")]).assert_exit(101).assert_says("names `docker`");
}

fn an_interrupt_while_the_engine_starts(images: &Images) {
    let suite = suite_on(&images.of("asleep"));
    let child = suite.start_with(&[]);
    await_some("the container", || (!images.containers().is_empty()).then_some(()));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Outcome::at_end_of(child).assert_exit(130);
    assert!(images.containers().is_empty(), "it is gone when the run is");
    assert!(suite.junit_text("error").unwrap().contains("interrupted while the engine was starting"));
}

fn an_interrupt_while_measuring(images: &Images) {
    let suite = suite_with(&images.of("1.0"), "", &CHAT.replace("requests = 8", "requests = 4000"));
    let child = suite.start_with(&[]);
    await_some("requests", || answered(images));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Outcome::at_end_of(child).assert_exit(130);
    assert!(images.containers().is_empty(), "it is gone when the run is");
    assert!(suite.junit_text("error").unwrap().contains("interrupted"));
    let session = &suite.report(ID).sessions[0];
    assert!(session.summary.requests.succeeded > 0, "what was measured is kept");
    let log = suite.read(&format!("target/tollgate/latest/{}", session.log.as_ref().unwrap()));
    assert!(log.contains("simulated engine"), "{log}");
}

/// Waits until its container has received requests.
fn answered(images: &Images) -> Option<()> {
    let container = images.containers().first()?.split(' ').next()?.to_owned();
    let stats = docker(&["stats", "--no-stream", "--format", "{{.NetIO}}", &container]);
    // Health checks are a few hundred bytes.
    stats.split('/').next()?.contains("kB").then_some(())
}

fn a_killed_run(images: &Images) {
    let suite = suite_with(&images.of("1.0"), "", &CHAT.replace("requests = 8", "requests = 4000"));
    let mut child = suite.start_with(&[]);
    await_some("requests", || answered(images));
    child.kill().unwrap();
    await_some("the reaper's work", || images.containers().is_empty().then_some(()));
    child.wait().unwrap();
}

/// Six scenarios: two loads in each of three files.
fn suite_of_six(image: &str) -> Suite {
    let two = CHAT.replace("[run]", "[load.users-2]\nconcurrency = 2\nrequests = 4\n[run]");
    let files = ["a", "b", "c"].map(|name| format!("scenarios/{name}.toml"));
    let scenarios = files.iter().map(|file| (file.as_str(), two.as_str()));
    let targets = targets(image, "");
    Suite::of(&scenarios.chain([("targets.toml", targets.as_str())]).collect::<Vec<_>>())
}

fn logs(suite: &Suite) -> Vec<String> {
    let folder = suite.path("target/tollgate/latest/logs");
    let logs = fs::read_dir(folder).unwrap().flatten();
    logs.map(|log| fs::read_to_string(log.path()).unwrap()).collect()
}

fn one_start_serves_all_scenarios(images: &Images) {
    let suite = suite_of_six(&images.of("1.0"));
    suite.run(&[]).assert_exit(101);
    assert_eq!(logs(&suite).len(), 4, "a baseline takes four sessions");
    suite.accept(&[]).assert_exit(0);
    suite.run(&[]).assert_exit(0).assert_says("6 passed");
    assert_eq!(logs(&suite).len(), 1);
}

/// The shell plays the runner: it starts one process per test, one after another, and exits.
fn one_start_serves_all_processes(images: &Images) {
    let suite = suite_of_six(&images.of("1.0"));
    suite.record_baselines();
    let perf = UserCrate::built().perf.display().to_string();
    let names =
        ["a", "b", "c"].iter().flat_map(|file| [2, 4].map(|users| format!("{file}::users-{users}::engine")));
    let tests: Vec<String> = names.map(|name| format!("{perf} --exact {name}")).collect();
    let mut runner = suite.command_of("sh");
    runner.args(["-c", &format!("{}; true", tests.join(" && "))]).env("NEXTEST_RUN_ID", "run-1");
    let outcome = Outcome::of(&mut runner);
    outcome.assert_exit(0).assert_says_not("FAILED");
    assert_eq!(outcome.stdout.matches("1 passed").count(), 6, "{outcome}");
    let logs = logs(&suite);
    assert_eq!(logs.len(), 1, "{outcome}");
    assert_eq!(logs[0].matches("simulated engine").count(), 1, "{}", logs[0]);
}
