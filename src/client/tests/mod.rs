//! The client against servers that misbehave.

mod control;
mod conversations;
mod frames;
mod http;
mod http2;
mod odd_answers;
mod server;
mod tls;
mod users;

use std::collections::HashSet;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::time::Instant;

use server::{END, HEAD, Server, TOKEN, answer_successfully, chunk, reset, write};

use super::*;
use crate::load::workload::WorkloadSpec;
use crate::load::{Arrival, ArrivalProcess, Open, StopCondition};
use crate::metrics::record::{FailureClass, Finish, TokenCount};

fn client(url: &str, request_timeout: Duration) -> Client {
    let (engine, model) = (EngineKind::OPENAI, Some("m".to_owned()));
    Client::new(ClientSettings { access: Access::to(url), engine, model, request_timeout }).unwrap()
}

fn workload(stream: bool) -> Workload {
    let spec = WorkloadSpec { stream, ignore_eos: false, ..Workload::synthetic(12, 3).into_spec() };
    Workload::new(spec).unwrap()
}

fn at_most_in_flight(max_in_flight: u32, rate: f64, stop: StopCondition) -> Load {
    let open = Open { rate, process: ArrivalProcess::Constant, ramp: None, max_in_flight };
    Load::new(Arrival::Open(open), stop).unwrap()
}

/// Runs a round and returns it with the records of its requests.
fn round(client: &mut Client, users: u32, stop: StopCondition) -> (Round, Vec<RequestRecord>) {
    let workload = workload(true);
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let mut records = Vec::new();
    let load = Load::closed(users, stop);
    let round = client.run_round(&workload, &load, &mut sampler, watch, &mut records).unwrap();
    (round, records)
}

const PATIENCE: Duration = Duration::from_secs(30);

/// The failure of a single request to a server.
fn failure(
    request_timeout: Duration,
    answer: impl Fn(&mut TcpStream) -> bool + Send + Sync + 'static,
) -> Failure {
    let server = Server::start(move |_, stream| answer(stream));
    let (_, mut records) = round(&mut client(&server.url, request_timeout), 1, StopCondition::Requests(1));
    assert_eq!(records.len(), 1);
    records.remove(0).outcome.unwrap_err()
}

#[test]
fn a_closed_load_sends_exactly_the_requested_number() {
    let server = Server::start(|_, stream| answer_successfully(stream));
    let (round, records) = round(&mut client(&server.url, PATIENCE), 7, StopCondition::Requests(100));
    assert_eq!(records.len(), 100);
    assert_eq!(server.bodies().len(), 100);
    for record in &records {
        assert_eq!(record.outcome, Ok(()));
        assert_eq!((record.content_ns.len(), record.output_tokens), (2, 3));
        assert_eq!((record.input_tokens, record.finish), (Some(4), Some(Finish::Length)));
        assert_eq!(record.tokens_counted_by, TokenCount::Usage);
        assert!(record.due_ns <= record.sent_ns && record.sent_ns < record.content_ns[0]);
        assert!(record.content_ns[1] <= record.end_ns && record.end_ns <= round.ended_ns);
    }
}

#[test]
fn every_user_keeps_one_connection_and_sends_request_ids() {
    let server = Server::start(|_, stream| answer_successfully(stream));
    let (_, records) = round(&mut client(&server.url, PATIENCE), 3, StopCondition::Requests(60));
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.iter().map(|seen| seen.connection).collect::<HashSet<_>>().len(), 3);
    let sent: HashSet<&str> = seen.iter().map(|seen| seen.headers["x-request-id"].as_str()).collect();
    assert_eq!(sent, records.iter().map(|record| record.id.as_str()).collect());
    assert_eq!(sent.len(), 60);
}

#[test]
fn a_request_is_due_when_the_users_last_one_ended() {
    let server = Server::start(|_, stream| answer_successfully(stream));
    let (round, records) = round(&mut client(&server.url, PATIENCE), 1, StopCondition::Requests(5));
    assert_eq!(records[0].due_ns, round.started_ns);
    for pair in records.windows(2) {
        assert_eq!(pair[1].due_ns, pair[0].end_ns);
    }
}

