//! Splits a byte stream that arrives in arbitrary pieces into lines.

use memchr::memchr2;

/// Splits a stream into lines at a line feed, a carriage return, or both, and skips a byte-order mark. A line within
/// one piece is borrowed from it; only a line that spans pieces is copied, into a reused buffer.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
    /// A line feed that follows belongs to the last line.
    is_after_cr: bool,
    has_begun: bool,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// No engine sends events this long; the limit bounds memory.
pub(super) const MAX_LINE_BYTES: usize = 16 << 20;

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
        if self.is_after_cr && !piece.is_empty() {
            self.is_after_cr = false;
            piece = piece.strip_prefix(b"\n").unwrap_or(piece);
        }
        while let Some(end) = memchr2(b'\n', b'\r', piece) {
            let (head, ending, tail) = (&piece[..end], piece[end], &piece[end + 1..]);
            let is_first = !std::mem::replace(&mut self.has_begun, true);
            let line = |line| if is_first { without_mark(line) } else { line };
            if self.partial.is_empty() {
                take(line(head))?;
            } else {
                self.partial.extend_from_slice(head);
                let taken = take(line(&self.partial));
                self.partial.clear();
                taken?;
            }
            piece = match (ending, tail) {
                (b'\r', [b'\n', rest @ ..]) => rest,
                _ => tail,
            };
            self.is_after_cr = ending == b'\r' && tail.is_empty();
        }
        if self.partial.len() + piece.len() > MAX_LINE_BYTES {
            return Err(LineTooLong.into());
        }
        self.partial.extend_from_slice(piece);
        Ok(())
    }

    /// The rest at the end of the stream, without a closing line feed.
    pub(crate) fn rest(&self) -> &[u8] {
        if self.has_begun { &self.partial } else { without_mark(&self.partial) }
    }
}

/// Without a byte-order mark.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
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
        let stream = b"\xef\xbb\xbfdata: one\r\n\r\ndata: two\n\n: three\rrest";
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
    fn a_lone_carriage_return_ends_a_line() {
        assert_eq!(split(&[b"a\r\rb\r\n\r", b"\nc\r", b"", b"\n"]).0, ["a", "", "b", "", "c"]);
    }

    #[test]
    fn only_the_first_line_may_have_a_byte_order_mark() {
        assert_eq!(split(&[b"\xef\xbb", b"\xbfa\n\xef\xbb\xbfb"]), (vec!["a".into()], "\u{feff}b".into()));
        assert_eq!(split(&[b"\xef\xbb\xbfa"]).1, "a");
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
