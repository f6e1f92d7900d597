//! Answers that are odd, over every engine's wire.

use proptest::prelude::*;

use crate::engine::{EngineKind, Reply, Wire};
use crate::load::workload::Api;
use crate::metrics::record::Failure;

const OPENAI_TOKEN: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n";
const TGI_TOKEN: &str = "data:{\"token\":{\"text\":\"a\",\"special\":false},\"generated_text\":null}\n\n";
const OLLAMA_TOKEN: &str = "{\"message\":{\"content\":\"a\"},\"done\":false}\n";

fn wire(engine: &str) -> &'static dyn Wire {
    let api = if engine == "tgi" { Api::Completions } else { Api::Chat };
    EngineKind::named(engine).unwrap().wire(api)
}

fn read(engine: &str, pieces: &[&[u8]]) -> (Reply, Result<(), Failure>) {
    let (wire, mut reply) = (wire(engine), Reply::default());
    let mut outcome = Ok(());
    for piece in pieces {
        outcome = outcome.and_then(|()| wire.read_piece(piece, 1, &mut reply));
    }
    outcome = outcome.and_then(|()| wire.read_end(2, &mut reply));
    (reply, outcome)
}

/// The class and the words of the failure of a stream, or "ok".
fn streamed(engine: &str, stream: &str) -> (&'static str, String) {
    failure_text(read(engine, &[stream.as_bytes()]).1)
}

fn whole(engine: &str, body: &str) -> (&'static str, String) {
    failure_text(wire(engine).read_whole(body.as_bytes(), 1, &mut Reply::default()))
}

fn failure_text(outcome: Result<(), Failure>) -> (&'static str, String) {
    outcome.map_or_else(|failure| (failure.class.name(), failure.detail), |()| ("ok", String::new()))
}

fn finished(reason: &str) -> String {
    format!("{OPENAI_TOKEN}data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":{reason}}}]}}\n\n")
}

/// A failed stream's class, whether or not `[DONE]` follows.
fn openai_failure(stream: &str) -> (&'static str, String) {
    let [alone, done] = ["", "data: [DONE]\n\n"].map(|end| streamed("openai", &format!("{stream}{end}")));
    assert_eq!(alone, done, "{stream}");
    alone
}

