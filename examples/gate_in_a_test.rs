//! Gates in an ordinary Rust test: absolute limits, and a tolerance relative to an earlier run.
//!
//! ```sh
//! cargo test --example gate_in_a_test
//! ```

use std::error::Error;

use tollgate::{Bench, SimulatedEngine, SimulatorSettings, compare};

fn main() -> Result<(), Box<dyn Error>> {
    holds_its_latency()?;
    notices_a_slower_version()?;
    println!("All gates passed.");
    Ok(())
}

#[cfg_attr(test, test)]
fn holds_its_latency() -> Result<(), Box<dyn Error>> {
    let engine = engine(1.0)?;
    let summary = bench(&engine).run()?;
    summary.check([
        "ttft_ms_p95 <= 400",
        "tpot_ms_p95 <= 60",
        "output_tokens_per_s >= 20",
        "success_rate >= 99%",
    ])?;
    Ok(())
}

#[cfg_attr(test, test)]
fn notices_a_slower_version() -> Result<(), Box<dyn Error>> {
    let (old, new) = (bench(&engine(1.0)?).run()?, bench(&engine(2.0)?).run()?);
    let comparison = compare(&old, &new);
    let failure = comparison.check(["tpot_ms_mean within 30%"]).expect_err("it decodes at half the speed");
    println!("As expected, {failure}");
    Ok(())
}

fn bench(engine: &SimulatedEngine) -> Bench {
    Bench::url(engine.url()).users(4).requests(12).output_tokens(16).ignore_eos(true)
}

/// Replace this engine with your server's URL.
fn engine(decode_scale: f64) -> Result<SimulatedEngine, tollgate::BenchError> {
    let settings = SimulatorSettings {
        prefill_base_ms: 60.0,
        decode_step_ms: 8.0,
        cold_start_ms: 0.0,
        decode_scale,
        ..SimulatorSettings::default()
    };
    SimulatedEngine::with(settings)
}
