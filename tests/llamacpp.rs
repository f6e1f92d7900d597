//! A real engine at the gate: llama.cpp with a small model, from the first baseline to its death in the middle of a
//! round. This binary is also the perf suite that it runs, as a user's own crate would have it.

use std::env;
use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tempfile::TempDir;
use tollgate::metric::Metric;
use tollgate::report::Report;
use tollgate::scenario::ScenarioId;
use tollgate::verdict::Verdict;

/// Names the script that starts a server: `SCRIPT start PORT SLOTS [ARGS…]` prints its pid when it is ready.
const SCRIPT: &str = "TOLLGATE_LLAMACPP_SCRIPT";
const URL: &str = "TOLLGATE_LLAMACPP_URL";
const IS_SUITE: &str = "LLAMACPP_TEST_IS_SUITE";

const SLOTS: u32 = 4;
/// The same server, worse: prompts in pieces of four tokens, weights in a slower layout, plain attention.
const SLOW: [&str; 5] = ["--no-repack", "-ub", "4", "-fa", "off"];

const TARGETS: &str = r#"
[targets.llamacpp]
engine = "llamacpp"
url = "${TOLLGATE_LLAMACPP_URL}"
model = "gemma-3-270m"
hardware = "cpu"
"#;

/// Prompts are long for the answers, which is where [`SLOW`] shows most: by 40 % and more, so that the tolerances leave
/// room for a busy machine.
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

/// How often the servers are compared when the machine changes under them.
const ATTEMPTS: u32 = 3;

