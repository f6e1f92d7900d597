//! The search for the first bad version: how it ends, and how it resumes after an interruption.

use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{CHAT, Outcome, Suite, await_some};

/// The fourth version takes three times as long to decode.
const VERSIONS: &str = "simulator.decode_scale=1\nsimulator.decode_scale=1.01\nsimulator.decode_scale=1.02
simulator.decode_scale=3\nsimulator.decode_scale=3.01\n";
const FIRST_BAD: &str =
    "FIRST BAD: simulator.decode_scale=3. The version before it, simulator.decode_scale=1.02, is good.";

fn bisect(suite: &Suite, versions: &str) -> Command {
    suite.write("versions.txt", versions);
    let lines: Vec<&str> = versions.lines().collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    suite.make_at_home(&mut command);
    command.args(["bisect", "--target", "sim", "--tags", "versions.txt"]);
    command.args(["--good", lines[0], "--bad", lines[lines.len() - 1]]);
    command
}

/// The number of proofs started.
fn proofs(suite: &Suite) -> usize {
    fs::read_dir(suite.path("target/tollgate/bisect")).map_or(0, Iterator::count)
}

fn interrupt(child: Child) -> Outcome {
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Outcome::at_end_of(child)
}

#[test]
fn an_interrupted_search_resumes_and_a_new_one_starts_over() {
    let suite = Suite::new();
    let child = bisect(&suite, VERSIONS).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    await_some("the second proof", || (proofs(&suite) == 2).then_some(()));
    interrupt(child).assert_exit(4).assert_says("To resume, run the same command again");

    let found = Outcome::of(&mut bisect(&suite, VERSIONS));
    found.assert_exit(1).assert_says(FIRST_BAD).assert_says("The search took 3 proofs");
    found.assert_says("24 starts").assert_says("; 1 of the proofs from an earlier run");

    let again = Outcome::of(&mut bisect(&suite, VERSIONS));
    again.assert_exit(1).assert_says(FIRST_BAD).assert_says("; 3 of the proofs from an earlier run");

    suite.write("perf-tests/scenarios/chat.toml", &CHAT.replace("60%", "61%"));
    let ends = VERSIONS.lines().filter(|line| line.ends_with("=1") || line.ends_with("3.01"));
    let another = Outcome::of(&mut bisect(&suite, &ends.collect::<Vec<_>>().join("\n")));
    another.assert_exit(1).assert_says("The search took 1 proof").assert_says_not("earlier run");
}

#[test]
fn a_bad_end_that_is_not_bad_ends_the_search() {
    let suite = Suite::new();
    let versions = "simulator.decode_scale=1\nsimulator.decode_scale=3\nsimulator.decode_scale=1.01";
    Outcome::of(&mut bisect(&suite, versions)).assert_exit(0).assert_says("NOT BAD: ");
    assert_eq!(proofs(&suite), 1);
}

#[test]
fn versions_that_cant_be_judged_leave_a_range() {
    let suite = Suite::new();
    let versions = "simulator.decode_scale=1\nsimulator.faults.error_rate=1\nsimulator.decode_scale=3";
    let outcome = Outcome::of(&mut bisect(&suite, versions));
    outcome
        .assert_exit(3)
        .assert_says("FIRST BAD: one of simulator.faults.error_rate=1, simulator.decode_scale=3.")
        .assert_says("simulator.faults.error_rate=1 could not be judged");
}

#[test]
fn an_unsearchable_list_is_rejected_before_anything_starts() {
    let suite = Suite::new();
    let refused = |versions: &str, why: &str| {
        Outcome::of(&mut bisect(&suite, versions)).assert_exit(2).assert_complains(why);
    };
    refused("v1\nv2", "target `sim` has no image");
    refused("simulator.decode_scale=1\nsimulator.decode_scael=2\nsimulator.decode_scale=3", "decode_scale");
    refused("simulator.decode_scale=1\nsimulator.decode_scale=1", "is listed twice");
    assert_eq!(proofs(&suite), 0);
}
