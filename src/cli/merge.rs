//! `tollgate merge`: what several workers measured, as one report.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::report::merge::{Part, merge};
use crate::report::metrics;
use crate::store::{self, RECORDS, merge_records};

/// Put the reports of the workers of one load together.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The report of every worker, as `tollgate bench --worker I/N --start-at TIME --json FILE` wrote it.
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// Write the whole report to this file, and beside it, as `.records`, the records of all workers that kept theirs.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Exit code where a worker's engine or client had failed.
const FAILED: u8 = 4;

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut parts = Vec::new();
    for path in &args.reports {
        parts.push(Part { file: path.display().to_string(), report: store::read_report(path)? });
    }
    let mut report = merge(&parts)?;
    if let Some(output) = &args.output {
        let kept: Vec<PathBuf> =
            args.reports.iter().zip(&parts).filter_map(|(path, part)| records(path, part)).collect();
        if !kept.is_empty() {
            let to = output.with_extension(RECORDS);
            let warnings = merge_records(&kept, &to).context("the records were not put together")?;
            report.warnings.extend(warnings);
            report.sessions[0].records = to.file_name().map(|name| name.to_string_lossy().into_owned());
        }
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

/// Beside the report that tells of them.
fn records(report: &std::path::Path, part: &Part) -> Option<PathBuf> {
    let name = part.report.sessions.first()?.records.as_ref()?;
    Some(report.with_file_name(name))
}
