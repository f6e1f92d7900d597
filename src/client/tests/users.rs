//! Users that think, and users that start one after the other.

use std::collections::HashSet;
use std::time::Duration;

use super::server::{Server, answer_successfully, write};
use super::{PATIENCE, client, round_of, workload};
use crate::client::{Cancel, Progress, Round, WarmUp, Watch};
use crate::load::prompts::PromptSampler;
use crate::load::{Arrival, Closed, Load, Ramp, StopCondition, ThinkTime};
use crate::metrics::record::RequestRecord;
use crate::units::Nanos;

fn users(concurrency: u32, think_ms: Option<f64>, ramp: Option<Ramp>, stop: StopCondition) -> Load {
    let think_time = think_ms.map(|ms| ThinkTime::Constant { ms });
    Load::new(Arrival::Closed(Closed { concurrency, think_time, ramp }), stop)
}

fn run_load(load: &Load) -> (Round, Vec<RequestRecord>) {
    let server = Server::start(|_, stream| answer_successfully(stream));
    round_of(&mut client(&server.url, PATIENCE), load)
}

#[test]
fn a_user_thinks_between_an_answer_and_its_next_request() {
    let (round, records) = run_load(&users(2, Some(30.0), None, StopCondition::Requests(6)));
    let ends: HashSet<Nanos> = records.iter().map(|record| record.end_ns + 30_000_000).collect();
    let followers = records.iter().filter(|record| record.due_ns != round.started_ns);
    assert!(followers.clone().all(|record| ends.contains(&record.due_ns)));
    assert_eq!(followers.count(), 4);
}

#[test]
fn users_of_a_ramp_start_one_after_the_other() {
    let ramp = Some(Ramp { from: 1.0, over_ms: 60, steps: None });
    let (round, records) = run_load(&users(3, Some(200.0), ramp, StopCondition::DurationMs(100)));
    let mut due_ms: Vec<u64> =
        records.iter().map(|record| (record.due_ns - round.started_ns) / 1_000_000).collect();
    due_ms.sort_unstable();
    assert_eq!(due_ms, [0, 30, 60]);
}

/// So long that no round may wait for it.
const LONG_MS: u64 = 600_000;

fn lasted(round: &Round) -> Duration {
    Duration::from_nanos(round.ended_ns - round.started_ns)
}

#[test]
fn a_round_does_not_wait_for_users_due_after_its_end() {
    let (round, records) = run_load(&users(3, Some(LONG_MS as f64), None, StopCondition::DurationMs(50)));
    assert_eq!(records.len(), 3);
    assert!(lasted(&round) < PATIENCE, "{round:?}");
    let late = Some(Ramp { from: 1.0, over_ms: LONG_MS, steps: None });
    let (round, records) = run_load(&users(2, Some(20.0), late, StopCondition::DurationMs(50)));
    assert!((1..=3).contains(&records.len()), "{}", records.len());
    assert!(lasted(&round) < PATIENCE, "{round:?}");
}

#[test]
fn a_round_does_not_wait_once_its_requests_are_used_up() {
    let late = Some(Ramp { from: 1.0, over_ms: LONG_MS, steps: None });
    let (round, records) = run_load(&users(2, None, late, StopCondition::Requests(5)));
    assert_eq!(records.len(), 5);
    assert!(lasted(&round) < PATIENCE, "{round:?}");
}

fn warm_up(server: &Server, load: &Load) -> WarmUp {
    let workload = workload(true);
    let mut sampler = PromptSampler::warmup(&workload, "", 0);
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let mut client = client(&server.url, PATIENCE);
    client.warm_up(&workload, load, &mut sampler, Duration::from_millis(10), watch).unwrap()
}

#[test]
fn a_warm_up_does_not_wait_for_thinking_users() {
    let load = users(4, Some(LONG_MS as f64), None, StopCondition::Requests(500));
    let begun = std::time::Instant::now();
    let well = warm_up(&Server::start(|_, stream| answer_successfully(stream)), &load);
    assert_eq!((well.requests, well.failed), (4, 0));
    let busy = Server::start(|_, stream| write(stream, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"));
    let refused = warm_up(&busy, &load);
    assert_eq!((refused.requests, refused.failed), (4, 4));
    assert!(begun.elapsed() < PATIENCE);
}
