//! Reads and writes all result files: reports, records, and baselines.

#[cfg(feature = "cli")]
mod artifact;
mod baselines;
mod calibration;
mod merge_records;
#[cfg(feature = "suite")]
mod pending;
mod record_log;
mod record_reader;
mod rendered;
mod replace;
mod run;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::results::Report;
use crate::results::file::{self, FileError, ReportFile};

#[cfg(feature = "cli")]
pub(crate) use artifact::Artifact;
pub(crate) use baselines::Baselines;
pub(crate) use calibration::{calibration, calibration_path, save_calibration};
pub(crate) use merge_records::merge_records;
#[cfg(feature = "suite")]
pub(crate) use pending::{AssertSnapshot, Pending, PendingBaseline};
pub(crate) use record_log::{RecordFile, RecordLog};
pub(crate) use record_reader::{RecordFileError, RecordReader};
pub(crate) use rendered::{read_reports, write_rendered, write_rendered_in};
pub(crate) use replace::check_writable;
use replace::write_bytes;
pub(crate) use run::{JUNIT, RECORDS, RunFolder, SUMMARY, forget_last_run};

#[derive(Debug, thiserror::Error)]
#[error("can't {action} {}: {cause}", path.display())]
pub(crate) struct StoreError {
    action: &'static str,
    path: PathBuf,
    /// Not named `source`, because it is already part of the message.
    cause: io::Error,
}

impl StoreError {
    fn new(action: &'static str, path: &Path, cause: io::Error) -> StoreError {
        StoreError { action, path: path.to_owned(), cause }
    }
}

/// Writes a report of any kind.
pub(crate) fn write_report(path: &Path, report: &impl Serialize) -> Result<(), StoreError> {
    let mut json = serde_json::to_string_pretty(report).expect("reports are plain data");
    json.push('\n');
    write(path, &json)
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    File(#[from] FileError),
}

/// Reads a report of any kind.
pub(crate) fn read_any_report(path: &Path) -> Result<ReportFile, ReadError> {
    let text = fs::read(path).map_err(|cause| StoreError::new("read", path, cause))?;
    Ok(file::read(&path.display().to_string(), &String::from_utf8_lossy(&text))?)
}

/// Reads the report of a scenario.
pub(crate) fn read_report(path: &Path) -> Result<Report, ReadError> {
    let found = read_any_report(path)?;
    Ok(found
        .scenario()
        .map_err(|kind| FileError::OtherKind { file: path.display().to_string(), found: kind })?)
}

/// The path of a report's records, next to it. Only the extension `.json` is replaced, so that `run.1` and `run.2` have
/// separate records.
pub(crate) fn records_beside(report: &Path) -> PathBuf {
    match report.extension() {
        Some(extension) if extension == "json" => report.with_extension(RECORDS),
        _ => {
            let mut name = report.as_os_str().to_owned();
            name.push(format!(".{RECORDS}"));
            name.into()
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), StoreError> {
    write_bytes(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::sweep;

    #[test]
    fn every_report_has_its_own_records() {
        let beside = |report: &str| records_beside(report.as_ref()).display().to_string();
        assert_eq!(beside("a/run.json"), "a/run.records");
        assert_eq!(beside("run.1"), "run.1.records");
        assert_eq!(beside("out.records"), "out.records.records");
        assert_eq!(beside("run"), "run.records");
    }

    #[test]
    fn errors_for_reports_have_file_position_and_expectation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        let error = |text: &str| {
            fs::write(&path, text).unwrap();
            read_report(&path).unwrap_err().to_string()
        };
        let place = path.display();
        assert!(
            error("{\"version\": 2,\n oops").starts_with(&format!("{place}:2:2: expected a tollgate report"))
        );
        let sweep = serde_json::to_string(&sweep::example::crossing()).unwrap();
        let found = error(&sweep);
        assert!(found.starts_with(&format!("{place}: expected a scenario report")), "{found}");
        assert!(found.ends_with("found a sweep report"), "{found}");
    }
}
