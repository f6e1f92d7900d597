//! Passes each record of a round on to everything that needs it.

use crate::metrics::record::{RecordSink, RequestRecord};
use crate::metrics::summary::SummaryBuilder;
use crate::results::MAX_FAILURES_KEPT;
use crate::results::record_file::Part;
use crate::session::counter_check::CounterCheck;
use crate::store::RecordLog;
use crate::units::Nanos;

pub(crate) struct RecordFanout<'a, 's> {
    pub session: &'a str,
    pub round: u32,
    pub summary: SummaryBuilder,
    pub counter_check: &'a mut CounterCheck,
    /// The session's first failures.
    pub failures: &'a mut Vec<String>,
    pub record_log: Option<&'a mut RecordLog>,
    pub sink: Option<&'a mut (dyn RecordSink + 's)>,
}

impl RecordSink for RecordFanout<'_, '_> {
    fn begin(&mut self, at_ns: Nanos) {
        self.summary.begin(at_ns);
        if let Some(log) = &mut self.record_log {
            log.begin_part(&Part { session: self.session.into(), round: self.round, began_ns: at_ns });
        }
        if let Some(sink) = &mut self.sink {
            sink.begin(at_ns);
        }
    }

    fn take(&mut self, record: &RequestRecord) {
        self.summary.take(record);
        self.counter_check.take(record);
        if let Some(log) = &mut self.record_log {
            log.take(record);
        }
        if let Some(sink) = &mut self.sink {
            sink.take(record);
        }
        if let Err(failure) = &record.outcome
            && self.failures.len() < MAX_FAILURES_KEPT
        {
            self.failures.push(failure.to_string());
        }
    }
}
