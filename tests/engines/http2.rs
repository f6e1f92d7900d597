//! Engines over HTTP/2.

use tollgate::internals::EngineKind;
use tollgate::internals::FailureClass;

use crate::common::EngineProcess;
use crate::{Bench, OUTPUT_TOKENS, QUICK, REQUESTS};

const HTTP_2: [&str; 2] = ["--http-version", "2"];

#[test]
fn every_engine_is_asked_in_http_2() {
    let engine = EngineProcess::start(&QUICK);
    for kind in EngineKind::all() {
        for mode in [&[][..], &["--no-stream"]] {
            let report =
                Bench::run(&engine, &[&["--engine", kind.name()], &HTTP_2[..], mode].concat()).report();
            let summary = &report.summary;
            assert_eq!(summary.requests.succeeded, REQUESTS, "{report:#?}");
            assert_eq!(summary.requests.reconnects, 0, "{report:#?}");
            assert_eq!(summary.output_tokens, REQUESTS * OUTPUT_TOKENS, "{report:#?}");
            assert_eq!(report.warnings, [""; 0], "{report:#?}");
        }
    }
}

#[test]
fn a_reset_http2_stream_breaks_no_other_stream() {
    let engine = EngineProcess::start(&[&QUICK[..], &["faults.reset_rate=0.5"]].concat());
    let report = Bench::asking(40, &engine, &HTTP_2).report();
    let requests = &report.summary.requests;
    let broken = requests.failed[&FailureClass::BrokenStream];
    assert!(broken > 0 && requests.succeeded > 0 && requests.succeeded + broken == 40, "{report:#?}");
}

#[test]
fn an_unknown_version_gets_the_supported_ones_listed() {
    let outcome = Bench::at("http://127.0.0.1:1", 1, &["--http-version", "3"]).outcome;
    outcome
        .assert_exit(2)
        .assert_complains("invalid value '3' for '--http-version")
        .assert_complains("1.1, 2");
}
