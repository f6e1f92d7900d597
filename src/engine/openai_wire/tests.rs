use serde_json::Value;

use super::*;
use crate::load::workload::{ChatMessage, Prompt};
use crate::metrics::record::{FailureClass, Finish};

const OPENAI: OpenaiWire = OpenaiWire { knows_ignore_eos: true };

const CHAT: &str = concat!(
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":null}]}\n\n",
    "data: {\"choices\":[{\"delta\":{\"content\":\" grüß\\n\\\"\"},\"finish_reason\":null}],\"extra\":{\"a\":[1]}}\n\n",
    "data: {\"choices\":[{\"delta\":{\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
    "data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":null}]}\n\n",
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}}\n\n",
    "data: [DONE]\n\n",
);

fn read(pieces: &[&[u8]]) -> (Reply, Result<(), Failure>) {
    let mut reply = Reply::default();
    let mut outcome = Ok(());
    for (at, piece) in pieces.iter().enumerate() {
        outcome = outcome.and_then(|()| OPENAI.read_piece(piece, at as Nanos, &mut reply));
    }
    outcome = outcome.and_then(|()| OPENAI.read_end(pieces.len() as Nanos, &mut reply));
    (reply, outcome)
}

fn read_str(stream: &str) -> (Reply, Result<(), Failure>) {
    read(&[stream.as_bytes()])
}

fn failure(stream: &str) -> Failure {
    read_str(stream).1.unwrap_err()
}

fn asked(api: Api, prompt: &Prompt) -> Ask<'_> {
    Ask {
        api,
        stream: true,
        model: Some("m"),
        prompt,
        output_tokens: 5,
        ignore_eos: true,
        sampling: Sampling { temperature: Some(0.0), ..Sampling::default() },
    }
}

fn ask(api: Api, prompt: &Prompt) -> Value {
    serde_json::from_slice(&OPENAI.request(&asked(api, prompt)).body).unwrap()
}

#[test]
fn only_chunks_with_content_count_and_tokens_come_from_usage() {
    let (reply, outcome) = read_str(CHAT);
    assert_eq!(outcome, Ok(()));
    assert_eq!(reply.content_ns.len(), 2);
    assert_eq!((reply.input_tokens, reply.output_tokens), (Some(7), Some(3)));
    assert_eq!(reply.finish, Some(Finish::Length));
    assert!(reply.done);
}

#[test]
fn every_way_to_cut_the_stream_gives_the_same_reply() {
    let stream = CHAT.as_bytes();
    for first in 0..stream.len() {
        let (reply, outcome) = read(&[&stream[..first], &stream[first..]]);
        assert_eq!(outcome, Ok(()));
        assert_eq!((reply.content_ns.len(), reply.output_tokens), (2, Some(3)), "cut at {first}");
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(read(&bytes).0.content_ns.len(), 2);
}

#[test]
fn an_event_is_dated_by_the_piece_that_completes_it() {
    let (head, tail) = CHAT.split_at(CHAT.find("grüß").unwrap());
    let (reply, _) = read(&[head.as_bytes(), tail.as_bytes()]);
    assert_eq!(reply.content_ns, [1, 1]);
}

#[test]
fn carriage_returns_comments_and_no_space_are_valid() {
    let stream =
        CHAT.replace("data: ", "data:").replace('\n', "\r\n").replace("data:[DONE]", ": ping\r\ndata:[DONE]");
    let (reply, outcome) = read_str(&stream);
    assert_eq!(outcome, Ok(()));
    assert_eq!((reply.content_ns.len(), reply.output_tokens), (2, Some(3)));
}

#[test]
fn reasoning_and_tool_calls_are_output_too() {
    for delta in [
        r#"{"reasoning":"a"}"#,
        r#"{"reasoning_content":"a","content":null}"#,
        r#"{"tool_calls":[{"function":{"arguments":"{"}}]}"#,
    ] {
        let (reply, _) = read_str(&format!("data: {{\"choices\":[{{\"delta\":{delta}}}]}}\n\n"));
        assert_eq!(reply.content_ns.len(), 1, "{delta}");
    }
    let (reply, _) = read_str("data: {\"choices\":[{\"delta\":{\"tool_calls\":[],\"reasoning\":null}}]}\n\n");
    assert_eq!(reply.content_ns.len(), 0);
}

#[test]
fn completions_use_text_and_the_last_nonzero_usage() {
    let stream = concat!(
        "data: {\"choices\":[{\"text\":\"a\",\"finish_reason\":null}],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":1}}\n\n",
        "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2}}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}}\n\ndata: [DONE]\n\n",
    );
    let (reply, outcome) = read_str(stream);
    assert_eq!(outcome, Ok(()));
    assert_eq!((reply.content_ns.len(), reply.input_tokens, reply.output_tokens), (1, Some(4), Some(2)));
    assert_eq!(reply.finish, Some(Finish::Stop));
}

