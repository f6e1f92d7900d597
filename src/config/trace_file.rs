//! Reads traces in the formats in which they are published.

use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;

use crate::config::complaint::Complaint;
use crate::config::error::ConfigError;
use crate::config::lines::{Lines, Misread};
use crate::load::trace::{Trace, TracedRequest};
use crate::units::Nanos;

/// The first line of the Azure traces: Patel et al., Splitwise (2024), and later ones.
const AZURE_HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens";
const MOST_ERRORS: usize = 5;
/// Three years: no trace is longer, and nanoseconds stay exact enough.
const LONGEST_S: f64 = 1e8;

/// Reads a `.csv` in Azure's format, or a `.jsonl` in Mooncake's or in our own.
pub(crate) fn read_trace(path: &str, text: &str) -> Result<Trace, Vec<ConfigError>> {
    let mut lines = Lines::of(path, text);
    let requests = match path.rsplit_once('.') {
        Some((_, "csv")) => {
            let header = lines.next().map_or("", |(_, line)| line.trim_start_matches('\u{feff}').trim());
            if header != AZURE_HEADER {
                let message = format!("expected the header {AZURE_HEADER}, found `{header}`");
                return Err(vec![ConfigError::within(path, text, 0..header.len(), message)]);
            }
            lines.read(MOST_ERRORS, azure_line)?
        }
        Some((_, "jsonl")) => lines.read(MOST_ERRORS, json_line)?,
        _ => {
            let error = ConfigError::about(path, "a trace is a .csv or a .jsonl");
            return Err(vec![error.help(EXPECTED)]);
        }
    };
    if requests.is_empty() {
        return Err(vec![ConfigError::about(path, "no request in this trace").help(EXPECTED)]);
    }
    Ok(Trace::new(path, requests))
}

const EXPECTED: &str = "a .csv has Azure's columns TIMESTAMP,ContextTokens,GeneratedTokens; a line of a .jsonl is \
                        {\"at_s\": 0.5, \"input_tokens\": 512, \"output_tokens\": 128}, or Mooncake's {\"timestamp\": 500, \
                        \"input_length\": 512, \"output_length\": 128, \"hash_ids\": [1, 2]}";

fn complaint(message: String) -> Misread {
    (0, Complaint { message, help: Some(EXPECTED.to_owned()) })
}

fn azure_line(line: &str) -> Result<TracedRequest, Misread> {
    let columns: Vec<&str> = line.split(',').map(str::trim).collect();
    let [time, input, output] = columns[..] else {
        return Err(complaint(format!("expected 3 columns, found {}", columns.len())));
    };
    let count = |text: &str| {
        text.parse::<u32>().map_err(|_| complaint(format!("expected a count of tokens, found `{text}`")))
    };
    let at_ns = unix_ns(time).ok_or_else(|| {
        complaint(format!("expected a time such as 2023-11-16 18:15:46.68, found `{time}`"))
    })?;
    Ok(request(at_ns, count(input)?, count(output)?, Vec::new()))
}

/// A time without an offset counts as UTC: only differences matter.
fn unix_ns(text: &str) -> Option<Nanos> {
    let with_offset = text.parse::<Timestamp>().ok();
    let timestamp = with_offset.or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })?;
    Nanos::try_from(timestamp.as_nanosecond()).ok()
}

/// A line in our format, or in Mooncake's (Qin et al., Mooncake, 2024).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TraceLine {
    at_s: Option<f64>,
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    /// Milliseconds.
    timestamp: Option<f64>,
    input_length: Option<u32>,
    output_length: Option<u32>,
    #[serde(default)]
    hash_ids: Vec<u64>,
}

