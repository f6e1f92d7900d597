//! Tests a real engine: llama.cpp with a small model, from the first baseline to its death in the middle of a round.

mod bump;
#[path = "../common/mod.rs"]
mod common;

use std::env;
use std::fmt;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tollgate::internals::Metric;
use tollgate::internals::Report;
use tollgate::internals::Verdict;

use common::requirement::lacking;
use common::{Outcome, Suite, await_some};

/// Names the script that starts a server: `SCRIPT start PORT SLOTS [ARGS…]` prints its pid when it is ready.
const SCRIPT: &str = "TOLLGATE_LLAMACPP_SCRIPT";
const URL: &str = "TOLLGATE_LLAMACPP_URL";
const SET: &str = "TOLLGATE_SET";
const ID: &str = "small::users-4::llamacpp";

const SLOTS: u32 = 4;
/// The same server, but slower: prompts in chunks of four tokens, weights in a slower layout, plain attention.
const SLOW: [&str; 5] = ["--no-repack", "-ub", "4", "-fa", "off"];

const TARGETS: &str = r#"
[targets.llamacpp]
engine = "llamacpp"
url = "${TOLLGATE_LLAMACPP_URL}"
model = "gemma-3-270m"
hardware = "cpu"
"#;

/// Prompts are long relative to the answers. That is where [`SLOW`] shows most: by 40 % or more, so the tolerances
/// leave room for a busy machine.
const SCENARIO: &str = r#"
targets = ["llamacpp"]

[workload]
prompts = { synthetic = { input_tokens = 96 } }
output_tokens = 4

[load.users-4]
concurrency = 4
requests = 4

[run]
warmup = "0s"
rounds = 1

[gates]
output_tokens_per_s = { tolerance = "30%" }
ttft_ms_p95 = { tolerance = "50%" }
success_rate = { min = 1.0 }
"#;

/// How often to retry the comparison if the machine changes meanwhile.
const ATTEMPTS: u32 = 3;

