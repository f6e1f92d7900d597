//! `tollgate records`: a file of records for other programs.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::report::request_rows::{CSV_HEADER, csv_line, json_line};
use crate::store::{RecordFileError, RecordReader};

/// Print what became of every request.
#[derive(Debug, clap::Args)]
pub struct RecordsArgs {
    /// As it lies beside the report, `target/tollgate/<run>/<scenario>.records`.
    file: PathBuf,
    #[arg(long, value_enum, default_value_t = RecordFormat::Jsonl)]
    format: RecordFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RecordFormat {
    /// An object per request, with the times of all its tokens.
    Jsonl,
    /// A row per request, for a spreadsheet.
    Csv,
}

/// Exit code of a file that was cut off or is damaged: what could be read was printed.
const NOT_WHOLE: u8 = 1;

pub fn run(args: &RecordsArgs) -> anyhow::Result<ExitCode> {
    let reader = RecordReader::open(&args.file)?;
    match print(reader, args.format) {
        Ok(None) => Ok(ExitCode::SUCCESS),
        Ok(Some(why)) => {
            eprintln!("warning: {why}");
            Ok(ExitCode::from(NOT_WHOLE))
        }
        // Whoever read it wanted no more: `tollgate records FILE | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
    }
}

/// Says what ended it before its time.
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
