//! The machine's monotonic clock.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::units::{Clock, Nanos};

/// The current time on the clock that [`Nanos`] counts; the same for all processes on this machine.
pub fn now() -> Nanos {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The zero point of [`now`].
pub fn origin() -> Clock {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    // Without a boot ID, each process has its own clock, and wall clocks align them.
    let boot = boot.unwrap_or_else(|_| format!("process {} at {}", std::process::id(), now()));
    Clock { boot: boot.trim().to_owned(), zero_unix_ns: wall_ahead_ns().max(0) as u64 }
}

/// How far the wall clock is ahead of [`now`].
pub fn wall_ahead_ns() -> i64 {
    const ATTEMPTS: u32 = 3;
    let attempt = |_| {
        let (before_ns, wall, after_ns) = (now(), clock_gettime(ClockId::Realtime), now());
        let wall_ns = wall.tv_sec * 1_000_000_000 + wall.tv_nsec;
        (after_ns - before_ns, wall_ns - (before_ns + (after_ns - before_ns) / 2) as i64)
    };
    // The thread may be interrupted between two clock reads; the quickest attempt was not.
    (0..ATTEMPTS).map(attempt).min().map_or(0, |(_, ahead_ns)| ahead_ns)
}

/// Longest delay with which an idle machine wakes a sleeping thread (Linux adds 50 µs of timer slack).
const WAKE_UP_NS: Nanos = 200_000;

/// Waits until an absolute time, so that delays never add up over repeated waits. Sleeps for most of the wait, then
/// spins, which is accurate to microseconds on an idle machine.
pub fn sleep_until(deadline: Nanos) {
    loop {
        let now = now();
        if now >= deadline {
            return;
        }
        match (deadline - now).checked_sub(WAKE_UP_NS) {
            Some(asleep_ns) if asleep_ns > 0 => std::thread::sleep(Duration::from_nanos(asleep_ns)),
            _ => std::hint::spin_loop(),
        }
    }
}
