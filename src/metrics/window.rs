//! The time of a round that its rates are taken over, and what came outside of it.
//!
//! # The rule
//!
//! While users are still coming, and once the first of them finds no request left, an engine is asked for less than the
//! load says. So the window of a closed load begins when its ramp is over, and ends with the first answer to end after
//! the last request was sent. A failure doesn't end it: users that are refused at once use up a round's requests while
//! the others' answers are under way. Only where no answer ends after the last sending, the first failure to do so is
//! the end. An answer counts by the share of it that came within, evenly spread from its first content to its last (of
//! an answer in one piece: from its sending). Latencies are those of requests that were due once the ramp was over;
//! none are lost at the end, since every request was due before the window's end.
//!
//! From an open load only the ramp is cut. What piles up while it runs, and has to be worked off after the last
//! arrival, is what such a load is there to show.
//!
//! Where a load was never whole (the ramp took longer than the round, or there were fewer requests than users), nothing
//! is cut. A window follows from the round's records and its beginning alone.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Load;
use crate::metrics::record::RequestRecord;
use crate::units::Nanos;

/// On the client's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub begin_ns: Nanos,
    pub end_ns: Nanos,
    #[serde(default)]
    pub edges: Edges,
}

/// What became of a round's beginning and end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Edges {
    /// The window is from the first request's sending to the last one's end.
    #[default]
    Kept,
    /// The time in which the load was not whole is cut.
    Cut,
    /// They are kept, since the load was never whole.
    NeverWhole,
}

/// What was cut from rounds: the time outside of their windows, and what came in it. A request may be cut in part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    pub seconds: f64,
    /// Successful ones, as the tokens that follow are theirs.
    pub requests: f64,
    pub input_tokens: f64,
    pub output_tokens: f64,
}

/// A round's window while its requests end. It keeps those alone that may reach beyond the window's end: no more than
/// are under way at once.
#[derive(Clone, Debug)]
pub struct WindowBuilder {
    users: Option<u32>,
    ramp_ns: Nanos,
    began_ns: Nanos,
    sent: u64,
    first_sent_ns: Nanos,
    last_sent_ns: Nanos,
    last_end_ns: Nanos,
    /// Those that ended after the last request that is known to have been sent.
    at_the_end: VecDeque<Ended>,
    /// What came before the ramp was over.
    rising: Cut,
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
struct Ended {
    at_ns: Nanos,
    /// None of one that failed, which counts for nothing.
    answer: Option<AnswerSpan>,
}

#[derive(Clone, Copy, Debug)]
struct AnswerSpan {
    first_ns: Nanos,
    last_ns: Nanos,
    input_tokens: u32,
    output_tokens: u32,
}

impl Window {
    pub fn seconds(self) -> f64 {
        self.end_ns.saturating_sub(self.begin_ns) as f64 / 1e9
    }

    /// From the first begin to the last end.
    pub fn union(self, other: Window) -> Window {
        let (begin_ns, end_ns) = (self.begin_ns.min(other.begin_ns), self.end_ns.max(other.end_ns));
        Window { begin_ns, end_ns, edges: self.edges.and(other.edges) }
    }

    /// What both have in common; `None` where that is nothing.
    pub fn intersection(self, other: Window) -> Option<Window> {
        let (begin_ns, end_ns) = (self.begin_ns.max(other.begin_ns), self.end_ns.min(other.end_ns));
        (begin_ns < end_ns).then_some(Window { begin_ns, end_ns, edges: self.edges.and(other.edges) })
    }
}

impl Edges {
    fn and(self, other: Edges) -> Edges {
        match (self, other) {
            (Edges::NeverWhole, _) | (_, Edges::NeverWhole) => Edges::NeverWhole,
            (Edges::Cut, _) | (_, Edges::Cut) => Edges::Cut,
            (Edges::Kept, Edges::Kept) => Edges::Kept,
        }
    }
}

impl Cut {
    pub fn add(&mut self, other: &Cut) {
        self.seconds += other.seconds;
        self.requests += other.requests;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
    }
}

impl WindowBuilder {
    pub fn new(load: &Load) -> WindowBuilder {
        WindowBuilder {
            users: load.users(),
            ramp_ns: load.ramp().map_or(0, |ramp| ramp.over_ms * 1_000_000),
            began_ns: 0,
            sent: 0,
            first_sent_ns: Nanos::MAX,
            last_sent_ns: 0,
            last_end_ns: 0,
            at_the_end: VecDeque::new(),
            rising: Cut::default(),
        }
    }

