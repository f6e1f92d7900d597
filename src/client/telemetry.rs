//! The load client's own health, monitored while a round runs.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::metrics::distribution::Distribution;
use crate::metrics::health::ClientHealth;
use crate::sys::clock;
use crate::units::Nanos;

/// A system timer that wakes the client's event loop every 5 ms, as a packet does. The delay until a tick is noticed is
/// what a packet waits between its arrival and being read: because the client is computing, or because the process does
/// not run at all, be it stopped, out of its quota, or on an overloaded machine.
///
/// Nothing is omitted: a stall delays several ticks, and each is recorded with its full delay.
pub(crate) struct Telemetry {
    started_ns: Nanos,
    thread_started_ns: Nanos,
    timer: AsyncFd<OwnedFd>,
    next_tick_ns: Nanos,
    loop_lag_ms: Distribution,
}

const TICK_NS: Nanos = 5_000_000;

impl Telemetry {
    /// Must be called by the monitored event loop, on the client's own thread, whose CPU time counts from here on.
    pub(crate) fn start() -> io::Result<Telemetry> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let started_ns = clock::now();
        let next_tick_ns = started_ns + TICK_NS;
        let ticks = Itimerspec { it_value: timespec(next_tick_ns), it_interval: timespec(TICK_NS) };
        timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &ticks)?;
        Ok(Telemetry {
            started_ns,
            thread_started_ns: thread_cpu_ns(),
            timer: registered(timer)?,
            next_tick_ns,
            loop_lag_ms: Distribution::new(),
        })
    }

    /// Records the ticks; never ends. The monitored event loop must poll it.
    pub(crate) async fn watch<T>(&mut self) -> T {
        while let Ok(ticks) = self.timer.async_io(Interest::READABLE, |timer| expired(timer)).await {
            self.note(ticks);
        }
        std::future::pending().await
    }

    /// Must be called on the thread that called [`Telemetry::start`].
    pub(crate) fn finish(mut self) -> ClientHealth {
        // Record what came since the event loop last looked.
        if let Ok(ticks) = expired(self.timer.get_ref()) {
            self.note(ticks);
        }
        let watched_ns = clock::now() - self.started_ns;
        let cpu_ns = thread_cpu_ns() - self.thread_started_ns;
        ClientHealth {
            loop_lag_ms: self.loop_lag_ms,
            cpu_share: cpu_ns as f64 / watched_ns.max(1) as f64,
            watched_s: watched_ns as f64 / 1e9,
        }
    }

    fn note(&mut self, ticks: u64) {
        let now_ns = clock::now();
        for _ in 0..ticks {
            self.loop_lag_ms.record_ns(now_ns.saturating_sub(self.next_tick_ns));
            self.next_tick_ns += TICK_NS;
        }
    }
}

#[allow(unsafe_code)]
fn registered(timer: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open and the same for as long as it is owned, and nothing takes it out of the `AsyncFd`.
    let registered = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) };
    Ok(registered?)
}

/// How many ticks there were since the last call.
fn expired(timer: impl AsFd) -> io::Result<u64> {
    let mut ticks = [0; size_of::<u64>()];
    rustix::io::read(timer, &mut ticks)?;
    Ok(u64::from_ne_bytes(ticks))
}

fn timespec(ns: Nanos) -> Timespec {
    Timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 }
}

fn thread_cpu_ns() -> Nanos {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    spent.tv_sec as u64 * 1_000_000_000 + spent.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::Stat;

    fn watched(blocked: Duration, spin: bool) -> ClientHealth {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut telemetry = Telemetry::start().unwrap();
            let busy = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                // By its own clock, so that a busy machine only makes it last longer.
                let until_ns = thread_cpu_ns() + blocked.as_nanos() as u64;
                if spin {
                    while thread_cpu_ns() < until_ns {}
                } else {
                    std::thread::sleep(blocked)
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            tokio::select! {
                () = telemetry.watch() => {}
                () = busy => {}
            }
            telemetry.finish()
        })
    }

    #[test]
    fn a_blocked_event_loop_shows_as_loop_lag() {
        let health = watched(Duration::from_millis(200), false);
        let longest = health.loop_lag_ms.stat_ms(Stat::Max).unwrap();
        assert!((150.0..health.watched_s * 1e3).contains(&longest), "{longest} ms");
        // All forty ticks of the block are recorded, not only the first.
        assert!(health.loop_lag_ms.quantile_ms(0.75) > 30.0);
        let ticks = health.watched_s * 1e9 / TICK_NS as f64;
        assert_eq!(health.loop_lag_ms.count(), ticks as u64);
    }

    #[test]
    fn ticks_not_noticed_before_the_end_are_recorded_too() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let health = runtime.block_on(async {
            let telemetry = Telemetry::start().unwrap();
            std::thread::sleep(Duration::from_millis(50));
            telemetry.finish()
        });
        assert!(health.loop_lag_ms.count() >= 10, "{}", health.loop_lag_ms);
    }

    #[test]
    fn a_computing_client_shows_in_its_cpu_share() {
        let computed_s = |health: ClientHealth| health.cpu_share * health.watched_s;
        let idle_s = computed_s(watched(Duration::from_millis(300), false));
        let busy_s = computed_s(watched(Duration::from_millis(300), true));
        assert!(busy_s >= 0.3 && idle_s < 0.1, "idle {idle_s} s, busy {busy_s} s");
    }
}
