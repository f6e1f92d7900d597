//! What HTTP/2 allows a server to do, and what it doesn't.

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;

use super::frames::{
    END_HEADERS, END_STREAM, FrameServer, HEADERS, PING, ReceivedFrame, data, frame, go_away, last_data,
    reset, send, status,
};
use super::http::{assert_all_succeeded, gist};
use super::server::answer_json;
use super::*;
use crate::engine::HttpVersion;
use crate::text::secret::Secret;

pub(crate) fn client(url: &str, request_timeout: Duration) -> Client {
    let access = Access { http_version: HttpVersion::Http2, ..Access::to(url) };
    let (engine, model) = (EngineKind::OPENAI, Some("m".to_owned()));
    Client::new(ClientSettings { access, engine, model, request_timeout }).unwrap()
}

fn answer(asked: &ReceivedFrame) -> Vec<Vec<u8>> {
    let on = asked.stream;
    vec![status(on, 200), data(on, TOKEN), data(on, TOKEN), last_data(on, END)]
}

pub(crate) fn answer_successfully(asked: &ReceivedFrame, stream: &mut dyn Write) -> bool {
    send(stream, &answer(asked))
}

fn round_with(server: &FrameServer, users: u32, requests: u32) -> Vec<RequestRecord> {
    round(&mut client(&server.url, PATIENCE), users, StopCondition::Requests(requests)).1
}

/// The failure of a single request against a server.
fn failure(
    request_timeout: Duration,
    answer: impl Fn(&ReceivedFrame, &mut dyn Write) -> bool + Send + Sync + 'static,
) -> Failure {
    let server = FrameServer::start(answer);
    let (_, mut records) = round(&mut client(&server.url, request_timeout), 1, StopCondition::Requests(1));
    records.remove(0).outcome.unwrap_err()
}

fn reconnects(records: &[RequestRecord]) -> Vec<u32> {
    records.iter().map(|record| record.reconnects).collect()
}

fn connections(server: &FrameServer) -> Vec<u32> {
    server.asked.lock().unwrap().iter().map(|asked| asked.connection).collect()
}

#[test]
fn every_user_keeps_one_connection_with_one_stream_at_a_time() {
    let server = FrameServer::start(answer_successfully);
    let records = round_with(&server, 3, 30);
    assert_all_succeeded(&records);
    assert!(records.iter().all(|record| record.sent_ns < record.content_ns[0]));
    assert_eq!(connections(&server).into_iter().collect::<HashSet<_>>(), [0, 1, 2].into());
    let asked = server.asked.lock().unwrap();
    assert!(asked.iter().all(|asked| asked.stream == 2 * asked.before + 1), "{asked:?}");
}

#[test]
fn every_way_to_cut_a_response_gives_the_http_1_1_record() {
    let elaborate = |asked: &ReceivedFrame| {
        let (on, (first, second)) = (asked.stream, TOKEN.split_at(20));
        let trailer = frame(HEADERS, END_HEADERS | END_STREAM, on, b"\x00\x01x\x011");
        let tokens = [first, second, ": ping\n\n", TOKEN, END].map(|text| data(on, text)).concat();
        [status(on, 103), frame(PING, 0, 0, &[7; 8]), status(on, 200), tokens, trailer].concat()
    };
    let cuts = elaborate(&ReceivedFrame { connection: 0, before: 0, stream: 1, has_body: true }).len() as u32;
    let server = FrameServer::start(move |asked, stream| {
        let answer = elaborate(asked);
        let (head, tail) = answer.split_at(asked.before as usize);
        let written = stream.write_all(head).is_ok();
        // Lets the client read in between; if it doesn't get to, nothing is lost.
        std::thread::sleep(Duration::from_micros(200));
        written && stream.write_all(tail).is_ok()
    });
    let records = round_with(&server, 1, cuts);
    assert_all_succeeded(&records);
    assert_eq!(reconnects(&records), vec![0; cuts as usize]);
    let plain = Server::start(|_, stream| super::answer_successfully(stream));
    let (_, of_http_1_1) = round(&mut super::client(&plain.url, PATIENCE), 1, StopCondition::Requests(1));
    assert_eq!(gist(&records[0]), gist(&of_http_1_1[0]));
}

#[test]
fn tokens_are_dated_when_they_arrive() {
    let server = FrameServer::start(|asked, stream| {
        let parts = answer(asked);
        parts.iter().all(|part| {
            std::thread::sleep(Duration::from_millis(100));
            stream.write_all(part).is_ok()
        })
    });
    let record = round_with(&server, 1, 1).remove(0);
    let gaps = [record.content_ns[0] - record.sent_ns, record.content_ns[1] - record.content_ns[0]];
    assert!(gaps[0] >= 200_000_000 && gaps[1] >= 95_000_000 && gaps[1] < 10 * gaps[0], "{gaps:?}");
    assert!(record.end_ns - record.content_ns[1] >= 95_000_000);
}

