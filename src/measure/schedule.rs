//! When each request of a round is sent.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;

use crate::clock;
use crate::deck::Deck;
use crate::engine::Ask;
use crate::event::Progress;
use crate::measure::connection::Connection;
use crate::measure::exchange::{Peer, Prepared};
use crate::record::{Failure, FailureClass, Nanos, RecordSink, RequestRecord};
use crate::telemetry::Telemetry;
use crate::workload::Workload;

/// What a round sends and when it stops.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    pub requests: Option<u32>,
    /// Requests that are sent even when the time is up.
    pub at_least: u32,
    pub duration: Option<Duration>,
}

/// What every request of a round has in common.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    pub workload: &'a Workload,
    pub model: Option<&'a str>,
}

/// A closed loop: users that send their next request when their last one has ended.
pub struct ClosedLoop<'a> {
    peer: &'a Peer,
    asking: Asking<'a>,
    quota: Quota,
    until_ns: Cell<Option<Nanos>>,
    progress: &'a Progress,
    /// Put before the count that makes a request's id.
    id_prefix: String,
    deck: RefCell<&'a mut Deck>,
    /// Requests drawn and written ahead of their time, in order.
    prepared: RefCell<VecDeque<Prepared>>,
    drawn: Cell<u32>,
    sent: Cell<u32>,
    /// Requests in a row that found no connection.
    unconnected: Cell<u32>,
    most_unconnected: Cell<u32>,
    taken: Notify,
    records: RefCell<&'a mut dyn RecordSink>,
}

/// A user whose request failed pauses: an engine that refuses at once is not to be flooded.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);
/// When every user has found no connection so many times in a row, nothing is there any more, and the rest of the round
/// would only take its time.
const ATTEMPTS_TO_CONNECT: u32 = 3;

type Part<'a> = Pin<Box<dyn Future<Output = Option<Connection>> + 'a>>;

impl<'a> ClosedLoop<'a> {
    pub fn new(
        peer: &'a Peer,
        asking: Asking<'a>,
        deck: &'a mut Deck,
        quota: Quota,
        progress: &'a Progress,
        id_prefix: String,
        records: &'a mut dyn RecordSink,
    ) -> ClosedLoop<'a> {
        ClosedLoop {
            peer,
            asking,
            quota,
            until_ns: Cell::new(None),
            progress,
            id_prefix,
            deck: RefCell::new(deck),
            prepared: RefCell::default(),
            drawn: Cell::new(0),
            sent: Cell::new(0),
            unconnected: Cell::new(0),
            most_unconnected: Cell::new(u32::MAX),
            taken: Notify::new(),
            records: RefCell::new(records),
        }
    }

    /// Prepares the first requests, so that the round can begin with all of them at once.
    pub fn prepare(&self, users: usize) {
        let mut prepared = self.prepared.borrow_mut();
        prepared.extend(std::iter::from_fn(|| self.draw()).take(users));
    }

    /// Runs the users, one per connection, and hands the connections back.
    ///
    /// They are futures of one task and share its thread: what arrives for several of them is dated in the order in
    /// which the system reports it, and the telemetry's ticks queue among them like any packet.
    pub async fn run(
        &self,
        connections: Vec<Option<Connection>>,
        started_ns: Nanos,
        telemetry: &mut Telemetry,
    ) -> Vec<Option<Connection>> {
        let users = connections.len();
        let until_ns = self.quota.duration.map(|duration| started_ns + duration.as_nanos() as u64);
        self.until_ns.set(until_ns);
        self.most_unconnected.set(ATTEMPTS_TO_CONNECT * users as u32);
        let parts: FuturesUnordered<Part> = FuturesUnordered::new();
        for connection in connections {
            parts.push(Box::pin(self.user(connection, started_ns)));
        }
        parts.push(Box::pin(async { telemetry.watch().await }));
        parts.push(Box::pin(self.keep_prepared(users)));
        parts.take(users).collect().await
    }

    async fn user(&self, mut connection: Option<Connection>, started_ns: Nanos) -> Option<Connection> {
        let mut due_ns = started_ns;
        while let Some(prepared) = self.take() {
            let id = format!("{}-{}", self.id_prefix, self.sent.get());
            let record = self.peer.exchange(&mut connection, &prepared, id, due_ns).await;
            let failed = record.outcome.is_err();
            due_ns = record.end_ns;
            self.note(&record);
            if failed {
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                due_ns = clock::now();
            }
        }
        connection
    }

    fn take(&self) -> Option<Prepared> {
        if self.unconnected.get() >= self.most_unconnected.get() {
            return None;
        }
        let late = self.until_ns.get().is_some_and(|until_ns| clock::now() >= until_ns);
        if late && self.sent.get() >= self.quota.at_least {
            return None;
        }
        let ahead = self.prepared.borrow_mut().pop_front();
        let next = ahead.or_else(|| self.draw())?;
        self.taken.notify_one();
        self.sent.set(self.sent.get() + 1);
        self.progress.sent.fetch_add(1, Ordering::Relaxed);
        Some(next)
    }

    /// Draws the next request and writes its body.
    fn draw(&self) -> Option<Prepared> {
        if self.quota.requests.is_some_and(|requests| self.drawn.get() >= requests) {
            return None;
        }
        self.drawn.set(self.drawn.get() + 1);
        let prompt = self.deck.borrow_mut().draw();
        let ask = Ask::new(self.asking.workload, self.asking.model, &prompt);
        Some(self.peer.prepare(&ask))
    }

    /// Replaces what was taken, after the user who took it has sent it.
    async fn keep_prepared(&self, ahead: usize) -> Option<Connection> {
        loop {
            self.taken.notified().await;
            tokio::task::yield_now().await;
            while self.prepared.borrow().len() < ahead
                && let Some(next) = self.draw()
            {
                self.prepared.borrow_mut().push_back(next);
            }
            if self.quota.requests.is_some_and(|requests| self.drawn.get() >= requests) {
                return std::future::pending().await;
            }
        }
    }

    fn note(&self, record: &RequestRecord) {
        let unconnected = matches!(&record.outcome, Err(Failure { class: FailureClass::Connect, .. }));
        self.unconnected.set(if unconnected { self.unconnected.get() + 1 } else { 0 });
        self.progress.ended.fetch_add(1, Ordering::Relaxed);
        self.progress.failed.fetch_add(u32::from(record.outcome.is_err()), Ordering::Relaxed);
        self.progress.output_tokens.fetch_add(u64::from(record.output_tokens), Ordering::Relaxed);
        self.records.borrow_mut().take(record);
    }
}
