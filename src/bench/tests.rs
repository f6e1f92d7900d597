use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::target::{Faults, SimulatorSettings};

fn engine() -> SimulatedEngine {
    engine_of(1.0)
}

/// Fast, but slow enough for a busy machine.
fn engine_of(decode_scale: f64) -> SimulatedEngine {
    let settings = SimulatorSettings {
        prefill_base_ms: 20.0,
        decode_step_ms: 5.0,
        cold_start_ms: 0.0,
        decode_scale,
        ..SimulatorSettings::default()
    };
    SimulatedEngine::with(settings).unwrap()
}

fn quick(engine: &SimulatedEngine) -> Bench {
    Bench::url(engine.url()).users(4).requests(12).input_tokens(16).output_tokens(8)
}

fn refusal(bench: Bench) -> String {
    bench.run().unwrap_err().to_string()
}

fn nowhere() -> Bench {
    Bench::url("http://127.0.0.1:9")
}

#[test]
fn a_bench_measures_the_requested_load() {
    let engine = engine();
    let summary = quick(&engine).warm_up(Duration::from_millis(50)).run().unwrap();
    let RequestTotals { sent, succeeded, failed, late } = summary.requests;
    assert_eq!((sent, succeeded, failed, late), (12, 12, 0, 0));
    assert_eq!((summary.engine.as_str(), summary.model.as_str()), ("simulator 1.0.0", "simulated"));
    assert_eq!((summary.output_tokens, summary.success_rate), (12 * 8, 1.0));
    assert_eq!((summary.ttft_ms.count, summary.itl_ms.count), (12, 12 * 7));
    assert!(summary.ttft_ms.p50 >= 20.0 && summary.tpot_ms.mean >= 4.0, "{summary:?}");
    assert!(summary.e2e_ms.min >= summary.ttft_ms.min + summary.tpot_ms.min, "{summary:?}");
    assert!(summary.requests_per_s > 0.0 && summary.total_tokens_per_s > summary.output_tokens_per_s);
}

#[test]
fn contradictory_settings_are_named() {
    let contradictions = [
        (nowhere().users(2).rate(1.0), "`users` and `rate`"),
        (nowhere().rate(1.0).trace("a.csv"), "`rate` and `trace`"),
        (nowhere().requests(2).duration(Duration::from_secs(1)), "`requests` and `duration`"),
        (nowhere().prompts(["a"]).input_tokens(3), "`input_tokens` and `prompts`"),
        (nowhere().prompts(["a"]).sharegpt("a.json"), "`prompts` and `sharegpt`"),
    ];
    for (bench, named) in contradictions {
        let refusal = refusal(bench);
        assert!(refusal.starts_with(&format!("{named} contradict each other: ")), "{refusal}");
    }
}

#[test]
fn an_invalid_setting_is_named_with_the_expected_value() {
    let settings = [
        (nowhere().users(0), "at least 1 user"),
        (nowhere().requests(0), "at least 1 request"),
        (nowhere().rate(f64::NAN), "a rate is a number greater than 0, not NaN"),
        (nowhere().output_tokens(0), "an answer has at least 1 token"),
        (nowhere().duration(Duration::ZERO), "a round lasts at least 1ms"),
        (nowhere().timeout(Duration::ZERO), "`timeout` is 0s"),
        (nowhere().temperature(-1.0), "temperature"),
        (nowhere().prompts::<&str>([]), "at least 1 prompt"),
        (nowhere().prompts(["a", " "]), "prompt 2 is empty"),
        (nowhere().arrival(ArrivalProcess::Poisson), "`arrival` is given without `rate`"),
        (nowhere().engine("vlm"), "did you mean `vllm`?"),
        (Bench::url("not a url"), "`url` is \"not a url\": expected a URL such as"),
        (Bench::url("127.0.0.1:18437"), "`url` is \"127.0.0.1:18437\": expected a URL such as"),
        (Bench::url(""), "`url` is empty: expected a URL such as `http://127.0.0.1:8000/v1`"),
        (nowhere().header("X-A", "1").header("x-a", "2"), "`x-a` twice"),
    ];
    for (bench, expected) in settings {
        let refusal = refusal(bench);
        assert!(refusal.contains(expected), "{refusal:?} lacks {expected:?}");
    }
    let missing = refusal(nowhere().trace("no/such.csv"));
    assert!(missing.starts_with("can't read no/such.csv: "), "{missing}");
}

