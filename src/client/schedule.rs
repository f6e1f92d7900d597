//! A round: sends each request when it is due, on a free connection.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::Ordering;

use futures_util::future::join;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, oneshot};

use crate::client::Progress;
use crate::client::connection::Connection;
use crate::client::exchange::{Peer, Prepared};
use crate::client::lanes::{Lanes, Resting};
use crate::client::pacer::{Moments, Pacer};
use crate::client::telemetry::Telemetry;
use crate::engine::Ask;
use crate::load::conversations::Question;
use crate::load::prompts::PromptSampler;
use crate::load::workload::Workload;
use crate::load::{Load, Plan};
use crate::metrics::record::{Failure, FailureClass, RecordSink, RequestRecord};
use crate::sys::clock;
use crate::units::Nanos;

/// What all requests of a round share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    pub workload: &'a Workload,
    pub model: Option<&'a str>,
}

/// Sends what a plan requires, for any kind of load: a due request goes to a free lane, and its end may make another
/// one due.
pub(crate) struct Schedule<'a> {
    peer: &'a Peer,
    asking: Asking<'a>,
    plan: RefCell<Plan>,
    /// Whether requests follow the clock: one that can't be sent on time is not sent.
    punctual: bool,
    started_ns: Cell<Nanos>,
    progress: &'a Progress,
    /// Precedes the number in a request's ID.
    id_prefix: String,
    sampler: RefCell<&'a mut PromptSampler>,
    /// Requests drawn and written ahead of time, in order.
    written: RefCell<VecDeque<Written>>,
    /// Next requests of conversations whose users think, by the time when they are due. The number separates requests
    /// that are due at the same time.
    continued: RefCell<BTreeMap<(Nanos, u32), Written>>,
    /// How many are written ahead.
    ahead: usize,
    drawn: Cell<u32>,
    sent: Cell<u32>,
    /// Future times at which a request may start, plus unanswered requests: the round goes on while there are any.
    awaited: Cell<u32>,
    unanswered: Cell<u32>,
    lanes: Lanes<Assignment>,
    pacer: RefCell<Option<Pacer>>,
    /// Number of requests in a row that found no connection.
    unconnected: Cell<u32>,
    most_unconnected: u32,
    taken: Notify,
    records: RefCell<&'a mut dyn RecordSink>,
}

/// A request that is ready to send, and its question.
struct Written {
    prepared: Prepared,
    question: Question,
}

/// A request for a lane to send now.
struct Assignment {
    written: Written,
    id: String,
    due_ns: Nanos,
}

/// A user pauses after a failure, so that an engine that refuses at once is not flooded.
const PAUSE_AFTER_FAILURE_NS: Nanos = 100_000_000;
/// If every lane has failed to connect this many times in a row, the server is gone, and the rest of the round would be
/// a waste of time.
const ATTEMPTS_TO_CONNECT: u32 = 3;
/// A request that the client gets to later than this after it was due is not sent: its latencies would describe the
/// client.
const LATENESS_MAX_NS: Nanos = 100_000_000;
/// Minimum number of requests that an open load writes ahead: a few may be due at once at any rate.
const LEAST_AHEAD: u32 = 16;

type LaneFuture<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