    /// The round begins at this moment.
    pub fn begin(&mut self, at_ns: Nanos) {
        self.began_ns = at_ns;
    }

    /// Whether a request was due before the load had reached its level.
    pub fn is_rising(&self, record: &RequestRecord) -> bool {
        record.due_ns < self.began_ns + self.ramp_ns
    }

    /// `streamed`: whether answers come as streams.
    pub fn take(&mut self, record: &RequestRecord, streamed: bool) {
        if !record.is_sent() {
            return;
        }
        self.sent += 1;
        self.first_sent_ns = self.first_sent_ns.min(record.sent_ns);
        self.last_sent_ns = self.last_sent_ns.max(record.sent_ns);
        self.last_end_ns = self.last_end_ns.max(record.end_ns);
        // They come in the order of their ends. What ended before somebody found one more to send is before the end.
        while self.at_the_end.front().is_some_and(|ended| ended.at_ns <= self.last_sent_ns) {
            let answer = self.at_the_end.pop_front().and_then(|ended| ended.answer);
            let begin_ns = self.begin_ns();
            answer.inspect(|answer| self.rising.take(answer, begin_ns, Nanos::MAX));
        }
        let answer = AnswerSpan::of(record, streamed);
        self.at_the_end.push_back(Ended { at_ns: record.end_ns, answer });
    }

    /// `None` where no request was sent.
    pub fn finish(&self) -> Option<(Window, Cut)> {
        if self.sent == 0 {
            return None;
        }
        let whole = Window { begin_ns: self.first_sent_ns, end_ns: self.last_end_ns, edges: Edges::Kept };
        let (begin_ns, end_ns) = (self.begin_ns(), self.end_ns());
        if begin_ns >= end_ns || self.users.is_some_and(|users| self.sent < u64::from(users)) {
            return Some((Window { edges: Edges::NeverWhole, ..whole }, Cut::default()));
        }
        if (begin_ns, end_ns) == (whole.begin_ns, whole.end_ns) {
            return Some((whole, Cut::default()));
        }
        let window = Window { begin_ns, end_ns, edges: Edges::Cut };
        // A window may begin before the first sending: the ramp is over, and nothing was due yet.
        let cut_ns = begin_ns.saturating_sub(whole.begin_ns) + (whole.end_ns - end_ns);
        let mut cut = Cut { seconds: cut_ns as f64 / 1e9, ..self.rising };
        self.at_the_end
            .iter()
            .filter_map(|ended| ended.answer)
            .for_each(|answer| cut.take(&answer, begin_ns, end_ns));
        Some((window, cut))
    }

    fn begin_ns(&self) -> Nanos {
        match self.ramp_ns {
            0 => self.first_sent_ns,
            ramp_ns => self.began_ns + ramp_ns,
        }
    }