#[test]
fn an_unreachable_engine_is_an_error() {
    let error = nowhere().engine("vllm").run().unwrap_err();
    assert!(matches!(&error, BenchError::Launch(why) if why.contains("is the engine running")), "{error}");
}

#[test]
fn a_run_without_a_successful_request_is_an_error() {
    let after_the_warm_up = Faults { hang_after_requests: 1, ..Faults::default() };
    let settings =
        SimulatorSettings { faults: after_the_warm_up, cold_start_ms: 0.0, ..SimulatorSettings::default() };
    let engine = SimulatedEngine::with(settings).unwrap();
    let bench = Bench::url(engine.url()).requests(2).output_tokens(2).timeout(Duration::from_secs(1));
    let error = bench.run().unwrap_err();
    let BenchError::NoRequestSucceeded { sent: 2, first_failure } = &error else { panic!("{error}") };
    assert!(first_failure.starts_with("timeout: "), "{first_failure}");
}

#[test]
fn a_warm_up_without_a_successful_request_is_an_error() {
    let faults = Faults { error_rate: 1.0, ..Faults::default() };
    let settings = SimulatorSettings { faults, cold_start_ms: 0.0, ..SimulatorSettings::default() };
    let engine = SimulatedEngine::with(settings).unwrap();
    let error = Bench::url(engine.url()).requests(3).run().unwrap_err();
    assert!(matches!(&error, BenchError::Session(why) if why.contains("http_status: HTTP 500")), "{error}");
}

#[test]
fn every_request_reaches_the_callback() {
    let engine = engine();
    let (sender, requests) = mpsc::channel();
    let summary =
        quick(&engine).on_record(move |request| sender.send(request.clone()).unwrap()).run().unwrap();
    let requests: Vec<RequestResult> = requests.into_iter().collect();
    assert_eq!(requests.len(), 12);
    let longest = requests.iter().filter_map(|request| request.ttft_ms).fold(0.0, f64::max);
    assert!((longest - summary.ttft_ms.max).abs() < 1e-6, "{longest} {}", summary.ttft_ms.max);
    assert!(requests.iter().all(|request| request.chunks_ms.len() == 8 && request.failure.is_none()));
}

#[test]
fn a_rate_counts_latencies_from_when_a_request_was_due() {
    let engine = engine();
    let bench =
        Bench::url(engine.url()).rate(40.0).arrival(ArrivalProcess::Poisson).requests(10).output_tokens(4);
    let summary = bench.run().unwrap();
    assert_eq!(summary.requests.succeeded, 10);
}

#[test]
fn an_unmeasured_metric_is_nan_and_fails_its_gate() {
    let engine = engine();
    let summary = quick(&engine).output_tokens(1).run().unwrap();
    assert!(summary.tpot_ms.mean.is_nan() && summary.itl_ms.count == 0);
    let json = serde_json::to_value(&summary).unwrap();
    assert!(json["tpot_ms"]["p95"].is_null() && json["ttft_ms"]["p95"].is_number(), "{json}");
    let back: Summary = serde_json::from_value(json).unwrap();
    assert!(back.tpot_ms.p95.is_nan() && back.ttft_ms == summary.ttft_ms);
    let failure = summary.check(["tpot_ms_p95 <= 60"]).unwrap_err().to_string();
    assert!(failure.ends_with("tpot_ms_p95 <= 60: was not measured"), "{failure}");
}

