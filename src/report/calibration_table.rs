//! A calibration as a table.

use crate::metrics::calibration::{Calibration, DISTORTION_MS, Level, NotTried, OUT_OF_STEP_MS, Pace};
use crate::metrics::distribution::Distribution;
use crate::text::columns::{Align, Columns};
use crate::text::figures;

/// A row per level, errors as median and 99th percentile in milliseconds, then the limits.
pub fn calibration_table(calibration: &Calibration) -> String {
    let mut columns = Columns::new(
        [
            "streams",
            "step",
            "tokens/s",
            "requests/s",
            "TTFT error",
            "ITL error",
            "E2E error",
            "due to sent",
            "client CPU",
            "engine late",
        ],
        [Align::Right; 10],
    );
    calibration.levels.iter().for_each(|level| columns.row(row(level)));
    let mut lines = columns.lines();
    lines.push("Errors and lateness: p50 / p99 in ms.".into());
    lines.extend(paces(calibration));
    let not_tried = calibration.not_tried.iter();
    lines.extend(not_tried.map(|NotTried { load, why }| format!("Not tried: {load}: {why}.")));
    lines.push(match calibration.limits() {
        Some(limits) if limits.streams > 0 => format!(
            "Exact (p99 of the errors of TTFT and ITL within {DISTORTION_MS} ms) up to {} streams, {} tokens/s, {} requests/s of \
             those tried.",
            limits.streams,
            figures::number(limits.tokens_per_s),
            figures::number(limits.requests_per_s)
        ),
        _ => format!("Not exact at any level: p99 of TTFT's or ITL's error is beyond {DISTORTION_MS} ms."),
    });
    let overtaxed = calibration.levels.iter().filter(|level| p99(&level.engine_late_ms) > DISTORTION_MS);
    let overtaxed: Vec<String> =
        overtaxed.map(|level| format!("{} every {} ms", level.streams, level.step_ms)).collect();
    if !overtaxed.is_empty() {
        lines.push(format!(
            "At {} the simulated engine itself missed its deadlines by more than {DISTORTION_MS} ms: that is its limit, \
             or something else kept the machine busy, and the client's may lie beyond.",
            overtaxed.join(", ")
        ));
    }
    if !calibration.apart {
        lines.push(
            "Client and engine shared the only processor: figures are worse than with one each.".into(),
        );
    }
    let files = calibration.open_files.map_or("no limit".to_owned(), |files| files.to_string());
    lines.push(format!("Open files: {files}. Machine: {}.", calibration.machine));
    lines.join("\n")
}

/// A table of its own, and up to where the schedule was kept.
fn paces(calibration: &Calibration) -> Vec<String> {
    let (Some(lowest), Some(limit)) = (calibration.paces.first(), calibration.rate_limit_per_s()) else {
        return Vec::new();
    };
    let mut columns = Columns::new(
        ["open load", "achieved", "requests", "failed", "not sent", "due to sent"],
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
    lines.push(match limit > 0.0 {
        true => format!(
            "In step (p99 of due to sent within {OUT_OF_STEP_MS} ms) up to {limit} requests/s of those tried."
        ),
        false => {
            format!("Not in step at {} requests/s, the lowest rate: {}.", lowest.requests_per_s, why(lowest))
        }
    });
    lines.push(String::new());
    lines
}

/// What kept a rate from being kept.
fn why(pace: &Pace) -> String {
    let counted = [(pace.failed, "failed"), (pace.not_sent, "not sent")];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    let mut reasons: Vec<String> =
        counted.map(|(count, what)| format!("{count} of {} {what}", pace.requests)).collect();
    if p99(&pace.due_to_sent_ms) > OUT_OF_STEP_MS {
        reasons.push(format!("p99 of due to sent is beyond {OUT_OF_STEP_MS} ms"));
    }
    if reasons.is_empty() { "none was due".into() } else { reasons.join(", ") }
}

fn both(of: &Distribution) -> String {
    match of.is_empty() {
        true => "none".to_owned(),
        false => format!("{:.3} / {:.3}", of.quantile_ms(0.5), p99(of)),
    }
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
    fn a_level_that_the_machine_has_no_room_for_is_reported() {
        let level =
            NotTried { load: "1024 streams".into(), why: "this process may open 256 files at most".into() };
        let reasons =
            calibration_table(&Calibration { not_tried: vec![level], ..calibration(vec![], vec![]) });
        assert!(
            reasons.contains("Not tried: 1024 streams: this process may open 256 files at most."),
            "{reasons}"
        );
    }

    #[test]
    fn a_rate_that_was_not_kept_is_reported_with_the_reason() {
        let reasons = |failed: u64, not_sent: u64, lag_ms: f64| {
            let mut pace = Pace { requests: 50, failed, not_sent, ..Pace::of(500.0, &[]) };
            pace.due_to_sent_ms.record_ms(lag_ms);
            calibration_table(&calibration(Vec::new(), vec![pace]))
        };
        let not_sent = reasons(3, 2, 0.1);
        assert!(
            not_sent.contains(
                "Not in step at 500 requests/s, the lowest rate: 3 of 50 failed, 2 of 50 not sent."
            ),
            "{not_sent}"
        );
        assert!(reasons(0, 0, 7.0).contains("the lowest rate: p99 of due to sent is beyond 1 ms."));
    }

    #[test]
    fn an_engine_that_was_late_itself_is_named_beside_the_limits() {
        let mut late = Level { tokens_per_s: 9e4, ..Level::new(1024, 10.0) };
        late.itl_error_ms.record_ms(2.0);
        late.engine_late_ms.record_ms(40.0);
        let mut exact = Level { tokens_per_s: 3000.0, requests_per_s: 45.0, ..Level::new(32, 10.0) };
        exact.ttft_error_ms.record_ms(0.02);
        exact.itl_error_ms.record_ms(0.02);
        let mut pace = Pace::of(500.0, &[]);
        pace.due_to_sent_ms.record_ms(0.1);
        let table = calibration_table(&calibration(vec![exact, late], vec![pace]));
        assert!(table.contains("up to 32 streams, 3000 tokens/s, 45.0 requests/s"), "{table}");
        assert!(table.contains("In step (p99 of due to sent within 1 ms) up to 500 requests/s"), "{table}");
        assert!(table.contains("At 1024 every 10 ms the simulated engine itself missed"), "{table}");
    }
}