impl<'a> Schedule<'a> {
    pub(crate) fn new(
        peer: &'a Peer,
        asking: Asking<'a>,
        sampler: &'a mut PromptSampler,
        load: &Load,
        progress: &'a Progress,
        id_prefix: String,
        records: &'a mut dyn RecordSink,
    ) -> Schedule<'a> {
        let plan = load.plan(sampler.begin_round());
        Schedule {
            peer,
            asking,
            plan: RefCell::new(plan),
            punctual: load.is_open(),
            started_ns: Cell::new(0),
            progress,
            id_prefix,
            sampler: RefCell::new(sampler),
            written: RefCell::default(),
            continued: RefCell::default(),
            ahead: ahead(load),
            drawn: Cell::new(0),
            sent: Cell::new(0),
            awaited: Cell::default(),
            unanswered: Cell::default(),
            lanes: Lanes::new(),
            pacer: RefCell::default(),
            unconnected: Cell::new(0),
            most_unconnected: ATTEMPTS_TO_CONNECT * load.connections(),
            taken: Notify::new(),
            records: RefCell::new(records),
        }
    }

    /// Prepares the first requests, so that the round can start with all of them at once.
    pub(crate) fn prepare(&self) {
        self.written.borrow_mut().extend(std::iter::from_fn(|| self.draw()).take(self.ahead));
    }

    /// Runs the round on lanes with one connection each, as far as there are any, and returns the connections, the most
    /// recently used first.
    ///
    /// The lanes are futures of one task and share its thread, and the telemetry's ticks arrive among them like any
    /// packet.
    pub(crate) async fn run(
        &self,
        connections: Vec<Option<Connection>>,
        started_ns: Nanos,
        telemetry: &mut Telemetry,
    ) -> std::io::Result<Vec<Connection>> {
        let lanes = connections.len();
        self.started_ns.set(started_ns);
        self.awaited.set(self.plan.borrow().due.remaining());
        self.end_if_done();
        self.records.borrow_mut().begin(started_ns);
        let (pacer, moments) = Pacer::start(self.plan.borrow().due.clone(), started_ns)?;
        self.pacer.replace(Some(pacer));
        let parts: FuturesUnordered<LaneFuture> = FuturesUnordered::new();
        // From last to first, so that the first one is taken first.
        for connection in connections.into_iter().rev() {
            parts.push(Box::pin(self.lane(self.lanes.rest(connection))));
        }
        parts.push(Box::pin(async { telemetry.watch().await }));
        parts.push(Box::pin(self.keep_time(moments)));
        parts.push(Box::pin(self.keep_prepared()));
        if self.punctual {
            parts.push(Box::pin(self.lanes.keep_connected(self.peer)));
        }
        // Only the lanes come to an end.
        parts.take(lanes).collect::<Vec<()>>().await;
        Ok(self.lanes.take_connections())
    }

    /// Sends one request after the other, idle between them, until there are no more.
    async fn lane(&self, first: oneshot::Receiver<(Assignment, Option<Connection>)>) {
        let mut next = first;
        while let Ok((Assignment { written: Written { prepared, question }, id, due_ns }, mut connection)) =
            next.await
        {
            let exchange = self.peer.exchange(&mut connection, &prepared, id, due_ns);
            let (record, then) = if question.is_followed() {
                join(exchange, self.write_next(question)).await
            } else {
                (exchange.await, None)
            };
            next = self.lanes.rest(connection);
            self.ended(&record, then);
        }
    }

    /// The conversation's next turn, written while this one is answered.
    async fn write_next(&self, question: Question) -> Option<Written> {
        tokio::task::yield_now().await;
        question.next().map(|question| self.write(question))
    }

    async fn keep_time(&self, mut moments: Moments) {
        loop {
            let due_ns = moments.next().await;
            self.awaited.set(self.awaited.get() - 1);
            let then = self.continued(due_ns);
            self.begin(due_ns, then);
            // Lets the lane send before the wait for the next time, which may be short, begins.
            tokio::task::yield_now().await;
        }
    }

    /// The next request of a user whose conversation continues at this time.
    fn continued(&self, due_ns: Nanos) -> Option<Written> {
        let mut continued = self.continued.borrow_mut();
        let first = continued.first_entry()?;
        (first.key().0 <= due_ns).then(|| first.remove())
    }

    /// Sends a request that is due now: the next of a conversation, or a fresh one.
    fn begin(&self, due_ns: Nanos, then: Option<Written>) {
        if self.lanes.are_closed() || self.unconnected.get() >= self.most_unconnected {
            return self.lanes.close();
        }
        let Some(written) = self.take(then) else { return self.end_if_done() };
        self.unanswered.set(self.unanswered.get() + 1);
        match self.lane_in_time(due_ns) {
            Ok(lane) => {
                let id = format!("{}-{}", self.id_prefix, self.sent.get());
                lane.wake(Assignment { written, id, due_ns });
            }
            Err(why) => self.ended(&RequestRecord::not_sent(due_ns, clock::now(), why), None),
        }
    }

    fn lane_in_time(&self, due_ns: Nanos) -> Result<Resting<Assignment>, Failure> {
        let late_ns = clock::now().saturating_sub(due_ns);
        if self.punctual && late_ns > LATENESS_MAX_NS {
            let detail = format!("the client was {:.0} ms late", late_ns as f64 / 1e6);
            return Err(Failure { class: FailureClass::Late, detail });
        }
        self.lanes.take().ok_or_else(|| {
            let detail = "the maximum number of requests (`max_in_flight`) was unanswered".to_owned();
            Failure { class: FailureClass::NoRoom, detail }
        })
    }

    /// `then`: the user's next request, unless that is a fresh one.
    fn ended(&self, record: &RequestRecord, then: Option<Written>) {
        let failed = record.outcome.is_err();
        let pause_ns = if failed { PAUSE_AFTER_FAILURE_NS } else { 0 };
        let following = self.following_ns(record.end_ns + pause_ns);
        // Without a response, a conversation is over.
        let then = then.filter(|_| !failed);
        self.unanswered.set(self.unanswered.get() - 1);
        self.note(record);
        match following {
            None => self.end_if_done(),
            Some(due_ns) if due_ns > clock::now() => self.add_time(due_ns, then),
            Some(due_ns) => self.begin(due_ns, then),
        }
    }

    /// When the user of a request sends the next one, if any.
    fn following_ns(&self, ended_ns: Nanos) -> Option<Nanos> {
        let started_ns = self.started_ns.get();
        let due_ns = self.plan.borrow_mut().following_ns(ended_ns - started_ns)?;
        Some(started_ns + due_ns)
    }

    fn add_time(&self, due_ns: Nanos, then: Option<Written>) {
        if self.are_requests_used_up() {
            return self.end_if_done();
        }
        self.awaited.set(self.awaited.get() + 1);
        if let Some(then) = then {
            self.continued.borrow_mut().insert((due_ns, self.sent.get()), then);
        }
        if let Some(pacer) = &*self.pacer.borrow() {
            pacer.add_time(due_ns);
        }
    }

    /// Ends the round if nobody may send anything more.
    fn end_if_done(&self) {
        let asks_nothing = self.awaited.get() == 0 || self.are_requests_used_up();
        if asks_nothing && self.unanswered.get() == 0 {
            self.lanes.close();
        }
    }

    fn take(&self, then: Option<Written>) -> Option<Written> {
        if self.are_requests_used_up() {
            return None;
        }
        let ahead = || self.written.borrow_mut().pop_front();
        let next = then.or_else(ahead).or_else(|| self.draw())?;
        self.taken.notify_one();
        self.sent.set(self.sent.get() + 1);
        self.progress.sent.fetch_add(1, Ordering::Relaxed);
        Some(next)
    }

    fn are_requests_used_up(&self) -> bool {
        self.plan.borrow().requests.is_some_and(|requests| self.sent.get() >= requests)
    }

    /// Draws the next request and writes its body.
    fn draw(&self) -> Option<Written> {
        if self.is_drawn() {
            return None;
        }
        self.drawn.set(self.drawn.get() + 1);
        let question = self.sampler.borrow_mut().draw();
        Some(self.write(question))
    }

    fn write(&self, question: Question) -> Written {
        let prepared = self.peer.prepare(&Ask::new(self.asking.workload, self.asking.model, &question));
        Written { prepared, question }
    }

    fn is_drawn(&self) -> bool {
        self.plan.borrow().requests.is_some_and(|requests| self.drawn.get() >= requests)
    }

    /// Replaces what was taken, after the lane that took it has sent it.
    async fn keep_prepared(&self) {
        loop {
            self.taken.notified().await;
            tokio::task::yield_now().await;
            while self.written.borrow().len() < self.ahead
                && let Some(next) = self.draw()
            {
                self.written.borrow_mut().push_back(next);
            }
            if self.is_drawn() {
                return std::future::pending().await;
            }
        }
    }

    fn note(&self, record: &RequestRecord) {
        let unconnected = matches!(&record.outcome, Err(Failure { class: FailureClass::Connect, .. }));
        if unconnected {
            self.unconnected.set(self.unconnected.get() + 1);
        } else if record.is_sent() {
            self.unconnected.set(0);
        }
        self.progress.ended.fetch_add(1, Ordering::Relaxed);
        self.progress.failed.fetch_add(u32::from(record.outcome.is_err()), Ordering::Relaxed);
        self.progress.output_tokens.fetch_add(u64::from(record.output_tokens), Ordering::Relaxed);
        self.records.borrow_mut().take(record);
    }
}

/// How many requests to write ahead: all that a round of users starts with; for an open load, whose lanes are many and
/// whose prompts may be long, only those due within a second.
fn ahead(load: &Load) -> usize {
    let due = load.rate_per_s().map_or(u32::MAX, |rate| (rate.ceil() as u32).max(LEAST_AHEAD));
    due.min(load.connections()) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{ArrivalProcess, StopCondition};

    #[test]
    fn open_loads_are_written_a_second_ahead() {
        let open = |rate, requests| {
            ahead(&Load::open(rate, ArrivalProcess::Poisson, StopCondition::Requests(requests)))
        };
        assert_eq!([open(2.0, 5000), open(99.5, 5000), open(1e9, 5000), open(2.0, 5)], [16, 100, 1024, 5]);
        assert_eq!(ahead(&Load::closed(300, StopCondition::Requests(5000))), 300);
    }
}
