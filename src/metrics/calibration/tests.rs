use super::*;
use crate::load::worker::Worker;
use crate::load::{ArrivalProcess, StopCondition};
use crate::metrics::record::TokenCount;
use crate::metrics::server_side::ServerTimes;
use crate::metrics::summary::RequestCounts;

const MS: u64 = 1_000_000;

fn record(content_ms: &[u64]) -> RequestRecord {
    RequestRecord {
        id: "r".into(),
        due_ns: 0,
        taken_ns: MS,
        sent_ns: MS,
        content_ns: content_ms.iter().map(|ms| ms * MS).collect(),
        end_ns: 100 * MS,
        input_tokens: None,
        output_tokens: 3,
        tokens_counted_by: TokenCount::Usage,
        finish: None,
        server_times: ServerTimes::default(),
        reconnects: 0,
        outcome: Ok(()),
    }
}

fn level(streams: u32, itl_error_ms: f64, tokens_per_s: f64) -> Level {
    let mut level = Level { tokens_per_s, ..Level::new(streams, 10.0) };
    level.ttft_error_ms.record_ms(0.1);
    level.itl_error_ms.record_ms(itl_error_ms);
    level
}

fn calibration(levels: Vec<Level>) -> Calibration {
    let (tollgate, taken, machine) = ("0".into(), "t".into(), "m".into());
    let (not_tried, paces) = (Vec::new(), Vec::new());
    Calibration { tollgate, taken, machine, apart: true, open_files: None, levels, not_tried, paces }
}

#[test]
fn an_error_is_the_clients_time_minus_the_engines() {
    let mut level = Level::new(1, 10.0);
    let written = [51, 61, 71].map(|ms| ms * MS);
    let due = [50, 60, 70].map(|ms| ms * MS);
    let seen = ServerStamps { received_ns: 2 * MS, token_due_ns: &due, token_written_ns: &written };
    level.compare(&record(&[51, 63, 72]), seen);
    assert_eq!(level.ttft_error_ms.mean_ms(), 1.0);
    assert_eq!(level.itl_error_ms.mean_ms(), 1.5);
    assert_eq!(level.e2e_error_ms.mean_ms(), 2.0);
    assert_eq!((level.due_to_sent_ms.mean_ms(), level.engine_late_ms.mean_ms()), (1.0, 1.0));
}

#[test]
fn limits_come_from_undistorted_levels() {
    let mut failed = level(2048, 0.1, 9e9);
    failed.failed = 1;
    let calibration =
        calibration(vec![level(32, 0.1, 3000.0), level(256, 0.9, 25_000.0), level(1024, 1.5, 9e4), failed]);
    let limits = calibration.limits().unwrap();
    assert_eq!((limits.streams, limits.tokens_per_s), (256, 25_000.0));
}

#[test]
fn a_level_whose_ttft_was_distorted_does_not_count() {
    let mut late = level(256, 0.1, 2.5e4);
    late.ttft_error_ms.record_ms(1.5);
    assert_eq!(calibration(vec![level(32, 0.1, 3000.0), late]).limits().unwrap().streams, 32);
}

#[test]
fn levels_heavier_than_a_distorted_one_do_not_count() {
    let limits = |levels| calibration(levels).limits().unwrap();
    let beyond = limits(vec![level(32, 0.1, 3000.0), level(256, 1.5, 2.5e4), level(1024, 0.1, 9e4)]);
    assert_eq!((beyond.streams, beyond.tokens_per_s), (32, 3000.0));
    // Too many tokens say nothing about many requests with few tokens.
    let short = Level { requests_per_s: 4000.0, ..level(256, 0.1, 8e3) };
    let many_tokens = Level { requests_per_s: 370.0, ..level(256, 1.5, 5e4) };
    let short = limits(vec![level(256, 0.1, 2.5e4), many_tokens, short]);
    assert_eq!((short.streams, short.tokens_per_s, short.requests_per_s), (256, 2.5e4, 4000.0));
}

#[test]
fn a_higher_request_rate_than_tried_is_reported() {
    let calibration = calibration(vec![Level { requests_per_s: 4000.0, ..level(256, 0.1, 2e4) }]);
    let doubt = |succeeded| {
        let requests = RequestCounts { sent: succeeded, succeeded, ..RequestCounts::default() };
        let summary = Summary { window_s: 1.0, output_tokens: succeeded, requests, ..Summary::default() };
        calibration.doubt(&Load::closed(256, StopCondition::Requests(succeeded as u32)), &summary)
    };
    assert_eq!(doubt(4000), None);
    let beyond = doubt(12_800).unwrap();
    assert!(beyond.starts_with("12800 requests per second exceed the 4000 up to"), "{beyond}");
}

