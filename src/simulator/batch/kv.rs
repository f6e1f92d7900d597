//! KV cache capacity, in tokens.

/// Counts the tokens held, but not whose they are.
#[derive(Debug)]
pub(crate) struct KvCache {
    /// `None` is unlimited.
    capacity: Option<u64>,
    held: u64,
}

impl KvCache {
    /// 0 is unlimited.
    pub(crate) fn new(tokens: u32) -> KvCache {
        KvCache { capacity: Some(u64::from(tokens)).filter(|tokens| *tokens > 0), held: 0 }
    }

    pub(crate) fn has_room(&self, tokens: u64) -> bool {
        self.capacity.is_none_or(|capacity| self.held + tokens <= capacity)
    }

    /// Whether there was room; if not, nothing is taken.
    pub(crate) fn take(&mut self, tokens: u64) -> bool {
        let room = self.has_room(tokens);
        if room {
            self.held += tokens;
        }
        room
    }

    pub(crate) fn give_back(&mut self, tokens: u64) {
        self.held -= tokens;
    }

    /// The share in use; 0 if the capacity is unlimited.
    pub(crate) fn usage(&self) -> f64 {
        self.capacity.map_or(0.0, |capacity| self.held as f64 / capacity as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_not_taken() {
        let mut cache = KvCache::new(10);
        assert!(cache.take(7));
        assert!(!cache.take(4));
        assert_eq!(cache.usage(), 0.7);
        cache.give_back(7);
        assert!(cache.take(10) && !cache.has_room(1));
    }

    #[test]
    fn without_a_capacity_everything_fits() {
        let mut cache = KvCache::new(0);
        assert!(cache.take(u64::from(u32::MAX)) && cache.has_room(u64::from(u32::MAX)));
        assert_eq!(cache.usage(), 0.0);
    }
}
