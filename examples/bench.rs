//! Benchmarks a server at a URL, or a simulated engine if none is given:
//!
//! ```sh
//! cargo run --example bench -- http://127.0.0.1:8000
//! ```

use std::error::Error;
use std::time::Duration;

use tollgate::{Bench, Percentiles, SimulatedEngine, SimulatorSettings};

fn main() -> Result<(), Box<dyn Error>> {
    let engine =
        SimulatedEngine::with(SimulatorSettings { time_scale: 0.25, ..SimulatorSettings::default() })?;
    let url = std::env::args().nth(1).unwrap_or_else(|| engine.url().to_owned());
    let summary = Bench::url(url)
        .users(8)
        .requests(32)
        .input_tokens(256)
        .output_tokens(32)
        .warm_up(Duration::from_millis(200))
        .on_record(|request| {
            if let Some(failure) = &request.failure {
                eprintln!("request {} failed: {failure}", request.id);
            }
        })
        .run()?;
    println!("{} with {}", summary.engine, summary.model);
    println!("{:.0} output tokens/s, {:.1} requests/s", summary.output_tokens_per_s, summary.requests_per_s);
    for (name, latency) in [("TTFT", summary.ttft_ms), ("TPOT", summary.tpot_ms), ("E2E", summary.e2e_ms)] {
        let Percentiles { mean, p50, p95, .. } = latency;
        println!("{name:4}  mean {mean:7.1} ms   p50 {p50:7.1} ms   p95 {p95:7.1} ms");
    }
    for warning in summary.client_warning.iter().chain(&summary.warnings) {
        eprintln!("warning: {warning}");
    }
    Ok(())
}