fn main() -> ExitCode {
    if env::var_os(IS_SUITE).is_some() {
        return tollgate::main!();
    }
    let trial = Trial::ignorable_test("a_real_engine_is_gated_until_its_death", gated_until_its_death);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn gated_until_its_death() -> Result<Completion, Failed> {
    let Ok(script) = env::var(SCRIPT) else {
        let reason = format!("{SCRIPT} is not set");
        let required = env::var("TOLLGATE_REQUIRE").unwrap_or_default();
        return match required.split(',').any(|name| name.trim() == "llamacpp") {
            true => Err(format!("{reason}, and TOLLGATE_REQUIRE names llamacpp").into()),
            false => Ok(Completion::ignored_with(reason)),
        };
    };
    let engine = Engine { script, port: free_port() };
    let suite = Suite::new(engine.port);
    a_slower_server_is_noticed(&suite, &engine);
    a_killed_server_is_invalid(&suite, &engine);
    Ok(Completion::Completed)
}

fn a_slower_server_is_noticed(suite: &Suite, engine: &Engine) {
    for attempt in 1.. {
        let quick = engine.start(&[]);
        the_first_run_leaves_a_baseline_pending(suite);
        suite.accept();
        the_same_server_passes(suite);
        drop(quick);
        let slow = engine.start(&SLOW);
        let run = suite.run("");
        drop(slow);
        if is_noticed(&run) {
            return;
        }
        // Others may have left the machine since the baseline was recorded; then the quick server isn't its old self
        // either.
        let _quick = engine.start(&[]);
        let control = suite.run("");
        let machine_changed = control.change("output_tokens_per_s").abs() > 0.15;
        assert!(machine_changed && attempt < ATTEMPTS, "{run}\nthe quick server, after it:\n{control}");
    }
}

fn the_first_run_leaves_a_baseline_pending(suite: &Suite) {
    suite.forget_baselines();
    let run = suite.run("");
    assert_eq!(run.report.verdict, Verdict::NoBaseline, "{run}");
    assert!(!run.passed, "{run}");
    assert!(run.output.contains("tollgate accept small::users-4::llamacpp"), "{run}");
    assert!(suite.path("baselines/cpu-gemma-3-270m/small__users-4__llamacpp.snap.new").exists(), "{run}");
}

fn the_same_server_passes(suite: &Suite) {
    let run = suite.run("");
    assert!(run.passed, "{run}");
    assert!(matches!(run.report.verdict, Verdict::Ok | Verdict::Suspected | Verdict::Improved), "{run}");
}

/// By more than half of what is allowed. Whether that convicts depends on how quiet the machine was while the baseline
/// was recorded.
fn is_noticed(run: &Run) -> bool {
    matches!(run.report.verdict, Verdict::Regressed | Verdict::Suspected)
        && run.change("output_tokens_per_s") < -0.15
        && run.change("ttft_ms_p95") > 0.25
}

fn a_killed_server_is_invalid(suite: &Suite, engine: &Engine) {
    let server = engine.start(&[]);
    let running = suite.start("scenarios.small.run.rounds=50,scenarios.small.load.users-4.requests=8");
    // Warm-up, first round, half of the second one; its other half is on its way. Every answer has four tokens.
    let answers = 4 + 8 + 4;
    server.await_output_tokens(4 * answers);
    drop(server);
    let run = suite.finish(running);
    assert!(!run.passed, "{run}");
    assert_eq!(run.report.verdict, Verdict::Invalid, "{run}");
    assert!(run.report.reason.contains("the engine went away in round "), "{run}");
    assert!(run.report.gates.iter().all(|outcome| outcome.verdict == Verdict::Invalid), "{run}");
    let rounds = &run.report.sessions[0].rounds;
    assert!(rounds.len() >= 2, "{run}");
    assert_eq!(rounds[0].summary.requests.succeeded, 8, "{run}");
    assert!(rounds.last().unwrap().summary.requests.failures() > 0, "{run}");
}

/// A crate of a user's: its files in a folder of their own, its test binary this one.
struct Suite {
    dir: TempDir,
    url: String,
}

/// What a run of the suite said.
struct Run {
    passed: bool,
    output: String,
    report: Report,
}

impl Suite {
    fn new(port: u16) -> Suite {
        let dir = TempDir::new().unwrap();
        let scenarios = dir.path().join("perf-tests/scenarios");
        fs::create_dir_all(&scenarios).unwrap();
        fs::write(dir.path().join("perf-tests/targets.toml"), TARGETS).unwrap();
        fs::write(scenarios.join("small.toml"), SCENARIO).unwrap();
        Suite { dir, url: format!("http://127.0.0.1:{port}") }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn run(&self, set: &str) -> Run {
        self.finish(self.start(set))
    }

    fn start(&self, set: &str) -> Child {
        let mut command = Command::new(env::current_exe().unwrap());
        command.current_dir(self.dir.path()).env(IS_SUITE, "1").env(URL, &self.url).env("TOLLGATE_SET", set);
        for (variable, folder) in
            [("CARGO_MANIFEST_DIR", ""), ("INSTA_WORKSPACE_ROOT", ""), ("CARGO_TARGET_DIR", "target")]
        {
            command.env(variable, self.path(folder));
        }
        // A runner's own: none of it is this suite's.
        for variable in ["CI", "TF_BUILD", "INSTA_UPDATE", "INSTA_FORCE_PASS", "NEXTEST_RUN_ID"] {
            command.env_remove(variable);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn finish(&self, running: Child) -> Run {
        let output = running.wait_with_output().unwrap();
        let said = said(&output);
        let scenario = ScenarioId { file: "small".into(), load: "users-4".into(), target: "llamacpp".into() };
        let path = self.path(&format!("target/tollgate/latest/{}.json", scenario.file_stem()));
        let json = fs::read(path).unwrap_or_else(|error| panic!("no report ({error}):\n{said}"));
        let report = serde_json::from_slice(&json).unwrap();
        Run { passed: output.status.success(), output: said, report }
    }

    fn forget_baselines(&self) {
        let _ = fs::remove_dir_all(self.path("baselines"));
    }

    fn accept(&self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        let output = command.args(["accept", "--root"]).arg(self.dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}

impl Run {
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
        write!(f, "{}", self.output)
    }
}

/// The script that starts servers, and the one address they all get.
struct Engine {
    script: String,
    port: u16,
}

impl Engine {
    fn start(&self, args: &[&str]) -> Server {
        let Engine { script, port } = self;
        let mut start = Command::new(script);
        start.args(["start", &port.to_string(), &SLOTS.to_string()]).args(args).env("THREADS", "1");
        let output = start.output().unwrap_or_else(|error| panic!("{script}: {error}"));
        assert!(output.status.success(), "{script}: {}", said(&output));
        let pid = String::from_utf8(output.stdout).unwrap();
        Server { port: *port, ender: ender(pid.trim()) }
    }
}

/// A llama.cpp server; it ends with this value.
struct Server {
    port: u16,
    ender: Child,
}

impl Server {
    /// Waits until all of its answers so far have this many tokens.
    fn await_output_tokens(&self, tokens: u64) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.output_tokens() < tokens {
            assert!(Instant::now() < deadline, "fewer than {tokens} tokens after a minute");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn output_tokens(&self) -> u64 {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let value = answer.lines().find_map(|line| line.strip_prefix("llamacpp:tokens_predicted_total "));
        value.unwrap_or_else(|| panic!("no count of tokens in\n{answer}")).parse().unwrap()
    }
}

/// Ends the server when its own input does, which is when this process ends, however it does: also by Ctrl-C or
/// killed. In a process group of its own, so that a Ctrl-C for this one leaves it to its work.
fn ender(pid: &str) -> Child {
    let mut shell = Command::new("sh");
    shell.args(["-c", "read _; kill -KILL \"$0\"", pid]).process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.ender.stdin.take());
        let _ = self.ender.wait();
        // A killed process holds its port for as long as its memory takes to be freed.
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).is_err() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).join("\n")
}
