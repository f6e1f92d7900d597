//! `tollgate sweep`: runs a series of loads against one or more targets.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ArgGroup;

use crate::cli::FAILED;
use crate::cli::sweep_flags::SweepFlags;
use crate::compare::{Preferences, compare_sweep};
use crate::report::sweep_table;
use crate::results::sweep::{Sweep, SweptTarget};
use crate::store;
use crate::suite::harness::INTERRUPTED;

/// Run a series of loads against one or more targets and show where each slows down and which one performs better.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("any").args(["targets", "urls"]).multiple(true).required(true)))]
pub(crate) struct SweepArgs {
    #[command(flatten)]
    swept: SweepFlags,
    /// Write the report to this file, updated after each level.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(args: &SweepArgs) -> anyhow::Result<ExitCode> {
    let save = |sweep: &Sweep| args.json.as_ref().map_or(Ok(()), |path| store::write_report(path, sweep));
    let planned = args.swept.plan()?;
    if let Some(path) = &args.json {
        store::check_writable(path)?;
    }
    let sweep = planned.measure(&save)?;
    println!("{}", sweep_table::sweep(&sweep));
    if let Some(comparison) = compare_sweep(&sweep, &Preferences::default()) {
        println!("\n{}", sweep_table::comparison(&comparison));
    }
    if let Some(path) = &args.json {
        println!("Report: {}", path.display());
    }
    Ok(ExitCode::from(exit_code(&sweep)))
}

pub(crate) fn exit_code(sweep: &Sweep) -> u8 {
    let none_succeeded =
        |target: &SweptTarget| target.levels.iter().all(|level| level.summary.requests.succeeded == 0);
    let failed = sweep.targets.iter().any(|target| target.trouble.is_some() || none_succeeded(target));
    match (sweep.interrupted, failed) {
        (true, _) => INTERRUPTED,
        (false, true) => FAILED,
        (false, false) => 0,
    }
}