fn main() -> ExitCode {
    let trials = [
        Trial::ignorable_test("a_real_engine_is_gated_until_it_dies", gates_a_real_engine_until_it_dies),
        Trial::ignorable_test("a_bump_to_a_slower_image_is_proven", bump::a_bump_to_a_slower_image_is_proven),
    ];
    // One measurement at a time.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

fn gates_a_real_engine_until_it_dies() -> Result<Completion, Failed> {
    let Ok(script) = env::var(SCRIPT) else { return lacking("llamacpp", &format!("{SCRIPT} is not set")) };
    let engine = Engine { script, port: free_port() };
    let suite = Suite::of(&[("targets.toml", TARGETS), ("scenarios/small.toml", SCENARIO)]);
    a_slower_server_is_noticed(&suite, &engine);
    a_killed_server_is_invalid(&suite, &engine);
    Ok(Completion::Completed)
}

fn a_slower_server_is_noticed(suite: &Suite, engine: &Engine) {
    for attempt in 1.. {
        let quick = engine.start(&[]);
        the_first_run_leaves_a_baseline_pending(suite, engine);
        suite.accept(&[]).assert_exit(0);
        the_same_server_passes(suite, engine);
        drop(quick);
        let slow = engine.start(&SLOW);
        let run = Run::of(suite, engine);
        drop(slow);
        if is_noticed(&run) {
            return;
        }
        // The machine may have become less busy since the baseline was recorded; then the fast server is faster than
        // before, too.
        let _quick = engine.start(&[]);
        let control = Run::of(suite, engine);
        let machine_changed = control.change("output_tokens_per_s").abs() > 0.15;
        assert!(machine_changed && attempt < ATTEMPTS, "{run}\nthe quick server, after it:\n{control}");
    }
}

fn the_first_run_leaves_a_baseline_pending(suite: &Suite, engine: &Engine) {
    suite.forget_baselines();
    let run = Run::of(suite, engine);
    assert_eq!(run.report.verdict, Verdict::NoBaseline, "{run}");
    run.outcome.assert_exit(101).assert_says(&format!("tollgate accept {ID}"));
    assert_eq!(suite.baselines(), ["cpu-gemma-3-270m/small__users-4__llamacpp.snap.new"], "{run}");
}

fn the_same_server_passes(suite: &Suite, engine: &Engine) {
    let run = Run::of(suite, engine);
    run.outcome.assert_exit(0);
    assert!(matches!(run.report.verdict, Verdict::Ok | Verdict::Suspected | Verdict::Improved), "{run}");
}

/// Worse by more than half the tolerance. Whether that is red depends on how quiet the machine was while the baseline
/// was recorded.
fn is_noticed(run: &Run) -> bool {
    matches!(run.report.verdict, Verdict::Regressed | Verdict::Suspected)
        && run.change("output_tokens_per_s") < -0.15
        && run.change("ttft_ms_p95") > 0.25
}

fn a_killed_server_is_invalid(suite: &Suite, engine: &Engine) {
    let server = engine.start(&[]);
    let longer = "scenarios.small.run.rounds=50,scenarios.small.load.users-4.requests=8";
    let running = suite.start_with(&[(URL, &engine.url()), (SET, longer)]);
    // The warm-up, the first round, and half of the second one, whose other half is in flight. Every answer has four
    // tokens.
    let answers = 4 + 8 + 4;
    let half_way = || (server.output_tokens() >= 4 * answers).then_some(());
    await_some("half of the second round", half_way);
    drop(server);
    let run = Run::at_end_of(suite, running);
    run.outcome.assert_exit(101);
    assert_eq!(run.report.verdict, Verdict::Invalid, "{run}");
    assert!(run.report.reason.contains("the engine went away in round "), "{run}");
    assert!(run.report.gates.iter().all(|outcome| outcome.verdict == Verdict::Invalid), "{run}");
    let rounds = &run.report.sessions[0].rounds;
    assert!(rounds.len() >= 2, "{run}");
    assert_eq!(rounds[0].summary.requests.succeeded, 8, "{run}");
    assert!(rounds.last().unwrap().summary.requests.failures() > 0, "{run}");
}

/// The result of a run of the suite.
struct Run {
    outcome: Outcome,
    report: Report,
}

impl Run {
    fn of(suite: &Suite, engine: &Engine) -> Run {
        let outcome = suite.run_with(&[(URL, &engine.url())]);
        Run { outcome, report: suite.report(ID) }
    }

    fn at_end_of(suite: &Suite, running: Child) -> Run {
        let outcome = Outcome::at_end_of(running);
        Run { outcome, report: suite.report(ID) }
    }

    /// −0.07 is 7 % less than in the baseline.
    fn change(&self, metric: &str) -> f64 {
        let metric: Metric = metric.parse().unwrap();
        let gate = self.report.gates.iter().find(|outcome| outcome.gate.metric == metric);
        gate.and_then(|outcome| outcome.change)
            .unwrap_or_else(|| panic!("no change of {metric}:\n{self}"))
            .relative
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.outcome.fmt(f)
    }
}

/// The script that starts servers, and the port that they all use.
struct Engine {
    script: String,
    port: u16,
}

impl Engine {
    fn start(&self, args: &[&str]) -> Server {
        let Engine { script, port } = self;
        let mut start = Command::new(script);
        start.args(["start", &port.to_string(), &SLOTS.to_string()]).args(args).env("THREADS", "1");
        let started = Outcome::of(&mut start);
        started.assert_exit(0);
        Server { port: *port, ender: ender(started.stdout.trim()) }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A llama.cpp server; it stops when this value is dropped.
struct Server {
    port: u16,
    ender: Child,
}

impl Server {
    /// The number of tokens it has generated so far.
    fn output_tokens(&self) -> u64 {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let value = answer.lines().find_map(|line| line.strip_prefix("llamacpp:tokens_predicted_total "));
        value.unwrap_or_else(|| panic!("no count of tokens in\n{answer}")).parse().unwrap()
    }
}

/// Stops the server when its own stdin closes, which happens when this process ends in any way, even by Ctrl-C or a
/// kill. It has its own process group, so that a Ctrl-C for this process doesn't reach it.
fn ender(pid: &str) -> Child {
    let mut shell = Command::new("sh");
    shell.args(["-c", "read _; kill -KILL \"$0\"", pid]).process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.ender.stdin.take());
        let _ = self.ender.wait();
        // A killed process keeps its port until its memory is freed.
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).is_err() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
