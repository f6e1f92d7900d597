//! A load over time, in at most [`BUCKETS`] buckets of equal length.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Load;
use crate::metrics::record::{RecordSink, RequestRecord};
use crate::metrics::summary::Times;
use crate::units::Nanos;

/// Maximum number of buckets, whatever the length of the load.
pub(crate) const BUCKETS: usize = 120;

/// Every list has one value per bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Timeline {
    /// Length of a bucket.
    pub bucket_s: f64,
    /// Output tokens that arrived, of successful requests.
    pub output_tokens: Vec<f64>,
    /// Requests that ended successfully.
    pub succeeded: Vec<u32>,
    pub failed: Vec<u32>,
    /// Average number of requests in flight.
    pub in_flight: Vec<f64>,
    /// Mean TTFT of the first tokens that arrived; `null` if none did.
    pub ttft_ms: Vec<Option<f64>>,
}

impl Timeline {
    pub(crate) fn len(&self) -> usize {
        self.output_tokens.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every list has one value per bucket, which may not hold for a timeline read from a file.
    pub(crate) fn is_consistent(&self) -> bool {
        let len = self.len();
        let lens = [self.succeeded.len(), self.failed.len(), self.in_flight.len(), self.ttft_ms.len()];
        lens.iter().all(|other| *other == len) && len <= BUCKETS && (len == 0 || self.bucket_s > 0.0)
    }
}

/// Builds the timeline of a block of requests as they end, starting at the first sending.
///
/// Its length is unknown until the end: if a time lies beyond the last bucket, every two buckets become one.
#[derive(Clone, Debug)]
pub(crate) struct TimelineBuilder {
    load: Load,
    streamed: bool,
    begin_ns: Option<Nanos>,
    bucket_ns: Nanos,
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    output_tokens: f64,
    succeeded: u32,
    failed: u32,
    in_flight_ns: Nanos,
    ttft_ms: f64,
    first_tokens: u32,
}

/// Initial length of a bucket.
const SHORTEST_NS: Nanos = 1_000_000;

impl TimelineBuilder {
    /// `streamed`: whether responses are streamed.
    pub(crate) fn new(load: &Load, streamed: bool) -> TimelineBuilder {
        TimelineBuilder {
            load: load.clone(),
            streamed,
            begin_ns: None,
            bucket_ns: SHORTEST_NS,
            pieces: Vec::new(),
        }
    }

    pub(crate) fn finish(self) -> Timeline {
        let ttft_ms =
            |piece: &Piece| (piece.first_tokens > 0).then(|| piece.ttft_ms / f64::from(piece.first_tokens));
        let pieces = &self.pieces;
        Timeline {
            bucket_s: self.bucket_ns as f64 / 1e9,
            output_tokens: pieces.iter().map(|piece| piece.output_tokens).collect(),
            succeeded: pieces.iter().map(|piece| piece.succeeded).collect(),
            failed: pieces.iter().map(|piece| piece.failed).collect(),
            in_flight: pieces.iter().map(|piece| piece.in_flight_ns as f64 / self.bucket_ns as f64).collect(),
            ttft_ms: pieces.iter().map(ttft_ms).collect(),
        }
    }

    fn add_flight(&mut self, record: &RequestRecord) {
        let (sent_ns, end_ns) = (self.since_begin(record.sent_ns), self.since_begin(record.end_ns));
        for at in self.index(record.sent_ns)..=self.index(record.end_ns) {
            let begin_ns = at as Nanos * self.bucket_ns;
            let overlap_ns = end_ns.min(begin_ns + self.bucket_ns).saturating_sub(sent_ns.max(begin_ns));
            self.pieces[at].in_flight_ns += overlap_ns;
        }
    }

    fn make_room(&mut self, end_ns: Nanos) {
        while self.index(end_ns) >= BUCKETS {
            self.pieces = self
                .pieces
                .chunks(2)
                .map(|two| two.iter().copied().reduce(Piece::and).unwrap_or_default())
                .collect();
            self.bucket_ns *= 2;
        }
        let len = self.pieces.len().max(self.index(end_ns) + 1);
        self.pieces.resize(len, Piece::default());
    }

