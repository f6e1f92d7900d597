//! What an engine says of a session's rounds, checked against what its answers reported to the client.

use std::thread;
use std::time::Duration;

use crate::client::Client;
use crate::engine::EngineKind;
use crate::metrics::record::{RequestRecord, TokenCount};
use crate::metrics::server_side::{ServerCounts, ServerSide, ServerTimes};
use crate::metrics::summary::Summary;
use crate::text::figures;
use crate::verdict::LEAST_SHARE_ENDED_BY_LENGTH;

/// Reads the engine's counters before the first round and after the last.
#[derive(Default)]
pub struct CounterCheck {
    before: Option<ServerSide>,
    /// By the answers themselves.
    reported: ServerTimes,
    warnings: Vec<String>,
}

/// An engine may count an answer a little after it has sent its end.
const SETTLING: [Duration; 5] = [Duration::from_millis(100); 5];

impl CounterCheck {
    pub fn begin(&mut self, client: &Client) {
        self.before = self.read(client);
    }

    pub fn take(&mut self, record: &RequestRecord) {
        self.reported.merge(&record.server_times);
    }

    /// What it says of the rounds, and what doesn't fit. Answers that failed were counted by nobody but the engine, so
    /// then there is nothing to compare; and `shared`, they are those of others too.
    pub fn end(
        mut self,
        client: &Client,
        summary: &Summary,
        shared: bool,
    ) -> (Option<ServerSide>, Vec<String>) {
        let complete = summary.requests.failures() == 0 && summary.requests.sent > 0 && !shared;
        let expected = |side: &ServerSide| !complete || disagreement(&side.counts, summary).is_none();
        let mut session = self.read_since(client);
        for pause in SETTLING {
            if session.as_ref().is_none_or(expected) {
                break;
            }
            thread::sleep(pause);
            session = self.read_since(client);
        }
        if let Some(side) = &session
            && complete
        {
            self.warnings.extend(disagreement(&side.counts, summary));
        }
        let reported = (self.reported != ServerTimes::default())
            .then_some(ServerSide { times: self.reported, ..ServerSide::default() });
        let side =
            session.map(|side| ServerSide { times: self.reported.or(&side.times), ..side }).or(reported);
        self.warnings.extend(cut_short(summary, client.engine()));
        self.warnings.extend(side.and_then(|side| kept_waiting(&side.times, client.engine())));
        (side, self.warnings)
    }

    fn read_since(&mut self, client: &Client) -> Option<ServerSide> {
        let before = self.before?;
        self.read(client)?.since(&before)
    }

    fn read(&mut self, client: &Client) -> Option<ServerSide> {
        client.server_side().unwrap_or_else(|why| {
            let warning = format!("the engine's own counts are not to be had: {why}");
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
            None
        })
    }
}

/// In words, where answers were not of the asked-for length.
fn cut_short(summary: &Summary, engine: EngineKind) -> Option<String> {
    let share = summary.share_ended_by_length().filter(|share| *share < LEAST_SHARE_ENDED_BY_LENGTH)?;
    let remedy = match engine.fixes_output_length() {
        true => "ignore_eos makes it go on",
        false => "nothing makes this engine go on: the length is a cap to it",
    };
    Some(format!(
        "only {} of the answers had the asked-for length, so throughput and E2E follow what the model chose to say \
         (TTFT and TPOT don't); {remedy}",
        figures::percent(share)
    ))
}

/// In words, where requests waited for most of their time and it is known what helps.
fn kept_waiting(times: &ServerTimes, engine: EngineKind) -> Option<String> {
    let hint = engine.queueing_hint()?;
    let (waited_ms, total_ms) = (times.queue_ms.mean, times.e2e_ms.mean);
    (waited_ms > total_ms / 2.0).then(|| {
        let (waited_ms, total_ms) = (figures::number(waited_ms), figures::number(total_ms));
        format!("requests waited {waited_ms} of their {total_ms} ms for their turn: {hint}")
    })
}

/// In words, where the engine's counters and its answers don't tell the same.
fn disagreement(counts: &ServerCounts, summary: &Summary) -> Option<String> {
    let reported = [
        ("input", counts.input_tokens, summary.input_tokens),
        ("output", counts.output_tokens, summary.output_tokens),
    ];
    let apart: Vec<String> = reported
        .into_iter()
        // Without a usage, answers tell nothing of their input.
        .filter(|(_, _, reported)| *reported > 0)
        .filter_map(|(what, counted, reported)| Some((what, counted?, reported)))
        .filter(|(_, counted, reported)| counted != reported)
        .map(|(what, counted, reported)| {
            format!("{counted} {what} tokens where its answers reported {reported}")
        })
        .collect();
    if apart.is_empty() {
        return None;
    }
    let cause = match summary.tokens_counted_by {
        Some(TokenCount::Chunks) => "the answers came without a usage, and several tokens may share a chunk",
        _ => "it may have served others too",
    };
    Some(format!("the engine counted {}: {cause}", apart.join(", and ")))
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
    fn equal_counts_are_no_warning() {
        assert_eq!(disagreement(&counts(40, 96), &summary(TokenCount::Usage)), None);
        assert_eq!(disagreement(&ServerCounts::default(), &summary(TokenCount::Usage)), None);
    }

    #[test]
    fn every_count_that_differs_is_reported_with_both_numbers() {
        assert_eq!(
            disagreement(&counts(41, 100), &summary(TokenCount::Usage)).unwrap(),
            "the engine counted 41 input tokens where its answers reported 40, and 100 output tokens where its answers \
             reported 96: it may have served others too"
        );
        let of_output = disagreement(&counts(40, 95), &summary(TokenCount::Usage)).unwrap();
        assert!(!of_output.contains("input"), "{of_output}");
    }

    #[test]
    fn answers_that_ended_early_are_reported_with_what_helps() {
        let mut summary = summary(TokenCount::Usage);
        summary.requests.succeeded = 100;
        summary.requests.ended_by_length = 99;
        let [vllm, ollama] = ["vllm", "ollama"].map(|name| EngineKind::named(name).unwrap());
        assert_eq!(cut_short(&summary, vllm), None);
        summary.requests.ended_by_length = 60;
        assert!(cut_short(&summary, vllm).unwrap().ends_with("ignore_eos makes it go on"));
        assert!(cut_short(&summary, ollama).unwrap().ends_with("the length is a cap to it"));
    }

    #[test]
    fn a_long_wait_is_reported_where_it_is_known_what_helps() {
        let times = |queue_ms| ServerTimes {
            queue_ms: Mean::of(queue_ms),
            e2e_ms: Mean::of(100.0),
            ..ServerTimes::default()
        };
        let [vllm, ollama] = ["vllm", "ollama"].map(|name| EngineKind::named(name).unwrap());
        assert_eq!(kept_waiting(&times(49.0), ollama), None);
        assert_eq!(kept_waiting(&times(51.0), vllm), None);
        let warning = kept_waiting(&times(51.0), ollama).unwrap();
        assert!(
            warning.contains("51.0 of their 100 ms") && warning.contains("OLLAMA_NUM_PARALLEL"),
            "{warning}"
        );
    }

    #[test]
    fn chunks_that_held_several_tokens_are_known_as_the_cause() {
        let warning = disagreement(&counts(40, 100), &summary(TokenCount::Chunks)).unwrap();
        assert!(warning.ends_with("several tokens may share a chunk"), "{warning}");
    }
}
