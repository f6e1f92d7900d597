use super::*;
use crate::metrics::distribution::Distribution;
use crate::metrics::summary::RequestCounts;

const OLD: [f64; 4] = [1000.0, 1004.0, 998.0, 1002.0];

fn throughput(tolerance: f64) -> Gate {
    let metric = "output_tokens_per_s".parse().unwrap();
    Gate { metric, tolerance: Some(tolerance), min: None, max: None }
}

fn session(tokens_per_s: u64) -> Summary {
    let mut e2e_ms = Distribution::new();
    e2e_ms.record_ms(1000.0);
    Summary {
        window_s: 1.0,
        output_tokens: tokens_per_s,
        requests: RequestCounts { sent: 10, succeeded: 10, ended_by_length: 10, ..Default::default() },
        e2e_ms,
        ..Summary::default()
    }
}

fn judged(gate: Gate, summaries: &[Summary], health: &ClientHealth) -> GateOutcome {
    let sessions: Vec<Evidence> =
        summaries.iter().map(|summary| Evidence { summary, health, open: false }).collect();
    judge(&gate, Old::Stored(&OLD), &sessions)
}

fn verdict(tokens_per_s: &[u64]) -> Verdict {
    let summaries: Vec<Summary> = tokens_per_s.iter().map(|value| session(*value)).collect();
    judged(throughput(0.03), &summaries, &ClientHealth::default()).verdict
}

#[test]
fn one_session_within_half_the_tolerance_is_ok() {
    assert_eq!(verdict(&[990]), Verdict::Ok);
}

#[test]
fn one_session_beyond_half_the_tolerance_is_only_suspected() {
    assert_eq!(verdict(&[980]), Verdict::Suspected);
    assert_eq!(verdict(&[500]), Verdict::Suspected);
}

#[test]
fn four_sessions_that_agree_show_a_regression() {
    assert_eq!(verdict(&[930, 928, 932, 931]), Verdict::Regressed);
}

#[test]
fn four_sessions_that_scatter_stay_a_suspicion() {
    assert_eq!(verdict(&[1000, 850, 990, 840]), Verdict::Suspected);
}

#[test]
fn a_real_loss_within_the_tolerance_is_ok() {
    assert_eq!(verdict(&[980, 981, 979, 980]), Verdict::Ok);
}

#[test]
fn a_gain_beyond_the_tolerance_is_an_improvement() {
    assert_eq!(verdict(&[1080, 1078, 1081, 1079]), Verdict::Improved);
}

#[test]
fn a_sick_client_is_invalid_and_never_regressed() {
    let mut health = ClientHealth::default();
    health.loop_lag_ms.record_ms(50.0);
    let slow = [session(500), session(500), session(500), session(500)];
    let outcome = judged(throughput(0.03), &slow, &health);
    assert_eq!(outcome.verdict, Verdict::Invalid);
    assert!(outcome.reason.contains("5 %"), "{}", outcome.reason);
    let saturated = ClientHealth { cpu_share: 0.97, ..ClientHealth::default() };
    assert_eq!(judged(throughput(0.03), &slow, &saturated).verdict, Verdict::Invalid);
}

#[test]
fn a_load_that_the_client_sent_too_late_is_invalid() {
    let mut starved = session(500);
    starved.requests.late = 1;
    let gate = Gate { min: Some(900.0), ..throughput(0.03) };
    let outcome = judged(gate, &[starved], &ClientHealth::default());
    assert_eq!(outcome.verdict, Verdict::Invalid);
    assert!(outcome.reason.contains("was too late to send 1 of the 11 requests"), "{}", outcome.reason);
}

/// `max_in_flight` was reached when one more request was due.
fn crowded(tokens_per_s: u64) -> Summary {
    let mut crowded = session(tokens_per_s);
    crowded.requests.sent += 1;
    crowded.requests.failed.insert(FailureClass::NoRoom, 1);
    crowded
}