#[test]
fn every_broken_gate_is_listed_with_its_reason() {
    let engine = engine();
    let summary = quick(&engine).run().unwrap();
    summary.check(["ttft_ms_p95 <= 10000", "success_rate >= 1.0", "requests_per_s >= 0.1"]).unwrap();
    let failure =
        summary.check(["ttft_ms_p50 <= 1", "success_rate >= 0.5", "tpot_ms_mean <= 1"]).unwrap_err();
    let lines: Vec<String> = format!("{failure:?}").lines().map(str::to_owned).collect();
    assert_eq!((lines.len(), lines[0].as_str()), (3, "2 of 3 gates failed:"), "{lines:?}");
    let one = summary.check(["ttft_ms_p50 <= 1"]).unwrap_err().to_string();
    assert!(one.starts_with("1 gate failed:\n"), "{one}");
    let one_of_two = summary.check(["ttft_ms_p50 <= 1", "success_rate >= 0.5"]).unwrap_err().to_string();
    assert!(one_of_two.starts_with("1 of 2 gates failed:\n"), "{one_of_two}");
    assert!(
        lines[1].starts_with("  ttft_ms_p50 <= 1: ") && lines[1].ends_with(" is above 1.00"),
        "{lines:?}"
    );
}

#[test]
fn a_malformed_gate_says_what_was_expected() {
    let engine = engine();
    let summary = quick(&engine).run().unwrap();
    for (gate, expected) in [
        ("ttft_ms_p95", "expected METRIC <= LIMIT"),
        ("<= 3", "isn't a valid gate: expected METRIC <= LIMIT"),
        ("ttft_ms_p95 < 3", "write <="),
        ("output_tokens_per_s > 3", "write >="),
        ("ttft_ms_p95 <= 800ms", "write `800ms` as a plain number: the unit is in the name `ttft_ms_p95`"),
        ("ttft_ms_p95 <= many", "`many` is not a number"),
        ("ttft_p95 <= 3", "did you mean `ttft_ms_p95`?"),
        ("ttft_ms_p95 >= 3", "a lower p95 time to first token is better: write <="),
        ("success_rate <= 0.9", "a higher success rate is better: write >="),
        ("success_rate >= 99", "a share from 0 to 1: write 0.99 or 99%"),
        ("success_rate >= 0", "the limit must be a number greater than 0"),
        ("ttft_ms_p95 <= -3", "the limit must be a number greater than 0"),
        ("ttft_ms_p95 <= nan", "greater than 0"),
        ("ttft_ms_p95 within 5", "%"),
        ("output_tokens_per_s within 100%", "could never be exceeded"),
        ("success_rate within 5%", "takes no tolerance"),
    ] {
        let failure = summary.check([gate]).unwrap_err();
        let GateFailure::Malformed(malformed) = failure else { panic!("{gate}: {failure}") };
        assert!(malformed.to_string().contains(expected), "{malformed} lacks {expected}");
    }
    let within = summary.check(["ttft_ms_p95 within 5%"]).unwrap_err().to_string();
    assert!(within.contains("use compare(&old, &new)"), "{within}");
}

#[test]
fn a_summary_prints_a_table_and_no_histograms() {
    let engine = engine();
    let mut summary = quick(&engine).run().unwrap();
    summary.warnings = vec!["the engine counts other tokens".into()];
    let table = summary.to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("output_tokens_per_s  "), "{table}");
    assert_eq!(lines[3], "success_rate         100 %");
    assert_eq!(lines[5].split_whitespace().collect::<Vec<_>>(), ["metric", "mean", "p50", "p95", "p99"]);
    let names: Vec<_> = lines[6..10].iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["ttft_ms", "tpot_ms", "itl_ms", "e2e_ms"]);
    assert_eq!(lines.last(), Some(&"Warning: the engine counts other tokens"));
    let debug = format!("{summary:?}");
    assert!(debug.contains("success_rate: 1.0") && !debug.contains("measured"), "{debug}");
}

