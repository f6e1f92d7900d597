//! The head of a response: its status line and headers.

use httparse::{EMPTY_HEADER, Response, Status};

use crate::client::head::{Head, Headers};
use crate::client::http1::framing::Framing;

/// A head, and what it says about the rest of the response and the connection.
#[derive(Debug, PartialEq)]
pub(crate) struct Heading {
    pub head: Head,
    pub framing: Framing,
    /// Whether the connection may carry another request after this response.
    pub keeps_alive: bool,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadHead {
    #[error("expected an HTTP/1.1 response: {0}")]
    Syntax(#[from] httparse::Error),
    #[error("expected one content-length, found `{0}`")]
    Length(String),
    #[error("expected an HTTP/1.1 response, found headers of more than {} KiB", MAX_BYTES >> 10)]
    TooLong,
}

const MAX_HEADERS: usize = 128;
pub(crate) const MAX_BYTES: usize = 32 << 10;

impl Heading {
    /// Reads the head at the start of these bytes, once it is complete, and returns its length.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<(Heading, usize)>, BadHead> {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut response = Response::new(&mut headers);
        let mut parser = httparse::ParserConfig::default();
        parser.allow_spaces_after_header_name_in_responses(true);
        let Status::Complete(length) = parser.parse_response(&mut response, bytes)? else {
            return if bytes.len() >= MAX_BYTES { Err(BadHead::TooLong) } else { Ok(None) };
        };
        Ok(Some((Heading::of(&response)?, length)))
    }

    /// Whether it only announces the actual head of the response.
    pub(crate) fn is_interim(&self) -> bool {
        matches!(self.head.status, 100 | 102..=199)
    }

    fn of(response: &Response) -> Result<Heading, BadHead> {
        let headers = Headers::of(response.headers.iter().map(|header| (header.name, header.value)));
        let status = response.code.unwrap_or_default();
        let framing = match status {
            100..=199 | 204 | 304 => Framing::Over,
            _ => framing(&headers)?,
        };
        let says = |word: &str| headers.words("connection").any(|found| found.eq_ignore_ascii_case(word));
        let wants_to = if response.version == Some(1) { !says("close") } else { says("keep-alive") };
        Ok(Heading {
            keeps_alive: wants_to && framing != Framing::UntilClose,
            framing,
            head: Head::of(status, &headers),
        })
    }
}

/// RFC 9112, 6.3.
fn framing(headers: &Headers) -> Result<Framing, BadHead> {
    if let Some(last) = headers.words("transfer-encoding").last() {
        let chunked = last.eq_ignore_ascii_case("chunked");
        return Ok(if chunked { Framing::CHUNKED } else { Framing::UntilClose });
    }
    let mut lengths = headers.words("content-length");
    let Some(length) = lengths.next() else { return Ok(Framing::UntilClose) };
    if let Some(other) = lengths.find(|other| *other != length) {
        return Err(BadHead::Length(format!("{length}, {other}")));
    }
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    match length.parse() {
        Ok(length) if digits => Ok(Framing::Length(length)),
        _ => Err(BadHead::Length(length.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Heading {
        let (head, length) = Heading::read(text.as_bytes()).unwrap().unwrap();
        assert_eq!(length, text.len());
        head
    }

    fn with(header: &str) -> Heading {
        head(&format!("HTTP/1.1 200 OK\r\n{header}\r\n\r\n"))
    }

    fn refused(text: &str) -> String {
        Heading::read(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Total-Time: 12.5\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(Heading::read(&text.as_bytes()[..end]), Ok(None), "{end}");
        }
        let head = head(text);
        assert_eq!((head.head.status, &head.framing, head.keeps_alive), (200, &Framing::CHUNKED, true));
        assert_eq!((head.head.number("x-total-time"), head.head.number("x-queue-time")), (Some(12.5), None));
    }

    #[test]
    fn a_body_ends_as_its_headers_say() {
        assert_eq!(with("Content-Length: 7").framing, Framing::Length(7));
        assert_eq!(with("content-length: 7\r\nContent-Length: 7").framing, Framing::Length(7));
        assert_eq!(with("Content-Length: 7\r\nTransfer-Encoding: Chunked").framing, Framing::CHUNKED);
        assert_eq!(with("Transfer-Encoding: gzip").framing, Framing::UntilClose);
        assert_eq!(with("Server: x").framing, Framing::UntilClose);
        assert_eq!(head("HTTP/1.1 204 No Content\r\n\r\n").framing, Framing::Over);
    }

    #[test]
    fn a_connection_is_kept_if_the_responses_end_is_known() {
        assert!(with("Content-Length: 7").keeps_alive);
        assert!(!with("Server: x").keeps_alive);
        assert!(!with("Content-Length: 7\r\nConnection: Close").keeps_alive);
        assert!(!head("HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n").keeps_alive);
        assert!(head("HTTP/1.0 200 OK\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n").keeps_alive);
    }

    #[test]
    fn an_encoded_body_is_known_by_its_head() {
        assert_eq!(with("Content-Encoding: identity, gzip").head.coding.as_deref(), Some("gzip"));
        assert_eq!(with("Content-Encoding: identity").head.coding, None);
    }

    #[test]
    fn bare_line_feeds_and_a_missing_reason_are_valid() {
        assert_eq!(head("HTTP/1.1 200\nContent-Length: 7\n\n").framing, Framing::Length(7));
    }

    #[test]
    fn an_invalid_head_is_rejected_with_a_reason() {
        assert_eq!(refused("220 smtp ready\r\n\r\n"), "expected an HTTP/1.1 response: invalid HTTP version");
        assert!(refused("HTTP/2 200\r\n\r\n").starts_with("expected an HTTP/1.1 response"));
        let two = "HTTP/1.1 200 OK\r\nContent-Length: 7, 8\r\n\r\n";
        assert_eq!(refused(two), "expected one content-length, found `7, 8`");
        let negative = "HTTP/1.1 200 OK\r\nContent-Length: +7\r\n\r\n";
        assert_eq!(refused(negative), "expected one content-length, found `+7`");
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(refused(&many), "expected an HTTP/1.1 response: too many headers");
        let long = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MAX_BYTES));
        assert_eq!(refused(&long), "expected an HTTP/1.1 response, found headers of more than 32 KiB");
    }
}
