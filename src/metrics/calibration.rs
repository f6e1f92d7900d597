//! How accurately the load client measures on a machine, and up to which load.

use serde::{Deserialize, Serialize};

use crate::load::Load;
use crate::metrics::distribution::Distribution;
use crate::metrics::record::RequestRecord;
use crate::metrics::summary::Summary;
use crate::metrics::{Metric, Rate};
use crate::text::figures;
use crate::units::Nanos;

/// A machine's calibration: the client against the simulated engine's own timestamps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Calibration {
    pub tollgate: String,
    /// RFC 3339.
    pub taken: String,
    pub machine: String,
    /// Whether client and engine each had their own processor.
    pub apart: bool,
    /// How many files, and so connections, a process may open; `None` means no limit.
    pub open_files: Option<u64>,
    pub levels: Vec<Level>,
    /// Loads that this machine has no room for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_tried: Vec<NotTried>,
    pub paces: Vec<Pace>,
}

/// A load that could not be tried, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotTried {
    /// `1024 streams`, `500 requests/s`.
    pub load: String,
    pub why: String,
}

/// One load, and how far the client's times differed from the engine's, in either direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Level {
    pub streams: u32,
    /// The engine's configured time between two tokens.
    pub step_ms: f64,
    pub requests: u64,
    pub failed: u64,
    pub tokens_per_s: f64,
    pub requests_per_s: f64,
    /// Share of the time that the client's thread was computing.
    pub client_cpu_share: f64,
    pub ttft_error_ms: Distribution,
    pub itl_error_ms: Distribution,
    pub e2e_error_ms: Distribution,
    pub due_to_sent_ms: Distribution,
    /// How late the engine handed its tokens over, against its own deadlines. This is not the client's error; a level
    /// with a large value says little about the client.
    pub engine_late_ms: Distribution,
}

/// An open load at one rate, and how well the client kept its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pace {
    /// The requested rate.
    pub requests_per_s: f64,
    pub requests: u64,
    pub failed: u64,
    /// Requests that the client got to too late, or while too many were unanswered.
    pub not_sent: u64,
    /// From sending the first request to sending the last one.
    pub achieved_per_s: f64,
    pub due_to_sent_ms: Distribution,
}

/// A request as the engine saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerStamps<'a> {
    pub received_ns: Nanos,
    pub token_due_ns: &'a [Nanos],
    pub token_written_ns: &'a [Nanos],
}

/// If the p99 error of TTFT or ITL exceeds this, the client distorts the measurement.
pub(crate) const DISTORTION_MS: f64 = 1.0;

/// If the p99 delay between due and sent exceeds this, an open load is off its schedule.
pub(crate) const OUT_OF_STEP_MS: f64 = 1.0;

impl Calibration {
    /// The most streams, tokens, and requests per second measured without distortion, if no lighter load was distorted;
    /// `None` if no level was tried.
    pub(crate) fn limits(&self) -> Option<Limits> {
        let distorted = || self.levels.iter().filter(|level| !level.is_sound());
        let is_exact = |level: &&Level| level.is_sound() && !distorted().any(|other| other.is_lighter(level));
        let exact = || self.levels.iter().filter(is_exact);
        (!self.levels.is_empty()).then(|| Limits {
            streams: exact().map(|level| level.streams).max().unwrap_or(0),
            tokens_per_s: exact().map(|level| level.tokens_per_s).fold(0.0, f64::max),
            requests_per_s: exact().map(|level| level.requests_per_s).fold(0.0, f64::max),
        })
    }

    /// The last rate of open loads before the first that was not kept, 0 if none was; `None` if no rate was tried.
    pub(crate) fn rate_limit_per_s(&self) -> Option<f64> {
        let kept = self.paces.iter().take_while(|pace| pace.is_kept()).last();
        (!self.paces.is_empty()).then(|| kept.map_or(0.0, |pace| pace.requests_per_s))
    }

    /// A warning if a load exceeded what this machine was calibrated for.
    pub(crate) fn doubt(&self, load: &Load, summary: &Summary) -> Option<String> {
        let limits = self.limits();
        let streams = load.users().map(f64::from).zip(limits.map(|limits| f64::from(limits.streams)));
        let tokens_per_s = summary.value(Metric::Rate(Rate::OutputTokensPerS));
        let requests_per_s = match load.rate_per_s() {
            Some(asked) => Some(asked).zip(self.rate_limit_per_s()),
            None => summary
                .value(Metric::Rate(Rate::RequestsPerS))
                .zip(limits.map(|limits| limits.requests_per_s)),
        };
        let held = [
            ("streams", streams),
            ("requests per second", requests_per_s),
            ("output tokens per second", tokens_per_s.zip(limits.map(|limits| limits.tokens_per_s))),
        ];
        let mut held = held.into_iter().filter_map(|(what, figures)| Some((what, figures?)));
        let (what, (found, limit)) = held.find(|(_, (found, limit))| found > limit)?;
        let found = figures::number(found);
        Some(if limit > 0.0 {
            format!(
                "{found} {what} exceed the {} up to which `tollgate calibrate` found this machine's client accurate",
                figures::number(limit)
            )
        } else {
            format!(
                "{found} {what}: `tollgate calibrate` found this machine's client inaccurate at every number of {what} \
                 that it tried"
            )
        })
    }
}

