//! Benchmarks a server at a URL, or a simulated engine if none is given:
//!
//! ```sh
//! cargo run --example bench -- http://127.0.0.1:8000
//! ```

use std::error::Error;
use std::time::Duration;

use tollgate::{Bench, SimulatedEngine, SimulatorSettings};

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
    println!("{summary}");
    Ok(())
}
