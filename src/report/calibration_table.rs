//! Renders a calibration as a table.

use crate::metrics::calibration::{Calibration, DISTORTION_MS, Level, NotTried, OUT_OF_STEP_MS, Pace};
use crate::metrics::distribution::Distribution;
use crate::text::columns::{Align, Columns};
use crate::text::figures;

/// A row per level with errors as median and 99th percentile in milliseconds, then the limits.
pub(crate) fn calibration_table(calibration: &Calibration) -> String {
    let mut columns = Columns::new(
        [
            "streams",
            "step",
            "tokens/s",
            "requests/s",
            "TTFT error",
            "ITL error",
            "E2E error",
            "send delay",
            "client CPU",
            "engine delay",
        ],
        [Align::Right; 10],
    );
    calibration.levels.iter().for_each(|level| columns.row(row(level)));
    let mut lines = columns.lines();
    lines.push("Errors and delays: p50 / p99 in ms.".into());
    lines.extend(paces(calibration));
    let not_tried = calibration.not_tried.iter();
    lines.extend(not_tried.map(|NotTried { load, why }| format!("Not tried: {load}: {why}.")));
    lines.push(match calibration.limits() {
        Some(limits) if limits.streams > 0 => format!(
            "Accurate (p99 TTFT and ITL errors within {DISTORTION_MS} ms) up to {} streams, {} tokens/s, and {} requests/s \
             among the levels tried.",
            limits.streams,
            figures::number(limits.tokens_per_s),
            figures::number(limits.requests_per_s)
        ),
        _ => format!("Not accurate at any level: the p99 TTFT or ITL error is over {DISTORTION_MS} ms."),
    });
    let overloaded = calibration.levels.iter().filter(|level| p99(&level.engine_late_ms) > DISTORTION_MS);
    let overloaded: Vec<String> = overloaded
        .map(|level| format!("{} streams with a token every {} ms", level.streams, level.step_ms))
        .collect();
    if !overloaded.is_empty() {
        lines.push(format!(
            "At {}, the simulated engine itself missed its deadlines by more than {DISTORTION_MS} ms. That is the \
             engine's limit, or another process kept the machine busy; the client's own limit may be higher.",
            overloaded.join(", ")
        ));
    }
    if !calibration.apart {
        lines.push(
            "The client and the engine shared the only CPU: figures are worse than with a CPU each.".into(),
        );
    }
    let files = calibration.open_files.map_or("no limit".to_owned(), |files| files.to_string());
    lines.push(format!("Open files: {files}. Machine: {}.", calibration.machine));
    lines.join("\n")
}

/// A separate table for open loads, and the rate up to which the client kept the schedule.
fn paces(calibration: &Calibration) -> Vec<String> {
    let (Some(lowest), Some(limit)) = (calibration.paces.first(), calibration.rate_limit_per_s()) else {
        return Vec::new();
    };
    let mut columns = Columns::new(
        ["open load", "achieved", "requests", "failed", "not sent", "send delay"],
        [Align::Right; 6],
    );
    for pace in &calibration.paces {
        columns.row([
            format!("{} requests/s", pace.requests_per_s),
            format!("{:.2}", pace.achieved_per_s),
            pace.requests.to_string(),
            pace.failed.to_string(),
            pace.not_sent.to_string(),
            both(&pace.due_to_sent_ms),
        ]);
    }
    let mut lines = vec![String::new()];
    lines.extend(columns.lines());
    lines.push(if limit > 0.0 {
        format!(
            "On schedule (p99 send delay within {OUT_OF_STEP_MS} ms) up to {limit} requests/s among the rates tried."
        )
    } else {
        format!(
            "Not on schedule even at {} requests/s, the lowest rate: {}.",
            lowest.requests_per_s,
            why(lowest)
        )
    });
    lines.push(String::new());
    lines
}

