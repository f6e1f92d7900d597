//! What HTTP/1.1 allows a server to do, and what it doesn't.

use super::*;

/// The parts of a record that must be the same however the response arrived.
pub(crate) fn gist(
    record: &RequestRecord,
) -> (usize, u32, Option<u32>, Option<Finish>, &Result<(), Failure>) {
    (record.content_ns.len(), record.output_tokens, record.input_tokens, record.finish, &record.outcome)
}

pub(crate) fn assert_all_succeeded(records: &[RequestRecord]) {
    for record in records {
        assert_eq!(gist(record), (2, 3, Some(4), Some(Finish::Length), &Ok(())));
    }
}

/// A response with everything that may come besides the content.
fn elaborate() -> String {
    let chunk = |text: &str| format!("{:X};a=b\r\n{text}\r\n", text.len());
    let head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
    let (first, second) = TOKEN.split_at(20);
    let body = [first, second, ": ping\n\n", TOKEN, END].map(chunk).concat();
    format!("{head}{HEAD}{body}0\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n")
}

#[test]
fn every_way_to_cut_a_response_gives_the_same_record() {
    let answer = elaborate();
    let cuts = answer.len() as u32;
    let server = Server::start(move |seen, stream| {
        let (head, tail) = answer.split_at(seen.before as usize);
        let written = write(stream, head);
        // Lets the client read in between; if it doesn't get to, nothing is lost.
        std::thread::sleep(Duration::from_micros(200));
        written && write(stream, tail)
    });
    let (_, records) = round(&mut client(&server.url, PATIENCE), 1, StopCondition::Requests(cuts));
    assert_all_succeeded(&records);
    assert!(server.seen.lock().unwrap().iter().all(|seen| seen.connection == 0));
}

#[test]
fn a_response_may_arrive_byte_by_byte() {
    let answer = elaborate();
    let server = Server::start(move |_, stream| {
        answer.as_bytes().chunks(1).all(|byte| write(stream, std::str::from_utf8(byte).unwrap()))
    });
    assert_all_succeeded(&round(&mut client(&server.url, PATIENCE), 2, StopCondition::Requests(4)).1);
}

#[test]
fn a_connection_announced_to_close_is_not_reused() {
    let server = Server::start(|_, stream| {
        // It stays open: only the announcement counts.
        write(stream, &HEAD.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))
            && chunk(stream, TOKEN)
            && chunk(stream, TOKEN)
            && chunk(stream, END)
            && write(stream, "0\r\n\r\n")
    });
    let (_, records) = round(&mut client(&server.url, PATIENCE), 1, StopCondition::Requests(4));
    assert_all_succeeded(&records);
    let connections: Vec<u32> = server.seen.lock().unwrap().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1, 2, 3]);
    assert!(records.iter().all(|record| record.reconnects == 0));
}

#[test]
fn an_http_1_0_server_ends_its_response_by_closing() {
    let server = Server::start(|_, stream| {
        write(
            stream,
            &format!("HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n{TOKEN}{TOKEN}{END}"),
        );
        false
    });
    let (_, records) = round(&mut client(&server.url, PATIENCE), 2, StopCondition::Requests(6));
    assert_all_succeeded(&records);
    assert!(records.iter().all(|record| record.reconnects == 0));
}

#[test]
fn bare_line_feeds_are_line_breaks_too() {
    let server = Server::start(|_, stream| write(stream, &elaborate().replace("\r\n", "\n")));
    assert_all_succeeded(&round(&mut client(&server.url, PATIENCE), 1, StopCondition::Requests(3)).1);
}

#[test]
fn bytes_after_a_response_only_cost_the_connection() {
    let server = Server::start(|seen, stream| match seen.connection {
        0 => {
            write(stream, HEAD)
                && chunk(stream, TOKEN)
                && chunk(stream, TOKEN)
                && chunk(stream, END)
                && write(stream, "0\r\n\r\nHTTP/1.1 408 Request Timeout\r\n\r\n")
        }
        _ => answer_successfully(stream),
    });
    let (_, records) = round(&mut client(&server.url, PATIENCE), 1, StopCondition::Requests(2));
    assert_all_succeeded(&records);
    let connections: Vec<u32> = server.seen.lock().unwrap().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[test]
fn a_chunk_without_a_size_is_bad_payload() {
    let failure =
        failure(PATIENCE, |stream| write(stream, HEAD) && chunk(stream, TOKEN) && write(stream, "zz\r\n"));
    assert_eq!(failure.class, FailureClass::BadPayload);
    assert_eq!(failure.detail, "expected a chunk size, found `zz`, after 1 content chunks");
}

#[test]
fn a_chunk_longer_than_its_size_is_bad_payload() {
    let failure = failure(PATIENCE, |stream| write(stream, HEAD) && write(stream, "2\r\n: ping\r\n"));
    assert_eq!(failure.class, FailureClass::BadPayload);
    assert_eq!(failure.detail, "expected a line break after a chunk, found `ping`, after 0 content chunks");
}

#[test]
fn a_connection_closed_within_a_chunk_is_a_broken_stream() {
    let failure = failure(PATIENCE, |stream| {
        write(stream, HEAD);
        chunk(stream, TOKEN);
        write(stream, "ff\r\ndata: ");
        false
    });
    assert_eq!(failure.class, FailureClass::BrokenStream);
    assert_eq!(failure.detail, "the response broke off after 1 content chunks: the connection was closed");
}

#[test]
fn a_connection_closed_within_headers_is_a_broken_stream() {
    let failure = failure(PATIENCE, |stream| {
        write(stream, "HTTP/1.1 200 OK\r\nContent-Ty");
        false
    });
    assert_eq!(failure.class, FailureClass::BrokenStream);
    assert!(failure.detail.starts_with("the response broke off in the middle of its headers"), "{failure}");
}

#[test]
fn endless_headers_are_bad_payload() {
    let failure = failure(PATIENCE, |stream| {
        write(stream, "HTTP/1.1 200 OK\r\n");
        while write(stream, "X-More: of the same\r\n") {}
        false
    });
    assert_eq!(failure.class, FailureClass::BadPayload);
    assert!(failure.detail.starts_with("expected an HTTP/1.1 response"), "{failure}");
}

#[test]
fn a_compressed_response_is_bad_payload() {
    let failure = failure(PATIENCE, |stream| {
        write(stream, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx")
    });
    assert_eq!(failure.class, FailureClass::BadPayload);
    assert_eq!(failure.detail, "expected a response without content encoding, found gzip");
}

#[test]
fn a_compressed_refusal_is_a_refusal() {
    let failure = failure(PATIENCE, |stream| {
        write(stream, "HTTP/1.1 429 Slow Down\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nxx")
    });
    assert_eq!(failure.class, FailureClass::HttpStatus);
    assert_eq!(failure.detail, "HTTP 429: its body is encoded (br)");
}

#[test]
fn a_refusals_incomplete_body_is_reported() {
    let failure = failure(PATIENCE, |stream| {
        write(stream, "HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nqueue is full");
        false
    });
    assert_eq!(failure.detail, "HTTP 503: queue is full");
}