    fn end_ns(&self) -> Nanos {
        let left_over = self.at_the_end.iter().filter(|ended| ended.at_ns > self.last_sent_ns);
        // Any answer goes before a failure.
        let first = left_over.min_by_key(|ended| (ended.answer.is_none(), ended.at_ns));
        self.users.and(first).map_or(self.last_end_ns, |ended| ended.at_ns)
    }
}

impl Cut {
    /// Takes what came of an answer outside of a window.
    fn take(&mut self, answer: &AnswerSpan, begin_ns: Nanos, end_ns: Nanos) {
        let share = 1.0 - answer.share_within(begin_ns, end_ns);
        self.requests += share;
        self.input_tokens += share * f64::from(answer.input_tokens);
        self.output_tokens += share * f64::from(answer.output_tokens);
    }
}

impl AnswerSpan {
    /// `None` of a request that failed, or was answered without any content.
    fn of(record: &RequestRecord, streamed: bool) -> Option<AnswerSpan> {
        record.outcome.as_ref().ok()?;
        let first_ns = if streamed { record.first_content_ns()? } else { record.sent_ns };
        Some(AnswerSpan {
            first_ns,
            last_ns: record.last_content_ns()?,
            input_tokens: record.input_tokens.unwrap_or(0),
            output_tokens: record.output_tokens,
        })
    }

