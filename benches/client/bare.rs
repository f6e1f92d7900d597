//! The minimal client: an epoll loop that counts `data:` lines.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use memchr::memmem;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

use crate::cost::Volume;

/// Sends the requests over one connection per user, and returns the number of `data:` lines received.
pub fn run(addr: SocketAddr, volume: Volume) -> io::Result<u64> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut sockets = (0..volume.users)
        .map(|at| {
            let socket = TcpStream::connect(addr)?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            let interest = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&epoll, &socket, epoll::EventData::new_u64(at.into()), interest)?;
            Ok(socket)
        })
        .collect::<io::Result<Vec<_>>>()?;
    let request = request(addr);
    let line = memmem::Finder::new(b"data:");
    let (mut unsent, mut unanswered, mut lines) = (volume.requests, volume.requests, 0);
    for socket in &mut sockets {
        socket.write_all(&request)?;
        unsent -= 1;
    }
    let mut events = Vec::with_capacity(1024);
    let mut piece = vec![0; 65536];
    while unanswered > 0 {
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let socket = &mut sockets[event.data.u64() as usize];
            let length = match socket.read(&mut piece) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            lines += line.find_iter(&piece[..length]).count() as u64;
            if piece[..length].ends_with(b"\r\n0\r\n\r\n") {
                unanswered -= 1;
                if unsent > 0 {
                    unsent -= 1;
                    socket.write_all(&request)?;
                }
            }
        }
    }
    Ok(lines)
}

fn request(addr: SocketAddr) -> Vec<u8> {
    let body = r#"{"model":"tiny-llama","messages":[{"role":"user","content":"Hello there"}],"max_tokens":128,"stream":true}"#;
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
