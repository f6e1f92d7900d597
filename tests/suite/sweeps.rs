//! `tollgate sweep` and `tollgate compare`, with the real binary and real sockets.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::{CHAT, Outcome, Suite, await_some};

/// `quick` takes half as long per response but has only four slots; at eight users, `wide` has caught up.
const TARGETS: &str = r#"
[targets.quick]
engine = "simulator"
simulator = { prefill_base_ms = 50.0, decode_step_ms = 10.0, decode_step_ms_per_seq = 0.0, max_seqs = 4, cold_start_ms = 0.0, jitter = 0.0 }
[targets.wide]
engine = "simulator"
simulator = { prefill_base_ms = 50.0, decode_step_ms = 17.5, decode_step_ms_per_seq = 0.0, max_seqs = 64, cold_start_ms = 0.0, jitter = 0.0 }
[targets.twin]
engine = "simulator"
simulator = { prefill_base_ms = 50.0, decode_step_ms = 17.5, decode_step_ms_per_seq = 0.0, max_seqs = 64, cold_start_ms = 0.0, jitter = 0.0 }
[targets.sim]
engine = "simulator"
"#;

const WORKLOAD: [&str; 4] = ["--max-tokens", "20", "--input-tokens", "8"];

fn suite() -> Suite {
    Suite::of(&[("targets.toml", TARGETS), ("scenarios/chat.toml", CHAT)])
}

fn tollgate(suite: &Suite, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    suite.make_at_home(&mut command);
    command.args(arguments);
    command
}

/// The sweep's report.
fn sweep(suite: &Suite, targets: &str, users: &str, more: &[&str]) -> Value {
    let base = ["sweep", "--targets", targets, "--concurrency", users, "--json", "sweep.json"];
    Outcome::of(tollgate(suite, &base).args(WORKLOAD).args(more)).assert_exit(0);
    serde_json::from_str(&suite.read("sweep.json")).unwrap()
}

/// Compares the targets in `sweep.json`; returns the comparison and the output.
fn compare(suite: &Suite) -> (Value, String) {
    let outcome = Outcome::of(&mut tollgate(suite, &["compare", "sweep.json", "--json", "comparison.json"]));
    outcome.assert_exit(0);
    (serde_json::from_str(&suite.read("comparison.json")).unwrap(), outcome.stdout.clone())
}

/// The recommendations for low and medium traffic.
fn advice(comparison: &Value) -> [Value; 2] {
    [0, 1].map(|class| comparison["recommendation"]["classes"][class]["advice"].clone())
}

#[test]
fn crossing_curves_decide_the_recommendation_per_load() {
    let suite = suite();
    let report = sweep(&suite, "quick,wide", "2,4,8,16", &["--limits", "ttft_ms_p95=5000"]);
    let quick = &report["targets"][0];
    assert_eq!(
        (&quick["knee"]["after"], &quick["knee"]["by"]),
        (&json!(4.0), &json!(8.0)),
        "{}",
        quick["knee"]
    );
    assert_eq!(report["targets"][1]["knee"], Value::Null);
    assert_eq!(quick["meets_limits_up_to"], json!(16.0));
    assert_eq!(quick["levels"][0]["goodput"]["share"], json!(1.0));
    assert_eq!(quick["levels"][0]["sessions"][0]["rounds"].as_array().unwrap().len(), 3);
    let (comparison, printed) = compare(&suite);
    let crossing = comparison["crossings"].as_array().unwrap();
    let crossing = crossing.iter().find(|crossing| crossing["metric"] == "output_tokens_per_s").unwrap();
    assert_eq!((&crossing["before"], &crossing["after"]), (&json!("quick"), &json!("wide")));
    let at = crossing["at"].as_f64().unwrap();
    assert!((6.0..11.0).contains(&at), "{crossing}");
    assert_eq!(advice(&comparison), [json!({"take": "quick"}), json!({"take": "wide"})]);
    assert!(printed.contains("For low traffic (1–5 users): use quick"), "{printed}");
    for _ in 0..2 {
        sweep(&suite, "quick,wide", "2,16", &["--interleaved"]);
        assert_eq!(advice(&compare(&suite).0), [json!({"take": "quick"}), json!({"take": "wide"})]);
    }
}