#[test]
fn a_prompt_may_exceed_the_servers_window() {
    let server = FrameServer::start(answer_successfully);
    let workload = Workload::synthetic(50_000, 3);
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let load = Load::closed(1, StopCondition::Requests(3));
    let mut records = Vec::new();
    client(&server.url, PATIENCE).run_round(&workload, &load, &mut sampler, watch, &mut records).unwrap();
    assert_all_succeeded(&records);
}

/// What a server built with a library has seen of a request: its authority and headers.
type SeenRequests = Arc<Mutex<Vec<(String, HeaderMap)>>>;

fn start_library_server() -> (String, SeenRequests) {
    let seen = SeenRequests::default();
    let log = seen.clone();
    let answer = move |request: axum::extract::Request| async move {
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        log.lock().unwrap().push((authority, request.headers().clone()));
        [TOKEN, TOKEN, END].concat()
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        runtime().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, axum::Router::new().fallback(answer)).await
        })
    });
    (url, seen)
}

#[test]
fn every_request_has_key_headers_and_host() {
    let (url, seen) = start_library_server();
    let access = Access {
        api_key: Some(Secret::new("k")),
        headers: [("X-Team".to_owned(), Secret::new("perf")), ("Host".to_owned(), Secret::new("llm.local"))]
            .into(),
        http_version: HttpVersion::Http2,
        ..Access::to(&url)
    };
    let (engine, model) = (EngineKind::OPENAI, Some("m".to_owned()));
    let mut client =
        Client::new(ClientSettings { access, engine, model, request_timeout: PATIENCE }).unwrap();
    let (_, records) = round(&mut client, 1, StopCondition::Requests(2));
    assert_all_succeeded(&records);
    let seen = seen.lock().unwrap();
    for ((authority, headers), record) in seen.iter().zip(&records) {
        assert_eq!(authority, "llm.local");
        assert_eq!(
            ["authorization", "x-team", "x-request-id", "content-type"]
                .map(|name| headers[name].to_str().unwrap()),
            ["Bearer k", "perf", record.id.as_str(), "application/json"]
        );
    }
}

#[test]
fn headers_invalid_in_http_2_are_rejected() {
    let refused = |name: &str, value: &str| {
        let headers = [(name.to_owned(), Secret::new(value))].into();
        let access = Access { headers, http_version: HttpVersion::Http2, ..Access::to("http://127.0.0.1:1") };
        detect(&access).unwrap_err().to_string()
    };
    assert!(
        refused("Connection", "close").starts_with("header `connection` controls an HTTP/1.1 connection")
    );
    assert_eq!(refused("Host", "a b"), "the value of header `host` is not a host");
}

#[test]
fn a_whole_response_may_exceed_the_window() {
    const PART: usize = 16 << 10;
    let filler = format!("{{\"choices\":[{{\"message\":{{\"content\":\"{}", "a".repeat(PART));
    let server = FrameServer::start(move |asked, stream| {
        let on = asked.stream;
        let mut sent = send(stream, &[status(on, 200), data(on, &filler[..PART]), data(on, &filler[PART..])]);
        // A server needs a window update beyond 16 MiB; this one knows that it comes in time.
        for _ in 0..1100 {
            sent &= send(stream, &[data(on, &filler[filler.len() - PART..])]);
        }
        sent && send(stream, &[last_data(on, "\"},\"finish_reason\":\"length\"}]}")])
    });
    let workload = workload(false);
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let load = Load::closed(1, StopCondition::Requests(1));
    let mut records = Vec::new();
    client(&server.url, PATIENCE).run_round(&workload, &load, &mut sampler, watch, &mut records).unwrap();
    for record in records {
        assert_eq!((record.content_ns.len(), record.outcome), (1, Ok(())));
    }
}

#[test]
fn a_stream_reset_within_a_response_is_broken() {
    let failure = failure(PATIENCE, |asked, stream| {
        let on = asked.stream;
        send(stream, &[status(on, 200), data(on, TOKEN), reset(on, h2::Reason::INTERNAL_ERROR)])
    });
    assert_eq!(failure.class, FailureClass::BrokenStream);
    assert!(
        failure.detail.starts_with("the response broke off after 1 content chunks: stream error"),
        "{failure}"
    );
}

#[test]
fn a_connection_closed_within_a_response_is_broken() {
    let failure = failure(PATIENCE, |asked, stream| {
        send(stream, &[status(asked.stream, 200), data(asked.stream, TOKEN)]);
        false
    });
    assert_eq!(failure.class, FailureClass::BrokenStream);
    assert_eq!(failure.detail, "the response broke off after 1 content chunks: the connection was closed");
}

