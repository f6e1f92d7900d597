//! The one place that reads and writes files of results: reports of runs, and baselines.

mod artifact;
mod baselines;
mod calibration;
mod merge_records;
mod pending;
mod record_log;
mod record_reader;
mod rendered;
mod run;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::results::Report;
use crate::results::file::{self, FileError, ReportFile};

pub use artifact::{Artifact, ArtifactError};
pub use baselines::Baselines;
pub use calibration::{calibration, calibration_path, save_calibration};
pub use merge_records::{MergedRecords, merge_records};
pub use pending::{AssertSnapshot, Pending, PendingBaseline, Refusal};
pub use record_log::{RecordFile, RecordLog};
pub use record_reader::{RecordFileError, RecordReader};
pub use rendered::{read_reports, write_rendered, write_rendered_in};
pub use run::{JUNIT, RECORDS, RunFolder, SUMMARY, forget_last_run};

#[derive(Debug, thiserror::Error)]
#[error("can't {action} {}: {cause}", path.display())]
pub struct StoreError {
    action: &'static str,
    path: PathBuf,
    /// Part of the message, and so not named `source`, which would be reported once more.
    cause: io::Error,
}

impl StoreError {
    fn new(action: &'static str, path: &Path, cause: io::Error) -> StoreError {
        StoreError { action, path: path.to_owned(), cause }
    }
}

/// Writes one report, of any kind, to a path of the user's choice.
pub fn write_report(path: &Path, report: &impl Serialize) -> Result<(), StoreError> {
    let mut json = serde_json::to_string_pretty(report).expect("reports are plain data");
    json.push('\n');
    write(path, &json)
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    File(#[from] FileError),
}

/// Reads a report of any kind.
pub fn read_any_report(path: &Path) -> Result<ReportFile, ReadError> {
    let text = fs::read(path).map_err(|cause| StoreError::new("read", path, cause))?;
    Ok(file::read(&path.display().to_string(), &String::from_utf8_lossy(&text))?)
}

/// Reads the report of a scenario.
pub fn read_report(path: &Path) -> Result<Report, ReadError> {
    let found = read_any_report(path)?;
    Ok(found
        .scenario()
        .map_err(|kind| FileError::OtherKind { file: path.display().to_string(), found: kind })?)
}

/// Where the records of a report go: beside it. Only `.json` is left out, so that `run.1` and `run.2` have one each.
pub fn records_beside(report: &Path) -> PathBuf {
    match report.extension() {
        Some(extension) if extension == "json" => report.with_extension(RECORDS),
        _ => {
            let mut name = report.as_os_str().to_owned();
            name.push(format!(".{RECORDS}"));
            name.into()
        }
    }
}

/// To be asked before hours are spent on what will be written there: makes its folder, and tries.
pub fn check_writable(path: &Path) -> Result<(), StoreError> {
    let failed = |cause| StoreError::new("write", path, cause);
    if path.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    make_folder_of(path)?;
    let part = part_of(path);
    fs::write(&part, "").and_then(|()| fs::remove_file(&part)).map_err(failed)
}

fn write(path: &Path, text: &str) -> Result<(), StoreError> {
    write_bytes(path, text.as_bytes())
}

/// Whole or not at all, also when the process is killed half way. Its folder is made where it is missing.
fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    make_folder_of(path)?;
    let part = part_of(path);
    fs::write(&part, bytes)
        .and_then(|()| fs::rename(&part, path))
        .map_err(|source| StoreError::new("write", path, source))
}

fn make_folder_of(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::create_dir_all(folder).map_err(|cause| StoreError::new("make folder", folder, cause))
}

/// What is written until it is whole.
fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".part-{}", std::process::id()));
    part.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::sweep;

    #[test]
    fn every_report_has_records_of_its_own() {
        let beside = |report: &str| records_beside(report.as_ref()).display().to_string();
        assert_eq!(beside("a/run.json"), "a/run.records");
        assert_eq!(beside("run.1"), "run.1.records");
        assert_eq!(beside("out.records"), "out.records.records");
        assert_eq!(beside("run"), "run.records");
    }

    #[test]
    fn a_report_that_can_not_be_taken_is_reported_with_its_file_its_place_and_what_was_expected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        let error = |text: &str| {
            fs::write(&path, text).unwrap();
            read_report(&path).unwrap_err().to_string()
        };
        let place = path.display();
        assert!(error("{\"version\": 2,\n oops").starts_with(&format!("{place}:2:2: expected a report")));
        let sweep = serde_json::to_string(&sweep::example::crossing()).unwrap();
        let found = error(&sweep);
        assert!(found.starts_with(&format!("{place}: expected the report of a scenario")), "{found}");
        assert!(found.ends_with("found that of a sweep"), "{found}");
    }
}
