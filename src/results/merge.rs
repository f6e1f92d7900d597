//! Merges the reports of several workers into one.

mod round;

use std::collections::BTreeMap;

use crate::load::Load;
use crate::metrics::health::ClientHealth;
use crate::metrics::summary::Summary;
use crate::results::{MAX_FAILURES_KEPT, Report, Round, Run, Session, rounds_never_whole};
use crate::target::Environment;
use crate::verdict::Verdict;

/// A report with the name of its file.
#[derive(Clone, Debug)]
pub(crate) struct WorkerReport {
    pub file: String,
    pub report: Report,
}

/// Why reports can't be merged into one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MergeError {
    #[error(
        "{0}: expected a worker's report (`tollgate bench --worker I/N --start-at TIME --json FILE`), found one without a worker"
    )]
    NoWorker(String),
    #[error("{file} and {other}: both are from worker {number}")]
    Twice { file: String, other: String, number: u32 },
    #[error("expected the reports of all {of} workers: worker {missing} is missing")]
    Missing { of: u32, missing: String },
    #[error("{file} doesn't belong with {other}: {what} is `{found}` instead of `{expected}`")]
    Other { file: String, other: String, what: &'static str, found: String, expected: String },
    #[error("{0}: the report has no session, so nothing was measured")]
    Empty(String),
}

/// An example of how much two wall clocks synchronized by NTP may differ.
const EXAMPLE_OFFSET_S: f64 = 0.01;

/// Adds up counts, merges distributions, and joins the windows of each round.
///
/// # Errors
/// If a report is missing, is given twice, or belongs to another run, load, or target.
pub(crate) fn merge(parts: &[WorkerReport]) -> Result<Report, MergeError> {
    let parts = in_order(parts)?;
    let first = &parts[0].report;
    let sessions: Vec<&Session> = parts
        .iter()
        .map(|part| part.report.sessions.first().ok_or_else(|| MergeError::Empty(part.file.clone())))
        .collect::<Result<_, _>>()?;
    let session = merge_sessions(&sessions, first.load.as_ref());
    let failed = parts.iter().find(|part| !part.report.passed);
    let mut warnings = warnings(&parts);
    warnings.extend(never_complete_warning(&session.rounds));
    warnings.extend(clock_warning(&sessions, &session));
    Ok(Report {
        run: Run { worker: None, ..first.run.clone() },
        passed: failed.is_none(),
        verdict: Verdict::worst(parts.iter().map(|part| part.report.verdict)),
        reason: match failed {
            Some(part) => format!("worker {}: {}", number(part), part.report.reason),
            None => format!("combined figures of {} workers; no gates were given.", parts.len()),
        },
        warnings,
        summary: session.summary.clone(),
        sessions: vec![session],
        ..first.clone()
    })
}

/// Sorts the parts by worker number and checks that they are complete.
fn in_order(parts: &[WorkerReport]) -> Result<Vec<&WorkerReport>, MergeError> {
    let mut by_number: BTreeMap<u32, &WorkerReport> = BTreeMap::new();
    for part in parts {
        let worker = part.report.run.worker.ok_or_else(|| MergeError::NoWorker(part.file.clone()))?;
        belongs(part, &parts[0])?;
        if let Some(other) = by_number.insert(worker.number, part) {
            let (file, other) = (part.file.clone(), other.file.clone());
            return Err(MergeError::Twice { file, other, number: worker.number });
        }
    }
    let of = parts.first().and_then(|part| part.report.run.worker).map_or(1, |worker| worker.of);
    let missing: Vec<String> =
        (1..=of).filter(|number| !by_number.contains_key(number)).map(|number| number.to_string()).collect();
    if missing.is_empty() {
        Ok(by_number.into_values().collect())
    } else {
        Err(MergeError::Missing { of, missing: missing.join(", ") })
    }
}

