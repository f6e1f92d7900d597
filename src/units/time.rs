//! Times on the machine's monotonic clock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nanoseconds of the machine's monotonic clock: comparable between processes of one machine, not between machines.
pub type Nanos = u64;

/// The zero of [`Nanos`], so that times of several machines can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Identifies the boot of the machine: times with the same boot are from one clock.
    pub boot: String,
    /// The zero on this machine's wall clock, in nanoseconds of Unix time.
    pub zero_unix_ns: u64,
}

impl Clock {
    pub fn unix_ns(&self, at_ns: Nanos) -> u64 {
        self.zero_unix_ns.saturating_add(at_ns)
    }

    /// Converts a time of another clock to this one: exactly on one machine, otherwise as exactly as the two wall clocks.
    pub fn translate(&self, other: &Clock, at_ns: Nanos) -> Nanos {
        if self.boot == other.boot {
            return at_ns;
        }
        other.unix_ns(at_ns).saturating_sub(self.zero_unix_ns)
    }
}
