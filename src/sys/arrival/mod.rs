//! When bytes arrived, as the system itself has noted it.
//!
//! Whoever reads the clock after reading a socket dates bytes by when it came to them: a client that is busy with one
//! answer is late for the next. The system stamps every packet as it comes in (`SO_TIMESTAMPNS`, socket(7)), and hands
//! the stamp over with the bytes.
//!
//! A packet that was lost on the way and sent once more is handed over together with those that overtook it, under the
//! stamp of one of these. So on a network that loses packets, part of a pause may not show; to an engine on the same
//! machine or in the same rack that does not happen.

mod stream;

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns};
use nix::sys::time::TimeSpec;

use crate::sys::clock;
use crate::units::Nanos;

pub use stream::Stream;

/// Dates what is read from one socket.
#[derive(Debug)]
pub struct Arrivals {
    /// How far the wall clock, which the stamps are of, is ahead of the monotonic one.
    wall_ahead_ns: i64,
    /// Room for a stamp.
    control: Vec<u8>,
    newest: Newest,
}

/// When the newest bytes that were read from a socket arrived, also for those who don't hold the socket.
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
    /// Has the system stamp what arrives on this socket from now on. Where it can't, arrivals are dated when they are
    /// read.
    pub fn at(socket: &impl AsFd) -> Arrivals {
        let _ = setsockopt(socket, ReceiveTimestampns, &true);
        let now_ns = clock::now();
        Arrivals {
            wall_ahead_ns: clock::wall_ahead_ns(),
            control: nix::cmsg_space!(TimeSpec),
            newest: Newest(Arc::new(now_ns.into())),
        }
    }

    /// Takes note that nothing of what is awaited can have come before now. To be called now and then: it also finds
    /// out where the wall clock stands.
    pub fn since(&mut self, now_ns: Nanos) {
        self.newest.set(now_ns);
        self.wall_ahead_ns = clock::wall_ahead_ns();
    }

    /// When the newest bytes that were read arrived.
    pub fn newest_ns(&self) -> Nanos {
        self.newest.ns()
    }

    pub fn newest(&self) -> &Newest {
        &self.newest
    }

    /// Reads what is there, 0 bytes at the stream's end.
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
        // One that can't be is the wall clock's, which somebody has set meanwhile.
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

    /// The first socket of a machine that asks for stamps gets them a little later.
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
        panic!("the system stamps nothing");
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
    fn a_stamp_from_before_what_is_awaited_is_not_believed() {
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
