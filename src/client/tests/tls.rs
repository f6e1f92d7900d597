//! The client with TLS, against a server whose authority no system knows.

use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::frames::{ReceivedFrame, converse, last_data, send, status};
use super::server::{answer_json, read_request};
use super::*;
use crate::engine::HttpVersion;

fn file(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/client/tests/tls")).join(name)
}

/// An HTTP/1.1 server without ALPN support.
fn start(per_connection: u32) -> String {
    start_offering(&[], per_connection)
}

/// Starts one thread per connection, which speaks the negotiated version and answers `per_connection` requests. Returns
/// the server's URL.
fn start_offering(protocols: &[&str], per_connection: u32) -> String {
    let provider = rustls::crypto::ring::default_provider();
    let chain = CertificateDer::pem_file_iter(file("server.pem")).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
    let mut config = config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/v1", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for (connection, stream) in listener.incoming().enumerate() {
            let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream.unwrap());
            std::thread::spawn(move || {
                // If it fails, the client got the reason.
                let is_well = tls.conn.complete_io(&mut tls.sock).is_ok();
                if is_well && tls.conn.alpn_protocol() == Some(b"h2") {
                    return converse(&mut tls, connection as u32, answer_in_http2).unwrap_or_default();
                }
                let mut reader = BufReader::new(tls);
                for before in 0..per_connection {
                    let Some(seen) = read_request(&mut reader, connection as u32, before) else { return };
                    let answered = match seen.asked.as_str() {
                        "GET /v1/models" => answer_json(reader.get_mut(), 200, r#"{"data":[{"id":"tiny"}]}"#),
                        _ => answer_successfully(reader.get_mut()),
                    };
                    if !answered {
                        return;
                    }
                }
                // Close properly, so that the response is not lost with the connection.
                reader.get_mut().conn.send_close_notify();
                let _ = reader.get_mut().flush();
            });
        }
    });
    url
}

fn answer_in_http2(asked: &ReceivedFrame, stream: &mut dyn Write) -> bool {
    if asked.has_body {
        http2::answer_successfully(asked, stream)
    } else {
        let models = [status(asked.stream, 200), last_data(asked.stream, r#"{"data":[{"id":"tiny"}]}"#)];
        send(stream, &models)
    }
}

fn trusting(url: &str, ca_file: Option<PathBuf>) -> Client {
    speaking(HttpVersion::Http1, url, ca_file)
}

fn speaking(http_version: HttpVersion, url: &str, ca_file: Option<PathBuf>) -> Client {
    let access = Access { ca_file, http_version, ..Access::to(url) };
    let (engine, model) = (EngineKind::OPENAI, Some("m".to_owned()));
    Client::new(ClientSettings { access, engine, model, request_timeout: PATIENCE }).unwrap()
}

#[test]
fn a_server_with_a_trusted_authority_serves_requests() {
    let mut client = trusting(&start(u32::MAX), Some(file("ca.pem")));
    client.identity().unwrap();
    let (_, records) = round(&mut client, 2, StopCondition::Requests(20));
    for record in &records {
        assert_eq!(record.outcome, Ok(()));
        assert_eq!((record.content_ns.len(), record.output_tokens, record.reconnects), (2, 3, 0));
        assert!(record.sent_ns < record.content_ns[0] && record.content_ns[1] <= record.end_ns);
    }
}

#[test]
fn a_tls_connection_closed_by_the_server_is_reopened() {
    let (_, records) = round(&mut trusting(&start(3), Some(file("ca.pem"))), 1, StopCondition::Requests(10));
    assert!(records.iter().all(|record| record.outcome == Ok(())), "{records:?}");
}

#[test]
fn an_untrusted_server_gets_nothing_and_the_error_helps() {
    let mut client = trusting(&start(u32::MAX), None);
    let (_, records) = round(&mut client, 1, StopCondition::Requests(1));
    let failure = records[0].outcome.as_ref().unwrap_err();
    assert_eq!(failure.class, FailureClass::Connect);
    assert!(failure.detail.contains("certificate") && failure.detail.ends_with("(`--ca-file`)"), "{failure}");
    let unknown = client.identity().unwrap_err().to_string();
    assert!(unknown.contains("certificate") && unknown.contains("--ca-file"), "{unknown}");
}

#[test]
fn a_ca_file_without_tls_is_rejected() {
    let access = Access { ca_file: Some(file("ca.pem")), ..Access::to("http://127.0.0.1:1") };
    let refused = detect(&access).unwrap_err().to_string();
    assert!(refused.contains("needs https://"), "{refused}");
}

#[test]
fn the_requested_http_version_is_spoken() {
    let url = start_offering(&["h2", "http/1.1"], u32::MAX);
    for http_version in [HttpVersion::Http1, HttpVersion::Http2] {
        let mut client = speaking(http_version, &url, Some(file("ca.pem")));
        client.identity().unwrap();
        let (_, records) = round(&mut client, 2, StopCondition::Requests(20));
        http::assert_all_succeeded(&records);
        assert!(records.iter().all(|record| record.reconnects == 0), "{http_version}");
    }
}

#[test]
fn an_http_version_mismatch_error_says_what_to_set() {
    let error = |http_version, protocols: &[&str]| {
        let url = start_offering(protocols, u32::MAX);
        let mut client = speaking(http_version, &url, Some(file("ca.pem")));
        let (_, records) = round(&mut client, 1, StopCondition::Requests(1));
        let failure = records[0].outcome.clone().unwrap_err();
        assert_eq!(failure.class, FailureClass::Connect);
        let by_control = client.identity().unwrap_err().to_string();
        assert!(by_control.ends_with(&failure.detail), "{by_control}");
        failure.detail
    };
    for protocols in [&["http/1.1"][..], &[]] {
        let error = error(HttpVersion::Http2, protocols);
        assert!(
            error.contains("does not speak HTTP/2 there") && error.ends_with("(`--http-version 1.1`)"),
            "{error}"
        );
    }
    let error = error(HttpVersion::Http1, &["h2"]);
    assert!(
        error.contains("does not speak HTTP/1.1 there") && error.ends_with("(`--http-version 2`)"),
        "{error}"
    );
}
