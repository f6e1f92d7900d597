//! A server of raw HTTP/2 frames (RFC 9113, 4.1 and 6).

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A request that a server has read to its end.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedFrame {
    /// Connections are numbered from 0 in the order in which they are accepted.
    pub connection: u32,
    /// Requests on this connection before this one.
    pub before: u32,
    pub stream: u32,
    /// False for health and model requests.
    pub has_body: bool,
}

pub(crate) struct FrameServer {
    pub url: String,
    pub asked: Arc<Mutex<Vec<ReceivedFrame>>>,
}

impl FrameServer {
    /// One thread per connection, which ends when `answer` returns false.
    pub(crate) fn start(
        answer: impl Fn(&ReceivedFrame, &mut dyn Write) -> bool + Send + Sync + 'static,
    ) -> FrameServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), asked.clone());
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (answer, log, mut stream) = (answer.clone(), log.clone(), stream.unwrap());
                stream.set_nodelay(true).unwrap();
                std::thread::spawn(move || {
                    converse(&mut stream, connection as u32, |asked, stream| {
                        log.lock().unwrap().push(asked.clone());
                        answer(asked, stream)
                    })
                });
            }
        });
        FrameServer { url, asked }
    }
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// Runs until the client disconnects or a response is the last one. Errors are ignored, because some tests disconnect.
pub(crate) fn converse(
    stream: &mut (impl Read + Write),
    connection: u32,
    answer: impl Fn(&ReceivedFrame, &mut dyn Write) -> bool,
) -> Option<()> {
    let mut preface = [0; b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len()];
    stream.read_exact(&mut preface).ok()?;
    stream.write_all(&frame(SETTINGS, 0, 0, b"")).ok()?;
    let (mut before, mut owed) = (0, 0);
    loop {
        let (kind, flags, on, payload) = read_frame(stream)?;
        if kind == SETTINGS && flags & ACK == 0 {
            stream.write_all(&frame(SETTINGS, ACK, 0, b"")).ok()?;
        }
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM > 0 {
            let asked = ReceivedFrame { connection, before, stream: on, has_body: kind == DATA };
            answer(&asked, stream).then_some(())?;
            before += 1;
        }
        if kind == DATA && flags & END_STREAM > 0 {
            // An update after the response could arrive with the next request and look like an answer to it.
            owed += payload.len() as u32;
        } else if kind == DATA {
            let read = payload.len() as u32;
            for (on, update) in [(0, read + std::mem::take(&mut owed)), (on, read)] {
                stream.write_all(&frame(WINDOW_UPDATE, 0, on, &update.to_be_bytes())).ok()?;
            }
        }
    }
}

fn read_frame(stream: &mut impl Read) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).ok()?;
    let [a, b, c, kind, flags, on @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload).ok()?;
    Some((kind, flags, u32::from_be_bytes(on), payload))
}

pub(crate) fn frame(kind: u8, flags: u8, on: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    [&length[..], &[kind, flags], &on.to_be_bytes(), payload].concat()
}

/// The headers of a response: its status, as a literal (RFC 7541, 6.2.2).
pub(crate) fn status(on: u32, status: u16) -> Vec<u8> {
    let block = [&[0x08, 3][..], status.to_string().as_bytes()].concat();
    frame(HEADERS, END_HEADERS, on, &block)
}

pub(crate) fn data(on: u32, text: &str) -> Vec<u8> {
    frame(DATA, 0, on, text.as_bytes())
}

pub(crate) fn last_data(on: u32, text: &str) -> Vec<u8> {
    frame(DATA, END_STREAM, on, text.as_bytes())
}

pub(crate) fn reset(on: u32, reason: h2::Reason) -> Vec<u8> {
    frame(RST_STREAM, 0, on, &u32::from(reason).to_be_bytes())
}

/// Streams beyond the last one were not processed.
pub(crate) fn go_away(last: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat())
}

pub(crate) fn send(stream: &mut (impl Write + ?Sized), frames: &[Vec<u8>]) -> bool {
    stream.write_all(&frames.concat()).is_ok()
}
