//! When bytes arrived, as timestamped by the system.
//!
//! A client that reads the clock after reading a socket dates bytes by when it got to them: while it is busy with one
//! answer, it is late for the next. The system timestamps every packet as it arrives (`SO_TIMESTAMPNS`, socket(7)) and
//! returns the timestamp with the bytes.
//!
//! After a packet loss, the system returns the retransmitted packet together with the packets that overtook it, under
//! the timestamp of one of those. So on a network that loses packets, part of a pause may not show. With an engine on
//! the same machine or in the same rack, this does not happen.

mod stream;

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns};
use nix::sys::time::TimeSpec;

use crate::sys::clock;
use crate::units::Nanos;

pub(crate) use stream::Stream;

/// Dates what is read from one socket.
#[derive(Debug)]
pub struct Arrivals {
    /// How far the wall clock, which the timestamps use, is ahead of the monotonic one.
    wall_ahead_ns: i64,
    /// Buffer for a timestamp.
    control: Vec<u8>,
    newest: Newest,
}

/// When the newest bytes read from a socket arrived, for those who don't hold the socket.
#[derive(Clone, Debug)]
pub struct Newest(Arc<AtomicU64>);

impl Newest {
    pub fn ns(&self) -> Nanos {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, ns: Nanos) {
        self.0.store(ns, Ordering::Relaxed);
    }
}

impl Arrivals {
    /// Has the system timestamp everything that arrives on this socket from now on. If it can't, arrivals are dated
    /// when they are read.
    pub fn at(socket: &impl AsFd) -> Arrivals {
        let _ = setsockopt(socket, ReceiveTimestampns, &true);
        let now_ns = clock::now();
        Arrivals {
            wall_ahead_ns: clock::wall_ahead_ns(),
            control: nix::cmsg_space!(TimeSpec),
            newest: Newest(Arc::new(now_ns.into())),
        }
    }

    /// Notes that nothing that is awaited can have arrived before now. Call this regularly: it also re-reads the wall
    /// clock's offset.
    pub fn since(&mut self, now_ns: Nanos) {
        self.newest.set(now_ns);
        self.wall_ahead_ns = clock::wall_ahead_ns();
    }

    /// When the newest bytes that were read arrived.
    pub fn newest_ns(&self) -> Nanos {
        self.newest.ns()
    }

    /// The arrival time of the newest bytes, to share with others.
    pub fn newest(&self) -> &Newest {
        &self.newest
    }

    /// Reads what is available; 0 bytes means the end of the stream.
    pub fn read(&mut self, socket: &impl AsFd, space: &mut [u8]) -> io::Result<usize> {
        let mut parts = [IoSliceMut::new(space)];
        let fd = socket.as_fd().as_raw_fd();
        let received = recvmsg::<()>(fd, &mut parts, Some(&mut self.control), MsgFlags::empty())?;
        let stamp = received.cmsgs().ok().and_then(|mut messages| {
            messages.find_map(|message| match message {
                ControlMessageOwned::ScmTimestampns(wall) => {
                    Some(wall.tv_sec() * 1_000_000_000 + wall.tv_nsec())
                }
                _ => None,
            })
        });
        let length = received.bytes;
        let now_ns = clock::now();
        let stamped_ns = stamp.and_then(|wall_ns| Nanos::try_from(wall_ns - self.wall_ahead_ns).ok());
        // An implausible timestamp means that someone has set the wall clock in the meantime.
        let plausible = stamped_ns.filter(|at_ns| (self.newest_ns()..=now_ns).contains(at_ns));
        self.newest.set(plausible.unwrap_or(now_ns));
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (sender, listener.accept().unwrap().0)
    }

    /// The first socket on a machine that asks for timestamps gets them a little later.
    fn stamping(sender: &mut TcpStream, receiver: &TcpStream) -> Arrivals {
        let mut arrivals = Arrivals::at(receiver);
        for _ in 0..1000 {
            sender.write_all(b"x").unwrap();
            sleep(Duration::from_millis(2));
            let read_ns = clock::now();
            arrivals.read(receiver, &mut [0; 1]).unwrap();
            if arrivals.newest_ns() < read_ns {
                return arrivals;
            }
        }
        panic!("the system timestamps nothing");
    }

    #[test]
    fn bytes_that_are_read_late_are_dated_when_they_came() {
        let (mut sender, receiver) = pair();
        let mut arrivals = stamping(&mut sender, &receiver);
        let before_ns = clock::now();
        sender.write_all(b"first").unwrap();
        let after_ns = clock::now();
        sleep(Duration::from_millis(50));
        let mut space = [0; 16];
        assert_eq!(arrivals.read(&receiver, &mut space).unwrap(), 5);
        let error_ns = 20_000;
        let found_ns = arrivals.newest_ns();
        assert!(
            (before_ns - error_ns..after_ns + error_ns).contains(&found_ns),
            "{before_ns} {found_ns} {after_ns}"
        );
    }

    #[test]
    fn a_timestamp_before_the_wait_began_is_ignored() {
        let (mut sender, receiver) = pair();
        let mut arrivals = Arrivals::at(&receiver);
        sender.write_all(b"early").unwrap();
        sleep(Duration::from_millis(5));
        let since_ns = clock::now();
        arrivals.since(since_ns);
        arrivals.read(&receiver, &mut [0; 16]).unwrap();
        assert!(arrivals.newest_ns() >= since_ns);
    }
}
