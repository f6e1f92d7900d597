//! The load client's own health, watched while a round runs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc;

use crate::clock;
use crate::distribution::Distribution;
use crate::health::ClientHealth;
use crate::record::Nanos;

/// A canary beside the client: a thread that sleeps until every 5 ms, notes how late it woke, and sends a tick to the
/// client's event loop, which notes how late that came to its turn. A tick wakes the loop in the way a packet does, so
/// its delay is what packets suffer between their arrival and being read.
///
/// Neither omits anything: ticks that a stall delays are all recorded, with their whole delay.
pub struct Telemetry {
    started_ns: Nanos,
    thread_started_ns: Nanos,
    stop: Arc<AtomicBool>,
    canary: JoinHandle<Distribution>,
    ticks: mpsc::Receiver<Nanos>,
    loop_lag_ms: Distribution,
}

const TICK_NS: Nanos = 5_000_000;

/// Ticks that may wait for the event loop; then the canary waits too, which its lateness shows.
const TICKS_MAX: usize = 4096;

impl Telemetry {
    /// To be called on the client's own thread, whose processor time is counted from here on.
    pub fn start() -> io::Result<Telemetry> {
        let (sender, ticks) = mpsc::channel(TICKS_MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let canary = std::thread::Builder::new()
            .name("tollgate-canary".into())
            .spawn(move || tick(&sender, &stopped))?;
        Ok(Telemetry {
            started_ns: clock::now(),
            thread_started_ns: thread_cpu_ns(),
            stop,
            canary,
            ticks,
            loop_lag_ms: Distribution::new(),
        })
    }

    /// Takes the ticks in; never ends. To be polled by the event loop that is watched.
    pub async fn watch<T>(&mut self) -> T {
        while let Some(sent_ns) = self.ticks.recv().await {
            self.loop_lag_ms.record_ns(clock::now().saturating_sub(sent_ns));
        }
        std::future::pending().await
    }

    /// To be called on the thread that called [`Telemetry::start`].
    pub fn finish(mut self) -> ClientHealth {
        let watched_ns = clock::now() - self.started_ns;
        let cpu_ns = thread_cpu_ns() - self.thread_started_ns;
        self.stop.store(true, Ordering::Relaxed);
        self.ticks.close();
        ClientHealth {
            timer_lag_ms: self.canary.join().expect("the canary only sleeps and counts"),
            loop_lag_ms: self.loop_lag_ms,
            cpu_share: cpu_ns as f64 / watched_ns.max(1) as f64,
            watched_s: watched_ns as f64 / 1e9,
        }
    }
}

fn tick(ticks: &mpsc::Sender<Nanos>, stop: &AtomicBool) -> Distribution {
    let mut timer_lag_ms = Distribution::new();
    let mut due_ns = clock::now() + TICK_NS;
    loop {
        // Without spinning: how late the system wakes a thread is the question here.
        std::thread::sleep(Duration::from_nanos(due_ns.saturating_sub(clock::now())));
        if stop.load(Ordering::Relaxed) {
            return timer_lag_ms;
        }
        let woke_ns = clock::now();
        timer_lag_ms.record_ns(woke_ns.saturating_sub(due_ns));
        if ticks.blocking_send(woke_ns).is_err() {
            return timer_lag_ms;
        }
        due_ns += TICK_NS;
    }
}

fn thread_cpu_ns() -> Nanos {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    spent.tv_sec as u64 * 1_000_000_000 + spent.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Stat;

    fn watched(blocked: Duration, spin: bool) -> ClientHealth {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut telemetry = Telemetry::start().unwrap();
            let busy = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                // By its own clock, so that a busy machine only makes it last longer.
                let until_ns = thread_cpu_ns() + blocked.as_nanos() as u64;
                match spin {
                    true => while thread_cpu_ns() < until_ns {},
                    false => std::thread::sleep(blocked),
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
    }

    #[test]
    fn a_client_that_computes_shows_as_processor_share() {
        let computed_s = |health: ClientHealth| health.cpu_share * health.watched_s;
        let idle_s = computed_s(watched(Duration::from_millis(300), false));
        let busy_s = computed_s(watched(Duration::from_millis(300), true));
        assert!(busy_s >= 0.3 && idle_s < 0.1, "idle {idle_s} s, busy {busy_s} s");
    }
}
