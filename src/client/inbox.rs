//! Bytes that have arrived on a connection but were not taken yet.

use crate::units::Nanos;

/// One buffer for the lifetime of a connection; bytes are read in place. It grows if it was full: most connections
/// never hold more than a head or a few tokens, and a load opens a thousand of them.
#[derive(Debug)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    filled_ns: Nanos,
}

const CAPACITY_AT_FIRST: usize = 8 << 10;

/// Several hundred tokens at once, and more than a head may take.
const CAPACITY_MAX: usize = 64 << 10;

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox { bytes: vec![0; CAPACITY_AT_FIRST], start: 0, end: 0, filled_ns: 0 }
    }

    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// When the newest bytes arrived.
    pub(crate) fn filled_ns(&self) -> Nanos {
        self.filled_ns
    }

    /// Takes out this many bytes.
    pub(crate) fn take(&mut self, length: usize) -> &[u8] {
        let taken = self.start..self.start + length;
        debug_assert!(taken.end <= self.end);
        self.start = taken.end;
        &self.bytes[taken]
    }

    /// Where the next bytes go.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start.., 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.bytes[self.end..]
    }

    /// Notes that this many bytes were put there.
    pub(crate) fn filled(&mut self, length: usize, at_ns: Nanos) {
        self.end += length;
        self.filled_ns = at_ns;
        if self.end == self.bytes.len() && self.end < CAPACITY_MAX {
            self.bytes.resize(2 * self.end, 0);
        }
    }

    #[cfg(test)]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.space()[..bytes.len()].copy_from_slice(bytes);
        self.filled(bytes.len(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_not_taken_stay_when_more_arrive() {
        let mut inbox = Inbox::new();
        inbox.put(&[b'a'; 100]);
        inbox.take(98);
        inbox.put(b"bc");
        assert_eq!(inbox.unread(), b"aabc");
        assert_eq!(inbox.take(4), b"aabc");
        assert!(inbox.is_empty());
    }

    #[test]
    fn it_grows_when_full_up_to_a_limit() {
        let mut inbox = Inbox::new();
        while !inbox.space().is_empty() {
            let length = inbox.space().len();
            inbox.put(&vec![b'a'; length]);
        }
        assert_eq!(inbox.unread().len(), CAPACITY_MAX);
        inbox.take(CAPACITY_MAX - 2);
        inbox.put(b"bc");
        assert_eq!(inbox.take(4), b"aabc");
        assert_eq!(inbox.space().len(), CAPACITY_MAX);
    }
}
