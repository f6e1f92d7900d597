//! The third table: when the requests of an open load are sent.

use std::io;

use tollgate::internals::Distribution;
use tollgate::internals::Nanos;
use tollgate::internals::RequestRecord;
use tollgate::internals::{ArrivalProcess, Load, StopCondition};

use crate::answer::{Pace, Script};
use crate::ours::Client;
use crate::server::Server;

const RATE_PER_S: f64 = 500.0;
const REQUESTS: u32 = 10_000;
const SCRIPT: Script = Script { pace: Pace::Tokens { ttft_ns: 20_000_000, itl_ns: 5_000_000 }, tokens: 8 };
const ARRIVAL_PROCESSES: [(&str, ArrivalProcess); 2] =
    [("constant", ArrivalProcess::Constant), ("Poisson", ArrivalProcess::Poisson)];

pub fn print() -> io::Result<()> {
    println!("An open load of {RATE_PER_S} requests/s, {REQUESTS} requests of {} tokens\n", SCRIPT.tokens);
    println!(
        "| arrival process | achieved, requests/s | due to sent p50 | p99 | max, ms | Kolmogorov–Smirnov D of the gaps: sent | p | due | p |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, process) in ARRIVAL_PROCESSES {
        let server = Server::start(SCRIPT)?;
        let load = Load::open(RATE_PER_S, process, StopCondition::Requests(REQUESTS));
        let mut records = Client::of(server.addr, SCRIPT.tokens).run(&load);
        records.sort_by_key(|record| record.due_ns);
        println!("| {name} | {} |", cells(&records, process));
    }
    println!();
    Ok(())
}

fn cells(records: &[RequestRecord], process: ArrivalProcess) -> String {
    let mut lag_ms = Distribution::default();
    records.iter().for_each(|record| lag_ms.record_ns(record.sent_ns - record.due_ns));
    let sent = gaps_s(records.iter().map(|record| record.sent_ns));
    let due = gaps_s(records.iter().map(|record| record.due_ns));
    let achieved_per_s = sent.len() as f64 / sent.iter().sum::<f64>();
    let quantile = |q| format!("{:.3}", lag_ms.quantile_ms(q));
    let test = |gaps_s: Vec<f64>| match process {
        // All gaps are equal, so there is no distribution to compare them with.
        ArrivalProcess::Constant => "– | –".to_owned(),
        _ => {
            let (count, distance) = (gaps_s.len(), distance_from_exponential(gaps_s));
            format!("{distance:.4} | {:.2}", chance_of(distance, count))
        }
    };
    let achieved = format!("{achieved_per_s:.3}");
    [achieved, quantile(0.5), quantile(0.99), quantile(1.0), test(sent), test(due)].join(" | ")
}

fn gaps_s(moments_ns: impl Iterator<Item = Nanos>) -> Vec<f64> {
    let moments_ns: Vec<Nanos> = moments_ns.collect();
    moments_ns.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) as f64 / 1e9).collect()
}

/// The greatest distance between the gaps' empirical distribution function and the exponential one with this rate.
fn distance_from_exponential(mut gaps_s: Vec<f64>) -> f64 {
    gaps_s.sort_by(f64::total_cmp);
    let count = gaps_s.len() as f64;
    let distance = |(at, gap_s): (usize, &f64)| {
        let expected = 1.0 - (-RATE_PER_S * gap_s).exp();
        (expected - at as f64 / count).max((at + 1) as f64 / count - expected)
    };
    gaps_s.iter().enumerate().map(distance).fold(0.0, f64::max)
}

/// The probability of at least this distance if the gaps were exponential (Stephens, Use of the Kolmogorov–Smirnov …
/// statistics without extensive tables, J. R. Stat. Soc. B 32, 1970).
fn chance_of(distance: f64, count: usize) -> f64 {
    let root = (count as f64).sqrt();
    let scaled = (root + 0.12 + 0.11 / root) * distance;
    let term = |k: i32| (-1.0_f64).powi(k - 1) * (-2.0 * f64::from(k * k) * scaled * scaled).exp();
    (2.0 * (1..=100).map(term).sum::<f64>()).clamp(0.0, 1.0)
}