#[test]
fn an_engine_that_left_no_room_can_regress_but_not_pass() {
    let judged = |tokens: [u64; 4]| judged(throughput(0.03), &tokens.map(crowded), &ClientHealth::default());
    assert_eq!(judged([500, 502, 499, 501]).verdict, Verdict::Regressed);
    for tokens in [[1000, 1004, 998, 1002], [1080, 1078, 1081, 1079]] {
        let outcome = judged(tokens);
        assert_eq!(outcome.verdict, Verdict::Invalid);
        assert!(
            outcome.reason.starts_with("the engine left no room for 1 of 11 requests"),
            "{}",
            outcome.reason
        );
    }
}

#[test]
fn an_engine_that_left_no_room_makes_no_baseline() {
    let (health, crowded) = (ClientHealth::default(), crowded(1000));
    let session = Evidence { summary: &crowded, health: &health, open: true };
    assert_eq!(judge(&throughput(0.03), Old::Stored(&[]), &[session]).verdict, Verdict::Invalid);
}

/// After a proof in which the old engine left no room in any of its sessions.
fn against_crowded(new: [Summary; 4], gate: &Gate) -> GateOutcome {
    let health = ClientHealth::default();
    let old = [1000, 1004, 998, 1002].map(crowded);
    let [old, new] = [&old, &new]
        .map(|side| side.each_ref().map(|summary| Evidence { summary, health: &health, open: true }));
    judge(gate, Old::Alternating(&old), &new)
}

#[test]
fn an_old_engine_without_room_can_only_clear_the_new_one() {
    let verdict = |new, gate: &Gate| against_crowded(new, gate).verdict;
    let gate = throughput(0.03);
    assert_eq!(verdict([500, 502, 499, 501].map(session), &gate), Verdict::Invalid);
    assert_eq!(verdict([1000, 1002, 999, 1001].map(session), &gate), Verdict::Ok);
    assert_eq!(verdict([1000, 1002, 999, 1001].map(crowded), &gate), Verdict::Invalid);
    assert_eq!(verdict([500, 502, 499, 501].map(crowded), &gate), Verdict::Invalid);
}

#[test]
fn an_old_engine_without_room_does_not_excuse_a_broken_limit() {
    let least = Gate { min: Some(900.0), ..throughput(0.03) };
    let at_most = limited("e2e_ms_p95", None, Some(500.0));
    let all = limited("success_rate", Some(1.0), None);
    let new = [500, 502, 499, 501];
    for (gate, new) in [(least, new.map(session)), (at_most, new.map(session)), (all, new.map(crowded))] {
        let outcome = against_crowded(new, &gate);
        assert_eq!(outcome.verdict, Verdict::Regressed, "{outcome:?}");
    }
}

#[test]
fn requests_without_room_break_a_limit_on_the_success_rate() {
    let all = limited("success_rate", Some(1.0), None);
    let outcome = judged(all, &[crowded(1000)], &ClientHealth::default());
    assert_eq!(outcome.verdict, Verdict::Regressed);
    assert!(
        outcome.reason.contains("is below 100 %: the engine left no room for 1 of 11"),
        "{}",
        outcome.reason
    );
    let busy = ClientHealth { cpu_share: 0.97, ..ClientHealth::default() };
    assert_eq!(judged(all, &[crowded(1000)], &busy).verdict, Verdict::Invalid);
    let most = limited("success_rate", Some(0.9), None);
    assert_eq!(judged(most, &[crowded(1000)], &ClientHealth::default()).verdict, Verdict::Ok);
}

#[test]
fn an_absolute_limit_needs_no_baseline() {
    let metric = "success_rate".parse().unwrap();
    let gate = Gate { metric, tolerance: None, min: Some(1.0), max: None };
    let mut lossy = session(1000);
    lossy.requests.succeeded = 9;
    let health = ClientHealth::default();
    let outcome =
        judge(&gate, Old::Stored(&[]), &[Evidence { summary: &lossy, health: &health, open: false }]);
    assert_eq!(outcome.verdict, Verdict::Regressed);
    assert_eq!(outcome.reason, "90 % is below 100 %");
}

fn limited(metric: &str, min: Option<f64>, max: Option<f64>) -> Gate {
    Gate { metric: metric.parse().unwrap(), tolerance: None, min, max }
}