/// All are 0 if every level was distorted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    pub streams: u32,
    pub tokens_per_s: f64,
    pub requests_per_s: f64,
}

impl Pace {
    /// How an open load's requests were sent.
    pub(crate) fn of(requests_per_s: f64, records: &[RequestRecord]) -> Pace {
        let mut pace = Pace {
            requests_per_s,
            requests: records.len() as u64,
            failed: 0,
            not_sent: 0,
            achieved_per_s: 0.0,
            due_to_sent_ms: Distribution::new(),
        };
        let (mut first_ns, mut last_ns) = (Nanos::MAX, 0);
        for record in records {
            if !record.is_sent() {
                pace.not_sent += 1;
                continue;
            }
            pace.failed += u64::from(record.outcome.is_err());
            pace.due_to_sent_ms.record_ms(ms(record.due_ns, record.sent_ns));
            (first_ns, last_ns) = (first_ns.min(record.sent_ns), last_ns.max(record.sent_ns));
        }
        let gaps = pace.due_to_sent_ms.count().saturating_sub(1);
        if gaps > 0 {
            pace.achieved_per_s = gaps as f64 / (ms(first_ns, last_ns) / 1e3);
        }
        pace
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.failed == 0
            && self.not_sent == 0
            && !self.due_to_sent_ms.is_empty()
            && self.due_to_sent_ms.quantile_ms(0.99) <= OUT_OF_STEP_MS
    }
}

impl Level {
    pub(crate) fn new(streams: u32, step_ms: f64) -> Level {
        Level {
            streams,
            step_ms,
            requests: 0,
            failed: 0,
            tokens_per_s: 0.0,
            requests_per_s: 0.0,
            client_cpu_share: 0.0,
            ttft_error_ms: Distribution::new(),
            itl_error_ms: Distribution::new(),
            e2e_error_ms: Distribution::new(),
            due_to_sent_ms: Distribution::new(),
            engine_late_ms: Distribution::new(),
        }
    }

    /// Compares a request as the client saw it with the same one as the engine saw it.
    pub(crate) fn compare(&mut self, record: &RequestRecord, seen: ServerStamps) {
        self.requests += 1;
        let (mine, written) = (&record.content_ns, seen.token_written_ns);
        if record.outcome.is_err() || mine.is_empty() || mine.len() != written.len() {
            self.failed += 1;
            return;
        }
        let last = mine.len() - 1;
        self.due_to_sent_ms.record_ms(ms(record.due_ns, record.sent_ns));
        let error = |mine: f64, its: f64| (mine - its).abs();
        self.ttft_error_ms.record_ms(error(ms(record.sent_ns, mine[0]), ms(seen.received_ns, written[0])));
        self.e2e_error_ms
            .record_ms(error(ms(record.sent_ns, mine[last]), ms(seen.received_ns, written[last])));
        for (mine, its) in mine.windows(2).zip(written.windows(2)) {
            self.itl_error_ms.record_ms(error(ms(mine[0], mine[1]), ms(its[0], its[1])));
        }
        for (due_ns, written_ns) in seen.token_due_ns.iter().zip(written) {
            self.engine_late_ms.record_ms(ms(*due_ns, *written_ns));
        }
    }

    /// In every measure of the load.
    fn is_lighter(&self, than: &Level) -> bool {
        self.streams <= than.streams
            && self.tokens_per_s <= than.tokens_per_s
            && self.requests_per_s <= than.requests_per_s
    }

    pub(crate) fn is_sound(&self) -> bool {
        let is_exact = |error: &Distribution| !error.is_empty() && error.quantile_ms(0.99) <= DISTORTION_MS;
        self.failed == 0 && is_exact(&self.ttft_error_ms) && is_exact(&self.itl_error_ms)
    }
}

fn ms(from_ns: Nanos, to_ns: Nanos) -> f64 {
    (to_ns as f64 - from_ns as f64) / 1e6
}

#[cfg(test)]
mod tests;
