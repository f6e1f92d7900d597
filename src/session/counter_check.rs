//! Compares the engine's own counters with what the client saw.

use std::thread;
use std::time::Duration;

use crate::client::Client;
use crate::engine::EngineKind;
use crate::metrics::record::{RequestRecord, TokenCount};
use crate::metrics::server_side::{ServerCounts, ServerSide, ServerTimes};
use crate::metrics::summary::Summary;
use crate::text::figures;
use crate::verdict::LEAST_SHARE_ENDED_BY_LENGTH;

/// Reads the counters before the first round and after the last.
#[derive(Default)]
pub(crate) struct CounterCheck {
    before: Option<ServerSide>,
    /// What the responses themselves report.
    reported: ServerTimes,
    warnings: Vec<String>,
}

/// An engine may count a response shortly after it has sent the end of it.
const RETRY_PAUSES: [Duration; 5] = [Duration::from_millis(100); 5];

impl CounterCheck {
    pub(crate) fn begin(&mut self, client: &Client) {
        self.before = self.read(client);
    }

    pub(crate) fn take(&mut self, record: &RequestRecord) {
        self.reported.merge(&record.server_times);
    }

    /// What the engine reports about the rounds, and warnings about what doesn't match. There is no comparison after
    /// failed requests, whose tokens only the engine counted, nor on a `shared` engine, whose counters include the
    /// requests of others.
    pub(crate) fn finish(
        mut self,
        client: &Client,
        summary: &Summary,
        shared: bool,
    ) -> (Option<ServerSide>, Vec<String>) {
        let complete = summary.requests.failures() == 0 && summary.requests.sent > 0 && !shared;
        let expected = |side: &ServerSide| !complete || mismatch(&side.counts, summary).is_none();
        let mut session = self.read_since(client);
        for pause in RETRY_PAUSES {
            if session.as_ref().is_none_or(expected) {
                break;
            }
            thread::sleep(pause);
            session = self.read_since(client);
        }
        if let Some(side) = &session
            && complete
        {
            self.warnings.extend(mismatch(&side.counts, summary));
        }
        let from_answers = (self.reported != ServerTimes::default())
            .then_some(ServerSide { times: self.reported, ..ServerSide::default() });
        let side =
            session.map(|side| ServerSide { times: self.reported.or(&side.times), ..side }).or(from_answers);
        self.warnings.extend(early_ends(summary, client.engine()));
        self.warnings.extend(side.and_then(|side| long_queueing(&side.times, client.engine())));
        (side, self.warnings)
    }

    fn read_since(&mut self, client: &Client) -> Option<ServerSide> {
        let before = self.before?;
        self.read(client)?.since(&before)
    }

    fn read(&mut self, client: &Client) -> Option<ServerSide> {
        client.server_side().unwrap_or_else(|why| {
            let warning = format!("the engine's own counters are unavailable: {why}");
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
            None
        })
    }
}

/// A warning if too many answers were shorter than requested.
fn early_ends(summary: &Summary, engine: EngineKind) -> Option<String> {
    let share = summary.share_ended_by_length().filter(|share| *share < LEAST_SHARE_ENDED_BY_LENGTH)?;
    let remedy = if engine.fixes_output_length() {
        "set ignore_eos to get full-length answers"
    } else {
        "this engine has no way to prevent that: it treats the length as a cap"
    };
    Some(format!(
        "only {} of the answers had the requested length, so throughput and E2E depend on when the model chose to stop \
         (TTFT and TPOT don't); {remedy}",
        figures::percent(share)
    ))
}

/// A warning if requests spent most of their time in the queue and a setting of this engine helps.
fn long_queueing(times: &ServerTimes, engine: EngineKind) -> Option<String> {
    let hint = engine.queueing_hint()?;
    let (waited_ms, total_ms) = (times.queue_ms.mean, times.e2e_ms.mean);
    (waited_ms > total_ms / 2.0).then(|| {
        let (waited_ms, total_ms) = (figures::number(waited_ms), figures::number(total_ms));
        format!("requests spent {waited_ms} of their {total_ms} ms in the queue: {hint}")
    })
}

