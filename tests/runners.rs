//! The perf suite of a user's crate under cargo-nextest and cargo-insta. If a tool isn't installed, its test is ignored
//! with the reason, or fails if `TOLLGATE_REQUIRE` names it.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tollgate::internals::Verdict;

use common::requirement::lacking;
use common::user_crate::{cargo, target_dir, write_crate};
use common::{CHAT, Outcome, SIMULATOR, Suite};

fn main() -> ExitCode {
    let trials = vec![
        Trial::ignorable_test("nextest_and_cargo_test_give_the_same_verdicts", || {
            with_tool("cargo-nextest", "nextest", nextest_and_cargo_test_give_the_same_verdicts)
        }),
        Trial::ignorable_test("cargo_insta_accepts_pending_baselines", || {
            with_tool("cargo-insta", "insta", cargo_insta_accepts_pending_baselines)
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn with_tool(tool: &str, subcommand: &str, test: fn()) -> Result<Completion, Failed> {
    let installed = Command::new("cargo").args([subcommand, "--version"]).output();
    if installed.is_ok_and(|output| output.status.success()) {
        test();
        return Ok(Completion::Completed);
    }
    lacking(tool, &format!("{tool} is not installed"))
}

/// What every user's crate needs: one measurement at a time, and no retries.
const NEXTEST: &str = r#"[profile.default]
retries = 0
[[profile.default.overrides]]
filter = "binary(perf)"
threads-required = "num-test-threads"
"#;

const SLOW_DECODE: (&str, &str) = ("TOLLGATE_SET", "targets.sim.simulator.decode_scale=4");

fn nextest_and_cargo_test_give_the_same_verdicts() {
    let suite = crate_with_suite("nextest-crate");
    let nextest = |variables: &[(&str, &str)]| {
        let mut command =
            cargo(&suite.path(""), &["nextest", "run", "--offline", "--test", "perf", "--no-fail-fast"]);
        command.arg("--target-dir").arg(target_dir());
        suite.make_at_home(&mut command);
        Outcome::of(command.envs(variables.iter().copied()))
    };
    nextest(&[]).assert_exit(100).assert_complains("2 failed");
    assert_eq!(
        suite.junit().matches("<error type=\"no baseline\"").count(),
        2,
        "one file for both processes"
    );
    suite.accept(&[]).assert_exit(0);
    nextest(&[]).assert_exit(0).assert_complains("2 passed");

    nextest(&[SLOW_DECODE]).assert_exit(100);
    let by_nextest = verdicts(&suite);
    let junit = suite.junit();
    assert_eq!(junit.matches("<failure type=\"regressed\"").count(), 2, "{junit}");
    suite.run_with(&[SLOW_DECODE]).assert_exit(101);
    assert_eq!(by_nextest, verdicts(&suite));
    assert!(by_nextest.values().all(|verdict| *verdict == Verdict::Regressed), "{by_nextest:?}");
}

fn cargo_insta_accepts_pending_baselines() {
    let suite = crate_with_suite("insta-crate");
    suite.run(&[]).assert_exit(101);
    let mut insta = cargo(&suite.path(""), &["insta", "accept"]);
    suite.make_at_home(&mut insta);
    Outcome::of(&mut insta).assert_exit(0);
    let accepted = ["simulator/chat__users-2__sim.snap", "simulator/chat__users-4__sim.snap"];
    assert_eq!(suite.baselines(), accepted);
    suite.run(&[]).assert_exit(0).assert_says("2 scenarios: 2 ok.");
}

fn verdicts(suite: &Suite) -> BTreeMap<String, Verdict> {
    suite.reports().into_iter().map(|(scenario, report)| (scenario, report.verdict)).collect()
}

/// A suite of two scenarios inside its crate, as the tools expect. The folder is always the same, so that cargo reuses
/// its earlier build.
fn crate_with_suite(name: &str) -> Suite {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    for leftover in ["perf-tests", "baselines", "target"] {
        let _ = fs::remove_dir_all(root.join(leftover));
    }
    write_crate(&root);
    let chat = CHAT.replace("[run]", "[load.users-2]\nconcurrency = 2\nrequests = 4\n[run]");
    let suite = Suite::within(&root, &[("targets.toml", SIMULATOR), ("scenarios/chat.toml", &chat)]);
    suite.write(".config/nextest.toml", NEXTEST);
    suite
}
