//! The `tollgate` command line: one file per subcommand.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod schema;

/// Performance regression tests for LLM serving engines.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Schema(schema::Args),
}

/// The binary's `main`.
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Schema(args) => schema::run(&args),
    }
}
