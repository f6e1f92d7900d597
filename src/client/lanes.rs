//! Idle lanes, each of which carries one request at a time.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, oneshot};

use crate::client::connection::Connection;
use crate::client::exchange::Peer;
use crate::units::Nanos;

/// The idle lanes of a round, with their connections. What they are given to do is a `T`.
pub(crate) struct Lanes<T> {
    /// The lane that became idle last is taken first: its connection is the least likely to have been closed.
    free: RefCell<Vec<Resting<T>>>,
    taken: Notify,
    closed: Cell<bool>,
    /// The connections of lanes that were closed, in the order of their last use.
    left: RefCell<Vec<Connection>>,
}

pub(crate) struct Resting<T> {
    wake: oneshot::Sender<(T, Option<Connection>)>,
    connection: Option<Connection>,
}

/// Lanes of an open load that wait with a connection for the next due requests. More would burden an engine that has a
/// thread for each.
pub(crate) const READY: usize = 2;
/// How often to check their connections.
const CHECK: Duration = Duration::from_millis(500);
/// Timeout for opening one: time for one lost SYN.
const OPENING: Duration = Duration::from_secs(2);

impl<T> Lanes<T> {
    pub(crate) fn new() -> Lanes<T> {
        Lanes {
            free: RefCell::default(),
            taken: Notify::new(),
            closed: Cell::default(),
            left: RefCell::default(),
        }
    }

    /// Resolves to something to do, or to nothing once the round is over.
    pub(crate) fn rest(&self, connection: Option<Connection>) -> oneshot::Receiver<(T, Option<Connection>)> {
        let (wake, woken) = oneshot::channel();
        if self.closed.get() {
            self.left.borrow_mut().extend(connection)
        } else {
            self.free.borrow_mut().push(Resting { wake, connection })
        }
        woken
    }

    /// A lane whose connection is usable, if there is one.
    pub(crate) fn take(&self) -> Option<Resting<T>> {
        let mut free = self.free.borrow_mut();
        let ready = free.iter_mut().rposition(|lane| lane.is_ready_for(0));
        let at = ready.or(free.len().checked_sub(1))?;
        self.taken.notify_one();
        Some(free.remove(at))
    }

    /// Closes the lanes: idle ones at once, the others when their request has ended.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        let free = self.free.take();
        self.left.borrow_mut().extend(free.into_iter().filter_map(|lane| lane.connection));
    }

    pub(crate) fn are_closed(&self) -> bool {
        self.closed.get()
    }

    /// The connections of closed lanes, the most recently used first.
    pub(crate) fn take_connections(&self) -> Vec<Connection> {
        self.left.take().into_iter().rev().collect()
    }

    /// Connects the lanes that are taken next before they get a request, which would otherwise wait for that. If this
    /// fails, the request will try by itself and say why. Never ends.
    pub(crate) async fn keep_connected(&self, peer: &Peer) {
        let mut opening = FuturesUnordered::new();
        loop {
            (opening.len()..self.unready()).for_each(|_| opening.push(open_ahead(peer)));
            tokio::select! {
                Some(opened) = opening.next() => self.supply(opened),
                _ = tokio::time::timeout(CHECK, self.taken.notified()) => {}
            }
        }
    }

    /// How many connections are missing.
    fn unready(&self) -> usize {
        // Twice the interval, because the next check may be late.
        let until_next_ns = 2 * CHECK.as_nanos() as Nanos;
        let mut free = self.free.borrow_mut();
        let mut ready = 0;
        for lane in free.iter_mut().rev() {
            ready += usize::from(lane.is_ready_for(until_next_ns));
            if ready == READY {
                break;
            }
        }
        READY.min(free.len()) - ready
    }

    fn supply(&self, connection: Option<Connection>) {
        let mut free = self.free.borrow_mut();
        if let Some(bare) = free.iter_mut().rev().find(|lane| lane.connection.is_none()) {
            bare.connection = connection;
        }
    }
}

/// A failure takes a while, too, so that nobody is asked again at once.
async fn open_ahead(peer: &Peer) -> Option<Connection> {
    match tokio::time::timeout(OPENING, peer.open()).await {
        Ok(Ok(connection)) => Some(connection),
        Ok(Err(_)) => {
            tokio::time::sleep(CHECK).await;
            None
        }
        Err(_) => None,
    }
}

impl<T> Resting<T> {
    /// Whether its connection will be usable for this long; drops a connection that won't be.
    fn is_ready_for(&mut self, ahead_ns: Nanos) -> bool {
        self.connection.take_if(|connection| !connection.is_usable_for(ahead_ns));
        self.connection.is_some()
    }

    pub(crate) fn wake(self, to_do: T) {
        // An idle lane is there to take it.
        let _ = self.wake.send((to_do, self.connection));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use http::HeaderMap;

    use super::*;
    use crate::client::access::Access;
    use crate::client::address::Address;
    use crate::engine::{EngineKind, HttpVersion};

    #[test]
    fn a_connection_that_does_not_open_blocks_no_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let _silent = listener.accept().unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            // Empty SETTINGS: with these, an HTTP/2 connection is open.
            stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
            std::thread::park();
        });
        let access = Access { http_version: HttpVersion::Http2, ..Access::to(url) };
        let peer = Peer {
            address: Address::of(&access).unwrap(),
            headers: HeaderMap::new(),
            engine: EngineKind::OPENAI,
            request_timeout: Duration::from_secs(3600),
        };
        let lanes = Lanes::<()>::new();
        let _rest = [lanes.rest(None), lanes.rest(None)];
        let supplied = async {
            while lanes.free.borrow().iter().all(|lane| lane.connection.is_none()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let within = Duration::from_secs(60);
        runtime.block_on(async {
            tokio::select! {
                () = lanes.keep_connected(&peer) => unreachable!(),
                supplied = tokio::time::timeout(within, supplied) => supplied.unwrap(),
            }
        });
    }
}
