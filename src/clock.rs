//! The machine's monotonic clock.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::record::Nanos;

/// Now, on the clock that [`Nanos`] counts: the same in every process of this machine.
pub fn now() -> Nanos {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Sleeps until an absolute moment, so that lateness never adds up over repeated sleeps.
pub fn sleep_until(deadline: Nanos) {
    loop {
        let now = now();
        if now >= deadline {
            return;
        }
        std::thread::sleep(Duration::from_nanos(deadline - now));
    }
}
