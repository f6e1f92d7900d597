//! The reports of one run, and what is rendered from them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::results::Report;
use crate::results::record_file::Header;
use crate::store::rendered::reports_in;
use crate::store::{ReadError, RecordFile, StoreError, read_report, write, write_report};

/// Rendered from all of a run's reports.
pub const JUNIT: &str = "junit.xml";
pub const SUMMARY: &str = "summary.md";

/// Below a build's target folder.
const RESULTS: &str = "tollgate";
/// The extension of files of records.
pub const RECORDS: &str = "records";
/// Points to the folder of the newest run that has a report.
const LATEST: &str = "latest";

/// Before a run measures, and when it can't: what the last one left must not be taken for its result. The last one's
/// own folder stays.
pub fn forget_last_run(target_dir: &Path) -> Result<(), StoreError> {
    for name in [JUNIT, SUMMARY, LATEST] {
        let path = target_dir.join(RESULTS).join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::new("remove", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Where the reports of one run go: `target/tollgate/<run>/`.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
    run: String,
}

impl RunFolder {
    /// Of a suite's run: its first process makes the folder, and has the last run forgotten.
    pub fn of_suite(target_dir: &Path, run: &str) -> Result<RunFolder, StoreError> {
        let folder = RunFolder { root: target_dir.join(RESULTS), run: run.to_owned() };
        if folder.make()? {
            forget_last_run(target_dir)?;
        }
        Ok(folder)
    }

    /// Of a comparison, which leaves a suite's results as they are.
    pub fn of_comparison(target_dir: &Path, run: &str) -> Result<RunFolder, StoreError> {
        let folder = RunFolder { root: target_dir.join(RESULTS), run: run.to_owned() };
        folder.make()?;
        Ok(folder)
    }

    pub fn path(&self) -> PathBuf {
        self.root.join(&self.run)
    }

    /// The path of a scenario's report through `latest`, as a person is shown it.
    pub fn latest_report(&self, report: &Report) -> PathBuf {
        self.root.join(LATEST).join(file_name(report))
    }

    /// From the first report on, `latest` points to this run.
    pub fn save(&self, report: &Report) -> Result<PathBuf, StoreError> {
        let path = self.path().join(file_name(report));
        write_report(&path, report)?;
        self.point_latest()?;
        Ok(path)
    }

    /// Where a scenario's records go, beside its report.
    pub fn records(&self, header: Header) -> RecordFile {
        let name = format!("{}.{RECORDS}", header.scenario.file_stem());
        RecordFile { path: self.path().join(name), header }
    }

    /// Writes a file that is rendered from all of the run's reports.
    pub fn save_rendered(&self, name: &str, text: &str) -> Result<PathBuf, StoreError> {
        let path = self.root.join(name);
        write(&path, text)?;
        Ok(path)
    }

    /// Every report of this run, also those of other processes of it, in the order of their names.
    pub fn reports(&self) -> Result<Vec<Report>, ReadError> {
        reports_in(&self.path())?.iter().map(|path| read_report(path)).collect()
    }

    /// Says whether it was not there yet: under nextest a run has many processes.
    fn make(&self) -> Result<bool, StoreError> {
        let path = self.path();
        let above = path.parent().unwrap_or(&self.root);
        match fs::create_dir_all(above).and_then(|()| fs::create_dir(&path)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::new("make folder", &path, error)),
        }
    }

    fn point_latest(&self) -> Result<(), StoreError> {
        let latest = self.root.join(LATEST);
        if fs::read_link(&latest).is_ok_and(|target| target == Path::new(&self.run)) {
            return Ok(());
        }
        let fresh = self.root.join(format!(".latest-{}", std::process::id()));
        // Made aside and renamed, so that a reader always finds a whole one.
        let point = || {
            let _ = fs::remove_file(&fresh);
            std::os::unix::fs::symlink(&self.run, &fresh)?;
            fs::rename(&fresh, &latest)
        };
        point().map_err(|source| StoreError::new("point", &latest, source))
    }
}

fn file_name(report: &Report) -> String {
    format!("{}.json", report.scenario.file_stem())
}