/// What all parts must have in common.
type CommonField = (&'static str, fn(&Report) -> String);
const COMMON: [CommonField; 7] = [
    ("the run", |report| report.run.id.clone()),
    ("the number of workers", |report| report.run.worker.map_or(0, |worker| worker.of).to_string()),
    ("the scenario", |report| report.scenario.to_string()),
    ("the scenario's hash", |report| report.scenario_hash.clone().unwrap_or_default()),
    ("the target's URL", |report| of_target(report, |target| target.url.clone().unwrap_or_default())),
    ("the engine", |report| of_target(report, |target| target.engine.clone())),
    ("the model", |report| of_target(report, |target| target.model.clone())),
];

fn of_target(report: &Report, of: fn(&Environment) -> String) -> String {
    report.environment.as_ref().map(of).unwrap_or_default()
}

fn belongs(part: &WorkerReport, other: &WorkerReport) -> Result<(), MergeError> {
    for (what, of) in COMMON {
        let (found, expected) = (of(&part.report), of(&other.report));
        if found != expected {
            let (file, other) = (part.file.clone(), other.file.clone());
            return Err(MergeError::Other { file, other, what, found, expected });
        }
    }
    Ok(())
}

fn number(part: &WorkerReport) -> u32 {
    part.report.run.worker.map_or(1, |worker| worker.number)
}

fn merge_sessions(sessions: &[&Session], load: Option<&Load>) -> Session {
    let count = sessions.iter().map(|session| session.rounds.len()).max().unwrap_or(0);
    let rounds: Vec<Round> = (0..count).map(|index| round::merge(sessions, index, load)).collect();
    let mut health = ClientHealth::default();
    sessions.iter().for_each(|session| health.merge(&session.health));
    let failures = sessions.iter().flat_map(|session| session.failures.clone()).take(MAX_FAILURES_KEPT);
    Session {
        started: sessions.iter().map(|session| session.started.clone()).min().unwrap_or_default(),
        seconds: sessions.iter().map(|session| session.seconds).fold(0.0, f64::max),
        summary: Summary::merge(rounds.iter().map(|round| &round.summary)),
        health,
        rounds,
        failures: failures.collect(),
        // Each worker's figures from the engine already cover all workers.
        server: None,
        log: None,
        records: None,
        number: sessions[0].number,
        clock: sessions[0].clock.clone(),
    }
}

fn warnings(parts: &[&WorkerReport]) -> Vec<String> {
    let of_part = |part: &&WorkerReport| {
        let number = number(part);
        part.report
            .warnings
            .iter()
            .map(move |warning| format!("worker {number}: {warning}"))
            .collect::<Vec<_>>()
    };
    parts.iter().flat_map(of_part).collect()
}

/// A warning if the rates come from a load that was never complete.
fn never_complete_warning(rounds: &[Round]) -> Option<String> {
    let rounds = rounds_never_whole(rounds)?;
    Some(format!(
        "in {rounds}, the workers' loads were never complete at the same time, so nothing was cut from those rounds"
    ))
}

/// A warning if the window depends on the wall clocks of several machines.
fn clock_warning(sessions: &[&Session], whole: &Session) -> Option<String> {
    let boots: Vec<&str> =
        sessions.iter().filter_map(|session| Some(session.clock.as_ref()?.boot.as_str())).collect();
    if boots.iter().all(|boot| *boot == boots[0]) {
        return None;
    }
    let share = EXAMPLE_OFFSET_S / whole.summary.window_s.max(EXAMPLE_OFFSET_S);
    Some(format!(
        "the workers ran on more than one machine, so their windows are aligned by wall clock: an offset of {} ms between \
         the clocks would change rates by {:.3} %; latencies are not affected",
        EXAMPLE_OFFSET_S * 1e3,
        share * 100.0
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::worker::Worker;
    use crate::load::{ArrivalProcess, StopCondition};
    use crate::metrics::window::{Cut, Edges, Window};
    use crate::results::example;
    use crate::units::Clock;

    const S: u64 = 1_000_000_000;

    fn clock(boot: &str, zero_unix_ns: u64) -> Option<Clock> {
        Some(Clock { boot: boot.into(), zero_unix_ns })
    }

    /// 100 requests of an open load with this TTFT.
    fn part(number: u32, of: u32, begin_s: u64, end_s: u64, ttft_ms: f64) -> WorkerReport {
        let mut report = example::ok();
        report.run.worker = Some(Worker { number, of });
        report.load = Some(Load::open(20.0, ArrivalProcess::Constant, StopCondition::Requests(100 * of)));
        let window = Window { begin_ns: begin_s * S, end_ns: end_s * S, edges: Edges::Kept };
        let mut summary = Summary { window_s: window.seconds(), output_tokens: 3000, ..Summary::default() };
        summary.requests.sent = 100;
        summary.requests.succeeded = 100;
        (0..100).for_each(|_| summary.ttft_ms.record_ms(ttft_ms));
        let round = Round { summary: summary.clone(), health: ClientHealth::default(), window: Some(window) };
        report.sessions.truncate(1);
        let session = &mut report.sessions[0];
        session.rounds = vec![round];
        session.clock = clock("here", 7);
        WorkerReport { file: format!("{number}.json"), report }
    }

    fn refusal(parts: &[WorkerReport]) -> String {
        merge(parts).unwrap_err().to_string()
    }

    #[test]
    fn counts_add_up_and_the_window_is_the_union() {
        let whole = merge(&[part(2, 2, 101, 112, 80.0), part(1, 2, 100, 110, 40.0)]).unwrap();
        assert_eq!((whole.summary.requests.sent, whole.summary.output_tokens), (200, 6000));
        assert_eq!(whole.summary.window_s, 12.0);
        assert_eq!(whole.summary.value("output_tokens_per_s".parse().unwrap()), Some(500.0));
        assert_eq!(whole.summary.ttft_ms.mean_ms(), 60.0);
        assert_eq!((whole.run.worker, whole.sessions.len()), (None, 1));
        assert!(!whole.warnings.iter().any(|warning| warning.contains("wall clock")));
    }

    #[test]
    fn a_load_that_was_never_complete_counts_with_a_warning() {
        let cut = |mut part: WorkerReport| {
            part.report.load = Some(Load::closed(4, StopCondition::Requests(200)));
            let round = &mut part.report.sessions[0].rounds[0];
            round.window.as_mut().unwrap().edges = Edges::Cut;
            round.summary.cut = Cut { seconds: 1.0, output_tokens: 600.0, ..Cut::default() };
            part
        };
        let whole = merge(&[cut(part(1, 2, 100, 110, 40.0)), cut(part(2, 2, 110, 119, 40.0))]).unwrap();
        assert_eq!(whole.summary.window_s, 20.0);
        assert_eq!(whole.summary.value("output_tokens_per_s".parse().unwrap()), Some(300.0));
        let warning = whole.warnings.last().unwrap();
        assert!(warning.starts_with("in 1 of 1 rounds, the workers' loads were never complete"), "{warning}");
    }

    #[test]
    fn machines_are_aligned_by_wall_clock_with_a_warning() {
        let mut there = part(2, 2, 501, 510, 80.0);
        there.report.sessions[0].clock = clock("there", 7 + 1000 * S);
        let mut here = part(1, 2, 1500, 1509, 40.0);
        here.report.sessions[0].clock = clock("here", 7);
        let whole = merge(&[here, there]).unwrap();
        assert_eq!(whole.summary.window_s, 10.0);
        let warning = whole.warnings.last().unwrap();
        assert!(
            warning.contains("an offset of 10 ms between the clocks would change rates by 0.100 %"),
            "{warning}"
        );
    }

    #[test]
    fn errors_for_reports_that_do_not_match_name_the_files() {
        let (one, two) = (part(1, 2, 0, 1, 1.0), part(2, 2, 0, 1, 1.0));
        assert_eq!(
            refusal(std::slice::from_ref(&one)),
            "expected the reports of all 2 workers: worker 2 is missing"
        );
        let again = WorkerReport { file: "again.json".into(), ..one.clone() };
        assert_eq!(refusal(&[one.clone(), again]), "again.json and 1.json: both are from worker 1");
        let changed = |change: fn(&mut Report)| {
            let mut other = two.clone();
            change(&mut other.report);
            refusal(&[one.clone(), other])
        };
        let hash = changed(|report| report.scenario_hash = Some("sha256:00".into()));
        assert!(
            hash.starts_with("2.json doesn't belong with 1.json: the scenario's hash is `sha256:00`"),
            "{hash}"
        );
        let url = changed(|report| report.environment.as_mut().unwrap().url = Some("http://b".into()));
        assert!(url.contains("the target's URL is `http://b`"), "{url}");
        assert!(changed(|report| report.run.id = "x".into()).contains("the run is `x`"));
        assert!(changed(|report| report.run.worker = None).starts_with("2.json: expected a worker's report"));
        assert!(
            changed(|report| report.run.worker.as_mut().unwrap().of = 3)
                .contains("the number of workers is `3`")
        );
    }

    #[test]
    fn a_worker_that_failed_fails_the_merged_report() {
        let mut two = part(2, 2, 0, 1, 1.0);
        (two.report.passed, two.report.verdict) = (false, Verdict::Invalid);
        two.report.reason = "the engine went away".into();
        let whole = merge(&[part(1, 2, 0, 1, 1.0), two]).unwrap();
        assert_eq!((whole.passed, whole.verdict), (false, Verdict::Invalid));
        assert_eq!(whole.reason, "worker 2: the engine went away");
    }
}
