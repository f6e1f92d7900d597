//! A server of raw bytes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use crate::sys::clock;
use crate::units::Nanos;

/// What a server has seen of a request.
#[derive(Clone)]
pub(crate) struct Seen {
    /// Connections are numbered from 0 in the order in which they are accepted.
    pub connection: u32,
    /// Requests on this connection before this one.
    pub before: u32,
    /// Method and path.
    pub asked: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// A server of raw bytes: one thread per connection, which ends when `answer` returns false.
pub(crate) struct Server {
    pub url: String,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    /// When each connection was accepted.
    pub accepted_ns: Arc<Mutex<Vec<Nanos>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Seen, &mut TcpStream) -> bool + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let accepted_ns = Arc::new(Mutex::new(Vec::new()));
        let (answer, log, accepted) = (Arc::new(answer), seen.clone(), accepted_ns.clone());
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                accepted.lock().unwrap().push(clock::now());
                let (answer, log) = (answer.clone(), log.clone());
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    for before in 0.. {
                        let Some(seen) = read_request(&mut reader, connection as u32, before) else { return };
                        log.lock().unwrap().push(seen.clone());
                        if !answer(&seen, &mut stream) {
                            return;
                        }
                    }
                });
            }
        });
        Server { url, seen, accepted_ns }
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|seen| seen.body.clone()).collect()
    }
}

pub(crate) fn read_request(reader: &mut impl BufRead, connection: u32, before: u32) -> Option<Seen> {
    let mut line = || {
        let mut line = String::new();
        let read = reader.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    };
    let asked = line()?.rsplit_once(' ').unwrap().0.to_owned();
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { connection, before, asked, headers, body: String::from_utf8(body).unwrap() })
}

pub(crate) const HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
pub(crate) const TOKEN: &str =
    "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n";
pub(crate) const END: &str = concat!(
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":3}}\n\n",
    "data: [DONE]\n\n",
);

/// Some tests disconnect, so a write may fail.
pub(crate) fn write(stream: &mut impl Write, text: &str) -> bool {
    stream.write_all(text.as_bytes()).is_ok()
}

pub(crate) fn chunk(stream: &mut impl Write, text: &str) -> bool {
    write(stream, &format!("{:x}\r\n{text}\r\n", text.len()))
}

pub(crate) fn answer_successfully(stream: &mut impl Write) -> bool {
    write(stream, HEAD)
        && chunk(stream, TOKEN)
        && chunk(stream, TOKEN)
        && chunk(stream, END)
        && write(stream, "0\r\n\r\n")
}

/// Closes with a reset instead of a proper end.
pub(crate) fn reset(stream: &TcpStream) -> bool {
    set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
    false
}

pub(crate) fn answer_json(stream: &mut impl Write, status: u16, body: &str) -> bool {
    let length = body.len();
    write(stream, &format!("HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\n\r\n{body}"))
}