#[test]
fn an_engines_own_timings_are_kept() {
    let stream = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"length\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":26,\"completion_tokens\":12},",
        "\"timings\":{\"cache_n\":0,\"prompt_n\":26,\"prompt_ms\":584.0,\"predicted_n\":12,\"predicted_ms\":1546.5}}\n\n",
        "data: [DONE]\n\n",
    );
    let (reply, _) = read_str(stream);
    let times = reply.server_times;
    assert_eq!((times.prefill_ms, times.decode_ms), (Mean::of(584.0), Mean::of(1546.5)));
    assert!(times.e2e_ms.is_empty());
}

#[test]
fn an_error_in_the_stream_fails_with_its_message() {
    let failure = failure("data: {\"error\":{\"message\":\"KV cache is full\",\"code\":500}}\n\n");
    assert_eq!(failure.class, FailureClass::InStreamError);
    assert_eq!(failure.detail, "KV cache is full");
}

#[test]
fn an_error_object_instead_of_a_stream_is_recognized() {
    let failure = failure("{\"error\":\"model is loading\"}");
    assert_eq!((failure.class, failure.detail.as_str()), (FailureClass::InStreamError, "model is loading"));
}

#[test]
fn a_stream_without_an_end_is_broken() {
    let failure = failure("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n");
    assert_eq!(failure.class, FailureClass::BrokenStream);
    assert_eq!(failure.detail, "the response ended early, after 1 content chunks");
}

#[test]
fn a_finish_reason_ends_a_stream_as_well_as_done() {
    let (_, outcome) =
        read_str("data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}");
    assert_eq!(outcome, Ok(()));
}

#[test]
fn a_response_without_content_fails() {
    let failure =
        failure("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
    assert_eq!(failure.class, FailureClass::BadPayload);
}

#[test]
fn malformed_json_is_reported_and_shown() {
    let failure = failure("data: {\"choices\":[{\"delta\":\n\n");
    assert_eq!(failure.class, FailureClass::BadPayload);
    assert!(failure.detail.contains("found `{\"choices\":[{\"delta\":`"), "{}", failure.detail);
}

#[test]
fn a_response_without_streaming_is_one_chunk() {
    let body = br#"{"choices":[{"message":{"role":"assistant","content":"a b"},"finish_reason":"length"}],
        "usage":{"prompt_tokens":2,"completion_tokens":12}}"#;
    let mut reply = Reply::default();
    assert_eq!(OPENAI.read_whole(body, 9, &mut reply), Ok(()));
    assert_eq!((reply.content_ns, reply.output_tokens), (vec![9], Some(12)));
}

#[test]
fn the_request_asks_for_usage_and_a_fixed_length() {
    let body = ask(Api::Chat, &Prompt::Text("hi".into()));
    let expected = serde_json::json!({
        "model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, "stream": true,
        "stream_options": {"include_usage": true}, "ignore_eos": true, "temperature": 0.0,
    });
    assert_eq!(body, expected);
}

#[test]
fn completions_take_messages_as_one_text() {
    let message = |content: &str| ChatMessage { role: "user".into(), content: content.into() };
    let body = ask(Api::Completions, &Prompt::Messages(vec![message("a"), message("b")]));
    assert_eq!(body["prompt"], "a\nb");
    assert_eq!(body.get("messages"), None);
}

#[test]
fn ignore_eos_is_sent_only_to_engines_that_support_it() {
    let prompt = Prompt::Text("hi".into());
    let wire = OpenaiWire { knows_ignore_eos: false };
    let body: Value = serde_json::from_slice(&wire.request(&asked(Api::Chat, &prompt)).body).unwrap();
    assert_eq!(body.get("ignore_eos"), None);
}
