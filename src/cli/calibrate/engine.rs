//! The simulated engine in its own process, on its own processor where the machine has more than one.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Stops when this value is dropped or this process ends, however it ends.
pub(crate) struct CalibrationEngine {
    process: Child,
    pub url: String,
}

impl CalibrationEngine {
    /// Writes a token every `step_ms` regardless of the load, and the first one after 50 ms.
    pub(crate) fn start(step_ms: f64, streams: u32, apart: bool) -> anyhow::Result<CalibrationEngine> {
        let settings = [
            format!("decode_step_ms={step_ms:?}"),
            format!("max_seqs={streams}"),
            "decode_step_ms_per_seq=0.0".into(),
            "prefill_base_ms=50.0".into(),
            "prefill_tokens_per_s=1e9".into(),
            "max_step_tokens=1000000".into(),
            "cold_start_ms=0.0".into(),
            "jitter=0.0".into(),
        ];
        let mut command = Command::new(env::current_exe().context("can't find this program's executable")?);
        command.args(["simulate", "--with-parent", "--port", "0"]).stdout(Stdio::piped());
        for setting in &settings {
            command.args(["--set", setting]);
        }
        let mut process = started_on(command, apart).context("can't start the simulated engine")?;
        let mut line = String::new();
        let said = process.stdout.take().map(BufReader::new).map(|mut out| out.read_line(&mut line));
        let mut engine = CalibrationEngine { process, url: String::new() };
        said.transpose().context("can't read the simulated engine's address")?;
        engine.url = line.split_whitespace().last().unwrap_or_default().to_owned();
        ensure!(engine.url.starts_with("http://"), "the simulated engine exited before it started listening");
        Ok(engine)
    }
}

impl Drop for CalibrationEngine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Pins this process to its first processor; returns whether another one is left for the engine.
pub(crate) fn pin_to_first_processor() -> bool {
    let Ok(mine) = sched_getaffinity(None) else { return false };
    match cpus(&mine).as_slice() {
        [first, _, ..] => sched_setaffinity(None, &only(&[*first])).is_ok(),
        _ => false,
    }
}

/// A child process inherits the processors of the thread that starts it, so this thread moves aside for that moment.
fn started_on(mut command: Command, apart: bool) -> std::io::Result<Child> {
    if !apart {
        return command.spawn();
    }
    let mine = sched_getaffinity(None)?;
    let first = cpus(&mine).first().copied().unwrap_or(0);
    let others: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| *cpu != first).collect();
    sched_setaffinity(None, &only(&others))?;
    let child = command.spawn();
    sched_setaffinity(None, &mine)?;
    child
}

fn cpus(set: &CpuSet) -> Vec<usize> {
    (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
}

fn only(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu));
    set
}
