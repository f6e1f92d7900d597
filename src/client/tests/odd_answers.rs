//! Answers that end badly or have odd values, from a socket to the record.

use super::*;

fn answered(stream: bool, body: &'static str) -> RequestRecord {
    let server = Server::start(move |_, socket| {
        let length = if stream {
            "Transfer-Encoding: chunked".into()
        } else {
            format!("Content-Length: {}", body.len())
        };
        let head = format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\n");
        write(socket, &head)
            && if stream { chunk(socket, body) && write(socket, "0\r\n\r\n") } else { write(socket, body) }
    });
    let workload = workload(stream);
    let mut sampler = PromptSampler::measured(&workload, "", 0);
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let load = Load::closed(1, StopCondition::Requests(1));
    let mut records = Vec::new();
    client(&server.url, PATIENCE).run_round(&workload, &load, &mut sampler, watch, &mut records).unwrap();
    records.remove(0)
}

fn failed(stream: bool, body: &'static str) -> (&'static str, String) {
    let failure = answered(stream, body).outcome.unwrap_err();
    (failure.class.name(), failure.detail)
}

const ABORTED: &str = concat!(
    "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n",
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"abort\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":1}}\n\n",
    "data: [DONE]\n\n",
);

#[test]
fn an_aborted_answer_is_a_failed_request() {
    let aborted = "the engine ended the response with `abort`, after 1 content chunks";
    assert_eq!(failed(true, ABORTED), ("engine_aborted", aborted.to_owned()));
    let whole = "{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"abort\"}]}";
    assert_eq!(failed(false, whole), ("engine_aborted", aborted.to_owned()));
}

#[test]
fn an_abort_before_the_connection_breaks_is_an_abort() {
    let failure = failure(PATIENCE, |stream| {
        let begin = &ABORTED[..ABORTED.find("data: {\"choices\":[],").unwrap()];
        write(stream, HEAD) && chunk(stream, begin) && reset(stream)
    });
    assert_eq!(failure.class.name(), "engine_aborted");
}

#[test]
fn an_error_object_with_status_200_is_a_failed_request() {
    let no_memory = ("in_stream_error", "no memory".to_owned());
    let event = "event: error\ndata: {\"object\":\"error\",\"message\":\"no memory\"}\n\ndata: [DONE]\n\n";
    assert_eq!(failed(true, event), no_memory);
    assert_eq!(failed(false, "{\"object\":\"error\",\"message\":\"no memory\",\"code\":400}"), no_memory);
    assert_eq!(failed(false, "[{\"error\":{\"message\":\"no memory\"}}]"), no_memory);
}

#[test]
fn odd_usage_leaves_counting_to_chunks() {
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"length\"}]}\r\rdata: null\r\rdata: {\"choices\":[],\"usage\":{\"completion_tokens\":-35}}\r\rdata: [DONE]\r\r";
    let whole = "{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"length\"}],\"usage\":{\"completion_tokens\":100000000000}}";
    for record in [answered(true, stream), answered(false, whole)] {
        let counted = (record.output_tokens, record.tokens_counted_by);
        assert_eq!((record.outcome, counted), (Ok(()), (1, TokenCount::Chunks)));
    }
    let eight = "{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"length\"}],\"usage\":{\"completion_tokens\":8.0}}";
    let record = answered(false, eight);
    assert_eq!((record.output_tokens, record.tokens_counted_by), (8, TokenCount::Usage));
}