    fn piece(&mut self, ns: Nanos) -> &mut Piece {
        let at = self.index(ns).min(self.pieces.len() - 1);
        &mut self.pieces[at]
    }

    fn index(&self, ns: Nanos) -> usize {
        (self.since_begin(ns) / self.bucket_ns) as usize
    }

    /// A request may have been sent shortly before the one that ended first.
    fn since_begin(&self, ns: Nanos) -> Nanos {
        ns.saturating_sub(self.begin_ns.unwrap_or(ns))
    }
}

impl RecordSink for TimelineBuilder {
    fn take(&mut self, record: &RequestRecord) {
        self.begin_ns.get_or_insert(record.sent_ns);
        self.make_room(record.end_ns);
        self.add_flight(record);
        if record.outcome.is_err() {
            self.piece(record.end_ns).failed += 1;
            return;
        }
        self.piece(record.end_ns).succeeded += 1;
        // Several tokens may share a chunk; which ones is unknown.
        let tokens_per_chunk = f64::from(record.output_tokens) / record.content_ns.len().max(1) as f64;
        for content_ns in &record.content_ns {
            self.piece(*content_ns).output_tokens += tokens_per_chunk;
        }
        let times = Times::of(record, &self.load, self.streamed);
        if let (Some(first_ns), Some(ttft_ms)) =
            (record.first_content_ns(), times.and_then(|times| times.ttft_ms()))
        {
            let piece = self.piece(first_ns);
            piece.ttft_ms += ttft_ms;
            piece.first_tokens += 1;
        }
    }
}

impl Piece {
    fn and(self, next: Piece) -> Piece {
        Piece {
            output_tokens: self.output_tokens + next.output_tokens,
            succeeded: self.succeeded + next.succeeded,
            failed: self.failed + next.failed,
            in_flight_ns: self.in_flight_ns + next.in_flight_ns,
            ttft_ms: self.ttft_ms + next.ttft_ms,
            first_tokens: self.first_tokens + next.first_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::StopCondition;
    use crate::metrics::record::example;

    fn timeline(records: &[RequestRecord]) -> Timeline {
        let mut builder = TimelineBuilder::new(&Load::closed(2, StopCondition::Requests(2)), true);
        records.iter().for_each(|record| builder.take(record));
        builder.finish()
    }

    #[test]
    fn tokens_and_requests_fall_into_their_buckets() {
        let records = [example::answered(0, &[100, 900], 4), example::answered(0, &[200, 1200], 2)];
        let timeline = timeline(&records);
        assert_eq!((timeline.bucket_s, timeline.len()), (0.016, 76));
        assert_eq!((timeline.output_tokens[6], timeline.output_tokens[56]), (2.0, 2.0));
        assert_eq!((timeline.succeeded[56], timeline.succeeded[75]), (1, 1));
        assert_eq!((timeline.ttft_ms[6], timeline.ttft_ms[7]), (Some(100.0), None));
    }

    #[test]
    fn the_mean_in_flight_follows_littles_law() {
        let records = [example::answered(0, &[100, 1000], 2), example::answered(500, &[600, 777], 2)];
        let timeline = timeline(&records);
        let request_seconds: f64 = timeline.in_flight.iter().map(|users| users * timeline.bucket_s).sum();
        assert!((request_seconds - (1.0 + 0.277)).abs() < 1e-9, "{request_seconds}");
    }

    #[test]
    fn a_timeline_is_short_however_long_the_load_was() {
        for ms in [1, 7, 119, 121, 86_400_000] {
            let timeline = timeline(&[example::answered(0, &[1], 1), example::answered(0, &[ms], 1)]);
            assert!((1..=BUCKETS).contains(&timeline.len()), "{ms} ms: {}", timeline.len());
            assert_eq!(timeline.succeeded.iter().sum::<u32>(), 2);
        }
    }

    #[test]
    fn a_failed_request_adds_no_tokens() {
        let timeline = timeline(&[example::failed(0, 100)]);
        assert_eq!(timeline.failed.iter().sum::<u32>(), 1);
        assert_eq!(timeline.output_tokens.iter().sum::<f64>(), 0.0);
    }

    #[test]
    fn no_requests_have_no_timeline() {
        assert!(timeline(&[]).is_empty());
    }
}