    fn share_within(&self, begin_ns: Nanos, end_ns: Nanos) -> f64 {
        let (from_ns, to_ns) = (self.first_ns.max(begin_ns), self.last_ns.min(end_ns));
        match self.last_ns - self.first_ns {
            0 if from_ns == to_ns => 1.0,
            0 => 0.0,
            whole_ns => to_ns.saturating_sub(from_ns) as f64 / whole_ns as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Arrival, ArrivalProcess, Closed, Open, Ramp, StopCondition};
    use crate::metrics::record::example::{answered, failed};

    const MS: Nanos = 1_000_000;

    fn window_of(load: &Load, records: &[RequestRecord]) -> (Window, Cut) {
        let mut builder = WindowBuilder::new(load);
        builder.begin(0);
        records.iter().for_each(|record| builder.take(record, true));
        builder.finish().unwrap()
    }

    fn closed(users: u32) -> Load {
        Load::closed(users, StopCondition::Requests(3))
    }

    fn ramped(over_ms: u64) -> Load {
        let ramp = Some(Ramp { from: 1.0, over_ms, steps: None });
        let arrival = Arrival::Closed(Closed { concurrency: 2, think_time: None, ramp });
        Load::new(arrival, StopCondition::Requests(3))
    }

    fn milliseconds(window: Window) -> (Nanos, Nanos, Edges) {
        (window.begin_ns / MS, window.end_ns / MS, window.edges)
    }

    /// Two users; the one whose request ends at 1000 finds none left, and the other one's goes on for 500 ms.
    fn three_requests() -> [RequestRecord; 3] {
        [answered(0, &[100, 800], 10), answered(0, &[100, 1000], 10), answered(800, &[900, 1500], 7)]
    }

    #[test]
    fn it_ends_when_the_first_user_finds_no_request_left() {
        let (window, cut) = window_of(&closed(2), &three_requests());
        assert_eq!(milliseconds(window), (0, 1000, Edges::Cut));
        // Of the last answer's 600 ms, 500 came later.
        assert!((cut.requests - 5.0 / 6.0).abs() < 1e-12, "{cut:?}");
        assert!((cut.output_tokens - 7.0 * 5.0 / 6.0).abs() < 1e-12, "{cut:?}");
        assert_eq!((cut.seconds, cut.input_tokens), (0.5, 10.0 * cut.requests));
    }

    #[test]
    fn of_a_single_user_nothing_is_cut() {
        let (window, cut) = window_of(&closed(1), &[answered(0, &[10, 20], 2), answered(20, &[30, 40], 2)]);
        assert_eq!((milliseconds(window), cut), ((0, 40, Edges::Kept), Cut::default()));
    }

    #[test]
    fn it_begins_when_all_users_have_started() {
        let (window, cut) = window_of(&ramped(400), &three_requests());
        assert_eq!(milliseconds(window), (400, 1000, Edges::Cut));
        // 300 of 700 ms, 300 of 900, 500 of 600.
        assert!((cut.requests - (3.0 / 7.0 + 3.0 / 9.0 + 5.0 / 6.0)).abs() < 1e-12, "{cut:?}");
        assert_eq!(cut.seconds, 0.9);
    }

    #[test]
    fn it_begins_with_the_ramps_end_where_nothing_was_due_by_then() {
        let (window, cut) =
            window_of(&ramped(400), &[answered(500, &[600, 900], 10), answered(500, &[600, 1000], 10)]);
        assert_eq!(milliseconds(window), (400, 900, Edges::Cut));
        assert_eq!(cut.seconds, 0.1);
        let ramp = Some(Ramp { from: 1.0, over_ms: 400, steps: None });
        let open = Open { rate: 2.0, process: ArrivalProcess::Poisson, ramp, max_in_flight: 1 };
        let open = Load::new(Arrival::Open(open), StopCondition::Requests(1));
        let (window, cut) = window_of(&open, &[answered(500, &[600, 900], 10)]);
        assert_eq!((milliseconds(window), cut), ((400, 900, Edges::Cut), Cut::default()));
    }

    #[test]
    fn a_load_that_was_never_whole_is_not_cut() {
        for load in [ramped(1000), closed(4)] {
            let (window, cut) = window_of(&load, &three_requests());
            assert_eq!((milliseconds(window), cut), ((0, 1500, Edges::NeverWhole), Cut::default()));
        }
    }

    #[test]
    fn what_an_open_load_piles_up_is_not_cut() {
        let load = Load::open(10.0, ArrivalProcess::Constant, StopCondition::Requests(3));
        let (window, cut) = window_of(&load, &three_requests());
        assert_eq!((milliseconds(window), cut), ((0, 1500, Edges::Kept), Cut::default()));
    }

    #[test]
    fn a_failed_request_does_not_end_it_and_counts_for_nothing() {
        let records = [
            failed(0, 10),
            failed(110, 120),
            answered(0, &[100, 800], 10),
            answered(0, &[100, 1000], 10),
            answered(0, &[100, 1500], 14),
        ];
        let (window, cut) = window_of(&closed(4), &records);
        assert_eq!(milliseconds(window), (0, 800, Edges::Cut));
        // 200 of 900 ms, 700 of 1400.
        assert!((cut.requests - (2.0 / 9.0 + 0.5)).abs() < 1e-12, "{cut:?}");
    }

    #[test]
    fn where_no_answer_ends_after_the_last_sending_the_first_failure_ends_it() {
        let records = [answered(0, &[100, 800], 10), failed(0, 1000), failed(800, 1500)];
        let (window, cut) = window_of(&closed(2), &records);
        assert_eq!(milliseconds(window), (0, 1000, Edges::Cut));
        assert_eq!(cut, Cut { seconds: 0.5, ..Cut::default() });
    }

    #[test]
    fn an_answer_in_one_piece_counts_from_its_sending() {
        let mut builder = WindowBuilder::new(&closed(2));
        for (sent_ms, end_ms) in [(0, 800), (0, 1000), (800, 1800)] {
            builder.take(&answered(sent_ms, &[end_ms], 10), false);
        }
        assert!((builder.finish().unwrap().1.output_tokens - 8.0).abs() < 1e-12);
    }

    #[test]
    fn it_keeps_no_more_requests_than_are_under_way() {
        let mut builder = WindowBuilder::new(&closed(2));
        for number in 0..1000 {
            builder.take(&answered(number * 10, &[number * 10 + 5, number * 10 + 20], 2), true);
            assert!(builder.at_the_end.len() <= 3, "{}", builder.at_the_end.len());
        }
    }

    #[test]
    fn windows_of_several_workers_have_a_time_in_common() {
        let window = |begin_ns, end_ns| Window { begin_ns, end_ns, edges: Edges::Cut };
        assert_eq!(window(1, 5).intersection(window(2, 7)), Some(window(2, 5)));
        assert_eq!(window(1, 5).union(window(2, 7)), window(1, 7));
        assert_eq!(window(1, 2).intersection(window(2, 3)), None);
    }
}