/// A warning if the engine's counters and its responses differ.
fn mismatch(counts: &ServerCounts, summary: &Summary) -> Option<String> {
    let totals = [
        ("input", counts.input_tokens, summary.input_tokens),
        ("output", counts.output_tokens, summary.output_tokens),
    ];
    let differing: Vec<String> = totals
        .into_iter()
        // Without usage data, responses say nothing about their input.
        .filter(|(_, _, reported)| *reported > 0)
        .filter_map(|(what, counted, reported)| Some((what, counted?, reported)))
        .filter(|(_, counted, reported)| counted != reported)
        .map(|(what, counted, reported)| {
            format!("{counted} {what} tokens where its answers reported {reported}")
        })
        .collect();
    if differing.is_empty() {
        return None;
    }
    let cause = match summary.tokens_counted_by {
        Some(TokenCount::Chunks) => "the answers had no usage data, and one chunk may hold several tokens",
        _ => "it may have served other clients too",
    };
    Some(format!("the engine counted {}: {cause}", differing.join(", and ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::server_side::Mean;

    fn summary(tokens_counted_by: TokenCount) -> Summary {
        let tokens_counted_by = Some(tokens_counted_by);
        Summary { input_tokens: 40, output_tokens: 96, tokens_counted_by, ..Summary::default() }
    }

    fn counts(input_tokens: u64, output_tokens: u64) -> ServerCounts {
        ServerCounts {
            input_tokens: Some(input_tokens),
            output_tokens: Some(output_tokens),
            ..ServerCounts::default()
        }
    }

    #[test]
    fn equal_counts_give_no_warning() {
        assert_eq!(mismatch(&counts(40, 96), &summary(TokenCount::Usage)), None);
        assert_eq!(mismatch(&ServerCounts::default(), &summary(TokenCount::Usage)), None);
    }

    #[test]
    fn each_differing_count_is_reported_with_both_numbers() {
        assert_eq!(
            mismatch(&counts(41, 100), &summary(TokenCount::Usage)).unwrap(),
            "the engine counted 41 input tokens where its answers reported 40, and 100 output tokens where its answers \
             reported 96: it may have served other clients too"
        );
        let output_only = mismatch(&counts(40, 95), &summary(TokenCount::Usage)).unwrap();
        assert!(!output_only.contains("input"), "{output_only}");
    }

    #[test]
    fn the_warning_about_short_answers_suggests_a_fix() {
        let mut summary = summary(TokenCount::Usage);
        summary.requests.succeeded = 100;
        summary.requests.ended_by_length = 99;
        let [vllm, ollama] = ["vllm", "ollama"].map(|name| EngineKind::named(name).unwrap());
        assert_eq!(early_ends(&summary, vllm), None);
        summary.requests.ended_by_length = 60;
        assert!(early_ends(&summary, vllm).unwrap().ends_with("set ignore_eos to get full-length answers"));
        assert!(early_ends(&summary, ollama).unwrap().ends_with("it treats the length as a cap"));
    }

    #[test]
    fn long_queueing_is_reported_if_a_setting_helps() {
        let times = |queue_ms| ServerTimes {
            queue_ms: Mean::of(queue_ms),
            e2e_ms: Mean::of(100.0),
            ..ServerTimes::default()
        };
        let [vllm, ollama] = ["vllm", "ollama"].map(|name| EngineKind::named(name).unwrap());
        assert_eq!(long_queueing(&times(49.0), ollama), None);
        assert_eq!(long_queueing(&times(51.0), vllm), None);
        let warning = long_queueing(&times(51.0), ollama).unwrap();
        assert!(
            warning.contains("51.0 of their 100 ms") && warning.contains("OLLAMA_NUM_PARALLEL"),
            "{warning}"
        );
    }

    #[test]
    fn chunks_with_several_tokens_are_named_as_the_cause() {
        let warning = mismatch(&counts(40, 100), &summary(TokenCount::Chunks)).unwrap();
        assert!(warning.ends_with("one chunk may hold several tokens"), "{warning}");
    }
}
