//! What has arrived on a connection and was not taken yet.

use crate::record::Nanos;

/// One buffer for the whole life of a connection; bytes are read in place. The pages of it that are never filled cost
/// nothing.
#[derive(Debug)]
pub struct Inbox {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    filled_ns: Nanos,
}

/// Several hundred tokens, should they come at once, and more than a head may take.
const CAPACITY: usize = 64 << 10;

impl Inbox {
    pub fn new() -> Inbox {
        Inbox { bytes: vec![0; CAPACITY].into(), start: 0, end: 0, filled_ns: 0 }
    }

    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// When the newest bytes arrived.
    pub fn filled_ns(&self) -> Nanos {
        self.filled_ns
    }

    /// Takes out so many bytes.
    pub fn take(&mut self, length: usize) -> &[u8] {
        let taken = self.start..self.start + length;
        debug_assert!(taken.end <= self.end);
        self.start = taken.end;
        &self.bytes[taken]
    }

    /// Where the next bytes go.
    pub fn space(&mut self) -> &mut [u8] {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.end == CAPACITY {
            self.bytes.copy_within(self.start.., 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.bytes[self.end..]
    }

    /// Takes note that so many bytes were put there.
    pub fn filled(&mut self, length: usize, at_ns: Nanos) {
        self.end += length;
        self.filled_ns = at_ns;
    }

    #[cfg(test)]
    pub fn put(&mut self, bytes: &[u8]) {
        self.space()[..bytes.len()].copy_from_slice(bytes);
        self.filled(bytes.len(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_taken_stays_when_more_arrives() {
        let mut inbox = Inbox::new();
        inbox.put(&[b'a'; CAPACITY - 1]);
        inbox.put(b"b");
        assert_eq!(inbox.unread().len(), CAPACITY);
        inbox.take(CAPACITY - 2);
        inbox.put(b"cd");
        assert_eq!(inbox.unread(), b"abcd");
        assert_eq!(inbox.take(4), b"abcd");
        assert!(inbox.is_empty() && inbox.space().len() == CAPACITY);
    }
}
