//! `tollgate records`: converts a record file for other programs.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::report::request_rows::{CSV_HEADER, csv_line, json_line};
use crate::store::{RecordFileError, RecordReader};

/// Print the record of every request.
#[derive(Debug, clap::Args)]
pub(crate) struct RecordsArgs {
    /// Record file, stored next to the report as `target/tollgate/<run>/<scenario>.records`.
    file: PathBuf,
    /// Output format.
    #[arg(long, value_enum, default_value_t = RecordFormat::Jsonl)]
    format: RecordFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RecordFormat {
    /// One object per request, with the times of all its tokens.
    Jsonl,
    /// One row per request, for a spreadsheet.
    Csv,
}

/// Exit code for a truncated or damaged file, after printing what could be read.
const NOT_WHOLE: u8 = 1;

pub(crate) fn run(args: &RecordsArgs) -> anyhow::Result<ExitCode> {
    let reader = RecordReader::open(&args.file)?;
    match print(reader, args.format) {
        Ok(None) => Ok(ExitCode::SUCCESS),
        Ok(Some(why)) => {
            eprintln!("warning: {why}");
            Ok(ExitCode::from(NOT_WHOLE))
        }
        // The reader closed the pipe, as in `tollgate records FILE | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
    }
}

/// Returns what ended the file early, if anything did.
fn print(reader: RecordReader, format: RecordFormat) -> io::Result<Option<RecordFileError>> {
    let clock = reader.header.clock.clone();
    let mut out = BufWriter::new(io::stdout().lock());
    if format == RecordFormat::Csv {
        writeln!(out, "{CSV_HEADER}")?;
    }
    for item in reader {
        let (part, record) = match item {
            Ok(item) => item,
            Err(why) => {
                out.flush()?;
                return Ok(Some(why));
            }
        };
        let line = match format {
            RecordFormat::Jsonl => json_line(&part, &record, &clock),
            RecordFormat::Csv => csv_line(&part, &record, &clock),
        };
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(None)
}
