//! The client and TLS, against a server whose authority no system knows.

use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::server::{answer_json, read_request};
use super::*;

fn file(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/measure/tests/tls")).join(name)
}

/// A thread per connection, which answers as many requests as `per_connection` says; the server's URL.
fn start(per_connection: u32) -> String {
    let provider = rustls::crypto::ring::default_provider();
    let chain = CertificateDer::pem_file_iter(file("server.pem")).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
    let config = Arc::new(config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/v1", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for (connection, stream) in listener.incoming().enumerate() {
            let tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream.unwrap());
            std::thread::spawn(move || {
                let mut reader = BufReader::new(tls);
                for before in 0..per_connection {
                    let Some(seen) = read_request(&mut reader, connection as u32, before) else { return };
                    let answered = match seen.asked.as_str() {
                        "GET /v1/models" => answer_json(reader.get_mut(), 200, r#"{"data":[{"id":"tiny"}]}"#),
                        _ => answer_well(reader.get_mut()),
                    };
                    if !answered {
                        return;
                    }
                }
                // An orderly end, so that what is said is not lost with the connection.
                reader.get_mut().conn.send_close_notify();
                let _ = reader.get_mut().flush();
            });
        }
    });
    url
}

fn trusting(url: &str, ca_file: Option<PathBuf>) -> Client {
    let access = Access { ca_file, ..Access::to(url) };
    let (engine, model) = (EngineKind::OPENAI, Some("m".to_owned()));
    Client::new(ClientSettings { access, engine, model, request_timeout: PATIENCE }).unwrap()
}

#[test]
fn a_server_of_a_named_authority_is_asked_for_its_models_and_for_answers() {
    let mut client = trusting(&start(u32::MAX), Some(file("ca.pem")));
    client.identity().unwrap();
    let (_, records) = round(&mut client, 2, Stop::Requests(20));
    for record in &records {
        assert_eq!(record.outcome, Ok(()));
        assert_eq!((record.content_ns.len(), record.output_tokens, record.reconnects), (2, 3, 0));
        assert!(record.sent_ns < record.content_ns[0] && record.content_ns[1] <= record.end_ns);
    }
}

#[test]
fn a_tls_connection_that_the_server_has_ended_is_opened_anew() {
    let (_, records) = round(&mut trusting(&start(3), Some(file("ca.pem"))), 1, Stop::Requests(10));
    assert!(records.iter().all(|record| record.outcome == Ok(())), "{records:?}");
}

#[test]
fn a_server_of_an_unknown_authority_is_not_sent_anything_and_the_way_out_is_told() {
    let mut client = trusting(&start(u32::MAX), None);
    let (_, records) = round(&mut client, 1, Stop::Requests(1));
    let failure = records[0].outcome.as_ref().unwrap_err();
    assert_eq!(failure.class, FailureClass::Connect);
    assert!(failure.detail.contains("certificate") && failure.detail.ends_with("(`--ca-file`)"), "{failure}");
    let unknown = client.identity().unwrap_err().to_string();
    assert!(unknown.contains("certificate") && unknown.contains("--ca-file"), "{unknown}");
}

#[test]
fn an_authority_for_a_server_without_tls_is_refused() {
    let access = Access { ca_file: Some(file("ca.pem")), ..Access::to("http://127.0.0.1:1") };
    let refused = recognise(&access).unwrap_err().to_string();
    assert!(refused.contains("https:// only"), "{refused}");
}
