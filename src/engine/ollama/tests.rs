use super::*;
use crate::load::workload::{ChatMessage, Prompt};
use crate::metrics::record::{FailureClass, Finish};

/// Modeled on a real response.
const CHAT_STREAM: &str = concat!(
    "{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}\n",
    "{\"model\": \"m\", \"message\": {\"role\": \"assistant\", \"content\": \" gr\u{fc}\u{df} \\\"dich\\\"\"}, \"done\": false}\n",
    "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"length\",",
    "\"total_duration\":500000000,\"load_duration\":20000000,\"prompt_eval_count\":7,\"prompt_eval_duration\":80000000,",
    "\"eval_count\":3,\"eval_duration\":300000000}\n",
);

fn read(pieces: &[&[u8]]) -> (Reply, Result<(), Failure>) {
    let mut reply = Reply::default();
    let mut outcome = Ok(());
    for (at, piece) in pieces.iter().enumerate() {
        outcome = outcome.and_then(|()| OllamaWire.read_piece(piece, at as Nanos, &mut reply));
    }
    outcome = outcome.and_then(|()| OllamaWire.read_end(pieces.len() as Nanos, &mut reply));
    (reply, outcome)
}

fn failure(stream: &str) -> Failure {
    read(&[stream.as_bytes()]).1.unwrap_err()
}

fn asked(api: Api, prompt: &Prompt) -> (&'static str, Value) {
    let sampling = Sampling { temperature: Some(0.0), top_k: Some(5), ..Sampling::default() };
    let ask =
        Ask { api, stream: true, model: Some("m"), prompt, output_tokens: 5, ignore_eos: true, sampling };
    let request = OllamaWire.request(&ask);
    (request.path, serde_json::from_slice(&request.body).unwrap())
}

#[test]
fn the_last_record_holds_counts_and_times() {
    let (reply, outcome) = read(&[CHAT_STREAM.as_bytes()]);
    assert_eq!(outcome, Ok(()));
    assert_eq!(reply.content_ns.len(), 2, "thinking counts as output, an empty record does not");
    assert_eq!(
        (reply.input_tokens, reply.output_tokens, reply.finish),
        (Some(7), Some(3), Some(Finish::Length))
    );
    let times = reply.server_times;
    assert_eq!(
        (times.load_ms, times.prefill_ms, times.decode_ms),
        (Mean::of(20.0), Mean::of(80.0), Mean::of(300.0))
    );
    assert_eq!((times.e2e_ms, times.queue_ms), (Mean::of(500.0), Mean::of(100.0)));
}

#[test]
fn every_way_to_cut_the_stream_gives_the_same_reply() {
    let stream = CHAT_STREAM.as_bytes();
    for cut in 0..stream.len() {
        let (reply, outcome) = read(&[&stream[..cut], &stream[cut..]]);
        assert_eq!(outcome, Ok(()), "cut at {cut}");
        assert_eq!((reply.content_ns.len(), reply.output_tokens), (2, Some(3)), "cut at {cut}");
    }
    // The last line feed may be missing.
    assert_eq!(read(&[CHAT_STREAM.trim_end().as_bytes()]).1, Ok(()));
}

#[test]
fn generate_has_a_response_field_and_omits_zeros() {
    let stream =
        "{\"response\":\"a\",\"done\":false}\n{\"response\":\"\",\"done\":true,\"done_reason\":\"stop\"}\n";
    let (reply, outcome) = read(&[stream.as_bytes()]);
    assert_eq!(outcome, Ok(()));
    assert_eq!((reply.content_ns.len(), reply.finish), (1, Some(Finish::Stop)));
    assert_eq!((reply.input_tokens, reply.output_tokens), (None, None));
    assert_eq!(reply.server_times, Default::default());
}

#[test]
fn a_response_without_streaming_is_one_record() {
    let body = br#"{"message":{"role":"assistant","content":"a b"},"done":true,"done_reason":"stop","eval_count":2}"#;
    let mut reply = Reply::default();
    assert_eq!(OllamaWire.read_whole(body, 9, &mut reply), Ok(()));
    assert_eq!((reply.content_ns, reply.output_tokens), (vec![9], Some(2)));
}

#[test]
fn a_mid_stream_error_fails_with_ollamas_message() {
    let failure = failure("{\"response\":\"a\",\"done\":false}\n{\"error\":\"an error was encountered\"}\n");
    assert_eq!(
        (failure.class, failure.detail.as_str()),
        (FailureClass::InStreamError, "an error was encountered")
    );
}

#[test]
fn a_stream_that_ends_before_its_last_record_is_broken() {
    assert_eq!(failure("{\"response\":\"a\",\"done\":false}\n").class, FailureClass::BrokenStream);
    assert_eq!(failure("{\"response\":\"a\",\"do").class, FailureClass::BadPayload);
    assert_eq!(failure("<html>\n").class, FailureClass::BadPayload);
}

#[test]
fn a_chat_requests_a_capped_length() {
    let (path, body) = asked(Api::Chat, &Prompt::Text("hi".into()));
    let expected = json!({
        "model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": true, "keep_alive": "10m",
        "options": {"num_predict": 5, "temperature": 0.0, "top_k": 5},
    });
    assert_eq!((path, body), (CHAT, expected));
}

#[test]
fn completions_go_to_generate_without_the_models_template() {
    let message = |content: &str| ChatMessage { role: "user".into(), content: content.into() };
    let (path, body) = asked(Api::Completions, &Prompt::Messages(vec![message("a"), message("b")]));
    assert_eq!((path, &body["prompt"], &body["raw"]), (GENERATE, &json!("a\nb"), &json!(true)));
}

fn identity(model: Option<&str>, tags: &Value) -> Identity {
    let mut identity = Identity { model: model.map(str::to_owned), ..Identity::default() };
    Ollama.read_identity(VERSION, &json!({"version": "0.12.0"}), &mut identity);
    Ollama.read_identity(PS, &json!({"models": []}), &mut identity);
    Ollama.read_identity(TAGS, tags, &mut identity);
    identity
}

#[test]
fn the_digest_belongs_to_the_requested_model() {
    let tags = json!({"models": [{"name": "a:latest", "digest": "d1"}, {"name": "b:1b", "digest": "d2"}]});
    let asked = |model| identity(Some(model), &tags).model_digest;
    assert_eq!(
        [asked("a"), asked("a:latest"), asked("b:1b"), asked("b")],
        [Some("d1".into()), Some("d1".into()), Some("d2".into()), None]
    );
    assert_eq!(identity(None, &tags).model, None, "ambiguous if there are several");
    let one = json!({"models": [{"name": "a:latest", "digest": "d1"}]});
    let found = identity(None, &one);
    assert_eq!((found.model.as_deref(), found.model_digest.as_deref()), (Some("a:latest"), Some("d1")));
    assert_eq!(found.version.as_deref(), Some("0.12.0"));
}

#[test]
fn only_a_missing_model_is_pulled() {
    let setup_calls = |digest: Option<&str>| -> Vec<String> {
        let model_digest = digest.map(str::to_owned);
        let identity = Identity { model: Some("m".into()), model_digest, ..Identity::default() };
        Ollama.setup_calls(&identity).into_iter().map(|call| call.what).collect()
    };
    assert_eq!(setup_calls(None), ["pulling m", "unloading m", "loading m"]);
    assert_eq!(setup_calls(Some("d")), ["unloading m", "loading m"]);
    assert!(Ollama.setup_calls(&Identity::default()).is_empty());
}