#[test]
fn a_load_beyond_the_limits_is_reported() {
    let calibration = calibration(vec![level(32, 0.1, 3000.0)]);
    let summary = |output_tokens| Summary { window_s: 1.0, output_tokens, ..Summary::default() };
    let load = |users| Load::closed(users, StopCondition::Requests(1000));
    assert_eq!(calibration.doubt(&load(32), &summary(3000)), None);
    let streams = calibration.doubt(&load(33), &summary(3000)).unwrap();
    assert!(streams.starts_with("33.0 streams exceed the 32.0"), "{streams}");
    let tokens = calibration.doubt(&load(2), &summary(3100)).unwrap();
    assert!(tokens.starts_with("3100 output tokens per second"), "{tokens}");
}

/// Requests due every 10 ms, each sent this many microseconds late.
fn paced(lags_us: &[u64]) -> Pace {
    let sent = |(number, lag_us): (usize, &u64)| {
        let due_ns = number as u64 * 10 * MS;
        RequestRecord { due_ns, sent_ns: due_ns + lag_us * 1000, ..record(&[1000]) }
    };
    Pace::of(100.0, &lags_us.iter().enumerate().map(sent).collect::<Vec<_>>())
}

#[test]
fn a_rate_is_kept_if_requests_are_sent_when_due() {
    let kept = paced(&[50; 200]);
    assert!(kept.is_kept());
    assert!((kept.achieved_per_s - 100.0).abs() < 1e-9);
    let late = paced(&[[50; 100], [1500; 100]].concat());
    assert!(!late.is_kept());
    let mut unsent = kept.clone();
    unsent.not_sent = 1;
    assert!(!unsent.is_kept());
    assert!(!Pace::of(100.0, &[]).is_kept());
}

#[test]
fn rates_beyond_the_first_missed_one_do_not_count() {
    let mut calibration = calibration(vec![]);
    let rates = |paces: [(f64, u64); 3]| {
        paces.map(|(requests_per_s, lag_us)| Pace { requests_per_s, ..paced(&[lag_us; 20]) }).to_vec()
    };
    calibration.paces = rates([(100.0, 50), (200.0, 5000), (400.0, 50)]);
    assert_eq!(calibration.rate_limit_per_s(), Some(100.0));
    calibration.paces = rates([(100.0, 5000), (200.0, 50), (400.0, 50)]);
    assert_eq!(calibration.rate_limit_per_s(), Some(0.0));
}

#[test]
fn an_open_loads_rate_is_compared_with_the_kept_rates() {
    let mut calibration = calibration(vec![level(32, 0.1, 3000.0)]);
    let doubt = |calibration: &Calibration, rate, worker: Option<Worker>| {
        let load = Load::open(rate, ArrivalProcess::Poisson, StopCondition::Requests(1000));
        let load = worker.map_or(load.clone(), |worker| worker.share(&load).unwrap());
        calibration.doubt(&load, &Summary::default())
    };
    assert_eq!(doubt(&calibration, 150.0, None), None);
    calibration.paces.push(paced(&[50; 200]));
    assert_eq!(doubt(&calibration, 100.0, None), None);
    let beyond = doubt(&calibration, 150.0, None).unwrap();
    assert!(beyond.starts_with("150 requests per second exceed the 100 up to"), "{beyond}");
    assert_eq!(doubt(&calibration, 150.0, Some(Worker { number: 1, of: 2 })), None);
}

#[test]
fn a_client_that_was_never_accurate_is_always_doubted() {
    let mut calibration = calibration(vec![level(1, 1.5, 100.0)]);
    calibration.paces.push(paced(&[1500; 200]));
    let users = calibration.doubt(&Load::closed(1, StopCondition::Requests(9)), &Summary::default()).unwrap();
    assert!(users.ends_with("client inaccurate at every number of streams that it tried"), "{users}");
    let open = Load::open(1.0, ArrivalProcess::Constant, StopCondition::Requests(9));
    let rate = calibration.doubt(&open, &Summary::default()).unwrap();
    assert!(rate.ends_with("inaccurate at every number of requests per second that it tried"), "{rate}");
}
