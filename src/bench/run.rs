//! Runs a benchmark on its own thread, so that it works inside and outside an async runtime.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::bench::plan::BenchPlan;
use crate::bench::{Bench, BenchError, OnRecord, RequestResult, Summary};
use crate::client::Cancel;
use crate::config::ScenarioId;
use crate::launch::Launcher;
use crate::load::Load;
use crate::metrics::record::{RecordSink, RequestRecord};
use crate::session::{SessionId, SessionOutcome, SessionRequest, run_session};
use crate::units::Nanos;
use crate::verdict::client_late;

impl Bench {
    /// Runs the load and returns its summary. Prints nothing.
    ///
    /// Blocks the calling thread. Inside an async runtime, use [`run_async`](Bench::run_async) instead, which does not
    /// block other tasks.
    ///
    /// # Errors
    /// If settings are invalid or contradict each other, if the engine can't be reached or breaks down, if no request
    /// succeeded, or if the load client itself was too slow for this load. A run in which some requests fail is not an
    /// error: see [`Summary::success_rate`].
    ///
    /// # Panics
    /// If the callback of [`on_record`](Bench::on_record) does.
    pub fn run(&self) -> Result<Summary, BenchError> {
        let work = Work::of(self)?;
        let thread = thread_named().spawn(move || work.run(&Cancel::new())).map_err(BenchError::Thread)?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Like [`run`](Bench::run), but without blocking the runtime. Dropping the future stops the load.
    ///
    /// # Errors
    /// Same as [`run`](Bench::run).
    ///
    /// # Panics
    /// Same as [`run`](Bench::run).
    pub async fn run_async(&self) -> Result<Summary, BenchError> {
        let work = Work::of(self)?;
        let cancel = CancelOnDrop(Cancel::new());
        let (done, result) = oneshot::channel();
        let of_thread = cancel.0.clone();
        let work = move || {
            let result = catch_unwind(AssertUnwindSafe(|| work.run(&of_thread)));
            // If the future was dropped, there is no receiver.
            let _ = done.send(result);
        };
        thread_named().spawn(work).map_err(BenchError::Thread)?;
        let result = result.await.expect("the thread always sends a result");
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

fn thread_named() -> thread::Builder {
    thread::Builder::new().name("tollgate-bench".into())
}

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

struct Work {
    plan: BenchPlan,
    on_record: Option<OnRecord>,
}

impl Work {
    fn of(bench: &Bench) -> Result<Work, BenchError> {
        Ok(Work { plan: BenchPlan::of(bench)?, on_record: bench.on_record.clone() })
    }

    fn run(&self, cancel: &Cancel) -> Result<Summary, BenchError> {
        let BenchPlan { target, load, workload, run } = &self.plan;
        let id = run_id();
        let logs = std::env::temp_dir().join(format!("tollgate-{id}"));
        let launcher = Launcher::new(&id, logs, cancel, |_| {});
        launcher.check(target, &[])?;
        let launched = launcher.launch(target)?;
        let scenario = ScenarioId { file: "bench".into(), load: "load".into(), target: target.name.clone() };
        let mut sink = Callback { on_record: self.on_record.as_ref(), load, began_ns: 0 };
        let SessionOutcome { session, error, warnings } = run_session(SessionRequest {
            id: SessionId { number: 1, name: "bench" },
            engine: &launched,
            scenario: &scenario,
            workload,
            load,
            plan: run,
            salt: &id,
            records: None,
            begin_ns: None,
            listen: &|_| {},
            cancel,
            sink: Some(&mut sink),
        });
        if let Some(error) = error {
            return Err(BenchError::Session(error.to_string()));
        }
        if session.summary.requests.succeeded == 0 {
            let first_failure = session.failures.into_iter().next().unwrap_or_default();
            return Err(BenchError::NoRequestSucceeded {
                sent: session.summary.requests.sent,
                first_failure,
            });
        }
        if let Some(late) = client_late(&session.summary) {
            return Err(BenchError::ClientLate(late));
        }
        Ok(Summary::of(session, &launched.environment, &self.plan, warnings))
    }
}

/// Unique per run, so that two runs send different prompts.
fn run_id() -> String {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let number = RUNS.fetch_add(1, Ordering::Relaxed);
    format!("bench-{}-{}-{number}", Timestamp::now().as_millisecond(), std::process::id())
}

/// Passes every record to the caller.
struct Callback<'a> {
    on_record: Option<&'a OnRecord>,
    load: &'a Load,
    began_ns: Nanos,
}

impl RecordSink for Callback<'_> {
    fn begin(&mut self, at_ns: Nanos) {
        self.began_ns = at_ns;
    }

    fn take(&mut self, record: &RequestRecord) {
        if let Some(on_record) = self.on_record {
            on_record(&RequestResult::of(record, self.load, self.began_ns));
        }
    }
}
