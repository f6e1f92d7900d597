//! The `tollgate` command line: one file per subcommand.

mod ab;
mod accept;
mod bench;
mod bisect;
mod calibrate;
mod compare;
mod comparison;
#[cfg(test)]
mod docs;
mod load_flags;
mod merge;
mod planned_sweep;
mod power;
mod records;
mod report;
mod run_flags;
mod schema;
mod side_files;
mod simulate;
mod sweep;
mod sweep_flags;
mod words;
mod workload_args;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::launch;

/// Exit code for an invalid flag or file.
const USAGE: u8 = 2;
/// Exit code for an engine or client failure.
const FAILED: u8 = 4;

/// Performance regression tests for LLM serving engines.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ab(ab::AbArgs),
    Accept(accept::AcceptArgs),
    Bench(bench::BenchArgs),
    Bisect(bisect::BisectArgs),
    Calibrate(calibrate::CalibrateArgs),
    Merge(merge::MergeArgs),
    Compare(compare::CompareArgs),
    Power(power::PowerArgs),
    Records(records::RecordsArgs),
    Report(report::ReportArgs),
    Schema(schema::SchemaArgs),
    Simulate(simulate::SimulateArgs),
    Sweep(sweep::SweepArgs),
}

/// The binary's `main`.
pub fn run() -> ExitCode {
    if let Some(done) = launch::clean_up_if_asked() {
        return done;
    }
    let outcome = match Cli::parse().command {
        Command::Ab(args) => ab::run(args),
        Command::Accept(args) => accept::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Bisect(args) => bisect::run(args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Power(args) => power::run(args),
        Command::Records(args) => records::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Schema(args) => Ok(schema::run(&args)),
        Command::Simulate(args) => simulate::run(args),
        Command::Sweep(args) => sweep::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(USAGE)
    })
}

/// Parses flags as a command of their own, for tests.
#[cfg(test)]
fn parsed<F: clap::Args>(flags: &str) -> Result<F, String> {
    let words = std::iter::once("tollgate").chain(flags.split_whitespace());
    let found = F::augment_args(clap::Command::new("tollgate")).try_get_matches_from(words);
    found.and_then(|found| F::from_arg_matches(&found)).map_err(|error| error.to_string())
}
