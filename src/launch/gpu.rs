//! This machine's GPUs, through NVIDIA's own library, which is loaded when needed.

use std::fs;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gpu {
    pub index: u32,
    /// Such as `NVIDIA L40S`.
    pub name: String,
    pub driver: String,
    pub used_bytes: u64,
    pub total_bytes: u64,
    /// Processes that compute on it, as far as they are visible from here.
    pub pids: Vec<u32>,
}

/// Share of memory that the driver may use on an idle GPU.
const MOST_USED_SHARE_WHEN_FREE: f64 = 0.05;

impl Gpu {
    /// Who uses it, if it isn't free.
    pub(crate) fn in_use(&self) -> Option<String> {
        let Gpu { index, name, used_bytes, total_bytes, pids, .. } = self;
        let share = *used_bytes as f64 / (*total_bytes).max(1) as f64;
        if pids.is_empty() && share <= MOST_USED_SHARE_WHEN_FREE {
            return None;
        }
        let by: Vec<String> = pids.iter().map(|pid| format!("process {pid}{}", in_brackets(*pid))).collect();
        let by =
            if by.is_empty() { "a process that is not visible from here".to_owned() } else { by.join(", ") };
        let percent = crate::text::figures::percent(share);
        Some(format!("GPU {index} ({name}) is in use by {by}, using {percent} of its memory"))
    }
}

/// For a folder's name: `l40s`, `2x-h100-80gb-hbm3`; `cpu` if there is no GPU.
pub(crate) fn hardware(gpus: &[Gpu]) -> String {
    let Some(first) = gpus.first() else { return "cpu".into() };
    let name = first.name.strip_prefix("NVIDIA ").unwrap_or(&first.name).to_ascii_lowercase();
    match gpus.len() {
        1 => name,
        count => format!("{count}x-{name}"),
    }
}

/// For a baseline: `2 x NVIDIA L40S, driver 580.65`.
pub(crate) fn describe(gpus: &[Gpu]) -> String {
    let Some(first) = gpus.first() else { return "no GPU".into() };
    format!("{} x {}, driver {}", gpus.len(), first.name, first.driver)
}

/// All GPUs, or why none can be used.
#[cfg(feature = "gpu")]
pub(crate) fn all() -> Result<Vec<Gpu>, String> {
    use nvml_wrapper::Nvml;
    use nvml_wrapper::error::NvmlError;

    // The unversioned name belongs to a package for developers.
    let nvml = Nvml::builder().lib_path("libnvidia-ml.so.1".as_ref()).init();
    let nvml = nvml.map_err(|error| format!("can't use a GPU: {error}"))?;
    let read = || -> Result<Vec<Gpu>, NvmlError> {
        let driver = nvml.sys_driver_version()?;
        let gpu = |index| {
            let device = nvml.device_by_index(index)?;
            let memory = device.memory_info()?;
            let processes = device.running_compute_processes()?;
            Ok(Gpu {
                index,
                name: device.name()?,
                driver: driver.clone(),
                used_bytes: memory.used,
                total_bytes: memory.total,
                pids: processes.into_iter().map(|process| process.pid).collect(),
            })
        };
        (0..nvml.device_count()?).map(gpu).collect()
    };
    read().map_err(|error| format!("can't query the GPUs: {error}"))
}

#[cfg(not(feature = "gpu"))]
pub(crate) fn all() -> Result<Vec<Gpu>, String> {
    Err("tollgate was built without the `gpu` feature".into())
}

fn in_brackets(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .map_or(String::new(), |name| format!(" ({})", name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn l40s() -> Gpu {
        Gpu {
            index: 0,
            name: "NVIDIA L40S".into(),
            driver: "580.65".into(),
            used_bytes: 1 << 28,
            total_bytes: 48 << 30,
            pids: Vec::new(),
        }
    }

    #[test]
    fn a_gpu_that_only_holds_driver_memory_is_free() {
        assert_eq!(l40s().in_use(), None);
    }

    #[test]
    fn a_gpu_in_use_names_its_process() {
        let pid = std::process::id();
        let busy = Gpu { used_bytes: 12 << 30, pids: vec![pid], ..l40s() }.in_use().unwrap();
        assert!(busy.starts_with(&format!("GPU 0 (NVIDIA L40S) is in use by process {pid} (")), "{busy}");
        assert!(busy.ends_with("using 25 % of its memory"), "{busy}");
    }

    #[test]
    fn used_memory_reveals_a_hidden_process() {
        let busy = Gpu { used_bytes: 12 << 30, ..l40s() }.in_use().unwrap();
        assert!(busy.contains("not visible from here"), "{busy}");
    }

    #[test]
    fn hardware_is_named_by_kind_and_count() {
        assert_eq!(hardware(&[]), "cpu");
        assert_eq!(hardware(&[l40s()]), "l40s");
        assert_eq!(hardware(&[l40s(), l40s()]), "2x-l40s");
        assert_eq!(describe(&[l40s(), l40s()]), "2 x NVIDIA L40S, driver 580.65");
    }

    #[test]
    fn without_a_gpu_the_error_says_why() {
        match all() {
            Ok(gpus) => assert!(gpus.iter().all(|gpu| !gpu.name.is_empty())),
            Err(reason) => assert!(reason.contains("GPU"), "{reason}"),
        }
    }
}
