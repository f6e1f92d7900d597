//! The part of a round that its rates are taken over, and what lies outside of it.
//!
//! # The rule
//!
//! While users are still starting, and once the first of them finds no request left, an engine gets less load than
//! configured. So the window of a closed load begins when its ramp ends, and ends with the first response that ends
//! after the last request was sent. A failure doesn't end it: users that are refused at once use up a round's requests
//! while the others' responses are still running. Only if no response ends after the last sending, the first failure
//! after it is the end. A response counts by the share of it that lies within, spread evenly from its first content to
//! its last (for a response that is not streamed: from its sending). Latencies include the requests that were due after
//! the ramp; none are lost at the end, because every request was due before the window's end.
//!
//! For an open load, only the ramp is cut. The backlog that builds up, and has to be worked off after the last arrival,
//! is what such a load is meant to show.
//!
//! If a load never reached its level (the ramp took longer than the round, or there were fewer requests than users),
//! nothing is cut. A window depends only on the round's records and its start.

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

/// What happened to a round's beginning and end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Edges {
    /// The window lasts from the first request's sending to the last one's end.
    #[default]
    Kept,
    /// The time before and after the full load is cut.
    Cut,
    /// They are kept, because the load never reached its level.
    NeverWhole,
}

/// What was cut from rounds: the time outside of their windows, and what happened in it. A request may be cut in part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    pub seconds: f64,
    /// Successful ones; the following tokens are theirs.
    pub requests: f64,
    pub input_tokens: f64,
    pub output_tokens: f64,
}

/// Builds a round's window as its requests end. It keeps only those that may reach beyond the window's end: no more
/// than are in flight at once.
#[derive(Clone, Debug)]
pub(crate) struct WindowBuilder {
    users: Option<u32>,
    ramp_ns: Nanos,
    began_ns: Nanos,
    sent: u64,
    first_sent_ns: Nanos,
    last_sent_ns: Nanos,
    last_end_ns: Nanos,
    /// Requests that ended after the last known sending.
    at_the_end: VecDeque<Ended>,
    /// What came before the end of the ramp.
    rising: Cut,
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
struct Ended {
    at_ns: Nanos,
    /// `None` for a failed request, which counts for nothing.
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

    /// The overlap of both; `None` if there is none.
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
    pub(crate) fn new(load: &Load) -> WindowBuilder {
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

    /// The round begins at this time.
    pub(crate) fn begin(&mut self, at_ns: Nanos) {
        self.began_ns = at_ns;
    }

    /// Whether a request was due before the load reached its level.
    pub(crate) fn is_rising(&self, record: &RequestRecord) -> bool {
        record.due_ns < self.began_ns + self.ramp_ns
    }

    /// `streamed`: whether responses are streamed.
    pub(crate) fn take(&mut self, record: &RequestRecord, streamed: bool) {
        if !record.is_sent() {
            return;
        }
        self.sent += 1;
        self.first_sent_ns = self.first_sent_ns.min(record.sent_ns);
        self.last_sent_ns = self.last_sent_ns.max(record.sent_ns);
        self.last_end_ns = self.last_end_ns.max(record.end_ns);
        // Records arrive in the order of their ends. What ended before the last sending is before the window's end.
        while self.at_the_end.front().is_some_and(|ended| ended.at_ns <= self.last_sent_ns) {
            let answer = self.at_the_end.pop_front().and_then(|ended| ended.answer);
            let begin_ns = self.begin_ns();
            answer.inspect(|answer| self.rising.take(answer, begin_ns, Nanos::MAX));
        }
        let answer = AnswerSpan::of(record, streamed);
        self.at_the_end.push_back(Ended { at_ns: record.end_ns, answer });
    }

    /// `None` if no request was sent.
    pub(crate) fn finish(&self) -> Option<(Window, Cut)> {
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
        // A window may begin before the first sending, if the ramp ended before anything was due.
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
        // Any response takes precedence over a failure.
        let first = left_over.min_by_key(|ended| (ended.answer.is_none(), ended.at_ns));
        self.users.and(first).map_or(self.last_end_ns, |ended| ended.at_ns)
    }
}

impl Cut {
    /// Takes the part of a response that lies outside of a window.
    fn take(&mut self, answer: &AnswerSpan, begin_ns: Nanos, end_ns: Nanos) {
        let share = 1.0 - answer.share_within(begin_ns, end_ns);
        self.requests += share;
        self.input_tokens += share * f64::from(answer.input_tokens);
        self.output_tokens += share * f64::from(answer.output_tokens);
    }
}

impl AnswerSpan {
    /// `None` for a request that failed or got no content.
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
        Load::closed(users, StopCondition::Requests(users.max(3)))
    }

