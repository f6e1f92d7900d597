//! Renders one line per record, as JSON or CSV.

use jiff::Timestamp;
use serde::Serialize;

use crate::metrics::record::{Failure, Finish, RequestRecord, TokenCount};
use crate::metrics::server_side::ServerTimes;
use crate::results::record_file::Part;
use crate::text::csv_cell::csv_cell;
use crate::units::{Clock, Nanos};

/// Times are milliseconds since the request was due.
#[derive(Serialize)]
struct RequestRow<'a> {
    session: &'a str,
    round: u32,
    id: &'a str,
    /// RFC 3339, by the wall clock of the measuring machine.
    due: String,
    taken_ms: f64,
    sent_ms: f64,
    /// One per chunk with content.
    content_ms: Vec<f64>,
    end_ms: f64,
    input_tokens: Option<u32>,
    output_tokens: u32,
    tokens_counted_by: TokenCount,
    finish: Option<Finish>,
    reconnects: u32,
    failure: Option<&'a Failure>,
    server_times: &'a ServerTimes,
}

pub(crate) const CSV_HEADER: &str = "session,round,id,due,taken_ms,sent_ms,first_content_ms,last_content_ms,end_ms,chunks,\
                              input_tokens,output_tokens,tokens_counted_by,finish,reconnects,outcome,detail";

/// A record with the times of all its tokens, without a trailing newline.
pub(crate) fn json_line(part: &Part, record: &RequestRecord, clock: &Clock) -> String {
    let ms = |at_ns| ms_since(record.due_ns, at_ns);
    let row = RequestRow {
        session: &part.session,
        round: part.round,
        id: &record.id,
        due: wall_time(clock, record.due_ns),
        taken_ms: ms(record.taken_ns),
        sent_ms: ms(record.sent_ns),
        content_ms: record.content_ns.iter().map(|at_ns| ms(*at_ns)).collect(),
        end_ms: ms(record.end_ns),
        input_tokens: record.input_tokens,
        output_tokens: record.output_tokens,
        tokens_counted_by: record.tokens_counted_by,
        finish: record.finish,
        reconnects: record.reconnects,
        failure: record.outcome.as_ref().err(),
        server_times: &record.server_times,
    };
    serde_json::to_string(&row).expect("a row is plain data")
}

/// A record in the columns of [`CSV_HEADER`], without a trailing newline.
pub(crate) fn csv_line(part: &Part, record: &RequestRecord, clock: &Clock) -> String {
    let ms = |at_ns| ms_since(record.due_ns, at_ns).to_string();
    let optional_ms = |at_ns: Option<Nanos>| at_ns.map(ms).unwrap_or_default();
    let failure = record.outcome.as_ref().err();
    let cells = [
        csv_cell(&part.session),
        part.round.to_string(),
        csv_cell(&record.id),
        wall_time(clock, record.due_ns),
        ms(record.taken_ns),
        ms(record.sent_ns),
        optional_ms(record.first_content_ns()),
        optional_ms(record.last_content_ns()),
        ms(record.end_ns),
        record.content_ns.len().to_string(),
        record.input_tokens.map(|tokens| tokens.to_string()).unwrap_or_default(),
        record.output_tokens.to_string(),
        record.tokens_counted_by.name().to_owned(),
        record.finish.map(Finish::name).unwrap_or_default().to_owned(),
        record.reconnects.to_string(),
        failure.map_or("ok", |failure| failure.class.name()).to_owned(),
        csv_cell(failure.map_or("", |failure| &failure.detail)),
    ];
    cells.join(",")
}

fn ms_since(due_ns: Nanos, at_ns: Nanos) -> f64 {
    at_ns.wrapping_sub(due_ns) as i64 as f64 / 1e6
}

fn wall_time(clock: &Clock, at_ns: Nanos) -> String {
    Timestamp::from_nanosecond(clock.unix_ns(at_ns).into()).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::record::FailureClass;

    const DUE_NS: Nanos = 2_000_000_000;

    fn clock() -> Clock {
        Clock { boot: "b".into(), zero_unix_ns: 1_700_000_000_000_000_000 }
    }

    fn record() -> RequestRecord {
        RequestRecord {
            id: "r-1".into(),
            due_ns: DUE_NS,
            taken_ns: DUE_NS + 10_500,
            sent_ns: DUE_NS + 20_500,
            content_ns: vec![DUE_NS + 50_000_000, DUE_NS + 60_250_000],
            end_ns: DUE_NS + 60_300_000,
            input_tokens: Some(7),
            output_tokens: 2,
            tokens_counted_by: TokenCount::Usage,
            finish: Some(Finish::Length),
            server_times: ServerTimes::default(),
            reconnects: 0,
            outcome: Ok(()),
        }
    }

    fn part() -> Part {
        Part { session: "session 1".into(), round: 2, began_ns: 0 }
    }

    #[test]
    fn a_json_line_has_every_tokens_time_since_due() {
        let row: serde_json::Value = serde_json::from_str(&json_line(&part(), &record(), &clock())).unwrap();
        assert_eq!(row["content_ms"], serde_json::json!([50.0, 60.25]));
        assert_eq!((&row["sent_ms"], &row["due"]), (&0.0205.into(), &"2023-11-14T22:13:22Z".into()));
        assert_eq!((&row["round"], &row["failure"]), (&2.into(), &serde_json::Value::Null));
    }

    #[test]
    fn a_csv_line_has_a_cell_for_every_column() {
        let line = csv_line(&part(), &record(), &clock());
        assert_eq!(
            line,
            "session 1,2,r-1,2023-11-14T22:13:22Z,0.0105,0.0205,50,60.25,60.3,2,7,2,usage,length,0,ok,"
        );
        assert_eq!(line.split(',').count(), CSV_HEADER.split(',').count());
    }

    #[test]
    fn an_engines_error_does_not_become_a_formula() {
        let failure = Failure { class: FailureClass::HttpStatus, detail: "=1+1, \"x\"".into() };
        let failed = RequestRecord { outcome: Err(failure), content_ns: Vec::new(), ..record() };
        let line = csv_line(&part(), &failed, &clock());
        assert!(line.ends_with(",http_status,\"'=1+1, \"\"x\"\"\""), "{line}");
    }
}
