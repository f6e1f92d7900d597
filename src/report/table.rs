//! Renders the verdict table of one scenario as plain text.

use unicode_width::UnicodeWidthStr;

use crate::metrics::{Better, Gate};
use crate::results::{ProofEnd, Report, Session};
use crate::text::columns::{Align, Columns};
use crate::text::figures;
use crate::text::printable::{one_line, printable};
use crate::verdict::{GateOutcome, Verdict};

/// A gate whose line would be longer than this gets a separate line for its reason.
const MOST_COLUMNS: usize = 110;
/// How many failures to show; the report has more.
const MOST_FAILURES: usize = 3;

/// The finding in a sentence, a row per gate, then what was measured and how it went.
pub(crate) fn table(report: &Report) -> String {
    let mut lines = vec![sentence(report)];
    lines.extend(gate_lines(report));
    lines.extend(remarks(report));
    lines.join("\n")
}

/// What was measured, how it went, and what to do next.
pub(super) fn remarks(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(proven(report));
    lines.extend(measured(report));
    lines.extend(compared_with(report));
    lines.extend(requests(report));
    lines.extend(failures(&report.sessions));
    lines.extend(report.warnings.iter().map(|warning| format!("Warning: {}", printable(warning))));
    lines.extend(pending(report));
    lines
}

pub(crate) fn sentence(report: &Report) -> String {
    let verdict = report.verdict.name().to_uppercase();
    if report.reason.is_empty() {
        return format!("{verdict}.");
    }
    format!("{verdict}: {}", printable(&report.reason))
}

fn gate_lines(report: &Report) -> Vec<String> {
    use Align::{Left, Right};
    if report.gates.is_empty() {
        return Vec::new();
    }
    let head = gate_head(report);
    let mut columns =
        Columns::new(head.each_ref().map(String::as_str), [Left, Right, Right, Right, Left, Left, Left]);
    report.gates.iter().for_each(|outcome| columns.row(gate_cells(outcome)));
    let mut rows = columns.lines().into_iter();
    let mut lines: Vec<String> = rows.next().into_iter().collect();
    for (row, outcome) in rows.zip(&report.gates) {
        lines.extend(with_reason(row, &outcome.reason));
    }
    lines
}

pub(super) fn gate_head(report: &Report) -> [String; 7] {
    let (old, new) = sides(report);
    ["metric", &old, &new, "change", "99.8 % interval", "allowed", "verdict"].map(str::to_owned)
}

pub(super) fn gate_cells(outcome: &GateOutcome) -> [String; 7] {
    [
        outcome.gate.metric.to_string(),
        value(outcome, outcome.old),
        value(outcome, outcome.new),
        change(outcome),
        outcome.change.and_then(|change| change.interval).map(figures::interval).unwrap_or_default(),
        allowed(&outcome.gate),
        outcome.verdict.name().to_owned(),
    ]
}

fn with_reason(row: String, reason: &str) -> Vec<String> {
    let reason = one_line(reason);
    if reason.is_empty() {
        return vec![row];
    }
    let joined = format!("{row} ({reason})");
    if joined.width() <= MOST_COLUMNS { vec![joined] } else { vec![row, format!("  {reason}")] }
}

/// The headings of the two value columns: the versions if the engine's version changed.
fn sides(report: &Report) -> (String, String) {
    let old = match (&report.proof, &report.baseline) {
        (Some(proof), _) => Some(one_line(&proof.old.engine)),
        (None, baseline) => baseline.as_ref().map(|baseline| one_line(&baseline.engine)),
    };
    let new = report.environment.as_ref().map(|environment| one_line(&environment.engine));
    match (old, new) {
        (Some(old), Some(new)) if old != new => match (old.split_once(' '), new.split_once(' ')) {
            (Some((old_name, old)), Some((new_name, new))) if old_name == new_name => {
                (version(old), version(new))
            }
            _ => (old, new),
        },
        _ if report.proof.is_some() => ("old".to_owned(), "new".to_owned()),
        _ => ("baseline".to_owned(), "now".to_owned()),
    }
}

fn version(version: &str) -> String {
    if version.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("v{version}");
    }
    version.to_owned()
}

fn value(outcome: &GateOutcome, value: Option<f64>) -> String {
    value.map(|value| outcome.gate.metric.format(value)).unwrap_or_default()
}

pub(super) fn change(outcome: &GateOutcome) -> String {
    outcome.change.map(|change| figures::signed_percent(change.relative)).unwrap_or_default()
}

