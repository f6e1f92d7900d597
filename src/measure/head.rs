//! The head of an answer: its status line and its headers.

use httparse::{EMPTY_HEADER, Header, Response, Status};

use crate::measure::framing::Framing;

/// What of a head matters here.
#[derive(Debug, PartialEq)]
pub struct Head {
    pub status: u16,
    pub framing: Framing,
    /// Whether the connection may carry another request after this answer.
    pub keeps_alive: bool,
    /// How the body is encoded, where it is not as it is.
    pub coding: Option<String>,
    /// The headers that are numbers, by their names in lower case.
    pub numbers: Vec<(String, f64)>,
}

/// In words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    #[error("expected an HTTP/1.1 answer: {0}")]
    Syntax(#[from] httparse::Error),
    #[error("expected one content-length, found `{0}`")]
    Length(String),
    #[error("expected an HTTP/1.1 answer, found headers of more than {} KiB", MAX_BYTES >> 10)]
    TooLong,
}

const MAX_HEADERS: usize = 128;
pub const MAX_BYTES: usize = 32 << 10;

impl Head {
    /// Reads the head at the beginning of these bytes, once it is there in full, and tells its length.
    pub fn read(bytes: &[u8]) -> Result<Option<(Head, usize)>, BadHead> {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut response = Response::new(&mut headers);
        let mut parser = httparse::ParserConfig::default();
        parser.allow_spaces_after_header_name_in_responses(true);
        let Status::Complete(length) = parser.parse_response(&mut response, bytes)? else {
            return if bytes.len() >= MAX_BYTES { Err(BadHead::TooLong) } else { Ok(None) };
        };
        Ok(Some((Head::of(&response)?, length)))
    }

    /// Whether it only announces the answer's real head.
    pub fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers.iter().find(|(known, _)| known == name).map(|(_, number)| *number)
    }

    fn of(response: &Response) -> Result<Head, BadHead> {
        let headers = Headers(response.headers);
        let status = response.code.unwrap_or_default();
        let framing = match status {
            100..=199 | 204 | 304 => Framing::Over,
            _ => headers.framing()?,
        };
        let says = |word: &str| headers.words("connection").any(|found| found.eq_ignore_ascii_case(word));
        let wants_to = if response.version == Some(1) { !says("close") } else { says("keep-alive") };
        Ok(Head {
            status,
            keeps_alive: wants_to && framing != Framing::UntilClose,
            framing,
            coding: headers.words("content-encoding").find(|coding| *coding != "identity").map(str::to_owned),
            numbers: headers.numbers(),
        })
    }
}

struct Headers<'a>(&'a [Header<'a>]);

impl<'a> Headers<'a> {
    fn all(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(|header| Some((header.name, std::str::from_utf8(header.value).ok()?.trim())))
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.all().filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The members of a header that is a list.
    fn words(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.named(name).flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
    }

    /// RFC 9112, 6.3.
    fn framing(&self) -> Result<Framing, BadHead> {
        if let Some(last) = self.words("transfer-encoding").last() {
            let chunked = last.eq_ignore_ascii_case("chunked");
            return Ok(if chunked { Framing::CHUNKED } else { Framing::UntilClose });
        }
        let mut lengths = self.words("content-length");
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

    fn numbers(&self) -> Vec<(String, f64)> {
        let numbers = self.all().filter_map(|(name, value)| Some((name, value.parse().ok()?)));
        numbers.map(|(name, number)| (name.to_ascii_lowercase(), number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        let (head, length) = Head::read(text.as_bytes()).unwrap().unwrap();
        assert_eq!(length, text.len());
        head
    }

    fn with(header: &str) -> Head {
        head(&format!("HTTP/1.1 200 OK\r\n{header}\r\n\r\n"))
    }

    fn refused(text: &str) -> String {
        Head::read(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Total-Time: 12.5\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(Head::read(&text.as_bytes()[..end]), Ok(None), "{end}");
        }
        let head = head(text);
        assert_eq!((head.status, &head.framing, head.keeps_alive), (200, &Framing::CHUNKED, true));
        assert_eq!((head.number("x-total-time"), head.number("x-queue-time")), (Some(12.5), None));
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
    fn a_connection_is_kept_where_both_sides_can_tell_the_answers_end() {
        assert!(with("Content-Length: 7").keeps_alive);
        assert!(!with("Server: x").keeps_alive);
        assert!(!with("Content-Length: 7\r\nConnection: Close").keeps_alive);
        assert!(!head("HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n").keeps_alive);
        assert!(head("HTTP/1.0 200 OK\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n").keeps_alive);
    }

    #[test]
    fn a_body_that_is_encoded_is_known_by_its_head() {
        assert_eq!(with("Content-Encoding: identity, gzip").coding.as_deref(), Some("gzip"));
        assert_eq!(with("Content-Encoding: identity").coding, None);
    }

    #[test]
    fn mere_line_feeds_and_a_missing_reason_are_fine() {
        assert_eq!(head("HTTP/1.1 200\nContent-Length: 7\n\n").framing, Framing::Length(7));
    }

    #[test]
    fn what_is_no_head_of_an_answer_is_refused_in_words() {
        assert_eq!(refused("220 smtp ready\r\n\r\n"), "expected an HTTP/1.1 answer: invalid HTTP version");
        assert!(refused("HTTP/2 200\r\n\r\n").starts_with("expected an HTTP/1.1 answer"));
        let two = "HTTP/1.1 200 OK\r\nContent-Length: 7, 8\r\n\r\n";
        assert_eq!(refused(two), "expected one content-length, found `7, 8`");
        let negative = "HTTP/1.1 200 OK\r\nContent-Length: +7\r\n\r\n";
        assert_eq!(refused(negative), "expected one content-length, found `+7`");
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(refused(&many), "expected an HTTP/1.1 answer: too many headers");
        let long = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MAX_BYTES));
        assert_eq!(refused(&long), "expected an HTTP/1.1 answer, found headers of more than 32 KiB");
    }
}
