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
pub(crate) use perf_suite::this_run;
pub(crate) use progress::ProgressLine;
pub(crate) use signals::cancel_on_interrupt;

/// Exit code for mistakes in a suite's files, the same as for a wrong flag.
const USAGE: u8 = 2;
/// Exit code after Ctrl-C, as in shells: 128 + SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// What [`main!`](crate::main) knows about the crate that calls it.
pub struct Crate {
    /// Where the crate was compiled: the folder with `perf-tests/` and `baselines/`.
    pub manifest_dir: &'static str,
    /// Cargo's folder for files of integration tests, directly below the target folder.
    pub target_tmpdir: Option<&'static str>,
    /// Expands insta's macro in that crate; takes the name and the body of a snapshot.
    pub assert_snapshot: AssertSnapshot,
}

impl Crate {
    /// Test runners set this variable to where the crate is now, which may differ from where it was compiled
    /// (`nextest --archive-file`).
    fn root(&self) -> PathBuf {
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| self.manifest_dir.into(), PathBuf::from)
    }

    fn target_dir(&self) -> PathBuf {
        let configured = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        let compiled = || Some(Path::new(self.target_tmpdir?).parent()?.to_owned());
        configured.or_else(compiled).unwrap_or_else(|| self.root().join("target"))
    }
}

/// A perf suite's `main`.
pub fn run(of: &Crate) -> ExitCode {
    if let Some(done) = launch::clean_up_if_asked() {
        return done;
    }
    let mut arguments = Arguments::from_args();
    // One measurement at a time: two would disturb each other.
    arguments.test_threads = Some(1);
    silence_insta();
    let loaded = match Loaded::from(&of.root()) {
        Ok(loaded) => loaded,
        Err(errors) => return refuse(of, &errors),
    };
    let ids: Vec<ScenarioId> = loaded.suite.scenarios.iter().map(|scenario| scenario.id.clone()).collect();
    let selected: Vec<ScenarioId> =
        ids.iter().filter(|id| is_selected(&arguments, &id.to_string())).cloned().collect();
    if arguments.list || selected.is_empty() {
        // Nothing is measured, so the last run's results stay.
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

/// What a run needs to know before anything starts.
struct Loaded {
    suite: Suite,
    baselines: Baselines,
    /// Targets, engines and tools that must be available.
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

/// Reports mistakes in the suite's files, even for `--list`: under nextest nothing else runs then.
fn refuse(of: &Crate, errors: &SuiteErrors) -> ExitCode {
    use std::io::IsTerminal;
    eprintln!("{}", errors.fancy(std::io::stderr().is_terminal()));
    if let Err(error) = forget_last_run(&of.target_dir()) {
        eprintln!("error: {error}");
    }
    ExitCode::from(USAGE)
}

/// Applies libtest-mimic's filter up front, because one session serves all selected scenarios of its target.
fn is_selected(arguments: &Arguments, name: &str) -> bool {
    let trial = Trial::test(name, || Ok(()));
    !arguments.is_filtered_out(&trial) && !arguments.is_ignored(&trial)
}

/// The verdict mentions a pending baseline; insta's own diff would only bury that.
#[allow(unsafe_code)]
fn silence_insta() {
    if env::var_os("INSTA_OUTPUT").is_none() {
        // SAFETY: no other thread is running yet.
        unsafe { env::set_var("INSTA_OUTPUT", "none") };
    }
}