/// A client whose event loop runs this late.
fn late_by_ms(lag_ms: f64) -> ClientHealth {
    let mut health = ClientHealth::default();
    health.loop_lag_ms.record_ms(lag_ms);
    health
}

#[test]
fn a_limit_that_a_late_client_may_have_broken_is_invalid() {
    let at_least = limited("output_tokens_per_s", Some(950.0), None);
    assert_eq!(judged(at_least, &[session(900)], &late_by_ms(1.0)).verdict, Verdict::Regressed);
    let outcome = judged(at_least, &[session(900)], &late_by_ms(100.0));
    assert_eq!(outcome.verdict, Verdict::Invalid);
    assert!(outcome.reason.starts_with("900 is below 950, but the load client's own timing error of 10 %"));
    let at_most = limited("e2e_ms_p95", None, Some(950.0));
    assert_eq!(judged(at_most, &[session(900)], &late_by_ms(40.0)).verdict, Verdict::Regressed);
    assert_eq!(judged(at_most, &[session(900)], &late_by_ms(60.0)).verdict, Verdict::Invalid);
}

#[test]
fn a_limit_broken_by_more_than_the_clients_error_is_broken() {
    let late = late_by_ms(100.0);
    let at_least = limited("output_tokens_per_s", Some(950.0), None);
    assert_eq!(judged(at_least, &[session(500)], &late).verdict, Verdict::Regressed);
    assert_eq!(
        judged(limited("e2e_ms_p95", None, Some(500.0)), &[session(900)], &late).verdict,
        Verdict::Regressed
    );
    let hopeless = late_by_ms(5000.0);
    assert_eq!(judged(at_least, &[session(500)], &hopeless).verdict, Verdict::Invalid);
}

#[test]
fn the_worst_client_of_all_sessions_decides_about_a_limit() {
    let (sound, late, slow) = (late_by_ms(1.0), late_by_ms(100.0), session(900));
    let sessions = [&sound, &late].map(|health| Evidence { summary: &slow, health, open: false });
    let gate = limited("output_tokens_per_s", Some(950.0), None);
    assert_eq!(judge(&gate, Old::Stored(&[]), &sessions).verdict, Verdict::Invalid);
}

fn losing_one_by(class: FailureClass) -> Summary {
    let mut lossy = session(1000);
    lossy.requests.succeeded = 9;
    lossy.requests.failed.insert(class, 1);
    lossy
}

#[test]
fn a_late_client_does_not_excuse_failed_requests() {
    let gate = limited("success_rate", Some(1.0), None);
    for class in [FailureClass::Timeout, FailureClass::HttpStatus] {
        let outcome = judged(gate, &[losing_one_by(class)], &late_by_ms(100.0));
        assert_eq!(outcome.verdict, Verdict::Regressed, "{class:?}");
    }
}

#[test]
fn a_bottleneck_client_only_lets_failed_answers_break_limits() {
    let busy = ClientHealth { cpu_share: 0.97, ..ClientHealth::default() };
    let at_least = limited("output_tokens_per_s", Some(950.0), None);
    assert_eq!(judged(at_least, &[session(100)], &busy).verdict, Verdict::Invalid);
    let all = limited("success_rate", Some(1.0), None);
    assert_eq!(judged(all, &[losing_one_by(FailureClass::HttpStatus)], &busy).verdict, Verdict::Regressed);
    assert_eq!(judged(all, &[losing_one_by(FailureClass::Timeout)], &busy).verdict, Verdict::Invalid);
}

#[test]
fn the_clients_own_queue_is_never_a_regression() {
    let mut queued = session(1000);
    queued.queue_lag_ms.record_ms(500.0);
    let outcome = judged(limited("queue_lag_ms_p95", None, Some(10.0)), &[queued], &late_by_ms(1.0));
    assert_eq!(outcome.verdict, Verdict::Invalid);
}

#[test]
fn a_limit_met_despite_a_sick_client_is_met() {
    let hopeless = late_by_ms(5000.0);
    let at_most = limited("e2e_ms_p95", None, Some(1050.0));
    assert_eq!(judged(at_most, &[session(900)], &hopeless).verdict, Verdict::Ok);
}

