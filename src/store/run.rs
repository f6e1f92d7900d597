//! Stores the reports of one run, and what is rendered from them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::results::Report;
use crate::results::record_file::Header;
use crate::store::rendered::reports_in;
use crate::store::{ReadError, RecordFile, StoreError, read_report, write, write_report};

/// Rendered from all of a run's reports.
pub(crate) const JUNIT: &str = "junit.xml";
pub(crate) const SUMMARY: &str = "summary.md";

/// The folder within a build's target folder.
const RESULTS: &str = "tollgate";
/// The extension of records files.
pub(crate) const RECORDS: &str = "records";
/// A link to the folder of the latest run that has a report.
const LATEST: &str = "latest";

/// Removes the last run's output before a run starts or when it can't, so that nobody takes it for the new result. The
/// last run's folder stays.
pub(crate) fn forget_last_run(target_dir: &Path) -> Result<(), StoreError> {
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

/// The folder with the reports of one run: `target/tollgate/<run>/`.
#[derive(Clone, Debug)]
pub(crate) struct RunFolder {
    root: PathBuf,
    run: String,
}

impl RunFolder {
    /// For a suite's run: its first process creates the folder and forgets the last run.
    pub(crate) fn of_suite(target_dir: &Path, run: &str) -> Result<RunFolder, StoreError> {
        let folder = RunFolder::named(target_dir, run);
        if folder.create()? {
            forget_last_run(target_dir)?;
        }
        Ok(folder)
    }

    /// For a comparison, which leaves a suite's results unchanged.
    pub(crate) fn of_comparison(target_dir: &Path, run: &str) -> Result<RunFolder, StoreError> {
        let folder = RunFolder::named(target_dir, run);
        folder.create()?;
        Ok(folder)
    }

    /// For one proof of a search, in the folder that all of the search's proofs share.
    pub(crate) fn of_proof(target_dir: &Path, search: &str, proof: &str) -> Result<RunFolder, StoreError> {
        let folder = RunFolder { root: target_dir.join(RESULTS), run: format!("{search}/{proof}") };
        folder.create()?;
        Ok(folder)
    }

    fn named(target_dir: &Path, run: &str) -> RunFolder {
        RunFolder { root: target_dir.join(RESULTS), run: folder_name(run) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root.join(&self.run)
    }

    /// The path of a scenario's report through `latest`, as shown to users.
    pub(crate) fn latest_report(&self, report: &Report) -> PathBuf {
        self.root.join(LATEST).join(file_name(report))
    }

    /// Saves a report. After the first one, `latest` points to this run.
    pub(crate) fn save(&self, report: &Report) -> Result<PathBuf, StoreError> {
        let path = self.path().join(file_name(report));
        write_report(&path, report)?;
        self.point_latest()?;
        Ok(path)
    }

    /// The records file of a scenario, next to its report.
    pub(crate) fn records(&self, header: Header) -> RecordFile {
        let name = format!("{}.{RECORDS}", header.scenario.file_stem());
        RecordFile { path: self.path().join(name), header }
    }

    /// Writes a file rendered from all reports of the run.
    pub(crate) fn save_rendered(&self, name: &str, text: &str) -> Result<PathBuf, StoreError> {
        let path = self.root.join(name);
        write(&path, text)?;
        Ok(path)
    }

    /// Every report of this run, including those of its other processes, in the order of their names.
    pub(crate) fn reports(&self) -> Result<Vec<Report>, ReadError> {
        reports_in(&self.path())?.iter().map(|path| read_report(path)).collect()
    }

    /// Returns whether it created the folder: under nextest, a run has many processes.
    fn create(&self) -> Result<bool, StoreError> {
        let path = self.path();
        let parent = path.parent().unwrap_or(&self.root);
        match fs::create_dir_all(parent).and_then(|()| fs::create_dir(&path)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::new("create folder", &path, error)),
        }
    }

    fn point_latest(&self) -> Result<(), StoreError> {
        let latest = self.root.join(LATEST);
        if fs::read_link(&latest).is_ok_and(|target| target == Path::new(&self.run)) {
            return Ok(());
        }
        let temporary = self.root.join(format!(".latest-{}", std::process::id()));
        // Renaming replaces the link atomically.
        let replace = || {
            let _ = fs::remove_file(&temporary);
            std::os::unix::fs::symlink(&self.run, &temporary)?;
            fs::rename(&temporary, &latest)
        };
        replace().map_err(|source| StoreError::new("update", &latest, source))
    }
}

fn file_name(report: &Report) -> String {
    format!("{}.json", report.scenario.file_stem())
}

/// A run's ID may be anything that `NEXTEST_RUN_ID` says: the name stays within the results and is none of theirs.
fn folder_name(run: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let name: String = run.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    if name.is_empty() || name == LATEST { format!("run-{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_run_id_leads_out_of_the_results() {
        let folder = tempfile::tempdir().unwrap();
        for id in ["../../escaped", "/tmp/escaped", "..", ".", "", "a/b", "latest", "junit.xml"] {
            let run = RunFolder::of_suite(folder.path(), id).unwrap();
            let path = run.path();
            assert!(path.is_dir() && path.parent() == Some(&folder.path().join(RESULTS)), "{id}: {path:?}");
            assert!(![LATEST, JUNIT, SUMMARY].contains(&run.run.as_str()), "{id}");
        }
        let id = "0e1b2c3d-4f5a-6789-abcd-ef0123456789";
        assert_eq!(folder_name(id), id);
    }
}
