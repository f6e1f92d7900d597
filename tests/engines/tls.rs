//! Engines behind TLS, with a CA that no system trusts.

use crate::common::EngineProcess;
use crate::gateway::{self, certificate};
use crate::{Bench, OUTPUT_TOKENS, QUICK, REQUESTS};

fn bench(url: &str, authority: Option<&str>, arguments: &[&str]) -> Bench {
    let file = authority.map(|name| certificate(name).to_string_lossy().into_owned());
    let ca_file = file.as_ref().map_or_else(Vec::new, |file| vec!["--ca-file", file]);
    Bench::at(url, REQUESTS, &[&["--engine", "openai"], &ca_file[..], arguments].concat())
}

#[test]
fn an_engine_with_a_trusted_ca_is_measured() {
    let engine = EngineProcess::start(&QUICK);
    let url = gateway::start(&engine, &["h2", "http/1.1"]);
    for (version, shown) in [("1.1", None), ("2", Some("2"))] {
        let bench = bench(&url, Some("ca.pem"), &["--http-version", version]);
        let report = bench.report();
        assert_eq!(report.summary.requests.succeeded, REQUESTS);
        assert_eq!(report.summary.output_tokens, REQUESTS * OUTPUT_TOKENS);
        let json: serde_json::Value = serde_json::from_str(&bench.json).unwrap();
        assert_eq!(json["environment"]["http_version"].as_str(), shown);
    }
}

#[test]
fn an_untrusted_engine_gets_no_request_and_an_error_with_a_fix() {
    let engine = EngineProcess::start(&QUICK);
    let url = gateway::start(&engine, &[]);
    for authority in [None, Some("other-ca.pem")] {
        let outcome = bench(&url, authority, &[]).outcome;
        outcome.assert_exit(4).assert_complains("certificate").assert_complains("`ca_file` (`--ca-file`)");
    }
    assert_eq!(engine.requests_answered(), 0);
}

#[test]
fn a_gateway_without_http_2_is_reported_with_what_to_set() {
    let engine = EngineProcess::start(&QUICK);
    for protocols in [&["http/1.1"][..], &[]] {
        let url = gateway::start(&engine, protocols);
        let outcome = bench(&url, Some("ca.pem"), &["--http-version", "2"]).outcome;
        outcome.assert_exit(4).assert_complains("the server does not speak HTTP/2 there: set");
        outcome.assert_complains("`--http-version 1.1`");
    }
}
