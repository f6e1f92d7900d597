//! What an engine says of a session's rounds, held against what its answers told the client.

use std::thread;
use std::time::Duration;

use crate::measure::Client;
use crate::record::{RequestRecord, TokenCount};
use crate::server_side::{ServerCounts, ServerSide, ServerTimes};
use crate::summary::Summary;

/// Reads the engine's counters before the first round and after the last.
#[derive(Default)]
pub struct Witness {
    before: Option<ServerSide>,
    /// By the answers themselves.
    told: ServerTimes,
    warnings: Vec<String>,
}

/// An engine may count an answer a little after it has sent its end.
const SETTLING: [Duration; 5] = [Duration::from_millis(100); 5];

impl Witness {
    pub fn begin(&mut self, client: &Client) {
        self.before = self.read(client);
    }

    pub fn hear(&mut self, records: &[RequestRecord]) {
        records.iter().for_each(|record| self.told.merge(&record.server_times));
    }

    /// What it says of the rounds, and what doesn't fit. Answers that failed were counted by nobody but the engine, so
    /// then there is nothing to compare.
    pub fn end(mut self, client: &Client, summary: &Summary) -> (Option<ServerSide>, Vec<String>) {
        let complete = summary.requests.failures() == 0 && summary.requests.sent > 0;
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
        let told = (self.told != ServerTimes::default())
            .then_some(ServerSide { times: self.told, ..ServerSide::default() });
        let side = session.map(|side| ServerSide { times: self.told.or(&side.times), ..side }).or(told);
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

/// In words, where the engine's counters and its answers don't tell the same.
fn disagreement(counts: &ServerCounts, summary: &Summary) -> Option<String> {
    let told = [
        ("input", counts.input_tokens, summary.input_tokens),
        ("output", counts.output_tokens, summary.output_tokens),
    ];
    let apart: Vec<String> = told
        .into_iter()
        // Without a usage, answers tell nothing of their input.
        .filter(|(_, _, told)| *told > 0)
        .filter_map(|(what, counted, told)| Some((what, counted?, told)))
        .filter(|(_, counted, told)| counted != told)
        .map(|(what, counted, told)| format!("{counted} {what} tokens where its answers told of {told}"))
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
    fn every_count_that_differs_is_told_with_both_numbers() {
        assert_eq!(
            disagreement(&counts(41, 100), &summary(TokenCount::Usage)).unwrap(),
            "the engine counted 41 input tokens where its answers told of 40, and 100 output tokens where its answers \
             told of 96: it may have served others too"
        );
        let of_output = disagreement(&counts(40, 95), &summary(TokenCount::Usage)).unwrap();
        assert!(!of_output.contains("input"), "{of_output}");
    }

    #[test]
    fn chunks_that_held_several_tokens_are_known_as_the_cause() {
        let warning = disagreement(&counts(40, 100), &summary(TokenCount::Chunks)).unwrap();
        assert!(warning.ends_with("several tokens may share a chunk"), "{warning}");
    }
}
