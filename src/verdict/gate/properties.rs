//! Properties of a gate's verdict that hold for any figures.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::metrics::Better;
use crate::metrics::health::ClientHealth;
use crate::metrics::summary::{RequestCounts, Summary};

/// One metric of each kind: higher is better, lower is better.
const METRICS: [&str; 2] = ["output_tokens_per_s", "ttft_ms_mean"];

/// A gate, and one value per session of each side.
#[derive(Clone, Debug)]
struct Case {
    gate: Gate,
    old: Vec<f64>,
    new: Vec<f64>,
    in_turn: bool,
}

/// Tolerances from 1 to 20 %, sessions that vary by up to 10 %, and sides that differ by up to a third.
fn cases(
    sessions: std::ops::Range<usize>,
    in_turn: impl Strategy<Value = bool>,
) -> impl Strategy<Value = Case> {
    let sides = (vec(-1.0..1.0, 2..9), vec(-1.0..1.0, sessions), 0.0001..0.1, -0.3..0.3);
    (0..METRICS.len(), 0.01..0.2, sides, in_turn).prop_map(
        |(metric, tolerance, (old, new, noise, change), in_turn)| {
            let metric = METRICS[metric].parse().unwrap();
            let values = |side: Vec<f64>, shift: f64| -> Vec<f64> {
                side.into_iter().map(|unit: f64| 100.0 * f64::exp(shift + noise * unit)).collect()
            };
            let gate = Gate { metric, tolerance: Some(tolerance), min: None, max: None };
            Case { gate, old: values(old, 0.0), new: values(new, change), in_turn }
        },
    )
}

fn any_case() -> impl Strategy<Value = Case> {
    cases(1..9, any::<bool>())
}

impl Case {
    fn judged(&self) -> GateOutcome {
        let health = ClientHealth::default();
        let summaries = |values: &[f64]| -> Vec<Summary> {
            values.iter().map(|value| summary(self.gate.metric, *value)).collect()
        };
        let (old, new) = (summaries(&self.old), summaries(&self.new));
        let evidence = |summary| Evidence { summary, health: &health, open: false };
        let old: Vec<Evidence> = old.iter().map(evidence).collect();
        let new: Vec<Evidence> = new.iter().map(evidence).collect();
        let old = if self.in_turn { Old::Alternating(&old) } else { Old::Stored(&self.old) };
        judge(&self.gate, old, &new)
    }

    fn times(&self, old: f64, new: f64) -> Case {
        let times = |values: &[f64], factor| values.iter().map(|value| value * factor).collect();
        Case { old: times(&self.old, old), new: times(&self.new, new), ..self.clone() }
    }
}

fn summary(metric: Metric, value: f64) -> Summary {
    let mut summary = Summary {
        requests: RequestCounts { sent: 1, succeeded: 1, ended_by_length: 1, ..RequestCounts::default() },
        ..Summary::default()
    };
    match metric.better() {
        Better::Higher => (summary.output_tokens, summary.window_s) = (1_000_000, 1e6 / value),
        Better::Lower => summary.ttft_ms.record_ms(value),
    }
    summary
}

/// Ranks verdicts from the mildest to the harshest.
fn harshness(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Improved => 0,
        Verdict::Ok => 1,
        Verdict::Suspected | Verdict::Inconclusive => 2,
        Verdict::Regressed => 3,
        other => panic!("not by comparison: {other:?}"),
    }
}

/// The change and the ends of its interval.
fn figures(outcome: &GateOutcome) -> impl Iterator<Item = f64> {
    let change = outcome.change.into_iter();
    change.flat_map(|Change { relative, interval }| {
        let ends = interval.into_iter().flat_map(|(low, high)| [low, high]);
        [relative].into_iter().chain(ends)
    })
}

fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

proptest! {
    #[test]
    fn the_verdict_does_not_depend_on_the_unit(case in any_case(), factor in 0.01..100.0) {
        let (one, other) = (case.judged(), case.times(factor, factor).judged());
        prop_assert_eq!(one.verdict, other.verdict);
        prop_assert_eq!(one.change.is_some(), other.change.is_some());
        for (a, b) in figures(&one).zip(figures(&other)) {
            prop_assert!(is_close(a, b), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_slower_engine_never_gets_a_milder_verdict(case in any_case(), slower in 1.0..1.5) {
        let factor = match case.gate.metric.better() {
            Better::Higher => 1.0 / slower,
            Better::Lower => slower,
        };
        let (fast, slow) = (case.judged().verdict, case.times(1.0, factor).judged().verdict);
        prop_assert!(harshness(fast) <= harshness(slow), "{fast:?}, and slower: {slow:?}");
    }

    #[test]
    fn swapping_sides_turns_a_loss_into_the_same_gain(case in cases(2..9, Just(true))) {
        let (there, back) = (case.judged(), Case { old: case.new.clone(), new: case.old, ..case }.judged());
        prop_assert_eq!(there.verdict == Verdict::Regressed, back.verdict == Verdict::Improved);
        prop_assert_eq!(there.verdict == Verdict::Improved, back.verdict == Verdict::Regressed);
        let mirrors = |a: f64, b: f64| is_close((1.0 + a) * (1.0 + b), 1.0);
        let (there, back) = (there.change.unwrap(), back.change.unwrap());
        prop_assert!(mirrors(there.relative, back.relative));
        let (there, back) = (there.interval.unwrap(), back.interval.unwrap());
        prop_assert!(mirrors(there.0, back.1) && mirrors(there.1, back.0));
    }

    #[test]
    fn the_order_of_the_sessions_does_not_matter(case in any_case()) {
        let reversed = |values: &[f64]| values.iter().rev().copied().collect();
        let other = Case { old: reversed(&case.old), new: reversed(&case.new), ..case.clone() };
        prop_assert_eq!(case.judged().verdict, other.judged().verdict);
    }

    #[test]
    fn only_a_relevant_and_real_change_is_a_regression(case in any_case()) {
        let outcome = case.judged();
        let Some(change) = outcome.change.filter(|_| outcome.verdict == Verdict::Regressed) else { return Ok(()) };
        let (low, high) = change.interval.expect("a single session can't show a regression");
        let tolerance = case.gate.tolerance.unwrap();
        match case.gate.metric.better() {
            Better::Higher => prop_assert!(change.relative < -tolerance && high < 0.0),
            Better::Lower => prop_assert!(change.relative > tolerance && low > 0.0),
        }
    }

    #[test]
    fn two_sessions_against_stored_ones_show_no_regression(case in cases(1..3, Just(false)), slower in 1.0..100.0) {
        let outcome = case.times(slower, 1.0).judged();
        prop_assert!(!matches!(outcome.verdict, Verdict::Regressed | Verdict::Inconclusive), "{outcome:?}");
    }

    #[test]
    fn every_measurement_gets_a_verdict(
        case in any_case(),
        odd in prop_oneof![Just(0.0), Just(f64::MIN_POSITIVE), Just(1e300), 0.0..1e9],
    ) {
        let stored = Case { old: vec![odd; case.old.len()], in_turn: false, ..case };
        let outcome = stored.judged();
        prop_assert_eq!(outcome.verdict == Verdict::NotComparable, odd == 0.0, "{:?}", outcome);
    }
}