#[test]
fn after_its_duration_a_round_awaits_requests_in_flight() {
    let server = Server::start(|_, stream| {
        std::thread::sleep(Duration::from_millis(70));
        answer_successfully(stream)
    });
    let (round, records) = round(&mut client(&server.url, PATIENCE), 4, StopCondition::DurationMs(300));
    assert!(records.len() >= 4 && records.len() <= 20, "{}", records.len());
    assert!(records.iter().all(|record| record.outcome.is_ok()));
    assert!(records.iter().all(|record| record.due_ns <= round.started_ns + 300_000_000));
    assert_eq!(server.bodies().len(), records.len());
}

#[test]
fn no_prompt_is_ever_sent_twice_in_a_session() {
    let server = Server::start(|_, stream| answer_successfully(stream));
    let mut client = client(&server.url, PATIENCE);
    let workload = workload(true);
    let (mut warm, mut measured) =
        (PromptSampler::warmup(&workload, "", 0), PromptSampler::measured(&workload, "", 0));
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let load = Load::closed(3, StopCondition::Requests(20));
    let warm_up = client.warm_up(&workload, &load, &mut warm, Duration::from_millis(50), watch).unwrap();
    for _ in 0..3 {
        client.run_round(&workload, &load, &mut measured, watch, &mut Vec::new()).unwrap();
    }
    let bodies = server.bodies();
    assert_eq!(bodies.len() as u32, warm_up.requests + 60);
    assert_eq!(bodies.iter().collect::<HashSet<_>>().len(), bodies.len());
}

#[test]
fn a_round_uses_only_the_next_prompts() {
    let server = Server::start(|_, stream| answer_successfully(stream));
    let workload = workload(true);
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let load = Load::closed(4, StopCondition::Requests(10));
    client(&server.url, PATIENCE).run_round(&workload, &load, &mut sampler, watch, &mut Vec::new()).unwrap();
    let mut expected = PromptSampler::measured(&workload, "", 0);
    (0..10).for_each(|_| drop(expected.draw()));
    assert_eq!(sampler.draw(), expected.draw());
}

#[test]
fn a_warm_up_of_0_s_reaches_every_user_and_counts_failures() {
    let server = Server::start(|_, stream| write(stream, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"));
    let workload = workload(true);
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let load = Load::closed(5, StopCondition::Requests(500));
    let mut sampler = PromptSampler::warmup(&workload, "", 0);
    let warm_up =
        client(&server.url, PATIENCE).warm_up(&workload, &load, &mut sampler, Duration::ZERO, watch).unwrap();
    assert_eq!((warm_up.requests, warm_up.failed), (5, 5));
}

#[test]
fn canceling_keeps_finished_requests() {
    let server = Server::start(|seen, stream| {
        if seen.before > 0 {
            std::thread::sleep(PATIENCE);
        }
        answer_successfully(stream)
    });
    let mut client = client(&server.url, PATIENCE);
    let (progress, cancel) = (Progress::default(), Cancel::new());
    let workload = workload(true);
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    let watch = Watch { progress: &progress, cancel: &cancel };
    let load = Load::closed(3, StopCondition::Requests(50));
    let mut records = Vec::new();
    let started = Instant::now();
    let round = std::thread::scope(|scope| {
        scope.spawn(|| {
            while progress.ended.load(Ordering::Relaxed) < 3 {
                std::thread::sleep(Duration::from_millis(5));
            }
            cancel.cancel();
        });
        client.run_round(&workload, &load, &mut sampler, watch, &mut records).unwrap()
    });
    assert!(round.cancelled && started.elapsed() < PATIENCE);
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.outcome.is_ok()));
}

#[test]
fn connections_closed_after_every_second_answer_lose_no_request() {
    // Like llama.cpp: no `Connection: close`, and the closing races with the user's next request.
    let server = Server::start(|seen, stream| answer_successfully(stream) && seen.before < 1);
    let (_, records) = round(&mut client(&server.url, PATIENCE), 8, StopCondition::Requests(400));
    assert_eq!(records.iter().filter(|record| record.outcome.is_err()).count(), 0);
    assert_eq!(server.bodies().len(), 400);
    assert!(records.iter().all(|record| record.reconnects <= 1));
}

