//! Who owns containers: they don't outlive that process.

use std::env;
use std::fmt;
use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::launch::docker::Docker;

/// A process: this one, or the test runner if it uses one process per test.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owner {
    host: String,
    pid: u32,
    /// In kernel ticks, because process IDs are reused. Unknown except on Linux.
    started: String,
    is_runner: bool,
}

/// Set for a process that only waits for its owner to end.
const REAPER: &str = "TOLLGATE_REAPER";
/// Whether this program can be started as one.
static CAN_REAP: AtomicBool = AtomicBool::new(false);
const POLL: Duration = Duration::from_millis(100);
/// Docker keeps creating a container after the process that asked for it has died.
const LATE: Duration = Duration::from_secs(2);

impl Owner {
    pub(crate) fn of_this_run() -> Owner {
        let runner = env::var_os("NEXTEST_RUN_ID").and_then(|_| rustix::process::getppid());
        let pid = runner.unwrap_or_else(rustix::process::getpid).as_raw_nonzero().get() as u32;
        Owner { host: host(), pid, started: started(pid).unwrap_or_default(), is_runner: runner.is_some() }
    }

    /// Whether its containers serve several processes, one after the other.
    pub(crate) fn shares(&self) -> bool {
        self.is_runner
    }

    /// Processes of another machine can't be seen from here, so they never count as gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.host == host() && started(self.pid).as_ref() != Some(&self.started)
    }

    /// Starts a process that removes the containers once this owner is gone, even if it is killed.
    ///
    /// Works only in a program that calls [`reap_if_asked`] first. Any other program, such as a user's test binary, would
    /// start all over; there a container goes when its run ends, and the next run sweeps up after one that was killed.
    pub(crate) fn leave_to_reaper(&self) -> std::io::Result<()> {
        if !CAN_REAP.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut reaper = Command::new(env::current_exe()?);
        reaper.env(REAPER, self.to_string()).current_dir("/");
        // It must not keep any pipe of the test runner open.
        reaper.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        reaper.spawn().map(drop)
    }

    pub(crate) fn parse(label: &str) -> Option<Owner> {
        let mut parts = label.rsplitn(3, '/');
        let (started, pid, host) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Owner { host: host.into(), pid: pid.parse().ok()?, started: started.into(), is_runner: false })
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}/{}", self.host, self.pid, self.started)
    }
}

/// Every program that starts containers must call this first: it may have been started to remove them.
pub(crate) fn reap_if_asked() -> Option<ExitCode> {
    CAN_REAP.store(true, Ordering::Relaxed);
    let owner = Owner::parse(&env::var(REAPER).ok()?)?;
    // Signals that end the owner's terminal or process group must not reach this process.
    let _ = rustix::process::setsid();
    while !owner.is_gone() {
        thread::sleep(POLL);
    }
    for pause in [Duration::ZERO, LATE] {
        thread::sleep(pause);
        // Nobody is listening anymore; the next run removes what is left.
        let _ = Docker::connect().and_then(|docker| docker.remove_all_of(&owner));
    }
    Some(ExitCode::SUCCESS)
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// When a live process started. One that has exited but was not yet waited for is not live.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may contain anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let (state, started) = (fields.first()?, fields.get(19)?);
    (*state != "Z" && *state != "X").then(|| (*started).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_process() -> Owner {
        let pid = std::process::id();
        Owner { host: host(), pid, started: started(pid).unwrap(), is_runner: false }
    }

    #[test]
    fn a_live_process_is_not_gone() {
        assert!(!this_process().is_gone());
    }

    #[test]
    fn an_exited_process_is_gone_before_anyone_waits_for_it() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id();
        let owner = Owner { pid, started: started(pid).unwrap_or_default(), ..this_process() };
        while !owner.is_gone() {
            thread::sleep(POLL);
        }
        child.wait().unwrap();
    }

    #[test]
    fn another_process_with_the_same_id_is_not_the_owner() {
        assert!(Owner { started: "1".into(), ..this_process() }.is_gone());
    }

    #[test]
    fn another_machines_process_is_never_gone() {
        assert!(!Owner { host: "elsewhere".into(), started: "1".into(), ..this_process() }.is_gone());
    }

    #[test]
    fn a_label_reads_back() {
        let owner = this_process();
        assert_eq!(Owner::parse(&owner.to_string()), Some(owner));
        assert_eq!(Owner::parse("what is this"), None);
    }
}