    fn ramped(over_ms: u64) -> Load {
        let ramp = Some(Ramp { from: 1.0, over_ms, steps: None });
        let arrival = Arrival::Closed(Closed { concurrency: 2, think_time: None, ramp });
        Load::new(arrival, StopCondition::Requests(3)).unwrap()
    }

    fn milliseconds(window: Window) -> (Nanos, Nanos, Edges) {
        (window.begin_ns / MS, window.end_ns / MS, window.edges)
    }

    /// Two users; the one whose request ends at 1000 finds none left, and the other one's runs for 500 ms more.
    fn three_requests() -> [RequestRecord; 3] {
        [answered(0, &[100, 800], 10), answered(0, &[100, 1000], 10), answered(800, &[900, 1500], 7)]
    }

    #[test]
    fn it_ends_when_the_first_user_finds_no_request_left() {
        let (window, cut) = window_of(&closed(2), &three_requests());
        assert_eq!(milliseconds(window), (0, 1000, Edges::Cut));
        // Of the last response's 600 ms, 500 came later.
        assert!((cut.requests - 5.0 / 6.0).abs() < 1e-12, "{cut:?}");
        assert!((cut.output_tokens - 7.0 * 5.0 / 6.0).abs() < 1e-12, "{cut:?}");
        assert_eq!((cut.seconds, cut.input_tokens), (0.5, 10.0 * cut.requests));
    }

    #[test]
    fn nothing_is_cut_for_a_single_user() {
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
    fn it_begins_at_the_ramps_end_even_if_nothing_was_due() {
        let (window, cut) =
            window_of(&ramped(400), &[answered(500, &[600, 900], 10), answered(500, &[600, 1000], 10)]);
        assert_eq!(milliseconds(window), (400, 900, Edges::Cut));
        assert_eq!(cut.seconds, 0.1);
        let ramp = Some(Ramp { from: 1.0, over_ms: 400, steps: None });
        let open = Open { rate: 2.0, process: ArrivalProcess::Poisson, ramp, max_in_flight: 1 };
        let open = Load::new(Arrival::Open(open), StopCondition::Requests(1)).unwrap();
        let (window, cut) = window_of(&open, &[answered(500, &[600, 900], 10)]);
        assert_eq!((milliseconds(window), cut), ((400, 900, Edges::Cut), Cut::default()));
    }

    #[test]
    fn a_load_that_never_reached_its_level_is_not_cut() {
        for load in [ramped(1000), closed(4)] {
            let (window, cut) = window_of(&load, &three_requests());
            assert_eq!((milliseconds(window), cut), ((0, 1500, Edges::NeverWhole), Cut::default()));
        }
    }

    #[test]
    fn an_open_loads_backlog_is_not_cut() {
        let load = Load::open(10.0, ArrivalProcess::Constant, StopCondition::Requests(3));
        let (window, cut) = window_of(&load, &three_requests());
        assert_eq!((milliseconds(window), cut), ((0, 1500, Edges::Kept), Cut::default()));
    }

    #[test]
    fn a_failed_request_does_not_end_it() {
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
    fn a_failure_ends_it_if_no_response_does() {
        let records = [answered(0, &[100, 800], 10), failed(0, 1000), failed(800, 1500)];
        let (window, cut) = window_of(&closed(2), &records);
        assert_eq!(milliseconds(window), (0, 1000, Edges::Cut));
        assert_eq!(cut, Cut { seconds: 0.5, ..Cut::default() });
    }

    #[test]
    fn a_whole_response_counts_from_its_sending() {
        let mut builder = WindowBuilder::new(&closed(2));
        for (sent_ms, end_ms) in [(0, 800), (0, 1000), (800, 1800)] {
            builder.take(&answered(sent_ms, &[end_ms], 10), false);
        }
        assert!((builder.finish().unwrap().1.output_tokens - 8.0).abs() < 1e-12);
    }

    #[test]
    fn it_keeps_no_more_requests_than_are_in_flight() {
        let mut builder = WindowBuilder::new(&closed(2));
        for number in 0..1000 {
            builder.take(&answered(number * 10, &[number * 10 + 5, number * 10 + 20], 2), true);
            assert!(builder.at_the_end.len() <= 3, "{}", builder.at_the_end.len());
        }
    }

    #[test]
    fn windows_of_several_workers_overlap() {
        let window = |begin_ns, end_ns| Window { begin_ns, end_ns, edges: Edges::Cut };
        assert_eq!(window(1, 5).intersection(window(2, 7)), Some(window(2, 5)));
        assert_eq!(window(1, 5).union(window(2, 7)), window(1, 7));
        assert_eq!(window(1, 2).intersection(window(2, 3)), None);
    }
}