#[test]
fn a_reused_connection_that_drops_a_request_is_replaced_once() {
    let server = Server::start(|seen, stream| match (seen.connection, seen.before) {
        (_, 0) => answer_successfully(stream),
        _ => reset(stream),
    });
    let (_, records) = round(&mut client(&server.url, PATIENCE), 1, StopCondition::Requests(3));
    assert!(records.iter().all(|record| record.outcome.is_ok()));
    let reconnects: Vec<u32> = records.iter().map(|record| record.reconnects).collect();
    assert_eq!(reconnects, [0, 1, 1]);
    assert!(records.windows(2).all(|pair| pair[1].due_ns == pair[0].end_ns));
}

#[test]
fn a_new_connection_closed_unanswered_is_an_engine_failure() {
    let failure = failure(PATIENCE, |_| false);
    assert_eq!(failure.class, FailureClass::BrokenStream);
    assert!(failure.detail.starts_with("the response broke off before it began"), "{failure}");
}

#[test]
fn nobody_listening_is_a_connection_failure() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, records) = round(&mut client(&format!("http://{free}"), PATIENCE), 2, StopCondition::Requests(4));
    assert_eq!(records.len(), 4);
    for record in records {
        let failure = record.outcome.unwrap_err();
        assert_eq!(failure.class, FailureClass::Connect);
        assert!(failure.detail.contains("refused"), "{failure}");
    }
}

#[test]
fn a_slow_connect_does_not_count_as_client_lateness() {
    // With HTTP/2, a connection is open once the server says so; this one never does.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let (_, records) =
        round(&mut http2::client(&url, Duration::from_millis(1500)), 1, StopCondition::Requests(1));
    let record = &records[0];
    assert!(record.outcome.is_err());
    assert!(record.taken_ns - record.due_ns < record.sent_ns - record.taken_ns, "{record:?}");
}

#[test]
fn requests_not_ready_by_start_at_are_an_error() {
    let server = Server::start(|_, stream| answer_successfully(stream));
    let mut client = client(&server.url, PATIENCE);
    client.begin_next_round_at(clock::now());
    let workload = workload(true);
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let load = Load::closed(1, StopCondition::Requests(1));
    let error = client.run_round(&workload, &load, &mut sampler, watch, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, ClientError::WrittenLate { .. }), "{error}");
    assert_eq!(server.bodies().len(), 0);
}

#[test]
fn a_round_ends_early_if_nobody_is_listening() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, records) =
        round(&mut client(&format!("http://{free}"), PATIENCE), 2, StopCondition::Requests(1000));
    // Three attempts per user, and perhaps one that was on its way when the last of them failed.
    assert!((6..=7).contains(&records.len()), "{}", records.len());
}

#[test]
fn a_reset_within_a_stream_reports_its_progress() {
    let failure = failure(PATIENCE, |stream| {
        write(stream, HEAD);
        chunk(stream, TOKEN);
        std::thread::sleep(Duration::from_millis(300));
        reset(stream)
    });
    assert_eq!(failure.class, FailureClass::BrokenStream);
    assert!(failure.detail.starts_with("the response broke off after 1 content chunks"), "{failure}");
}

#[test]
fn an_incomplete_stream_is_broken_even_if_closed_properly() {
    let failure =
        failure(PATIENCE, |stream| write(stream, HEAD) && chunk(stream, TOKEN) && write(stream, "0\r\n\r\n"));
    assert_eq!(failure.class, FailureClass::BrokenStream);
    assert_eq!(failure.detail, "the response ended early, after 1 content chunks");
}

#[test]
fn a_stall_is_a_timeout_that_reports_its_progress() {
    let failure = failure(Duration::from_millis(300), |stream| {
        write(stream, HEAD);
        chunk(stream, TOKEN);
        std::thread::sleep(PATIENCE);
        false
    });
    assert_eq!(failure.class, FailureClass::Timeout);
    assert_eq!(failure.detail, "incomplete after 300ms, with 1 content chunks");
}

