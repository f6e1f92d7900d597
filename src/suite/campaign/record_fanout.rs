//! Passes a round's records on as they arrive.

use crate::metrics::record::{RecordSink, RequestRecord};
use crate::metrics::summary::SummaryBuilder;
use crate::results::record_file::Part;
use crate::store::RecordLog;
use crate::suite::campaign::counter_check::CounterCheck;
use crate::units::Nanos;

/// Failures that are kept in words.
const FAILURES_IN_WORDS: usize = 5;

pub struct RecordFanout<'a, 's> {
    pub session: &'a str,
    pub round: u32,
    pub summary: SummaryBuilder,
    pub counter_check: &'a mut CounterCheck,
    /// Of the session, in words.
    pub failures: &'a mut Vec<String>,
    pub log: Option<&'a mut RecordLog>,
    pub sink: Option<&'a mut (dyn RecordSink + 's)>,
}

impl RecordSink for RecordFanout<'_, '_> {
    fn begin(&mut self, at_ns: Nanos) {
        self.summary.begin(at_ns);
        if let Some(log) = &mut self.log {
            log.begin_part(&Part { session: self.session.into(), round: self.round, began_ns: at_ns });
        }
        if let Some(sink) = &mut self.sink {
            sink.begin(at_ns);
        }
    }

    fn take(&mut self, record: &RequestRecord) {
        self.summary.take(record);
        self.counter_check.take(record);
        if let Some(log) = &mut self.log {
            log.take(record);
        }
        if let Some(sink) = &mut self.sink {
            sink.take(record);
        }
        if let Err(failure) = &record.outcome
            && self.failures.len() < FAILURES_IN_WORDS
        {
            self.failures.push(failure.to_string());
        }
    }
}
