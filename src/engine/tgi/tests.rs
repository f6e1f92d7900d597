use serde_json::json;

use super::*;
use crate::load::workload::{Prompt, Sampling};
use crate::metrics::record::{FailureClass, Finish};

/// Modeled on TGI's API documentation.
const STREAM: &str = concat!(
    "data:{\"index\":1,\"token\":{\"id\":5,\"text\":\" gr\u{fc}n\",\"logprob\":-0.1,\"special\":false},\"generated_text\":null,\"details\":null}\n\n",
    ":\n\n",
    "data:{\"index\":2,\"token\":{\"id\":6,\"text\":\" b\",\"logprob\":-0.1,\"special\":false},\"generated_text\":null,\"details\":null}\n\n",
    "data:{\"index\":3,\"token\":{\"id\":2,\"text\":\"</s>\",\"logprob\":-0.1,\"special\":true},\"generated_text\":\" gr\u{fc}n b\",",
    "\"details\":{\"finish_reason\":\"eos_token\",\"generated_tokens\":3,\"seed\":null,\"input_length\":4}}\n\n",
);

fn read(pieces: &[&[u8]]) -> (Reply, Result<(), Failure>) {
    let mut reply = Reply::default();
    let mut outcome = Ok(());
    for (at, piece) in pieces.iter().enumerate() {
        outcome = outcome.and_then(|()| GenerateWire.read_piece(piece, at as Nanos, &mut reply));
    }
    outcome = outcome.and_then(|()| GenerateWire.read_end(pieces.len() as Nanos, &mut reply));
    (reply, outcome)
}

fn failure(stream: &str) -> Failure {
    read(&[stream.as_bytes()]).1.unwrap_err()
}

fn asked(stream: bool, sampling: Sampling) -> (&'static str, Value) {
    let prompt = Prompt::Text("a b".into());
    let ask = Ask {
        api: Api::Completions,
        stream,
        model: Some("m"),
        prompt: &prompt,
        output_tokens: 5,
        ignore_eos: true,
        sampling,
    };
    let request = GenerateWire.request(&ask);
    (request.path, serde_json::from_slice(&request.body).unwrap())
}

#[test]
fn special_tokens_do_not_count_as_content() {
    let (reply, outcome) = read(&[STREAM.as_bytes()]);
    assert_eq!(outcome, Ok(()));
    assert_eq!((reply.content_ns.len(), reply.input_tokens, reply.output_tokens), (2, Some(4), Some(3)));
    assert_eq!((reply.finish, reply.done), (Some(Finish::Stop), true));
}

#[test]
fn every_way_to_cut_the_stream_gives_the_same_reply() {
    let stream = STREAM.as_bytes();
    for cut in 0..stream.len() {
        let (reply, outcome) = read(&[&stream[..cut], &stream[cut..]]);
        assert_eq!(outcome, Ok(()), "cut at {cut}");
        assert_eq!((reply.content_ns.len(), reply.output_tokens), (2, Some(3)), "cut at {cut}");
    }
}

#[test]
fn an_error_event_fails_with_tgis_message() {
    let failure =
        failure("data:{\"error\":\"Request failed during generation\",\"error_type\":\"generation\"}\n\n");
    assert_eq!(failure.class, FailureClass::InStreamError);
    assert_eq!(failure.detail, "Request failed during generation");
}

#[test]
fn a_stream_without_its_last_event_is_broken() {
    let cut = STREAM.find("data:{\"index\":3").unwrap();
    assert_eq!(failure(&STREAM[..cut]).class, FailureClass::BrokenStream);
    assert_eq!(failure("data:{\"index\":\n\n").class, FailureClass::BadPayload);
}

#[test]
fn a_whole_response_has_its_times_in_headers() {
    let headers = |name: &str| match name {
        "x-total-time" => Some(120.0),
        "x-queue-time" => Some(7.0),
        "x-inference-time" => Some(112.0),
        "x-prompt-tokens" => Some(9.0),
        _ => None,
    };
    let body = br#"{"generated_text":" a b","details":{"finish_reason":"length","generated_tokens":2,"prefill":[],"tokens":[]}}"#;
    let mut reply = Reply::default();
    GenerateWire.read_headers(&headers, &mut reply);
    assert_eq!(GenerateWire.read_whole(body, 9, &mut reply), Ok(()));
    assert_eq!((reply.input_tokens, reply.output_tokens), (Some(9), Some(2)));
    assert_eq!((reply.content_ns, reply.finish), (vec![9], Some(Finish::Length)));
    let times = reply.server_times;
    assert_eq!(
        (times.queue_ms, times.inference_ms, times.e2e_ms),
        (Mean::of(7.0), Mean::of(112.0), Mean::of(120.0))
    );
}

#[test]
fn greedy_decoding_sends_no_temperature() {
    let with = |temperature| Sampling { temperature: Some(temperature), ..Sampling::default() };
    let (path, body) = asked(true, with(0.0));
    let expected =
        json!({"inputs": "a b", "parameters": {"max_new_tokens": 5, "details": true, "do_sample": false}});
    assert_eq!((path, body), ("/generate_stream", expected));
    let (path, body) = asked(false, with(1.0));
    assert_eq!((path, &body["parameters"]["temperature"]), ("/generate", &json!(1.0)));
    assert_eq!(body["parameters"]["do_sample"], true);
    assert_eq!(asked(true, Sampling::default()).1["parameters"].get("do_sample"), None);
}

#[test]
fn a_chat_goes_to_openais_route_without_ignore_eos() {
    let prompt = Prompt::Text("hi".into());
    let ask = Ask {
        api: Api::Chat,
        stream: true,
        model: Some("m"),
        prompt: &prompt,
        output_tokens: 5,
        ignore_eos: true,
        sampling: Sampling::default(),
    };
    let request = Tgi.wire(Api::Chat).request(&ask);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((request.path, body.get("ignore_eos")), ("/v1/chat/completions", None));
}

#[test]
fn the_identity_is_read_from_info() {
    let mut identity = Identity::default();
    let info =
        json!({"model_id": "org/m", "model_sha": "e9cf", "version": "3.3.5", "max_total_tokens": 4096});
    assert!((Tgi.probe().is_mine)(&info));
    Tgi.read_identity(INFO, &info, &mut identity);
    assert_eq!((identity.version.as_deref(), identity.model.as_deref()), (Some("3.3.5"), Some("org/m")));
    assert_eq!(identity.model_digest.as_deref(), Some("e9cf"));
}
