//! Renders JUnit XML for GitLab, Jenkins, and GitHub Actions.

use jiff::Timestamp;
use junit_report::{Duration, OffsetDateTime, ReportBuilder, TestCase, TestCaseBuilder, TestSuiteBuilder};

use crate::report::table::table;
use crate::results::Report;
use crate::text::printable::{one_line, printable};
use crate::verdict::Verdict;

/// One test case per scenario. GitLab shows a failure's body and class name, so the body is the verdict table.
pub fn junit(reports: &[Report]) -> String {
    let suite = TestSuiteBuilder::new("tollgate")
        .set_timestamp(started(reports))
        .add_testcases(reports.iter().map(test_case))
        .build();
    let mut xml = Vec::new();
    ReportBuilder::new().add_testsuite(suite).build().write_xml(&mut xml).expect("memory takes writes");
    String::from_utf8(xml).expect("XML is written as UTF-8") + "\n"
}

fn test_case(report: &Report) -> TestCase {
    let name = one_line(&report.scenario.to_string());
    let verdict = report.verdict.name();
    let message = match one_line(&report.reason) {
        reason if reason.is_empty() => verdict.to_owned(),
        reason => reason,
    };
    let body = character_data(&table(report));
    let mut case = match report.verdict {
        Verdict::Suspected if !report.passed => {
            TestCaseBuilder::failure(&name, duration(report), verdict, &message)
        }
        Verdict::Ok | Verdict::Improved | Verdict::Suspected => {
            TestCaseBuilder::success(&name, duration(report))
        }
        Verdict::Regressed => TestCaseBuilder::failure(&name, duration(report), verdict, &message),
        Verdict::Inconclusive | Verdict::NoBaseline | Verdict::NotComparable | Verdict::Invalid => {
            TestCaseBuilder::error(&name, duration(report), verdict, &message)
        }
        Verdict::Ignored => TestCaseBuilder::skipped_with_cause(&name, verdict, &message),
    };
    case.set_classname(&one_line(&format!("tollgate.{}.{}", report.scenario.file, report.scenario.target)));
    case.set_trace(&body);
    let mut case = case.build();
    if case.is_success() {
        case.set_system_out(&body);
    }
    case
}

/// junit-report puts the text between `<![CDATA[` and `]]>` unchanged, so a `]]>` within the text is split between two
/// sections.
fn character_data(text: &str) -> String {
    printable(text).replace("]]>", "]]]]><![CDATA[>")
}

/// The measured time, without starts and warm-ups.
fn duration(report: &Report) -> Duration {
    Duration::milliseconds((report.summary.window_s * 1000.0).round() as i64)
}

/// The epoch if there is no report, because rendering never reads the clock.
fn started(reports: &[Report]) -> OffsetDateTime {
    let times = reports.iter().filter_map(|report| report.run.started.parse::<Timestamp>().ok());
    let seconds = times.min().map_or(0, Timestamp::as_second);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::example;

    fn attribute(xml: &str, element: &str, name: &str) -> Option<String> {
        let document = uppsala::parse(xml).unwrap();
        let node = *document.get_elements_by_tag_name(element).first()?;
        document.get_attribute(node, name).map(str::to_owned)
    }

    fn text(xml: &str, element: &str) -> Option<String> {
        let document = uppsala::parse(xml).unwrap();
        let node = *document.get_elements_by_tag_name(element).first()?;
        Some(document.text_content_deep(node))
    }

    fn verdict_element(verdict: Verdict) -> &'static str {
        let xml = junit(&[Report { verdict, ..example::suspected() }]);
        let found = ["failure", "error", "skipped"].map(|element| (element, text(&xml, element)));
        let mut found = found.into_iter().filter_map(|(element, text)| text.map(|_| element));
        let first = found.next().unwrap_or("passed");
        assert_eq!(found.next(), None);
        first
    }

    #[test]
    fn a_regression_is_a_failure_and_an_undecided_run_an_error() {
        use Verdict::*;
        assert_eq!([Ok, Improved, Suspected].map(verdict_element), ["passed"; 3]);
        assert_eq!(verdict_element(Regressed), "failure");
        assert_eq!([Inconclusive, NoBaseline, NotComparable, Invalid].map(verdict_element), ["error"; 4]);
        assert_eq!(verdict_element(Ignored), "skipped");
    }

    #[test]
    fn a_failure_has_the_table_as_body_and_the_reason_as_message() {
        let report = example::regressed();
        let xml = junit(std::slice::from_ref(&report));
        assert_eq!(text(&xml, "failure").unwrap(), table(&report));
        assert_eq!(attribute(&xml, "failure", "message").unwrap(), report.reason);
        assert_eq!(attribute(&xml, "failure", "type").unwrap(), "regressed");
        assert_eq!(attribute(&xml, "testcase", "name").unwrap(), "chat::users-32::vllm");
        assert_eq!(attribute(&xml, "testcase", "classname").unwrap(), "tollgate.chat.vllm");
        assert_eq!(attribute(&xml, "testcase", "time").unwrap(), "361");
        assert_eq!(attribute(&xml, "testsuite", "timestamp").unwrap(), "2026-11-21T10:00:00Z");
    }

    #[test]
    fn a_suspicion_passes_and_shows_its_table() {
        let xml = junit(&[example::suspected()]);
        assert!(text(&xml, "system-out").unwrap().contains("SUSPECTED: p95 time to first token"), "{xml}");
    }

    #[test]
    fn a_suspicion_that_does_not_pass_is_a_failure() {
        let xml = junit(&[Report { passed: false, ..example::suspected() }]);
        assert_eq!(attribute(&xml, "failure", "type").unwrap(), "suspected");
    }

    #[test]
    fn an_ignored_scenario_says_why() {
        let xml = junit(&[example::ignored()]);
        assert!(attribute(&xml, "skipped", "message").unwrap().starts_with("no Docker daemon"), "{xml}");
    }

    #[test]
    fn hostile_text_stays_text() {
        let report = example::nasty();
        let xml = junit(std::slice::from_ref(&report));
        assert_eq!(text(&xml, "failure").unwrap(), table(&report));
        assert!(text(&xml, "failure").unwrap().contains("␛[31m␀ ]]> </failure> <script>"), "{xml}");
        assert_eq!(attribute(&xml, "testcase", "name").unwrap(), one_line(&report.scenario.to_string()));
        assert_eq!(text(&xml, "script"), None);
    }

    #[test]
    fn an_invalid_duration_or_date_becomes_zero() {
        let mut report = example::ok();
        report.summary.window_s = f64::NAN;
        report.run.started = "yesterday".into();
        let xml = junit(&[report]);
        assert_eq!(attribute(&xml, "testcase", "time").unwrap(), "0");
        assert_eq!(attribute(&xml, "testsuite", "timestamp").unwrap(), "1970-01-01T00:00:00Z");
    }
}
