//! Another crate's perf suite: its test binary, and suites in separate folders to run it on.

#![allow(dead_code, reason = "no test binary needs all of it")]

pub mod junit_schema;
mod outcome;
pub mod requirement;
pub mod user_crate;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tollgate::internals::Report;

pub use outcome::Outcome;
use user_crate::UserCrate;

/// Fast, but slow enough for a busy machine.
pub const SIMULATOR: &str = r#"[targets.sim]
engine = "simulator"
[targets.sim.simulator]
prefill_base_ms = 40.0
decode_step_ms = 6.0
cold_start_ms = 0.0
"#;

/// An answer takes 46 ms + 29 × 6.2 ms. The tolerances are as wide as the tests' effects are large, so only a long
/// stall of the machine makes the client unhealthy.
pub const CHAT: &str = r#"targets = ["sim"]
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
output_tokens_per_s = { tolerance = "60%" }
ttft_ms_p50 = { tolerance = "80%" }
success_rate = { min = 1.0 }
"#;

/// No healthy run takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of a suite, with its results below `target/`.
pub struct Suite {
    root: PathBuf,
    /// Removed with the suite, unless the folder belongs to someone else.
    _temporary: Option<TempDir>,
}

impl Suite {
    /// One scenario, `chat::users-4::sim`.
    pub fn new() -> Suite {
        Suite::of(&[("targets.toml", SIMULATOR), ("scenarios/chat.toml", CHAT)])
    }

    /// Paths are below `perf-tests/`.
    pub fn of(files: &[(&str, &str)]) -> Suite {
        let temporary = TempDir::new().unwrap();
        let suite = Suite { root: temporary.path().canonicalize().unwrap(), _temporary: Some(temporary) };
        suite.write_all(files);
        suite
    }

    /// A suite in an existing folder.
    pub fn within(root: &Path, files: &[(&str, &str)]) -> Suite {
        let suite = Suite { root: root.to_owned(), _temporary: None };
        suite.write_all(files);
        suite
    }

    /// The suite above after a first run and `tollgate accept`.
    pub fn with_baseline() -> Suite {
        let suite = Suite::new();
        suite.record_baselines();
        suite
    }

    pub fn record_baselines(&self) {
        self.run(&[]).assert_exit(101);
        self.accept(&["--force"]).assert_exit(0);
    }

    fn write_all(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            self.write(&format!("perf-tests/{path}"), text);
        }
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    pub fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
    }

    pub fn exists(&self, relative: &str) -> bool {
        self.path(relative).exists()
    }

    /// The perf suite's test binary, as `cargo test` would run it here.
    pub fn command(&self) -> Command {
        self.command_of(&UserCrate::built().perf)
    }

    /// Runs it through another program.
    pub fn command_of(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        self.make_at_home(&mut command);
        command.env("CARGO_MANIFEST_DIR", &self.root).env("INSTA_WORKSPACE_ROOT", &self.root);
        command
    }

    /// The environment variables of these tests must not reach the programs they run.
    pub fn make_at_home(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let foreign = ["TOLLGATE_", "INSTA_", "NEXTEST"].iter().any(|prefix| name.starts_with(prefix));
            if foreign || name == "CI" {
                command.env_remove(name);
            }
        }
        command.current_dir(&self.root).env("PWD", &self.root).env("CARGO_TARGET_DIR", self.path("target"));
    }

    pub fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command().args(arguments))
    }

    pub fn run_with(&self, variables: &[(&str, &str)]) -> Outcome {
        Outcome::of(self.command().envs(variables.iter().copied()))
    }

    /// For a test that interacts with the running process.
    pub fn start_with(&self, variables: &[(&str, &str)]) -> Child {
        let mut command = self.command();
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    pub fn accept(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        Outcome::of(command.arg("accept").arg("--root").arg(&self.root).args(arguments))
    }

    pub fn forget_baselines(&self) {
        let _ = fs::remove_dir_all(self.path("baselines"));
    }

    /// The newest run's report of a scenario such as `chat::users-4::sim`.
    pub fn report(&self, scenario: &str) -> Report {
        let file = format!("target/tollgate/latest/{}.json", scenario.replace("::", "__"));
        serde_json::from_str(&self.read(&file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// The name of the folder of the newest run that has a report.
    pub fn latest_run(&self) -> Option<PathBuf> {
        self.path("target/tollgate/latest").read_link().ok()
    }

    /// All reports of the newest run that are complete at this moment, by scenario.
    pub fn reports(&self) -> BTreeMap<String, Report> {
        let files = fs::read_dir(self.path("target/tollgate/latest")).into_iter().flatten().flatten();
        let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
        let reports = texts.filter_map(|text| serde_json::from_str::<Report>(&text).ok());
        reports.map(|report| (report.scenario.to_string(), report)).collect()
    }

    /// The run's JUnit XML, which Jenkins would accept.
    pub fn junit(&self) -> String {
        let xml = self.read("target/tollgate/junit.xml");
        junit_schema::assert_valid(&xml);
        xml
    }

    /// Text of the first element of this name in the JUnit XML.
    pub fn junit_text(&self, element: &str) -> Option<String> {
        let xml = self.junit();
        let document = uppsala::parse(&xml).unwrap();
        let node = *document.get_elements_by_tag_name(element).first()?;
        Some(document.text_content_deep(node))
    }

    /// Names below `baselines/`, sorted.
    pub fn baselines(&self) -> Vec<String> {
        let folders = fs::read_dir(self.path("baselines")).into_iter().flatten().flatten();
        let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten());
        let below = self.path("baselines");
        let mut names: Vec<String> = files
            .map(|file| file.path().strip_prefix(&below).unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// `tollgate simulate` as a separate process, which can be killed.
pub struct EngineProcess {
    child: Child,
    pub url: String,
}

impl EngineProcess {
    pub fn start(settings: &[&str]) -> EngineProcess {
        EngineProcess::by(Command::new(env!("CARGO_BIN_EXE_tollgate")), settings)
    }

    /// Starts it through a command that passes its arguments to `tollgate`.
    pub fn by(mut command: Command, settings: &[&str]) -> EngineProcess {
        command.args(["simulate", "--port", "0"]).stdout(Stdio::piped());
        for setting in settings {
            command.args(["--set", setting]);
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().last().expect("it says where it listens").to_owned();
        EngineProcess { child, url }
    }

    /// How many requests have completed.
    pub fn requests_answered(&self) -> u64 {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let counts = answer.lines().filter(|line| line.starts_with("vllm:request_success_total{"));
        counts.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for EngineProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Polls until there is a value.
pub fn await_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let asked = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(asked.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
