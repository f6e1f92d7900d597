//! The machine that this runs on.

use std::fs;
use std::path::Path;
use std::thread;

/// Such as `8 x AMD EPYC 7R13`. Stored with every baseline, because speed depends on the processor.
pub(crate) fn describe() -> String {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let processor = processor().unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH));
    format!("{cores} x {processor}")
}

/// Bytes available to unprivileged users in a folder's file system.
pub(crate) fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail * stat.f_frsize)
}

fn processor() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