#[test]
fn another_status_fails_with_the_engines_message() {
    for (status, reason) in [(500, "out of memory"), (429, "slow down")] {
        let failure = failure(PATIENCE, move |stream| {
            let body = format!("{{\"error\":{{\"message\":\"{reason}\"}}}}");
            let length = body.len();
            write(stream, &format!("HTTP/1.1 {status} No\r\nContent-Length: {length}\r\n\r\n{body}"))
        });
        assert_eq!(failure.class, FailureClass::HttpStatus);
        assert_eq!(failure.detail, format!("HTTP {status}: {reason}"));
    }
}

#[test]
fn the_round_continues_after_an_error_in_a_stream() {
    let server = Server::start(|seen, stream| match seen.connection {
        0 => write(stream, HEAD) && chunk(stream, "data: {\"error\":{\"message\":\"gone\"}}\n\n"),
        _ => answer_successfully(stream),
    });
    let (_, records) = round(&mut client(&server.url, PATIENCE), 1, StopCondition::Requests(2));
    let failure = records[0].outcome.as_ref().unwrap_err();
    assert_eq!((failure.class, failure.detail.as_str()), (FailureClass::InStreamError, "gone"));
    assert_eq!(records[1].outcome, Ok(()));
}

#[test]
fn malformed_events_and_invalid_http_are_bad_payload() {
    let event = failure(PATIENCE, |stream| write(stream, HEAD) && chunk(stream, "data: {\"choices\": [\n\n"));
    assert_eq!(event.class, FailureClass::BadPayload);
    let http = failure(PATIENCE, |stream| write(stream, "220 smtp ready\r\n\r\n"));
    assert_eq!(http.class, FailureClass::BadPayload);
}

#[test]
fn a_complete_response_counts_even_if_its_connection_breaks() {
    // Closed without the last chunk, which would end the HTTP body.
    let server = Server::start(|_, stream| {
        let written = write(stream, HEAD) && chunk(stream, TOKEN) && chunk(stream, END);
        assert!(written);
        false
    });
    let (_, records) = round(&mut client(&server.url, PATIENCE), 1, StopCondition::Requests(2));
    assert!(records.iter().all(|record| record.outcome.is_ok()), "{records:?}");
}

#[test]
fn a_whole_response_is_one_chunk_at_its_end() {
    let server = Server::start(|_, stream| {
        let body = "{\"choices\":[{\"message\":{\"content\":\"a b\"},\"finish_reason\":\"length\"}]}";
        write(stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    });
    let workload = workload(false);
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let load = Load::closed(2, StopCondition::Requests(6));
    let mut records = Vec::new();
    client(&server.url, PATIENCE).run_round(&workload, &load, &mut sampler, watch, &mut records).unwrap();
    assert!(records.iter().all(|record| record.outcome.is_ok() && record.content_ns.len() == 1));
    assert_eq!(records[0].tokens_counted_by, TokenCount::Chunks);
}

#[test]
fn tokens_are_timestamped_when_they_arrive() {
    let server = Server::start(|_, stream| {
        write(stream, HEAD);
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(100));
            chunk(stream, TOKEN);
        }
        chunk(stream, END) && write(stream, "0\r\n\r\n")
    });
    let (_, records) = round(&mut client(&server.url, PATIENCE), 1, StopCondition::Requests(1));
    let record = &records[0];
    let gaps = [record.content_ns[0] - record.sent_ns, record.content_ns[2] - record.content_ns[0]];
    assert!(gaps[0] >= 100_000_000 && gaps[1] >= 190_000_000, "{gaps:?}");
    assert!(gaps[1] < 10 * gaps[0], "{gaps:?}");
}

fn round_of(client: &mut Client, load: &Load) -> (Round, Vec<RequestRecord>) {
    let workload = workload(true);
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let mut records = Vec::new();
    let round = client.run_round(&workload, load, &mut sampler, watch, &mut records).unwrap();
    (round, records)
}

