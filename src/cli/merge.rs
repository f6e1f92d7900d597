//! `tollgate merge`: what several workers measured, as one report.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::FAILED;
use crate::report::metrics;
use crate::results::merge::{WorkerReport, merge};
use crate::store::{self, merge_records};

/// Put the reports of the workers of one load together.
#[derive(Debug, clap::Args)]
pub struct MergeArgs {
    /// The report of every worker, as `tollgate bench --worker I/N --start-at TIME --json FILE` wrote it.
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// Write the whole report to this file, and beside it, as `.records`, the records of all workers that kept theirs.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(args: &MergeArgs) -> anyhow::Result<ExitCode> {
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
            bail!("--output {} would overwrite what a worker measured: name another file", output.display());
        }
        store::check_writable(output)?;
        let merged = merge_records(&kept, &to);
        report.warnings.extend(merged.warnings);
        let name = to.file_name().filter(|_| merged.are_kept);
        report.sessions[0].records = name.map(|name| name.to_string_lossy().into_owned());
        store::write_report(output, &report).context("the report was not written")?;
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

/// Beside the report that tells of them.
fn records(report: &Path, part: &WorkerReport) -> Option<PathBuf> {
    let name = part.report.sessions.first()?.records.as_ref()?;
    Some(report.with_file_name(name))
}
