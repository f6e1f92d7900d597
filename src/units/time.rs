//! Moments of the machine's monotonic clock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nanoseconds of the machine's monotonic clock: comparable between processes of one machine, not between machines.
pub type Nanos = u64;

/// What [`Nanos`] count from, so that those of several machines can be put side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Of the machine's start: where two are the same, their times are of one clock.
    pub boot: String,
    /// Where this machine's wall clock sees their zero, in nanoseconds of Unix time.
    pub zero_unix_ns: u64,
}

impl Clock {
    pub fn unix_ns(&self, at_ns: Nanos) -> u64 {
        self.zero_unix_ns.saturating_add(at_ns)
    }

    /// A moment of another clock on this one: exact on one machine, else as exact as the two wall clocks are.
    pub fn from_other(&self, other: &Clock, at_ns: Nanos) -> Nanos {
        if self.boot == other.boot {
            return at_ns;
        }
        other.unix_ns(at_ns).saturating_sub(self.zero_unix_ns)
    }
}
