//! The perf suite as a test binary: every scenario is one libtest-mimic trial, under `cargo test` and under nextest.

mod perf_suite;
mod progress;
mod signals;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use crate::client::Cancel;
use crate::config::{ScenarioId, Suite, SuiteErrors, TOLLGATE_REQUIRE, required};
use crate::launch;
use crate::store::{AssertSnapshot, Baselines, forget_last_run};
use crate::suite::files;

use perf_suite::PerfSuite;
pub use perf_suite::this_run;
pub use progress::ProgressLine;
pub use signals::cancel_on_interrupt;

/// Exit code of a suite whose files are wrong, the same as of a wrong flag.
const USAGE: u8 = 2;
/// Exit code after Ctrl-C, as shells have it: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// What [`main!`](crate::main) knows about the crate it stands in.
pub struct Crate {
    /// Where it was compiled: the folder of `perf-tests/` and `baselines/`.
    pub manifest_dir: &'static str,
    /// Cargo's folder for the files of integration tests, a child of the target folder.
    pub target_tmpdir: Option<&'static str>,
    pub assert_snapshot: AssertSnapshot,
}

impl Crate {
    /// Test runners say where the crate is now, which need not be where it was compiled (`nextest --archive-file`).
    fn root(&self) -> PathBuf {
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| self.manifest_dir.into(), PathBuf::from)
    }

    fn target_dir(&self) -> PathBuf {
        let configured = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        let compiled = || Some(Path::new(self.target_tmpdir?).parent()?.to_owned());
        configured.or_else(compiled).unwrap_or_else(|| self.root().join("target"))
    }
}

/// The whole of a perf suite's `main`.
pub fn run(of: &Crate) -> ExitCode {
    if let Some(done) = launch::clean_up_if_asked() {
        return done;
    }
    let mut arguments = Arguments::from_args();
    // One measurement at a time: two would measure each other.
    arguments.test_threads = Some(1);
    quieten_insta();
    let loaded = match Loaded::from(&of.root()) {
        Ok(loaded) => loaded,
        Err(errors) => return refuse(of, &errors),
    };
    let ids: Vec<ScenarioId> = loaded.suite.scenarios.iter().map(|scenario| scenario.id.clone()).collect();
    let selected: Vec<ScenarioId> =
        ids.iter().filter(|id| is_selected(&arguments, &id.to_string())).cloned().collect();
    if arguments.list || selected.is_empty() {
        // Nothing is measured, so the last run's results stay as they are.
        let names = ids.iter().map(|id| Trial::test(id.to_string(), || Err("not selected".into())));
        return libtest_mimic::run(&arguments, names.collect()).exit_code();
    }
    let cancel = Cancel::new();
    cancel_on_interrupt(&cancel);
    let perf_suite = match PerfSuite::new(of, loaded, selected, cancel.clone()) {
        Ok(perf_suite) => Arc::new(perf_suite),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let trials = ids.into_iter().map(|id| {
        let perf_suite = perf_suite.clone();
        Trial::ignorable_test(id.to_string(), move || perf_suite.outcome(&id))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if let Err(error) = perf_suite.finish() {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    if cancel.is_cancelled() { ExitCode::from(INTERRUPTED) } else { conclusion.exit_code() }
}

/// What a run knows before anything starts.
struct Loaded {
    suite: Suite,
    baselines: Baselines,
    /// Names whose absence is an error.
    required: Vec<String>,
}

impl Loaded {
    fn from(root: &Path) -> Result<Loaded, SuiteErrors> {
        let suite = files::load(root)?;
        let required = required(&env::var(TOLLGATE_REQUIRE).unwrap_or_default(), &suite)?;
        let ids: Vec<&ScenarioId> = suite.scenarios.iter().map(|scenario| &scenario.id).collect();
        let baselines = Baselines::load(root, &ids)?;
        Ok(Loaded { suite, baselines, required })
    }
}

/// Also where only a list was asked for: under nextest no more than that happens.
fn refuse(of: &Crate, errors: &SuiteErrors) -> ExitCode {
    use std::io::IsTerminal;
    eprintln!("{}", errors.fancy(std::io::stderr().is_terminal()));
    if let Err(error) = forget_last_run(&of.target_dir()) {
        eprintln!("error: {error}");
    }
    ExitCode::from(USAGE)
}

/// libtest-mimic's own filter, asked before anything runs: a session serves all selected scenarios of its target.
fn is_selected(arguments: &Arguments, name: &str) -> bool {
    let trial = Trial::test(name, || Ok(()));
    !arguments.is_filtered_out(&trial) && !arguments.is_ignored(&trial)
}

/// A pending baseline is reported in the verdict's words; insta's own diff of it would only bury them.
#[allow(unsafe_code)]
fn quieten_insta() {
    if env::var_os("INSTA_OUTPUT").is_none() {
        // SAFETY: no other thread has been started yet.
        unsafe { env::set_var("INSTA_OUTPUT", "none") };
    }
}