#[test]
fn an_ending_that_is_not_known_to_be_good_fails() {
    for word in ["abort", "error", "content_filter", "insufficient_system_resource"] {
        let (class, detail) = openai_failure(&finished(&format!("\"{word}\"")));
        assert_eq!((class, detail.contains(word)), ("engine_aborted", true), "{word}: {detail}");
        let body = format!(r#"{{"choices":[{{"message":{{"content":"a"}},"finish_reason":"{word}"}}]}}"#);
        assert_eq!(whole("openai", &body).0, "engine_aborted");
        let last = format!("{{\"done\":true,\"done_reason\":\"{word}\"}}\n");
        assert_eq!(streamed("ollama", &format!("{OLLAMA_TOKEN}{last}")).0, "engine_aborted");
        let last =
            format!("data:{{\"generated_text\":\"a\",\"details\":{{\"finish_reason\":\"{word}\"}}}}\n\n");
        assert_eq!(streamed("tgi", &format!("{TGI_TOKEN}{last}")).0, "engine_aborted");
        let body = format!(r#"{{"generated_text":"a","details":{{"finish_reason":"{word}"}}}}"#);
        assert_eq!(whole("tgi", &body).0, "engine_aborted");
    }
}

#[test]
fn an_abort_outweighs_every_other_ending() {
    let good = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    assert_eq!(openai_failure(&format!("{}{good}", finished("\"abort\""))).0, "engine_aborted");
    let both = r#"{"choices":[{"text":"a","finish_reason":"stop"},{"text":"a","finish_reason":"abort"}]}"#;
    assert_eq!(whole("openai", both).0, "engine_aborted");
}

#[test]
fn an_empty_finish_reason_is_no_end() {
    for reason in ["\"\"", "\"null\"", "null"] {
        let stream = finished(reason);
        assert_eq!(streamed("openai", &stream).0, "broken_stream", "{reason}");
        assert_eq!(streamed("openai", &format!("{stream}data: [DONE]\n\n")).0, "ok", "{reason}");
    }
    let each = OPENAI_TOKEN.replace("null", "\"\"");
    assert_eq!(streamed("openai", &each.repeat(5)).0, "broken_stream");
}

/// Each has the words `no memory`.
const ERRORS: [&str; 12] = [
    "data: {\"error\":\"no memory\"}\n\n",
    "data: {\"error\":{\"message\":\"no memory\",\"code\":500}}\n\n",
    "data: {\"object\":\"error\",\"message\":\"no memory\",\"code\":40303}\n\n",
    "data: {\"detail\":\"no memory\"}\n\n",
    "data: {\"detail\":[{\"loc\":[\"body\"],\"msg\":\"no memory\"}]}\n\n",
    "data: [{\"error\":{\"message\":\"no memory\"}}]\n\n",
    "data: {\"type\":\"error\",\"message\":\"no memory\"}\n\n",
    "event: error\ndata: {\"message\":\"no memory\"}\n\n",
    "event:error\ndata: no memory\n\n",
    "error: {\"message\":\"no memory\"}\n\n",
    "{\"detail\":\"no memory\"}\n",
    "data: {\"error\":\ndata: \"no memory\"}\n\n",
];

#[test]
fn an_error_in_any_form_fails_in_the_servers_words() {
    let in_stream = ("in_stream_error", "no memory".to_owned());
    for error in ERRORS {
        assert_eq!(openai_failure(error), in_stream, "{error}");
        assert_eq!(openai_failure(&format!("{OPENAI_TOKEN}{error}")), in_stream, "{error}");
        assert_eq!(openai_failure(&format!("{error}{}", finished("\"stop\""))), in_stream, "{error}");
        assert_eq!(streamed("tgi", &format!("{TGI_TOKEN}{error}")), in_stream, "{error}");
    }
    for choice in [
        r#"{"delta":{"content":""},"finish_reason":"error","error":{"message":"no memory"}}"#,
        r#"{"delta":{"content":"a"},"error":"no memory"}"#,
    ] {
        assert_eq!(openai_failure(&format!("data: {{\"choices\":[{choice}]}}\n\n")), in_stream, "{choice}");
    }
}

#[test]
fn an_error_instead_of_a_whole_answer_fails_in_words() {
    let bodies =
        ERRORS.iter().filter_map(|error| error.strip_prefix("data: ").filter(|_| !error.contains("\ndata")));
    for body in bodies {
        for engine in ["openai", "ollama", "tgi"] {
            assert_eq!(whole(engine, body), ("in_stream_error", "no memory".to_owned()), "{engine}: {body}");
        }
        let stream = format!("{OLLAMA_TOKEN}{body}");
        assert_eq!(streamed("ollama", &stream), ("in_stream_error", "no memory".to_owned()), "{body}");
    }
}

#[test]
fn an_error_of_nothing_is_none() {
    for error in ["null", "0", "false", "\"\"", "{}", "[]"] {
        let stream = OPENAI_TOKEN.replace("{\"choices\"", &format!("{{\"error\":{error},\"choices\""));
        assert_eq!(streamed("openai", &format!("{stream}data: [DONE]\n\n")).0, "ok", "{error}");
        let body = format!(r#"{{"error":{error},"message":{{"content":"a"}},"done":true}}"#);
        assert_eq!(whole("ollama", &body).0, "ok", "{error}");
        let body = format!(r#"{{"error":{error},"generated_text":"a"}}"#);
        assert_eq!(whole("tgi", &body).0, "ok", "{error}");
    }
}

#[test]
fn odd_counts_are_ignored_and_the_answer_counts() {
    for (tokens, expected) in [
        ("8.0", Some(8)),
        ("-35", None),
        ("\"8\"", None),
        ("100000000000", None),
        ("8.5", None),
        ("[8]", None),
        ("{}", None),
    ] {
        let usage = format!("\"usage\":{{\"completion_tokens\":{tokens},\"prompt_tokens\":{tokens}}}");
        let stream = format!("{OPENAI_TOKEN}data: {{\"choices\":[],{usage}}}\n\ndata: [DONE]\n\n");
        let (reply, outcome) = read("openai", &[stream.as_bytes()]);
        assert_eq!(
            (outcome, reply.output_tokens, reply.input_tokens),
            (Ok(()), expected, expected),
            "{tokens}"
        );
        let last = format!("{{\"done\":true,\"eval_count\":{tokens},\"eval_duration\":{tokens}}}\n");
        let (reply, outcome) = read("ollama", &[OLLAMA_TOKEN.as_bytes(), last.as_bytes()]);
        assert_eq!((outcome, reply.output_tokens), (Ok(()), expected), "{tokens}");
        let last =
            format!("data:{{\"generated_text\":\"\",\"details\":{{\"generated_tokens\":{tokens}}}}}\n\n");
        let (reply, outcome) = read("tgi", &[TGI_TOKEN.as_bytes(), last.as_bytes()]);
        assert_eq!((outcome, reply.output_tokens), (Ok(()), expected), "{tokens}");
    }
    for usage in ["5", "\"none\"", "[]", "false"] {
        let stream = format!("{OPENAI_TOKEN}data: {{\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n");
        assert_eq!(streamed("openai", &stream).0, "ok", "{usage}");
    }
}

/// What a server may send between two events.
const KEEP_ALIVES: [&str; 15] = [
    ": ping\n\n",
    ":\n",
    "data: null\n\n",
    "data:\n\n",
    "data\n\n",
    "data: ping\n\n",
    "data: [PING]\n\n",
    "data: \"keep-alive\"\n\n",
    "data: 0\n\n",
    "data: {}\n\n",
    "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    "ping\n\n",
    "id: 7\nretry: 10\n\n",
    "event: message\n",
    "\n\n",
];

/// An event's JSON over several lines.
fn over_lines(stream: &str) -> String {
    stream.replace(",\"", ",\ndata: \"").replace("[{", "[\ndata:{")
}

const WHOLE: [&str; 5] = [
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
    OPENAI_TOKEN,
    OPENAI_TOKEN,
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":3}}\n\n",
    "data: [DONE]\n\n",
];

#[test]
fn keep_alives_in_every_form_change_nothing() {
    for keep_alive in KEEP_ALIVES {
        let stream: String = WHOLE.map(|event| format!("{keep_alive}{event}")).concat();
        let (reply, outcome) = read("openai", &[stream.as_bytes()]);
        assert_eq!(
            (outcome, reply.content_ns.len(), reply.output_tokens),
            (Ok(()), 2, Some(3)),
            "{keep_alive}"
        );
    }
    let stream = format!("null\n: ping\n\n{OLLAMA_TOKEN}null\n{{\"done\":true}}\n");
    assert_eq!(streamed("ollama", &stream).0, "ok");
}

#[test]
fn an_event_may_span_several_data_lines() {
    let (reply, outcome) = read("openai", &[over_lines(&WHOLE.concat()).as_bytes()]);
    assert_eq!((outcome, reply.content_ns.len(), reply.output_tokens), (Ok(()), 2, Some(3)));
    let cut = "data: {\"choices\":\n\n";
    assert_eq!(streamed("openai", &format!("{OPENAI_TOKEN}{cut}{OPENAI_TOKEN}")).0, "bad_payload");
}

#[test]
fn an_endless_event_is_rejected() {
    let line = format!("data: {{\"a\": \"{}\",\n", "x".repeat(1 << 20));
    let (class, detail) = streamed("openai", &line.repeat(17));
    assert_eq!((class, detail.contains("16 MiB")), ("bad_payload", true), "{detail:.80}");
}

#[test]
fn a_byte_order_mark_before_an_answer_is_skipped() {
    let (reply, outcome) = read("openai", &[b"\xef\xbb", b"\xbf", WHOLE[1..].concat().as_bytes()]);
    assert_eq!((outcome, reply.content_ns.len()), (Ok(()), 2));
    assert_eq!(whole("openai", "\u{feff}{\"choices\":[{\"text\":\"a\"}]}").0, "ok");
    assert_eq!(streamed("ollama", &format!("\u{feff}{OLLAMA_TOKEN}{{\"done\":true}}\n")).0, "ok");
}

proptest! {
    #[test]
    fn however_an_answer_is_cut_and_padded_it_reads_the_same(
        padding in prop::collection::vec(prop::sample::select(&KEEP_ALIVES[..]), WHOLE.len()),
        (spans_lines, has_mark) in (any::<bool>(), any::<bool>()),
        line_end in prop::sample::select(vec!["\n", "\r", "\r\n"]),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let events = WHOLE.map(|event| if spans_lines { over_lines(event) } else { event.to_owned() });
        let padded: String = padding.iter().zip(events).map(|(padding, event)| format!("{padding}{event}")).collect();
        let mark = if has_mark { "\u{feff}" } else { "" };
        let stream = format!("{mark}{}", padded.replace('\n', line_end)).into_bytes();
        cuts.sort_by_key(|cut| cut.index(stream.len()));
        let mut pieces = Vec::new();
        let mut begin = 0;
        for cut in cuts {
            let end = cut.index(stream.len());
            pieces.push(&stream[begin..end]);
            begin = end;
        }
        pieces.push(&stream[begin..]);
        let (reply, outcome) = read("openai", &pieces);
        prop_assert_eq!(outcome, Ok(()));
        prop_assert_eq!((reply.content_ns.len(), reply.input_tokens, reply.output_tokens), (2, Some(4), Some(3)));
    }
}
