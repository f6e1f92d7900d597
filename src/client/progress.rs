//! The client's progress, for other threads to watch.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A round's progress, for other threads to watch.
#[derive(Debug, Default)]
pub struct Progress {
    pub sent: AtomicU32,
    pub ended: AtomicU32,
    pub failed: AtomicU32,
    pub output_tokens: AtomicU64,
}

/// The completed share of something, if known.
#[derive(Debug)]
pub struct Share(AtomicU32);

const UNKNOWN: u32 = u32::MAX;

impl Share {
    /// From 0 to 1.
    pub fn set(&self, share: f64) {
        self.0.store((share.clamp(0.0, 1.0) * 1000.0) as u32, Ordering::Relaxed);
    }

    pub fn get(&self) -> Option<f64> {
        let permille = self.0.load(Ordering::Relaxed);
        (permille != UNKNOWN).then(|| f64::from(permille) / 1000.0)
    }
}

impl Default for Share {
    fn default() -> Share {
        Share(AtomicU32::new(UNKNOWN))
    }
}
