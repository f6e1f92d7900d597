//! The running suite: one campaign per target, started by the first of its trials.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

use jiff::Timestamp;
use libtest_mimic::{Completion, Failed};

use crate::client::Cancel;
use crate::config::{Scenario, ScenarioId};
use crate::launch::Launcher;
use crate::report::{junit, markdown, overview, table};
use crate::results::{Report, Run};
use crate::session::event::Event;
use crate::store::{JUNIT, Pending, ReadError, RunFolder, SUMMARY, StoreError};
use crate::suite::campaign::Campaign;
use crate::suite::harness::progress::ProgressLine;
use crate::suite::harness::{Crate, Loaded};
use crate::verdict::Verdict;

pub(crate) struct PerfSuite {
    loaded: Loaded,
    selected: Vec<ScenarioId>,
    pending: Pending,
    run: Run,
    folder: RunFolder,
    cancel: Cancel,
    reports: Mutex<BTreeMap<ScenarioId, Report>>,
}

impl PerfSuite {
    pub(crate) fn new(
        of: &Crate,
        loaded: Loaded,
        selected: Vec<ScenarioId>,
        cancel: Cancel,
    ) -> Result<PerfSuite, StoreError> {
        let run = Run { root: relative(&of.root()), ..this_run() };
        Ok(PerfSuite {
            loaded,
            selected,
            pending: Pending { assert: of.assert_snapshot },
            folder: RunFolder::of_suite(&of.target_dir(), &run.id)?,
            run,
            cancel,
            reports: Mutex::default(),
        })
    }

    /// The result of one trial.
    pub(crate) fn outcome(&self, id: &ScenarioId) -> Result<Completion, Failed> {
        let report = self.report(id)?;
        match report.verdict {
            Verdict::Ignored => Ok(Completion::ignored_with(&report.reason)),
            _ if report.passed => Ok(Completion::Completed),
            _ => Err(self.failure(&report).into()),
        }
    }

    /// Renders all reports of the run, including those from its other processes.
    pub(crate) fn finish(&self) -> Result<(), ReadError> {
        let reports = self.folder.reports()?;
        if reports.is_empty() {
            return Ok(());
        }
        let junit = self.folder.save_rendered(JUNIT, &junit::junit(&reports))?;
        let summary = self.folder.save_rendered(SUMMARY, &markdown::markdown(&reports))?;
        println!("{}", overview::overview(&reports));
        println!("JUnit: {}\nSummary: {}", displayed(&junit), displayed(&summary));
        Ok(())
    }

    /// The first trial of a target runs the whole campaign; the others find their reports ready.
    fn report(&self, id: &ScenarioId) -> Result<Report, StoreError> {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(report) = reports.get(id) {
            return Ok(report.clone());
        }
        for report in self.campaign(&id.target)? {
            reports.insert(report.scenario.clone(), report);
        }
        Ok(reports[id].clone())
    }

    fn campaign(&self, target: &str) -> Result<Vec<Report>, StoreError> {
        let Loaded { suite, baselines, required } = &self.loaded;
        let scenarios: Vec<&Scenario> = suite
            .scenarios
            .iter()
            .filter(|scenario| scenario.id.target == target && self.selected.contains(&scenario.id))
            .collect();
        let progress = ProgressLine::default();
        let listen = |event: Event| progress.show(event);
        let campaign = Campaign {
            run: &self.run,
            target: &suite.targets[target],
            baselines,
            folder: &self.folder,
            pending: self.pending,
            cancel: &self.cancel,
            listen: &listen,
            launcher: Launcher::new(&self.run.id, self.folder.path(), &self.cancel, |step| {
                listen(Event::Preparation(step))
            }),
            required,
        };
        campaign.run(&scenarios)
    }

    fn failure(&self, report: &Report) -> String {
        format!("{}\nReport: {}", table::table(report), displayed(&self.folder.latest_report(report)))
    }
}

/// Under nextest every test is its own process; nextest's run ID ties their reports together.
pub(crate) fn this_run() -> Run {
    let now = Timestamp::now();
    let id = env::var("NEXTEST_RUN_ID")
        .unwrap_or_else(|_| format!("{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), std::process::id()));
    Run {
        id,
        started: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        tollgate: env!("CARGO_PKG_VERSION").into(),
        root: None,
        worker: None,
    }
}

/// The path relative to the user's working directory.
fn displayed(path: &Path) -> String {
    relative(path).unwrap_or_else(|| ".".to_owned())
}

/// The same, but `None` for the working directory itself. Cargo runs a test in its crate's folder, but keeps the
/// shell's `PWD`.
fn relative(path: &Path) -> Option<String> {
    let shell = env::var_os("PWD").and_then(|path| fs::canonicalize(path).ok());
    let here = shell.or_else(|| env::current_dir().ok()).unwrap_or_default();
    let path = path.strip_prefix(here).unwrap_or(path);
    (!path.as_os_str().is_empty()).then(|| path.display().to_string())
}
