//! Tells the event loop when a planned time has come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::iter::Peekable;
use std::num::NonZeroU64;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::load::DueTimes;
use crate::sys::clock;
use crate::units::Nanos;

/// A separate thread that keeps absolute times. The event loop's own timers have a resolution of whole milliseconds;
/// this thread sleeps until shortly before a planned time and announces it, and the event loop spins for the rest, so
/// that nothing delays what is due. It ends with the round that drops it.
pub(crate) struct Pacer {
    appointments: Sender<Nanos>,
}

/// The announced times.
pub(crate) struct Moments(UnboundedReceiver<Nanos>);

/// Time to wake this thread, and from here the event loop. The event loop spins for what is left of it; responses that
/// arrive in the meantime are timestamped by the system.
const AHEAD_NS: Nanos = 80_000;

impl Pacer {
    /// Keeps the planned times, which count from `origin_ns`, and those that are added later.
    pub(crate) fn start(planned: DueTimes, origin_ns: Nanos) -> io::Result<(Pacer, Moments)> {
        let (appointments, appointed) = channel();
        let (announced, moments) = unbounded_channel();
        std::thread::Builder::new().name("tollgate-pacer".into()).spawn(move || {
            // If this is forbidden, wake-ups are up to 50 µs later.
            let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
            let planned = planned.map(|due_ns| origin_ns + due_ns);
            Queue { planned: planned.peekable(), appointed, later: BinaryHeap::new() }.keep(&announced);
        })?;
        Ok((Pacer { appointments }, Moments(moments)))
    }

    /// Makes [`Moments::next`] return this time once it has come.
    pub(crate) fn add_time(&self, due_ns: Nanos) {
        // The thread ends before its round only if the round is over.
        let _ = self.appointments.send(due_ns);
    }
}

impl Moments {
    /// The next time, once it has come; waits forever if there is none.
    pub(crate) async fn next(&mut self) -> Nanos {
        match self.0.recv().await {
            Some(due_ns) => {
                clock::sleep_until(due_ns);
                due_ns
            }
            None => std::future::pending().await,
        }
    }
}

struct Queue<P: Iterator<Item = Nanos>> {
    planned: Peekable<P>,
    appointed: Receiver<Nanos>,
    later: BinaryHeap<Reverse<Nanos>>,
}

impl<P: Iterator<Item = Nanos>> Queue<P> {
    /// Returns once nobody is listening.
    fn keep(mut self, announced: &UnboundedSender<Nanos>) {
        while let Some(due_ns) = self.earliest() {
            let asleep_ns = due_ns.saturating_sub(clock::now()).saturating_sub(AHEAD_NS);
            // Check even if there is no time to sleep: a new one may be earlier.
            match self.appointed.recv_timeout(Duration::from_nanos(asleep_ns)) {
                Ok(appointment) => self.later.push(Reverse(appointment)),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.strike(due_ns);
                    if announced.send(due_ns).is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// The next time, awaited if there is none yet; `None` if no more can come.
    fn earliest(&mut self) -> Option<Nanos> {
        let planned = self.planned.peek().copied();
        let appointed = self.later.peek().map(|Reverse(due_ns)| *due_ns);
        match (planned, appointed) {
            (Some(planned), Some(appointed)) => Some(planned.min(appointed)),
            (Some(due_ns), None) | (None, Some(due_ns)) => Some(due_ns),
            (None, None) => {
                let appointment = self.appointed.recv().ok()?;
                self.later.push(Reverse(appointment));
                Some(appointment)
            }
        }
    }

    fn strike(&mut self, due_ns: Nanos) {
        if self.planned.next_if_eq(&due_ns).is_none() {
            self.later.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    use super::*;
    use crate::load::{ArrivalProcess, Load, StopCondition};

    #[test]
    fn times_come_in_order_and_never_early() {
        let load = Load::open(200.0, ArrivalProcess::Constant, StopCondition::Requests(10));
        let origin_ns = clock::now();
        let due = load.plan(Pcg64::seed_from_u64(1)).due;
        let (pacer, mut moments) = Pacer::start(due, origin_ns).unwrap();
        let appointed = [7_000_000, 33_000_000].map(|offset_ns| origin_ns + offset_ns);
        appointed.into_iter().rev().for_each(|due_ns| pacer.add_time(due_ns));

        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let come: Vec<Nanos> = runtime.block_on(async {
            let mut come = Vec::new();
            while come.len() < 12 {
                let due_ns = moments.next().await;
                assert!(clock::now() >= due_ns);
                come.push(due_ns);
            }
            come
        });
        let mut expected: Vec<Nanos> = (0..10).map(|k| origin_ns + k * 5_000_000).chain(appointed).collect();
        expected.sort_unstable();
        assert_eq!(come, expected);
    }
}
