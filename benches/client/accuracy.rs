//! The second table: the client's timestamps against the server's.

use std::collections::HashMap;
use std::io;

use tollgate::internals::Distribution;
use tollgate::internals::Nanos;
use tollgate::internals::RequestRecord;
use tollgate::internals::clock;

use crate::answer::{Pace, Script};
use crate::cost::Volume;
use crate::machine;
use crate::ours::Client;
use crate::server::{Server, Truth};

const TOKENS: u32 = 64;
const TTFT_NS: Nanos = 50_000_000;
const ITL_NS: Nanos = 10_000_000;
const STREAMS: [u32; 4] = [1, 32, 256, 1024];
/// Requests per stream. The first one is sent in the first wave, together with those of all other streams.
const WAVES: u32 = 4;
/// With fewer streams, there are too few requests for a percentile.
const REQUESTS_AT_LEAST: u32 = 16;

pub fn print() -> io::Result<()> {
    println!(
        "Error of the client's times in ms, {TOKENS} tokens, TTFT 50 ms, ITL 10 ms, including the first wave\n"
    );
    println!(
        "| streams | requests | TTFT p50 | TTFT p99 | ITL p50 | ITL p99 | mean ITL, true | as measured | TTFT p99, true | as measured | busy: client | server |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for users in STREAMS {
        let pace = Pace::Tokens { ttft_ns: TTFT_NS, itl_ns: ITL_NS };
        let server = Server::start(Script { pace, tokens: TOKENS })?;
        let volume = Volume { users, requests: (users * WAVES).max(REQUESTS_AT_LEAST) };
        let mut client = Client::of(server.addr, TOKENS);
        let busy = Busy::since(&server);
        let records = client.run(&volume.load());
        let busy = busy.until_now(&server);
        let errors = Errors::of(&records, server.truths());
        println!("| {users} | {} | {} | {busy} |", volume.requests, errors.cells());
    }
    println!();
    Ok(())
}

/// The CPU share that client and server use.
struct Busy {
    at_ns: Nanos,
    server_ns: Nanos,
    process_ns: Nanos,
}

impl Busy {
    fn since(server: &Server) -> Busy {
        let server_ns = server.cpu_ns();
        Busy { at_ns: clock::now(), server_ns, process_ns: machine::process_cpu_ns() }
    }

    fn until_now(&self, server: &Server) -> String {
        let (at_ns, process_ns) = (clock::now(), machine::process_cpu_ns());
        let server_ns = server.cpu_ns() - self.server_ns;
        let share = |spent_ns: Nanos| 100.0 * spent_ns as f64 / (at_ns - self.at_ns) as f64;
        let client_ns = (process_ns - self.process_ns).saturating_sub(server_ns);
        format!("{:.0} % | {:.0} %", share(client_ns), share(server_ns))
    }
}

/// How far the client's times are from the server's, in either direction.
#[derive(Default)]
struct Errors {
    ttft_ms: Distribution,
    itl_ms: Distribution,
    seen_ttft_ms: Distribution,
    true_ttft_ms: Distribution,
    seen_itl_sum_ms: f64,
    true_itl_sum_ms: f64,
    gaps: u64,
}

impl Errors {
    fn of(records: &[RequestRecord], truths: Vec<Truth>) -> Errors {
        let truths: HashMap<_, _> = truths.into_iter().map(|truth| (truth.id.clone(), truth)).collect();
        let mut errors = Errors::default();
        for record in records {
            errors.note(record, &truths[&record.id]);
        }
        errors
    }

    fn note(&mut self, record: &RequestRecord, truth: &Truth) {
        let (seen, written) = (&record.content_ns, &truth.written_ns);
        assert_eq!(seen.len(), written.len());
        let (seen_ms, true_ms) = (ms(record.sent_ns, seen[0]), ms(truth.received_ns, written[0]));
        self.seen_ttft_ms.record_ms(seen_ms);
        self.true_ttft_ms.record_ms(true_ms);
        self.ttft_ms.record_ms((seen_ms - true_ms).abs());
        for (seen, written) in seen.windows(2).zip(written.windows(2)) {
            let (seen_ms, true_ms) = (ms(seen[0], seen[1]), ms(written[0], written[1]));
            self.itl_ms.record_ms((seen_ms - true_ms).abs());
            self.seen_itl_sum_ms += seen_ms;
            self.true_itl_sum_ms += true_ms;
            self.gaps += 1;
        }
    }

    fn cells(&self) -> String {
        let quantile = |of: &Distribution, q| format!("{:.3}", of.quantile_ms(q));
        let mean = |sum_ms: f64| format!("{:.4}", sum_ms / self.gaps as f64);
        [
            quantile(&self.ttft_ms, 0.5),
            quantile(&self.ttft_ms, 0.99),
            quantile(&self.itl_ms, 0.5),
            quantile(&self.itl_ms, 0.99),
            mean(self.true_itl_sum_ms),
            mean(self.seen_itl_sum_ms),
            quantile(&self.true_ttft_ms, 0.99),
            quantile(&self.seen_ttft_ms, 0.99),
        ]
        .join(" | ")
    }
}

fn ms(from_ns: Nanos, to_ns: Nanos) -> f64 {
    (to_ns as f64 - from_ns as f64) / 1e6
}