#[test]
fn an_engine_against_its_twin_is_a_tie() {
    let suite = suite();
    sweep(&suite, "wide,twin", "2,4", &[]);
    let (comparison, printed) = compare(&suite);
    for level in comparison["levels"].as_array().unwrap() {
        assert_eq!(level["metrics"][0]["metric"], "output_tokens_per_s");
        assert_eq!(level["metrics"][0]["winner"], Value::Null, "{level}");
    }
    assert_eq!(advice(&comparison)[0], json!({"too_close_to_call": ["twin", "wide"]}), "{printed}");
}

#[test]
fn one_command_sweeps_targets_by_rate_and_compares_them() {
    let suite = suite();
    let how = ["--rates", "8", "--requests", "8", "--rounds", "2"];
    let base =
        ["compare", "--targets", "wide,quick", "--sweep-json", "sweep.json", "--json", "comparison.json"];
    let outcome = Outcome::of(tollgate(&suite, &base).args(how).args(WORKLOAD));
    outcome.assert_exit(0);
    let swept: Value = serde_json::from_str(&suite.read("sweep.json")).unwrap();
    assert_eq!(swept["axis"], "requests_per_s");
    let level = &swept["targets"][0]["levels"][0];
    assert_eq!((&level["at"], &level["load"]["arrival"]["open"]["rate"]), (&json!(8.0), &json!(8.0)));
    assert_eq!(level["summary"]["requests"]["sent"], json!(16));
    let comparison: Value = serde_json::from_str(&suite.read("comparison.json")).unwrap();
    assert_eq!(comparison["axis"], "requests_per_s");
    let wait = &comparison["levels"][0]["metrics"];
    let wait = wait.as_array().unwrap().iter().find(|metric| metric["metric"] == "tpot_ms_p50").unwrap();
    assert_eq!(wait["winner"], "quick", "{wait}");
}

#[test]
fn ctrl_c_keeps_the_finished_levels() {
    let suite = suite();
    let mut command =
        tollgate(&suite, &["sweep", "--targets", "wide", "--rounds", "1", "--json", "sweep.json"]);
    command.args(WORKLOAD);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    await_some("a finished level", || {
        let text = suite.exists("sweep.json").then(|| suite.read("sweep.json"))?;
        text.contains("\"at\"").then_some(())
    });
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let report: Value = serde_json::from_str(&suite.read("sweep.json")).unwrap();
    assert_eq!(report["interrupted"], json!(true));
    let levels = report["targets"][0]["levels"].as_array().unwrap();
    assert!((1..6).contains(&levels.len()), "{}", levels.len());
}

#[test]
fn a_wrong_flag_or_report_is_reported_before_anything_starts() {
    let suite = suite();
    let wrong = |arguments: &[&str], expected: &str| {
        let outcome = Outcome::of(&mut tollgate(&suite, arguments));
        outcome.assert_exit(2);
        assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
    };
    wrong(&["sweep", "--targets", "quik"], "there is no target `quik`: did you mean `quick`?");
    wrong(&["sweep", "--targets", "sim,sim"], "two targets are named `sim`");
    wrong(&["sweep", "--targets", "sim", "--limits", "ttft_ms_p59=1"], "did you mean `ttft_ms_p95`?");
    wrong(
        &["sweep", "--targets", "sim", "--requests", "4"],
        "--requests: 4 requests for 8 users: 4 of them would never send one",
    );
    wrong(&["sweep", "--targets", "sim", "--rates", "0"], "--rates: a rate is a number greater than 0");
    wrong(&["compare", "--rates", "1"], "--targets");
    suite.write("damaged.json", "{\"kind\": \"sweep\",\n \"version\": 2, oops");
    wrong(&["compare", "damaged.json"], "damaged.json:2:");
    wrong(&["compare", "missing.json"], "can't read missing.json");
}
