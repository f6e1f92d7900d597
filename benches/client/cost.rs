//! The first table: CPU time per request.

use std::io;

use tollgate::internals::{Load, StopCondition};

use crate::answer::{Pace, Script};
use crate::server::Server;
use crate::{bare, machine, ours, rival};

/// How many requests are sent.
#[derive(Clone, Copy, Debug)]
pub struct Volume {
    pub users: u32,
    pub requests: u32,
}

impl Volume {
    pub fn load(self) -> Load {
        Load::closed(self.users, StopCondition::Requests(self.requests))
    }
}

/// A way of writing responses, and the load on a server that does so.
struct Case {
    name: &'static str,
    pace: Pace,
    volume: Volume,
}

const TOKENS: u32 = 128;

const CASES: [Case; 3] = [
    Case {
        name: "one write per token, every 10 ms",
        pace: Pace::Tokens { ttft_ns: 20_000_000, itl_ns: 10_000_000 },
        volume: Volume { users: 256, requests: 1024 },
    },
    Case {
        name: "one write per token, without a pause",
        pace: Pace::Tokens { ttft_ns: 0, itl_ns: 0 },
        volume: Volume { users: 16, requests: 2000 },
    },
    Case {
        name: "whole response in one write",
        pace: Pace::Whole,
        volume: Volume { users: 16, requests: 4000 },
    },
];

/// Passes per client, in turn. The lowest figure counts, because other work on the machine only adds to it.
const PASSES: u32 = 3;

pub fn print() -> io::Result<()> {
    println!("CPU seconds of the client per 1,000 requests of {TOKENS} tokens (lowest of {PASSES} passes)\n");
    println!("| responses | bare epoll loop | tollgate | vs. bare | vllm-rs | vs. vllm-rs |");
    println!("|---|---|---|---|---|---|");
    for case in CASES {
        let server = Server::start(Script { pace: case.pace, tokens: TOKENS })?;
        let (mut bare, mut ours, mut theirs) = (f64::MAX, f64::MAX, None);
        for _ in 0..PASSES {
            bare = bare.min(bare_s(&server, case.volume)?);
            ours = ours.min(ours_s(&server, case.volume)?);
            theirs = rival::per_thousand_s(&server, case.volume)?
                .map(|found: f64| found.min(theirs.unwrap_or(f64::MAX)));
        }
        let share = theirs.map_or("–".into(), |theirs| format!("{:.2}", ours / theirs));
        let theirs = theirs.map_or("–".into(), |theirs: f64| format!("{theirs:.3}"));
        let name = case.name;
        println!("| {name} | {bare:.4} | {ours:.4} | {:.2} | {theirs} | {share} |", ours / bare);
    }
    println!();
    Ok(())
}

fn bare_s(server: &Server, volume: Volume) -> io::Result<f64> {
    let started_ns = machine::thread_cpu_ns();
    bare::run(server.addr, volume)?;
    Ok(per_thousand_s(machine::thread_cpu_ns() - started_ns, volume))
}

/// All threads of the process except the server's.
fn ours_s(server: &Server, volume: Volume) -> io::Result<f64> {
    let mut client = ours::Client::of(server.addr, TOKENS);
    let spent_ns = || machine::process_cpu_ns() - server.cpu_ns();
    let started_ns = spent_ns();
    client.run(&volume.load());
    Ok(per_thousand_s(spent_ns() - started_ns, volume))
}

fn per_thousand_s(spent_ns: u64, volume: Volume) -> f64 {
    spent_ns as f64 / 1e9 * 1e3 / f64::from(volume.requests)
}
