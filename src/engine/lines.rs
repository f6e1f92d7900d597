//! Splits a byte stream that arrives in arbitrary pieces into lines.

use memchr::memchr;

/// Splits a stream into lines, without the line feed and a preceding carriage return. A line within one piece is
/// borrowed from it; only a line that spans pieces is copied, into a reused buffer.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
}

/// No engine sends events this long; the limit bounds memory.
const MAX_LINE_BYTES: usize = 16 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line of the response exceeds {} MiB", MAX_LINE_BYTES >> 20)]
pub struct LineTooLong;

impl Lines {
    /// Passes every line that this piece completes to `take`.
    pub(crate) fn push<E: From<LineTooLong>>(
        &mut self,
        mut piece: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(end) = memchr(b'\n', piece) {
            let (head, tail) = (&piece[..end], &piece[end + 1..]);
            if self.partial.is_empty() {
                take(without_cr(head))?;
            } else {
                self.partial.extend_from_slice(head);
                let taken = take(without_cr(&self.partial));
                self.partial.clear();
                taken?;
            }
            piece = tail;
        }
        if self.partial.len() + piece.len() > MAX_LINE_BYTES {
            return Err(LineTooLong.into());
        }
        self.partial.extend_from_slice(piece);
        Ok(())
    }

    /// The rest at the end of the stream, without a closing line feed.
    pub(crate) fn rest(&self) -> &[u8] {
        without_cr(&self.partial)
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&[u8]]) -> (Vec<String>, String) {
        let mut lines = Lines::default();
        let mut taken = Vec::new();
        for piece in pieces {
            let take = |line: &[u8]| {
                taken.push(String::from_utf8(line.to_vec()).unwrap());
                Ok::<(), LineTooLong>(())
            };
            lines.push(piece, take).unwrap();
        }
        (taken, String::from_utf8(lines.rest().to_vec()).unwrap())
    }

    #[test]
    fn every_way_to_cut_a_stream_in_three_gives_the_same_lines() {
        let stream = b"data: one\r\n\r\ndata: two\n\n: three\nrest";
        let whole = split(&[stream]);
        assert_eq!(whole.0, ["data: one", "", "data: two", "", ": three"]);
        assert_eq!(whole.1, "rest");
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(split(&pieces), whole);
            }
        }
    }

    #[test]
    fn an_endless_line_is_rejected() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; MAX_LINE_BYTES];
        let none = |_: &[u8]| -> Result<(), LineTooLong> { Ok(()) };
        assert_eq!(lines.push(&piece, none), Ok(()));
        assert_eq!(lines.push(b"x", none), Err(LineTooLong));
    }
}
