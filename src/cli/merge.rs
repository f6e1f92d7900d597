//! `tollgate merge`: combines the reports of several workers into one.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::FAILED;
use crate::report::metrics;
use crate::results::merge::{WorkerReport, merge};
use crate::store::{self, merge_records};

/// Merge the reports of all workers that shared a load.
#[derive(Debug, clap::Args)]
pub(crate) struct MergeArgs {
    /// Report of every worker, as written by `tollgate bench --worker I/N --start-at TIME --json FILE`.
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// Write the merged report to this file, and next to it, as `.records`, the records of all workers that kept
    /// theirs.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &MergeArgs) -> anyhow::Result<ExitCode> {
    let mut parts = Vec::new();
    for path in &args.reports {
        parts.push(WorkerReport { file: path.display().to_string(), report: store::read_report(path)? });
    }
    let mut report = merge(&parts)?;
    if let Some(output) = &args.output {
        let kept: Vec<PathBuf> =
            args.reports.iter().zip(&parts).filter_map(|(path, part)| records(path, part)).collect();
        let to = store::records_beside(output);
        let is_read = |path: &Path| args.reports.iter().chain(&kept).any(|read| is_same(read, path));
        if is_read(output) || is_read(&to) {
            bail!(
                "--output {} would overwrite a worker's report or records: choose another file",
                output.display()
            );
        }
        store::check_writable(output)?;
        let merged = merge_records(&kept, &to);
        report.warnings.extend(merged.warnings);
        let name = to.file_name().filter(|_| merged.are_kept);
        report.sessions[0].records = name.map(|name| name.to_string_lossy().into_owned());
        store::write_report(output, &report).context("can't write the report")?;
    }
    println!("{}", metrics::metrics(&report));
    if let Some(output) = &args.output {
        println!("Report: {}", output.display());
    }
    if report.passed {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: {}", report.reason);
    Ok(ExitCode::from(FAILED))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let resolved = one.canonicalize().ok().zip(other.canonicalize().ok());
    one == other || resolved.is_some_and(|(one, other)| one == other)
}

/// The path of the report's record file.
fn records(report: &Path, part: &WorkerReport) -> Option<PathBuf> {
    let name = part.report.sessions.first()?.records.as_ref()?;
    Some(report.with_file_name(name))
}
