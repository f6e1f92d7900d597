//! The server of this bench: one thread on its own core that writes tokens at absolute deadlines, timestamps each
//! write, and has the kernel timestamp what arrives. It uses no engine and no HTTP library, and its writes are
//! prepared, so that it neither limits nor distorts the measurement.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use tollgate::internals::Arrivals;
use tollgate::internals::Nanos;
use tollgate::internals::clock;

use crate::answer::{self, Answers, Pace, Script};
use crate::machine;

/// A request as the server saw it.
#[derive(Debug)]
pub struct Truth {
    pub id: String,
    /// When its last byte arrived.
    pub received_ns: Nanos,
    /// Right before each write.
    pub written_ns: Vec<Nanos>,
}

/// A running server; stops when it is dropped.
pub struct Server {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// CPU time of the server's thread, as of its last wait.
    cpu_ns: AtomicU64,
    truths: Mutex<Vec<Truth>>,
}

impl Server {
    pub fn start(script: Script) -> io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        // std uses a backlog of 128, and a load opens all of its connections at once.
        rustix::net::listen(&listener, 4096)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new().name("bench-server".into()).spawn(move || {
            machine::pin(machine::SERVERS_CORE)?;
            rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
            let mut turns = Turns::new(script, listener, of_thread)?;
            while !turns.shared.stop.load(Ordering::Relaxed) {
                turns.turn()?;
            }
            Ok(())
        })?;
        Ok(Server { addr, shared, thread: Some(thread) })
    }

    /// CPU time of the server; exact while it is idle.
    pub fn cpu_ns(&self) -> u64 {
        std::thread::sleep(std::time::Duration::from_nanos(2 * IDLE_NS));
        self.shared.cpu_ns.load(Ordering::Relaxed)
    }

    /// The requests that have ended since the last call.
    pub fn truths(&self) -> Vec<Truth> {
        std::mem::take(&mut self.shared.truths.lock().expect("no thread panics while it holds the lock"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the bench's server failed: {error}");
        }
    }
}

struct Turns {
    pace: Pace,
    answers: Answers,
    listener: TcpListener,
    shared: Arc<Shared>,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    streams: Vec<Option<Stream>>,
    due: BinaryHeap<Reverse<(Nanos, usize)>>,
    answered: u64,
    output: Vec<u8>,
    piece: Vec<u8>,
}

struct Stream {
    socket: TcpStream,
    arrivals: Arrivals,
    input: Vec<u8>,
    answer: Option<Answer>,
}

struct Answer {
    number: u64,
    truth: Truth,
}

const LISTENER: u64 = u64::MAX;
const IDLE_NS: Nanos = 20_000_000;
/// Shorter waits spin.
const SPIN_NS: Nanos = 100_000;
/// How often writing pauses to check for requests.
const WRITES_BETWEEN_LOOKS: u32 = 8;

