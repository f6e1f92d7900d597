//! Every example builds and does what its module docs say.

mod common;

use std::fs;
use std::path::Path;

use common::user_crate::{cargo, target_dir};
use common::{Outcome, Suite};

#[test]
fn the_bench_example_prints_its_summary() {
    let outcome = run("bench");
    outcome.assert_exit(0).assert_says("simulator 1.0.0 with simulated").assert_says("\nttft_ms  ");
}

#[test]
fn the_gate_example_notices_a_slower_version() {
    run("gate_in_a_test")
        .assert_exit(0)
        .assert_says("tpot_ms_mean within 30%")
        .assert_says("All gates passed.");
}

/// Uses the test binary of a user's crate, which has the same `main`. CI builds the example's own crate.
#[test]
fn the_custom_suite_has_three_scenarios_that_pass() {
    let folder = root().join("examples/custom_suite");
    let main = fs::read_to_string(folder.join("tests/perf.rs")).unwrap();
    assert!(main.contains("tollgate::main!()"), "{main}");
    let files = ["targets.toml", "scenarios/chat.toml", "scenarios/long-prompts.toml"];
    let texts = files.map(|file| fs::read_to_string(folder.join("perf-tests").join(file)).unwrap());
    let suite = Suite::of(&[0, 1, 2].map(|index| (files[index], texts[index].as_str())));
    suite.run(&[]).assert_exit(0).assert_says("3 scenarios: 3 ok.");
}

/// Already built along with tollgate's other targets.
fn run(example: &str) -> Outcome {
    let mut command = cargo(root(), &["run", "--offline", "--quiet", "--example", example]);
    Outcome::of(command.arg("--target-dir").arg(target_dir()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