#[test]
fn runs_of_different_loads_name_what_differs() {
    let engine = engine();
    let (old, new) = (quick(&engine).users(1), quick(&engine).output_tokens(4));
    let comparison = compare(&old.run().unwrap(), &new.run().unwrap());
    let difference = "the runs differ in load or prompts: output_tokens 8 vs 4, users 1 vs 4";
    let shown = comparison.to_string();
    assert!(shown.starts_with(&format!("Warning: {difference}. ")), "{shown}");
    assert!(shown.contains("(−") && !shown.contains("(-"), "{shown}");
    let failure = comparison.check(["ttft_ms_p50 within 5%"]).unwrap_err().to_string();
    assert!(failure.ends_with(difference), "{failure}");
}

#[test]
fn a_summary_without_settings_still_loads() {
    let engine = engine();
    let mut json = serde_json::to_value(quick(&engine).run().unwrap()).unwrap();
    json["measured"].as_object_mut().unwrap().remove("settings").unwrap();
    let old: Summary = serde_json::from_value(json).unwrap();
    let comparison = compare(&old, &quick(&engine).run().unwrap());
    assert!(!comparison.to_string().contains("Warning"), "{comparison}");
}

#[test]
fn one_slower_run_is_suspected_and_several_regress() {
    let (before, bump) = (engine(), engine_of(3.0));
    let run = |engine: &SimulatedEngine, seed| quick(engine).ignore_eos(true).seed(seed).run().unwrap();
    let (old, new) = (run(&before, 1), run(&bump, 1));
    let one = compare(&old, &new);
    let change = one.change("tpot_ms_mean").unwrap();
    assert!(change.relative > 1.0 && change.interval.is_none(), "{change:?}");
    let failure = one.check(["tpot_ms_mean within 90%"]).unwrap_err().to_string();
    assert!(failure.contains("suspected"), "{failure}");
    assert!(one.to_string().contains("tpot_ms_mean"), "{one}");

    let olds: Vec<Summary> = (0..3).map(|_| run(&before, 1)).collect();
    let news: Vec<Summary> = (0..3).map(|_| run(&bump, 1)).collect();
    let several = compare(&olds, &news);
    assert!(several.change("tpot_ms_mean").unwrap().interval.is_some());
    let other = compare(&old, &run(&before, 2));
    let failure = other.check(["tpot_ms_mean within 90%"]).unwrap_err().to_string();
    assert!(failure.contains("differ in load or prompts: seed 1 vs 2"), "{failure}");
}

#[test]
fn a_bench_runs_inside_any_async_runtime() {
    let engine = engine();
    let current = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let several = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    for runtime in [current, several] {
        let (blocking, awaited) =
            runtime.block_on(async { (quick(&engine).run(), quick(&engine).run_async().await) });
        assert_eq!(blocking.unwrap().requests.succeeded, 12);
        assert_eq!(awaited.unwrap().requests.succeeded, 12);
    }
}

#[test]
fn a_dropped_future_ends_the_load() {
    let engine = engine();
    let (sender, requests) = mpsc::channel();
    let bench = quick(&engine).requests(100_000).on_record(move |_| sender.send(()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let _ = tokio::time::timeout(Duration::from_millis(500), bench.run_async()).await.unwrap_err();
    });
    drop(bench);
    // The channel ends with the load's thread.
    let ended = requests.into_iter().count();
    assert!(ended < 10_000, "{ended}");
}

#[test]
fn two_runs_of_one_bench_can_be_compared() {
    let engine = engine();
    let bench = quick(&engine);
    let (first, second) = (bench.run().unwrap(), bench.run().unwrap());
    let comparison = compare(&first, &second);
    assert!(
        comparison.change("output_tokens_per_s").is_some() && comparison.change("success_rate").is_none()
    );
    comparison.check(["e2e_ms_mean within 1000%"]).unwrap();
}