impl Turns {
    fn new(script: Script, listener: TcpListener, shared: Arc<Shared>) -> io::Result<Turns> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        Ok(Turns {
            pace: script.pace,
            answers: Answers::of(script),
            listener,
            shared,
            epoll,
            events: Vec::with_capacity(1024),
            streams: Vec::new(),
            due: BinaryHeap::new(),
            answered: 0,
            output: Vec::new(),
            piece: vec![0; 65536],
        })
    }

    fn turn(&mut self) -> io::Result<()> {
        let next_ns = self.due.peek().map(|Reverse((due_ns, _))| due_ns.saturating_sub(clock::now()));
        let idle = next_ns.is_none_or(|next_ns| next_ns > SPIN_NS);
        if idle {
            self.shared.cpu_ns.store(machine::thread_cpu_ns(), Ordering::Relaxed);
        }
        self.look(if idle {
            next_ns.map_or(IDLE_NS, |next_ns| (next_ns - SPIN_NS).min(IDLE_NS))
        } else {
            0
        })?;
        for _ in 0..WRITES_BETWEEN_LOOKS {
            match self.due.peek() {
                Some(&Reverse((due_ns, at))) if due_ns <= clock::now() => {
                    self.due.pop();
                    self.write(due_ns, at);
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// Reads what has arrived.
    fn look(&mut self, wait_ns: Nanos) -> io::Result<()> {
        let wait = Timespec { tv_sec: 0, tv_nsec: wait_ns as i64 };
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&wait))?;
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match event.data.u64() {
                LISTENER => self.accept()?,
                at => self.read(at as usize),
            }
        }
        self.events = events;
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        while let Ok((socket, _)) = self.listener.accept() {
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let at = self.streams.iter().position(Option::is_none).unwrap_or(self.streams.len());
            epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(at as u64), epoll::EventFlags::IN)?;
            let arrivals = Arrivals::at(&socket);
            let stream = Some(Stream { socket, arrivals, input: Vec::new(), answer: None });
            if at < self.streams.len() { self.streams[at] = stream } else { self.streams.push(stream) }
        }
        Ok(())
    }

    fn read(&mut self, at: usize) {
        let Some(stream) = &mut self.streams[at] else { return };
        match stream.arrivals.read(&stream.socket, &mut self.piece) {
            Ok(0) => self.streams[at] = None,
            Ok(length) => {
                let arrived_ns = stream.arrivals.newest_ns();
                stream.input.extend_from_slice(&self.piece[..length]);
                if let Some(request) = Request::whole(&stream.input) {
                    stream.input.clear();
                    self.begin(at, request, arrived_ns);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.streams[at] = None,
        }
    }

    fn begin(&mut self, at: usize, request: Request, arrived_ns: Nanos) {
        let Some(stream) = &mut self.streams[at] else { return };
        if let Some(body) = answer::beside_the_load(&request.asked) {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
            );
            send(&mut stream.socket, (head + body).as_bytes());
            return;
        }
        let truth = Truth {
            id: request.id,
            received_ns: arrived_ns,
            written_ns: Vec::with_capacity(self.answers.len()),
        };
        stream.answer = Some(Answer { number: self.answered, truth });
        self.answered += 1;
        let after_ns = match self.pace {
            Pace::Tokens { ttft_ns, .. } => ttft_ns,
            Pace::Whole => 0,
        };
        self.due.push(Reverse((arrived_ns + after_ns, at)));
    }

    fn write(&mut self, due_ns: Nanos, at: usize) {
        let Some(Stream { socket, answer: slot @ Some(_), .. }) = &mut self.streams[at] else { return };
        let answer = slot.as_mut().expect("matched above");
        let index = answer.truth.written_ns.len();
        self.answers.write(answer.number, index, &mut self.output);
        answer.truth.written_ns.push(clock::now());
        send(socket, &self.output);
        match self.pace {
            Pace::Tokens { itl_ns, .. } if index + 1 < self.answers.len() => {
                self.due.push(Reverse((due_ns + itl_ns, at)));
            }
            _ => {
                let ended = slot.take().map(|answer| answer.truth);
                self.shared.truths.lock().expect("no thread panics while it holds the lock").extend(ended);
            }
        }
    }
}

/// A disconnected client is detected when its socket is read.
fn send(socket: &mut TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(_) => return,
        }
    }
}

struct Request {
    /// Method and path.
    asked: String,
    id: String,
}

impl Request {
    /// The request, once it is complete.
    fn whole(input: &[u8]) -> Option<Request> {
        let end = memchr::memmem::find(input, b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(&input[..end]).ok()?;
        let header = |wanted: &str| {
            let mut headers = head.lines().filter_map(|line| line.split_once(':'));
            headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
        };
        let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        (input.len() >= end + length).then(|| Request {
            asked: head.split(" HTTP/").next().unwrap_or_default().to_owned(),
            id: header("x-request-id").unwrap_or_default().to_owned(),
        })
    }
}