#[test]
fn a_stall_of_a_second_at_50_per_s_shows_in_about_50_requests() {
    let begun = std::sync::OnceLock::new();
    let server = Server::start(move |_, stream| {
        let until = *begun.get_or_init(Instant::now) + Duration::from_secs(1);
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        answer_successfully(stream)
    });
    let load = Load::open(50.0, ArrivalProcess::Constant, StopCondition::DurationMs(1500));
    let (_, records) = round_of(&mut client(&server.url, PATIENCE), &load);
    let sent = records.iter().filter(|record| record.is_sent());
    let ttft_ms: Vec<u64> = sent.map(|record| (record.content_ns[0] - record.due_ns) / 1_000_000).collect();
    let stalled = ttft_ms.iter().filter(|ms| **ms > 100).count();
    // Those of the first 0.9 s, unless this machine was too busy to send them.
    let not_sent = records.len() - ttft_ms.len();
    assert_eq!(records.len(), 75);
    assert!(stalled + not_sent >= 44, "{stalled} of {ttft_ms:?} were stalled, {not_sent} not sent");
}

#[test]
fn an_open_load_sends_by_the_clock_and_never_early() {
    let server = Server::start(|_, stream| answer_successfully(stream));
    let load = Load::open(200.0, ArrivalProcess::Poisson, StopCondition::Requests(60));
    let (round, mut records) = round_of(&mut client(&server.url, PATIENCE), &load);
    let due: Vec<Nanos> =
        load.plan(PromptSampler::measured(&workload(true), "", 0).begin_round()).due.collect();
    records.sort_by_key(|record| record.due_ns);
    let found: Vec<Nanos> = records.iter().map(|record| record.due_ns - round.started_ns).collect();
    assert_eq!(found, due);
    assert!(records.iter().all(|record| record.sent_ns >= record.due_ns));
}

#[test]
fn open_load_connections_are_open_before_requests_are_due() {
    // Every connection carries one request.
    let server = Server::start(|_, stream| {
        answer_successfully(stream);
        false
    });
    let load = Load::open(20.0, ArrivalProcess::Constant, StopCondition::Requests(12));
    let (_, records) = round_of(&mut client(&server.url, PATIENCE), &load);
    assert!(records.iter().all(|record| record.outcome.is_ok()), "{records:?}");
    let (seen, accepted_ns) = (server.seen.lock().unwrap(), server.accepted_ns.lock().unwrap());
    let ahead = records.iter().filter(|record| {
        let seen = seen.iter().find(|seen| seen.headers["x-request-id"] == record.id).unwrap();
        accepted_ns[seen.connection as usize] < record.due_ns
    });
    // On a busy machine, the server itself may get to it late.
    assert!(ahead.count() > 6, "{records:?}");
}

#[test]
fn requests_beyond_max_in_flight_are_not_sent() {
    let server = Server::start(|_, stream| {
        std::thread::sleep(Duration::from_millis(300));
        answer_successfully(stream)
    });
    let load = at_most_in_flight(3, 100.0, StopCondition::Requests(20));
    let (_, records) = round_of(&mut client(&server.url, PATIENCE), &load);
    let sent = records.iter().filter(|record| record.is_sent()).count();
    assert_eq!(records.len(), 20);
    assert!(sent < 20 && sent == server.bodies().len(), "{sent} sent");
    let failures: Vec<&Failure> = records.iter().filter_map(|record| record.outcome.as_ref().err()).collect();
    assert!(failures.iter().all(|failure| failure.class == FailureClass::NoRoom), "{failures:?}");
}

#[test]
fn requests_go_out_however_close_their_times_are() {
    let server = Server::start(|_, stream| answer_successfully(stream));
    let load = at_most_in_flight(4, 100_000.0, StopCondition::DurationMs(300));
    let (_, records) = round_of(&mut client(&server.url, PATIENCE), &load);
    let sent = records.iter().filter(|record| record.is_sent()).count();
    assert!(sent > 4, "as many requests as connections, and then none");
}

#[test]
fn an_open_round_without_an_engine_ends_early() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let load = at_most_in_flight(2, 1000.0, StopCondition::Requests(600_000));
    let (_, records) = round_of(&mut client(&format!("http://{free}"), PATIENCE), &load);
    assert!(records.len() < 600_000);
}