fn json_line(line: &str) -> Result<TracedRequest, Misread> {
    let read: TraceLine = serde_json::from_str(line).map_err(|error| Complaint::of_json(&error))?;
    let ours = (read.at_s, read.input_tokens, read.output_tokens);
    let theirs = (read.timestamp.map(|ms| ms / 1e3), read.input_length, read.output_length);
    let (at_s, input_tokens, output_tokens) = match (ours, theirs) {
        ((Some(at_s), Some(input), Some(output)), (None, None, None)) => (at_s, input, output),
        ((None, None, None), (Some(at_s), Some(input), Some(output))) => (at_s, input, output),
        _ => {
            let message = "a line needs `at_s`, `input_tokens` and `output_tokens`, or `timestamp`, `input_length` \
                           and `output_length`";
            return Err(complaint(message.to_owned()));
        }
    };
    if !(0.0..=LONGEST_S).contains(&at_s) {
        return Err(complaint(format!("the time {at_s} s is out of range: expected 0 to {LONGEST_S} s")));
    }
    Ok(request((at_s * 1e9).round() as Nanos, input_tokens, output_tokens, read.hash_ids))
}

/// A prompt or an answer has at least one token: an empty one can't be requested.
fn request(at_ns: Nanos, input_tokens: u32, output_tokens: u32, blocks: Vec<u64>) -> TracedRequest {
    TracedRequest { at_ns, input_tokens: input_tokens.max(1), output_tokens: output_tokens.max(1), blocks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, text: &str) -> Vec<(Nanos, u32, u32)> {
        let trace = read_trace(path, text).unwrap();
        let requests = trace.requests().iter();
        requests.map(|request| (request.at_ns, request.input_tokens, request.output_tokens)).collect()
    }

    fn complaint(path: &str, text: &str) -> String {
        read_trace(path, text).unwrap_err()[0].plain()
    }

    #[test]
    fn azures_columns_are_read() {
        let text = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n\
                    2023-11-16 18:15:50.9951690,396,0\r\n";
        assert_eq!(read("a.csv", text), [(0, 374, 44), (4_314_579_000, 396, 1)]);
        let later = "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n";
        assert_eq!(read("a.csv", later), [(0, 2162, 5)]);
    }

    #[test]
    fn mooncakes_lines_are_read_with_their_blocks() {
        let line = r#"{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}"#;
        let trace = read_trace("m.jsonl", line).unwrap();
        assert_eq!(trace.requests()[0].blocks, [46, 47]);
        assert_eq!(read("m.jsonl", line), [(0, 6955, 52)]);
    }

    #[test]
    fn our_own_lines_are_read() {
        let text = "{\"at_s\": 1.5, \"input_tokens\": 5, \"output_tokens\": 6}\n\n\
                    {\"at_s\": 2, \"input_tokens\": 7, \"output_tokens\": 8}\n";
        assert_eq!(read("o.jsonl", text), [(0, 5, 6), (500_000_000, 7, 8)]);
    }

    #[test]
    fn an_error_names_its_line() {
        let good = "{\"at_s\": 1, \"input_tokens\": 5, \"output_tokens\": 6}\n";
        let bad = |line: &str| complaint("t.jsonl", &format!("{good}{line}\n"));
        assert!(bad("{\"at_s\": 1, \"input_tokens\": 5}").starts_with("t.jsonl:2:1: a line needs `at_s`"));
        assert!(bad("{\"at_s\": -1, \"input_tokens\": 5, \"output_tokens\": 6}").contains("out of range"));
        assert!(bad("{\"at\": 1}").contains("unknown key `at`"));
        assert!(bad("nothing").starts_with("t.jsonl:2:2: not JSON"), "{}", bad("nothing"));
        let header = format!("{AZURE_HEADER}\n");
        assert!(complaint("t.csv", &format!("{header}soon,1,2")).starts_with("t.csv:2:1: expected a time"));
        assert!(complaint("t.csv", &format!("{header}2023-11-16 18:15:46,1")).contains("expected 3 columns"));
        assert!(complaint("t.csv", "a,b\n").starts_with("t.csv:1:1: expected the header"));
        assert!(complaint("t.csv", &header).contains("no request in this trace"));
        assert!(complaint("t.txt", "").contains("is a .csv or a .jsonl"));
    }
}
