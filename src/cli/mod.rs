//! The `tollgate` command line: one file per subcommand.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Performance regression tests for LLM serving engines.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {}

/// The binary's `main`.
pub fn run() -> ExitCode {
    match Cli::parse().command {}
}
