//! Where a response's body ends, and which of its bytes are content (RFC 9112, 6 and 7).

use memchr::memchr;

use crate::client::inbox::Inbox;

/// How far a body has been read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// This many bytes are still to come.
    Length(u64),
    Chunked(Chunked),
    /// It ends with the connection.
    UntilClose,
    Over,
}

/// What comes next in a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// The line with the next chunk's size.
    Size,
    /// This many bytes of a chunk are still to come.
    Data(u64),
    /// The line break after a chunk.
    DataEnd,
    /// Lines up to an empty one.
    Trailer,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadFraming {
    #[error("expected a chunk size, found `{0}`")]
    Size(String),
    #[error("expected a line break after a chunk, found `{0}`")]
    DataEnd(String),
    #[error("expected a line between the chunks, found {0} bytes without a line break")]
    Line(usize),
}

/// More than any chunk size or trailer takes.
const MAX_LINE_BYTES: usize = 8 << 10;

impl Framing {
    pub(crate) const CHUNKED: Framing = Framing::Chunked(Chunked::Size);

    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Framing::Over | Framing::Length(0))
    }

    /// The next part of the content that has arrived; `None` if more has to arrive first or the body is over.
    pub(crate) fn next<'a>(&mut self, inbox: &'a mut Inbox) -> Result<Option<&'a [u8]>, BadFraming> {
        let mut endless = u64::MAX;
        let left = match self {
            Framing::Over => return Ok(None),
            Framing::UntilClose => &mut endless,
            Framing::Length(left) => left,
            Framing::Chunked(_) => match self.chunk(inbox)? {
                Some(left) => left,
                None => return Ok(None),
            },
        };
        let length = usize::try_from(*left).unwrap_or(usize::MAX).min(inbox.unread().len());
        *left -= length as u64;
        Ok((length > 0).then(|| inbox.take(length)))
    }

    /// The rest of the current chunk, once it has begun.
    fn chunk(&mut self, inbox: &mut Inbox) -> Result<Option<&mut u64>, BadFraming> {
        loop {
            let Framing::Chunked(state) = self else { return Ok(None) };
            match state {
                Chunked::Data(1..) => break,
                Chunked::Data(0) => *state = Chunked::DataEnd,
                Chunked::DataEnd => match line(inbox)? {
                    Some(b"") => *state = Chunked::Size,
                    Some(other) => return Err(BadFraming::DataEnd(shown(other))),
                    None => return Ok(None),
                },
                Chunked::Size => match line(inbox)? {
                    Some(line) => match size(line).ok_or_else(|| BadFraming::Size(shown(line)))? {
                        0 => *state = Chunked::Trailer,
                        size => *state = Chunked::Data(size),
                    },
                    None => return Ok(None),
                },
                Chunked::Trailer => match line(inbox)? {
                    Some(b"") => *self = Framing::Over,
                    Some(_) => {}
                    None => return Ok(None),
                },
            }
        }
        match self {
            Framing::Chunked(Chunked::Data(left)) => Ok(Some(left)),
            _ => Ok(None),
        }
    }
}

/// The next line without its line break, once it is complete. Some servers end lines with a bare line feed.
fn line(inbox: &mut Inbox) -> Result<Option<&[u8]>, BadFraming> {
    let unread = inbox.unread();
    let Some(end) = memchr(b'\n', &unread[..unread.len().min(MAX_LINE_BYTES)]) else {
        return match unread.len() {
            ..MAX_LINE_BYTES => Ok(None),
            length => Err(BadFraming::Line(length)),
        };
    };
    let line = &inbox.take(end + 1)[..end];
    Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
}

/// Extensions after a semicolon are irrelevant here.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&byte| byte == b';').next()?.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn shown(bytes: &[u8]) -> String {
    const MAX_BYTES: usize = 40;
    String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_BYTES)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Content and remaining framing, for bytes that arrive in these pieces.
    fn read(mut framing: Framing, pieces: &[&[u8]]) -> Result<(String, Framing), BadFraming> {
        let mut inbox = Inbox::new();
        let mut content = Vec::new();
        for piece in pieces {
            inbox.put(piece);
            while let Some(part) = framing.next(&mut inbox)? {
                content.extend_from_slice(part);
            }
        }
        Ok((String::from_utf8(content).unwrap(), framing))
    }

    const CHUNKS: &[u8] = b"5\r\nhello\r\n0A;name=\"v\"\r\n0123456789\r\n1 \n!\n000\r\nX-Trailer: 1\r\n\r\n";

    #[test]
    fn every_way_to_cut_chunks_in_three_gives_the_same_content() {
        for first in 0..=CHUNKS.len() {
            for second in first..=CHUNKS.len() {
                let pieces = [&CHUNKS[..first], &CHUNKS[first..second], &CHUNKS[second..]];
                let read = read(Framing::CHUNKED, &pieces);
                assert_eq!(read, Ok(("hello0123456789!".into(), Framing::Over)), "{first}, {second}");
            }
        }
    }

    #[test]
    fn nothing_is_over_before_its_end() {
        for end in 0..CHUNKS.len() {
            let (_, framing) = read(Framing::CHUNKED, &[&CHUNKS[..end]]).unwrap();
            assert!(!framing.is_over(), "{end}");
        }
    }

    #[test]
    fn a_length_ends_a_body_and_leaves_what_follows() {
        let (content, framing) = read(Framing::Length(4), &[b"ab", b"cdef"]).unwrap();
        assert_eq!((content.as_str(), framing.is_over()), ("abcd", true));
        assert!(Framing::Length(0).is_over());
    }

    #[test]
    fn without_a_length_everything_is_content() {
        let (content, framing) = read(Framing::UntilClose, &[b"ab", b"0\r\n\r\n"]).unwrap();
        assert_eq!((content.as_str(), framing.is_over()), ("ab0\r\n\r\n", false));
    }

    #[test]
    fn an_invalid_chunk_size_is_shown() {
        for line in ["", "x", "-1", "+1", "0x10", "1 2", "10000000000000000", ";a"] {
            let failed = read(Framing::CHUNKED, &[format!("{line}\r\n").as_bytes()]);
            assert_eq!(failed, Err(BadFraming::Size(line.into())), "{line}");
        }
        let failed = read(Framing::CHUNKED, &[b"1\r\nabc\r\n"]);
        assert_eq!(failed, Err(BadFraming::DataEnd("bc".into())));
        let failed = read(Framing::CHUNKED, &[&[b'1'; MAX_LINE_BYTES]]);
        assert_eq!(failed, Err(BadFraming::Line(MAX_LINE_BYTES)));
    }
}
