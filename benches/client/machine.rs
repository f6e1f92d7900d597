//! The machine as this bench uses it: one core for the client, one for the server.

use std::{fs, io};

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

pub const CLIENTS_CORE: usize = 0;
pub const SERVERS_CORE: usize = 1;

/// Pins this thread, and the threads that it starts, to a core.
pub fn pin(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// CPU time of this whole process.
pub fn process_cpu_ns() -> u64 {
    spent_ns(ClockId::ProcessCPUTime)
}

/// CPU time of this thread.
pub fn thread_cpu_ns() -> u64 {
    spent_ns(ClockId::ThreadCPUTime)
}

fn spent_ns(clock: ClockId) -> u64 {
    let spent = clock_gettime(clock);
    spent.tv_sec as u64 * 1_000_000_000 + spent.tv_nsec as u64
}

/// CPU time of the child processes that this one has waited for, in steps of 10 ms.
pub fn children_cpu_s() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let fields: Vec<f64> = after_name.split(' ').map(|field| field.parse().unwrap_or(0.0)).collect();
    const TICKS_PER_S: f64 = 100.0;
    // cutime and cstime, proc_pid_stat(5): fields 16 and 17, after the first two, the pid and the name.
    Ok((fields[13] + fields[14]) / TICKS_PER_S)
}

/// The description of the machine next to the figures.
pub fn description() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("{}, load average {}", name.map_or("?", |(_, name)| name), load.trim())
}