#[test]
fn a_metric_of_0_is_not_comparable() {
    let mut in_bursts = session(1000);
    (0..3).for_each(|_| in_bursts.itl_ms.record_ms(0.0));
    let gate = Gate { tolerance: Some(0.1), ..limited("itl_ms_p50", None, None) };
    let outcome = judged(gate, &[in_bursts], &late_by_ms(0.1));
    assert_eq!(outcome.verdict, Verdict::NotComparable);
    assert_eq!(outcome.reason, "a value of 0 has no relative change");
}

#[test]
fn late_sending_makes_the_ttft_of_an_open_load_uncertain() {
    let mut late = session(1000);
    late.ttft_ms.record_ms(1000.0);
    late.queue_lag_ms.record_ms(50.0);
    let gate = Gate { tolerance: Some(0.1), ..limited("ttft_ms_p95", None, None) };
    let health = late_by_ms(0.1);
    let verdict = |open| {
        let session = Evidence { summary: &late, health: &health, open };
        judge(&gate, Old::Stored(&OLD), &[session]).verdict
    };
    assert_eq!((verdict(false), verdict(true)), (Verdict::Ok, Verdict::Invalid));
}

#[test]
fn answers_of_free_length_cannot_be_gated_on_throughput() {
    let mut free = session(1000);
    free.requests.ended_by_length = 9;
    let outcome = judged(throughput(0.03), &[free], &ClientHealth::default());
    assert_eq!(outcome.verdict, Verdict::NotComparable);
}

fn proven(old: &[u64], new: &[u64]) -> GateOutcome {
    let health = ClientHealth::default();
    let summaries = |values: &[u64]| -> Vec<Summary> { values.iter().map(|v| session(*v)).collect() };
    let (old, new) = (summaries(old), summaries(new));
    let of = |summary| Evidence { summary, health: &health, open: false };
    let old: Vec<Evidence> = old.iter().map(of).collect();
    let new: Vec<Evidence> = new.iter().map(of).collect();
    judge(&throughput(0.03), Old::Alternating(&old), &new)
}

#[test]
fn a_proof_shows_a_relevant_and_real_regression() {
    let outcome = proven(&[1000, 1004, 998, 1002], &[930, 928, 932, 931]);
    assert_eq!(outcome.verdict, Verdict::Regressed);
    let (low, high) = outcome.change.unwrap().interval.unwrap();
    assert!(-0.09 < low && low < -0.07 && -0.07 < high && high < -0.05, "{low} {high}");
}

#[test]
fn an_inconclusive_proof_says_what_would_decide_it() {
    let outcome = proven(&[1000, 1060, 950, 1010], &[950, 1000, 900, 970]);
    assert_eq!(outcome.verdict, Verdict::Inconclusive);
    assert!(outcome.reason.starts_with("about ") && outcome.reason.contains("starts of each side"));
}

#[test]
fn a_proof_clears_a_change_within_the_tolerance() {
    assert_eq!(proven(&[1000, 1004, 998, 1002], &[985, 983, 986, 984]).verdict, Verdict::Ok);
}

#[test]
fn a_proof_with_one_start_of_each_side_is_inconclusive() {
    assert_eq!(proven(&[1000], &[500]).verdict, Verdict::Inconclusive);
}

#[test]
fn an_ok_close_to_the_tolerance_is_not_settled() {
    assert!(proven(&[1000, 1004, 998, 1002], &[985, 983, 986, 984]).is_settled());
    let close = proven(&[1000, 1010, 990, 1000], &[972, 982, 962, 972]);
    assert_eq!(close.verdict, Verdict::Ok);
    assert!(!close.is_settled());
}

#[test]
fn proven_outcomes_are_settled_and_inconclusive_ones_are_not() {
    assert!(!proven(&[1000], &[500]).is_settled());
    assert!(!proven(&[1000, 1060, 950, 1010], &[950, 1000, 900, 970]).is_settled());
    assert!(proven(&[1000, 1004, 998, 1002], &[930, 928, 932, 931]).is_settled());
    assert!(proven(&[930, 928, 932, 931], &[1000, 1004, 998, 1002]).is_settled());
}