/// Why the client did not keep a rate.
fn why(pace: &Pace) -> String {
    let counted = [(pace.failed, "failed"), (pace.not_sent, "not sent")];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    let mut reasons: Vec<String> =
        counted.map(|(count, what)| format!("{count} of {} {what}", pace.requests)).collect();
    if p99(&pace.due_to_sent_ms) > OUT_OF_STEP_MS {
        reasons.push(format!("the p99 send delay is over {OUT_OF_STEP_MS} ms"));
    }
    if reasons.is_empty() { "no request was due".into() } else { reasons.join(", ") }
}

fn both(of: &Distribution) -> String {
    if of.is_empty() {
        return "none".to_owned();
    }
    format!("{:.3} / {:.3}", of.quantile_ms(0.5), p99(of))
}

fn row(level: &Level) -> [String; 10] {
    [
        level.streams.to_string(),
        format!("{} ms", level.step_ms),
        figures::number(level.tokens_per_s),
        figures::number(level.requests_per_s),
        both(&level.ttft_error_ms),
        both(&level.itl_error_ms),
        both(&level.e2e_error_ms),
        both(&level.due_to_sent_ms),
        figures::percent(level.client_cpu_share),
        both(&level.engine_late_ms),
    ]
}

fn p99(of: &Distribution) -> f64 {
    if of.is_empty() { 0.0 } else { of.quantile_ms(0.99) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(levels: Vec<Level>, paces: Vec<Pace>) -> Calibration {
        Calibration {
            tollgate: "0".into(),
            taken: "t".into(),
            machine: "2 x m".into(),
            apart: true,
            open_files: Some(20_000),
            levels,
            not_tried: Vec::new(),
            paces,
        }
    }

    #[test]
    fn a_level_that_was_not_tried_is_listed_with_the_reason() {
        let level =
            NotTried { load: "1024 streams".into(), why: "this process may open 256 files at most".into() };
        let shown = calibration_table(&Calibration { not_tried: vec![level], ..calibration(vec![], vec![]) });
        assert!(
            shown.contains("Not tried: 1024 streams: this process may open 256 files at most."),
            "{shown}"
        );
    }

    #[test]
    fn a_rate_that_was_not_kept_is_listed_with_the_reason() {
        let shown = |failed: u64, not_sent: u64, lag_ms: f64| {
            let mut pace = Pace { requests: 50, failed, not_sent, ..Pace::of(500.0, &[]) };
            pace.due_to_sent_ms.record_ms(lag_ms);
            calibration_table(&calibration(Vec::new(), vec![pace]))
        };
        let not_sent = shown(3, 2, 0.1);
        assert!(
            not_sent.contains(
                "Not on schedule even at 500 requests/s, the lowest rate: 3 of 50 failed, 2 of 50 not sent."
            ),
            "{not_sent}"
        );
        assert!(shown(0, 0, 7.0).contains("the lowest rate: the p99 send delay is over 1 ms."));
    }

    #[test]
    fn an_engine_that_was_late_itself_is_reported() {
        let mut late = Level { tokens_per_s: 9e4, ..Level::new(1024, 10.0) };
        late.itl_error_ms.record_ms(2.0);
        late.engine_late_ms.record_ms(40.0);
        let mut exact = Level { tokens_per_s: 3000.0, requests_per_s: 45.0, ..Level::new(32, 10.0) };
        exact.ttft_error_ms.record_ms(0.02);
        exact.itl_error_ms.record_ms(0.02);
        let mut pace = Pace::of(500.0, &[]);
        pace.due_to_sent_ms.record_ms(0.1);
        let table = calibration_table(&calibration(vec![exact, late], vec![pace]));
        assert!(table.contains("up to 32 streams, 3000 tokens/s, and 45.0 requests/s"), "{table}");
        assert!(table.contains("On schedule (p99 send delay within 1 ms) up to 500 requests/s"), "{table}");
        assert!(
            table.contains("At 1024 streams with a token every 10 ms, the simulated engine itself missed"),
            "{table}"
        );
    }
}