/// `2412 → 2236`; a side without a value is a dash.
pub(super) fn old_and_new(outcome: &GateOutcome) -> String {
    if outcome.old.is_none() && outcome.new.is_none() {
        return String::new();
    }
    let side = |side: Option<f64>| match side {
        Some(_) => value(outcome, side),
        None => "–".to_owned(),
    };
    format!("{} → {}", side(outcome.old), side(outcome.new))
}

/// `−3 %`, `+10 %, ≤800`, `≥100 %`.
pub(super) fn allowed(gate: &Gate) -> String {
    let sign = match gate.metric.better() {
        Better::Higher => '−',
        Better::Lower => '+',
    };
    let shown = |value| gate.metric.format(value);
    let limits = [
        gate.tolerance.map(|tolerance| format!("{sign}{}", figures::percent(tolerance))),
        gate.min.map(|min| format!("≥{}", shown(min))),
        gate.max.map(|max| format!("≤{}", shown(max))),
    ];
    limits.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn measured(report: &Report) -> Vec<String> {
    let (Some(environment), Some(engine)) = (&report.environment, engine(report)) else { return Vec::new() };
    let mut lines = Vec::new();
    if !report.sessions.is_empty() {
        lines.push(format!("Measured: {engine}: {}.", sessions_and_rounds(&report.sessions)));
    }
    if environment.url.is_some() {
        lines.push(
            "Endpoints are not restarted: their sessions are blocks of rounds separated by pauses."
                .to_owned(),
        );
    }
    lines
}

/// The engine, its URL, and its model and machine.
pub(super) fn engine(report: &Report) -> Option<String> {
    let environment = report.environment.as_ref()?;
    let place = environment.url.as_ref().map(|url| format!(" at {url}")).unwrap_or_default();
    // A simulated engine has no model and no machine.
    let setup = match environment.simulator {
        Some(_) => String::new(),
        None => format!(" with {} on {}", environment.model, environment.machine),
    };
    Some(one_line(&format!("{}{place}{}{setup}", environment.engine, environment.over())))
}

fn sessions_and_rounds(sessions: &[Session]) -> String {
    let shown = figures::counted(sessions.len() as u64, "session");
    let rounds: Vec<u64> = sessions.iter().map(|session| session.rounds.len() as u64).collect();
    match rounds.first() {
        Some(first) if rounds.iter().all(|count| count == first) => {
            format!("{shown} × {}", figures::counted(*first, "round"))
        }
        _ => format!("{shown}, {}", figures::counted(rounds.iter().sum(), "round")),
    }
}

fn proven(report: &Report) -> Option<String> {
    let proof = report.proof.as_ref()?;
    let verb = match report.verdict {
        Verdict::Regressed | Verdict::Improved => "Proven",
        _ => "Compared",
    };
    let pairs = proof.pairs.values().map(Vec::len).max().unwrap_or(0);
    let order = if proof.side_by_side { "side by side" } else { "alternating" };
    let end = match proof.end {
        ProofEnd::Decided => "",
        ProofEnd::OutOfTime => {
            " It ran out of time before every gate was decided: raise the target's proof.minutes."
        }
        ProofEnd::OutOfStarts => " More starts are unlikely to decide it.",
        ProofEnd::Interrupted => " It was interrupted before every gate was decided.",
        ProofEnd::Failed => " It failed before every gate was decided.",
    };
    Some(format!(
        "{verb} on this machine, old and new {order}: {}, {} of each side, {} min.{end}",
        figures::counted(pairs as u64, "pair"),
        figures::counted(proof.starts.into(), "start"),
        format_args!("{:.1}", proof.minutes),
    ))
}

fn compared_with(report: &Report) -> Option<String> {
    let baseline = report.baseline.as_ref()?;
    let sessions = baseline.values.values().map(Vec::len).max().unwrap_or(0);
    let same_machine = report.environment.as_ref().is_some_and(|now| now.machine == baseline.machine);
    let elsewhere = if same_machine { String::new() } else { format!(" on {}", baseline.machine) };
    let line = format!(
        "Baseline: {}, recorded {}{elsewhere}: {} ({}).",
        baseline.engine,
        baseline.recorded,
        figures::counted(sessions as u64, "session"),
        baseline.file,
    );
    Some(one_line(&line))
}

pub(super) fn requests(report: &Report) -> Option<String> {
    let requests = &report.summary.requests;
    if requests.sent == 0 {
        return None;
    }
    let counted = if requests.without_room() > 0 { "due" } else { "sent" };
    let mut line = format!("Requests: {} {counted}, {} succeeded", requests.sent, requests.succeeded);
    if requests.failures() > 0 {
        let classes = requests.failed.iter().filter(|(_, count)| **count > 0);
        let classes: Vec<String> =
            classes.map(|(class, count)| format!("{} {count}", class.name())).collect();
        line += &format!(", {} failed ({})", requests.failures(), classes.join(", "));
    }
    if requests.late > 0 {
        line += &format!(", {} not sent because the client was late", requests.late);
    }
    if requests.reconnects > 0 {
        line += &format!(", {} resent on a new connection", requests.reconnects);
    }
    Some(line + ".")
}

fn pending(report: &Report) -> Option<String> {
    let file = report.pending.as_ref()?;
    let root = report.run.root.as_deref();
    let line = format!(
        "To accept this run as the baseline: tollgate accept {}{} (or cargo insta review); pending in {}{file}",
        report.scenario,
        option(root),
        root.map(|root| format!("{root}/")).unwrap_or_default(),
    );
    Some(one_line(&line))
}

/// The `--root` that `tollgate accept` needs if it is not run in the crate.
pub(super) fn option(root: Option<&str>) -> String {
    root.map(|root| format!(" --root {root}")).unwrap_or_default()
}

/// Lists a failure that occurs in several sessions only once.
fn failures(sessions: &[Session]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for failure in sessions.iter().flat_map(|session| &session.failures) {
        let line = format!("Failure: {}", one_line(failure));
        if lines.len() < MOST_FAILURES && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::HttpVersion;
    use crate::report::overview::overview;
    use crate::results::example;
    use crate::target::SimulatorSettings;

    #[test]
    fn a_regression_shows_every_gate() {
        insta::assert_snapshot!(table(&example::regressed()));
    }

    #[test]
    fn a_suspicion_after_one_session_has_no_interval_column() {
        let shown = table(&example::suspected());
        insta::assert_snapshot!(shown);
        assert!(!shown.contains("interval"));
    }

    #[test]
    fn an_invalid_run_shows_what_failed() {
        insta::assert_snapshot!(table(&example::invalid()));
    }

    #[test]
    fn without_a_baseline_there_is_no_old_column() {
        insta::assert_snapshot!(table(&example::no_baseline()));
    }

    #[test]
    fn an_ignored_scenario_is_a_sentence() {
        assert_eq!(table(&example::ignored()), "IGNORED: no Docker daemon answers at /var/run/docker.sock.");
    }

    #[test]
    fn columns_of_the_same_version_are_headed_baseline_and_now() {
        let shown = table(&example::ok());
        assert!(shown.contains("baseline"), "{shown}");
        assert!(shown.lines().nth(1).unwrap().contains(" now"), "{shown}");
    }

    #[test]
    fn a_baseline_from_another_machine_names_it() {
        let mut report = example::ok();
        report.baseline.as_mut().unwrap().machine = "2 x NVIDIA A10".into();
        assert!(table(&report).contains("recorded 2026-10-02 on 2 x NVIDIA A10:"), "{}", table(&report));
        assert!(!table(&example::ok()).contains("recorded 2026-10-02 on"));
    }

    #[test]
    fn a_simulated_engine_has_no_machine() {
        let mut report = example::ok();
        report.environment.as_mut().unwrap().simulator = Some(SimulatorSettings::default());
        assert!(table(&report).contains("Measured: vllm 0.32.0: 1 session"), "{}", table(&report));
    }

    #[test]
    fn an_unusual_http_version_is_shown() {
        let mut report = example::ok();
        report.environment.as_mut().unwrap().http_version = HttpVersion::Http2;
        assert!(table(&report).contains("Measured: vllm 0.32.0 over HTTP/2 with "), "{}", table(&report));
    }

    #[test]
    fn columns_of_different_engines_are_headed_by_their_names() {
        let mut report = example::regressed();
        report.environment.as_mut().unwrap().engine = "sglang 0.5".into();
        assert!(table(&report).contains("vllm 0.31.0  sglang 0.5"), "{}", table(&report));
    }

    #[test]
    fn outside_the_crate_the_hint_names_its_root() {
        let mut report =
            Report { pending: Some("baselines/cpu/a.snap.new".into()), ..example::no_baseline() };
        assert!(
            table(&report).contains(" (or cargo insta review); pending in baselines/"),
            "{}",
            table(&report)
        );
        report.run.root = Some("crates/gate".into());
        let shown = table(&report) + &overview(&[report]);
        assert!(
            shown.contains(" --root crates/gate (or cargo insta review); pending in crates/gate/baselines/")
        );
        assert!(shown.contains("tollgate accept --root crates/gate or cargo insta review."), "{shown}");
    }

    #[test]
    fn terminal_codes_in_an_engines_name_are_escaped() {
        let shown = table(&example::nasty()) + &overview(&[example::nasty()]);
        assert!(shown.contains("␛[31m"), "{shown}");
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    }
}