#[test]
fn invalid_frames_are_bad_payload() {
    let failure = failure(PATIENCE, |asked, stream| {
        send(stream, &[status(asked.stream, 200), data(asked.stream, TOKEN), data(0, TOKEN)])
    });
    assert_eq!(failure.class, FailureClass::BadPayload);
    assert!(failure.detail.ends_with(", after 1 content chunks"), "{failure}");
}

#[test]
fn another_status_fails_with_the_engines_message() {
    let failure = failure(PATIENCE, |asked, stream| {
        let body = r#"{"error":{"message":"slow down"}}"#;
        send(stream, &[status(asked.stream, 429), last_data(asked.stream, body)])
    });
    assert_eq!((failure.class, failure.detail.as_str()), (FailureClass::HttpStatus, "HTTP 429: slow down"));
}

#[test]
fn a_stall_is_a_timeout_that_reports_its_progress() {
    let failure = failure(Duration::from_millis(300), |asked, stream| {
        send(stream, &[status(asked.stream, 200), data(asked.stream, TOKEN)]);
        std::thread::sleep(PATIENCE);
        false
    });
    assert_eq!(failure.class, FailureClass::Timeout);
    assert_eq!(failure.detail, "incomplete after 300ms, with 1 content chunks");
}

#[test]
fn a_request_the_server_did_not_take_is_resent() {
    type Refuse = fn(&ReceivedFrame, &mut dyn Write) -> bool;
    let ways: [Refuse; 3] = [
        |asked, stream| send(stream, &[reset(asked.stream, h2::Reason::REFUSED_STREAM)]),
        |asked, stream| send(stream, &[go_away(asked.stream - 2)]),
        |_, _| false,
    ];
    for refuse in ways {
        let server = FrameServer::start(move |asked, stream| match asked.before {
            0 => answer_successfully(asked, stream),
            _ => refuse(asked, stream),
        });
        let records = round_with(&server, 1, 3);
        assert_all_succeeded(&records);
        assert_eq!(reconnects(&records), [0, 1, 1]);
        assert_eq!(connections(&server), [0, 0, 1, 1, 2]);
    }
}

#[test]
fn a_request_the_server_may_have_taken_is_not_resent() {
    type Break = fn(&ReceivedFrame, &mut dyn Write) -> bool;
    let ways: [Break; 3] = [
        |asked, stream| {
            send(stream, &[go_away(asked.stream)]);
            false
        },
        |_, stream| {
            send(stream, &[frame(PING, 0, 0, &[7; 8])]);
            false
        },
        |asked, stream| send(stream, &[reset(asked.stream, h2::Reason::CANCEL)]),
    ];
    for break_off in ways {
        let server = FrameServer::start(move |asked, stream| match asked.before {
            0 => answer_successfully(asked, stream),
            _ => break_off(asked, stream),
        });
        let records = round_with(&server, 1, 2);
        let failure = records[1].outcome.as_ref().unwrap_err();
        assert_eq!(failure.class, FailureClass::BrokenStream);
        assert!(failure.detail.starts_with("the response broke off before it began"), "{failure}");
        assert_eq!((reconnects(&records), connections(&server)), (vec![0, 0], vec![0, 0]));
    }
}

#[test]
fn a_refusal_on_a_new_connection_is_an_engine_failure() {
    let failure =
        failure(PATIENCE, |asked, stream| send(stream, &[reset(asked.stream, h2::Reason::REFUSED_STREAM)]));
    assert_eq!(failure.class, FailureClass::BrokenStream);
    assert!(failure.detail.starts_with("the response broke off before it began"), "{failure}");
}

#[test]
fn after_a_go_away_the_next_request_uses_a_new_connection() {
    let server = FrameServer::start(|asked, stream| {
        let mut frames = answer(asked);
        // It arrived before the end of the response, so the client knows.
        frames.insert(2, go_away(asked.stream));
        send(stream, &frames)
    });
    let records = round_with(&server, 1, 3);
    assert_all_succeeded(&records);
    assert_eq!((reconnects(&records), connections(&server)), (vec![0; 3], vec![0, 1, 2]));
}

#[test]
fn an_error_names_another_http_version() {
    let speaks_http_1_1 = Server::start(|_, stream| {
        answer_json(stream, 400, "what?");
        false
    });
    let closes = Server::start(|_, _| false);
    for server in [speaks_http_1_1, closes] {
        let mut client = client(&server.url, PATIENCE);
        let (_, records) = round(&mut client, 1, StopCondition::Requests(1));
        let failure = records[0].outcome.as_ref().unwrap_err();
        assert_eq!(failure.class, FailureClass::Connect);
        for error in [&failure.detail, &client.identity().unwrap_err().to_string()] {
            assert!(error.contains("no HTTP/2 connection to 127.0.0.1"), "{error}");
            assert!(error.contains("does not speak HTTP/2 there: set `http_version = \"1.1\"`"), "{error}");
        }
    }
}
