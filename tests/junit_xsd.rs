//! The suite's JUnit XML is valid for Jenkins and GitLab.

#[path = "common/junit_schema.rs"]
mod junit_schema;

use tollgate::internals::Gate;
use tollgate::internals::ScenarioId;
use tollgate::internals::Summary;
use tollgate::internals::junit;
use tollgate::internals::{GateOutcome, Verdict};
use tollgate::internals::{Kind, Report, Run, VERSION};

use junit_schema::{assert_valid, complaints};

const VERDICTS: [Verdict; 9] = [
    Verdict::Ok,
    Verdict::Improved,
    Verdict::Suspected,
    Verdict::Inconclusive,
    Verdict::NoBaseline,
    Verdict::NotComparable,
    Verdict::Invalid,
    Verdict::Regressed,
    Verdict::Ignored,
];

const NASTY: [&str; 8] = [
    "NUL \0 BEL \x07 ESC \x1b[31m DEL \x7f CSI \u{9b}",
    "]]> ]]]]>> <![CDATA[ ]]",
    "<script>alert(\"1\" & '2')</script></failure>",
    "emoji 🚀 👩‍👩‍👧 combining e\u{301}",
    "not in XML \u{fffe}\u{ffff} direction \u{202e}abc",
    "lines\r\nand\ttabs\n",
    "&amp; &#0; &undefined; <?xml?> <!-- -- -->",
    "",
];

fn report(verdict: Verdict, text: &str) -> Report {
    let metric = "ttft_ms_p95".parse().unwrap();
    Report {
        kind: Kind::Scenario,
        version: VERSION,
        run: Run {
            id: text.into(),
            started: "2026-11-21T10:00:00.123Z".into(),
            tollgate: text.into(),
            root: Some(text.into()),
            worker: None,
        },
        scenario: ScenarioId { file: format!("f{text}"), load: format!("l{text}"), target: text.into() },
        load: None,
        scenario_hash: None,
        passed: true,
        verdict,
        reason: text.into(),
        gates: vec![GateOutcome {
            gate: Gate::relative(metric, 0.1).unwrap(),
            old: Some(412.0),
            new: Some(409.0),
            change: None,
            verdict,
            reason: text.into(),
        }],
        warnings: vec![text.into()],
        environment: None,
        baseline: None,
        proof: None,
        pending: None,
        summary: Summary { window_s: 0.1 + 0.2, ..Summary::default() },
        sessions: Vec::new(),
    }
}

#[test]
fn every_verdict_is_valid() {
    let reports = VERDICTS.map(|verdict| report(verdict, "a sentence"));
    let xml = junit(&reports);
    assert_valid(&xml);
    assert!(xml.contains("tests=\"9\" errors=\"4\" failures=\"1\""), "{xml}");
}

#[test]
fn an_empty_run_is_valid() {
    assert_valid(&junit(&[]));
}

#[test]
fn no_text_makes_it_invalid() {
    for text in NASTY {
        for verdict in VERDICTS {
            assert_valid(&junit(&[report(verdict, text)]));
        }
    }
}

#[test]
fn texts_survive() {
    for text in ["]]> ]]]]>> <![CDATA[ ]]", "<script>alert(\"1\" & '2')</script>", "🚀 &amp; &#0; −7.3 %"]
    {
        let xml = junit(&[report(Verdict::Regressed, text)]);
        let document = uppsala::parse(&xml).unwrap();
        let [failure] = document.get_elements_by_tag_name("failure")[..] else { panic!("{xml}") };
        let body = document.text_content_deep(failure);
        assert!(body.starts_with(&format!("REGRESSED: {text}\n")), "{body}");
        assert_eq!(document.get_attribute(failure, "message"), Some(text));
    }
}

/// Otherwise, the tests above would prove nothing.
#[test]
fn the_schema_rejects_what_jenkins_would() {
    let valid = junit(&[report(Verdict::Regressed, "slower"), report(Verdict::Ignored, "no GPU")]);
    let broken = [
        ("<failure", "<failed", "</failure", "</failed"),
        (" name=\"fslower", " nom=\"fslower", "", ""),
        ("tests=\"2\"", "tests=\"two\"", "", ""),
        ("time=\"0.3\"", "time=\"3e-1\"", "", ""),
        ("timestamp=\"2026-11-21T", "timestamp=\"21.11.2026 ", "", ""),
        ("<skipped ", "<error/><skipped ", "", ""),
    ];
    for (from, to, from_end, to_end) in broken {
        let xml = valid.replace(from, to);
        let xml = if from_end.is_empty() { xml } else { xml.replace(from_end, to_end) };
        assert_ne!(xml, valid, "{from} is not in {valid}");
        assert_ne!(complaints(&xml), Ok(Vec::new()), "{to} passed");
    }
    assert!(complaints(&valid.replace("slower", "\x1b")).is_err(), "a control character passed");
}
