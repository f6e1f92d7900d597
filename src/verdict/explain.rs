//! Explains the verdict in a sentence: what changed, by how much, and against which version.

use crate::metrics::summary::Summary;
use crate::metrics::{Better, Family, Latency, Metric, Stat};
use crate::text::figures;
use crate::verdict::{GateOutcome, Verdict, stats};

/// How a sentence names the old and the new side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sides {
    pub old: String,
    pub new: String,
}

impl Sides {
    /// Two engines that alternated. If their names are equal, `difference` says what differs instead.
    pub(crate) fn in_turn(old_engine: &str, new_engine: &str, difference: Option<(String, String)>) -> Sides {
        match difference {
            Some((old, new)) if old_engine == new_engine => {
                Sides { old: format!("{old_engine} with {old}"), new: format!("{new_engine} with {new}") }
            }
            _ if old_engine == new_engine => {
                Sides { old: "the old engine".into(), new: "the new engine".into() }
            }
            _ => Sides { old: old_engine.into(), new: new_engine.into() },
        }
    }

    /// By version if the versions differ, such as `vllm 0.31.0` and `vllm 0.32.0`.
    pub(crate) fn of(old_engine: &str, new_engine: &str, recorded: &str) -> Sides {
        if old_engine == new_engine {
            Sides { old: format!("the baseline of {recorded}"), new: "this run".into() }
        } else {
            Sides { old: old_engine.into(), new: new_engine.into() }
        }
    }
}

/// Explains the verdict in a sentence that starts with the worst gate.
pub(crate) fn explain(verdict: Verdict, gates: &[GateOutcome], sides: &Sides) -> String {
    let mut decisive: Vec<&GateOutcome> = gates.iter().filter(|gate| gate.verdict == verdict).collect();
    // Failed requests come first: speed matters less.
    decisive.sort_by_key(|gate| gate.gate.metric.family() != Family::Success);
    let Some((first, others)) = decisive.split_first() else { return "no gate has a result".into() };
    let also = describe_others(first, others, verdict);
    match verdict {
        Verdict::Ok => "within every tolerance and limit.".into(),
        Verdict::Inconclusive => {
            format!("{}{also} This is not proven: {}.", changed(first, "seems", sides), first.reason)
        }
        Verdict::Regressed | Verdict::Improved => format!("{}{also}", changed(first, "is", sides)),
        Verdict::Suspected if !first.reason.is_empty() => {
            format!("{}{also} This is not proof: {}.", changed(first, "seems", sides), first.reason)
        }
        Verdict::Suspected => format!(
            "{}{also} Stored figures alone can't prove it: the old version did not run alongside.",
            changed(first, "seems", sides)
        ),
        _ => format!("{}: {}.{also}", first.gate.metric, first.reason),
    }
}

/// Lists gates of the first one's family as the same finding, and the rest separately.
fn describe_others(first: &GateOutcome, others: &[&GateOutcome], verdict: Verdict) -> String {
    let family = first.gate.metric.family();
    let (same, separate): (Vec<_>, Vec<_>) =
        others.iter().partition(|gate| gate.gate.metric.family() == family);
    let names = |gates: Vec<&&GateOutcome>| {
        gates.iter().map(|gate| gate.gate.metric.to_string()).collect::<Vec<_>>().join(", ")
    };
    let mut sentences = String::new();
    if !same.is_empty() {
        sentences.push_str(&format!(" Same finding: {}.", names(same)));
    }
    if !separate.is_empty() {
        sentences.push_str(&format!(" Also {}: {}.", verdict.name(), names(separate)));
    }
    sentences
}

/// Which part of the engine became slower, judged by which latencies moved.
pub(crate) fn diagnosis(old: &Summary, new: &Summary) -> Option<String> {
    let slower = |metric: Metric| -> Option<f64> {
        let [old, new] = [old, new].map(|summary| stats::slowness(metric, summary.value(metric)?));
        Some(new? - old?)
    };
    let ttft = slower(Metric::Latency(Latency::Ttft, Stat::P50))?;
    let tpot = slower(Metric::Latency(Latency::Tpot, Stat::Mean))?;
    let most = ttft.max(tpot);
    let moved = |d: f64| d > most / 3.0 && d > LEAST_THAT_MOVED;
    let part = match (moved(ttft), moved(tpot)) {
        (true, false) => "TTFT only: prefill or queueing",
        (false, true) => "TPOT but not TTFT: decoding",
        (true, true) => "both TTFT and TPOT: the engine as a whole",
        (false, false) => return None,
    };
    let shown = |d: f64| figures::signed_percent(d.exp_m1());
    Some(format!("{part} (median TTFT {}, mean TPOT {}).", shown(ttft), shown(tpot)))
}

/// The number of users at which the slowdown starts, if fewer users don't see it. Takes every load of one scenario file
/// on one target.
pub(crate) fn onset(loads: &[(u32, Verdict)]) -> Option<String> {
    let slow: Vec<u32> =
        loads.iter().filter(|(_, verdict)| *verdict == Verdict::Regressed).map(|(users, _)| *users).collect();
    let least_slow = *slow.iter().min()?;
    let well_below = loads.iter().filter(|(users, _)| *users < least_slow).count();
    let all_below_well = loads.iter().all(|(users, verdict)| *users >= least_slow || *verdict == Verdict::Ok);
    let all_above_slow = loads.iter().all(|(users, _)| *users < least_slow || slow.contains(users));
    (well_below > 0 && all_below_well && all_above_slow)
        .then(|| format!("Only with {least_slow} or more users: batching or queueing."))
}

/// Any two measurements may differ by this much.
const LEAST_THAT_MOVED: f64 = 0.01;

fn changed(outcome: &GateOutcome, verb: &str, sides: &Sides) -> String {
    let metric = outcome.gate.metric;
    let name = metric.spoken();
    match outcome.change {
        Some(change) => {
            let direction = match (metric.better(), change.relative < 0.0) {
                (Better::Higher, true) => "lower",
                (Better::Higher, false) => "higher",
                (Better::Lower, true) => "shorter",
                (Better::Lower, false) => "longer",
            };
            let amount = figures::percent(change.relative.abs());
            format!("{name} {verb} {amount} {direction} in {} than in {}.", sides.new, sides.old)
        }
        None => format!("{name}: {}.", outcome.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Gate;
    use crate::verdict::Change;

    fn outcome(metric: &str, relative: f64, verdict: Verdict) -> GateOutcome {
        GateOutcome {
            gate: match metric {
                "success_rate" => Gate::every_request_succeeds(),
                metric => Gate::relative(metric.parse().unwrap(), 0.03).unwrap(),
            },
            old: Some(100.0),
            new: Some(100.0 * (1.0 + relative)),
            change: Some(Change { relative, interval: None }),
            verdict,
            reason: String::new(),
        }
    }

    #[test]
    fn a_regression_names_metric_amount_and_both_versions() {
        let gates = [
            outcome("output_tokens_per_s", -0.073, Verdict::Regressed),
            outcome("ttft_ms_p95", 0.01, Verdict::Ok),
        ];
        let sides = Sides::of("vllm 0.31.0", "vllm 0.32.0", "2026-10-02");
        assert_eq!(
            explain(Verdict::Regressed, &gates, &sides),
            "output throughput is 7.3 % lower in vllm 0.32.0 than in vllm 0.31.0."
        );
    }

    #[test]
    fn the_same_version_is_compared_by_the_baselines_date() {
        let gates = [outcome("ttft_ms_p95", 0.2, Verdict::Suspected)];
        let sides = Sides::of("vllm 0.32.0", "vllm 0.32.0", "2026-10-02");
        let sentence = explain(Verdict::Suspected, &gates, &sides);
        assert!(sentence.starts_with(
            "p95 time to first token seems 20 % longer in this run than in the baseline of 2026-10-02."
        ));
    }

    #[test]
    fn gates_of_one_family_are_the_same_finding() {
        let gates = [
            outcome("output_tokens_per_s", -0.073, Verdict::Regressed),
            outcome("tpot_ms_mean", 0.08, Verdict::Regressed),
            outcome("ttft_ms_p95", 0.2, Verdict::Regressed),
        ];
        let sentence = explain(Verdict::Regressed, &gates, &Sides::of("a 1", "a 2", ""));
        assert!(sentence.ends_with(" Same finding: tpot_ms_mean. Also regressed: ttft_ms_p95."));
    }

    #[test]
    fn failing_requests_come_first() {
        let mut lossy = outcome("success_rate", 0.0, Verdict::Regressed);
        (lossy.change, lossy.reason) = (None, "98 % is below 100 %".into());
        let gates = [outcome("output_tokens_per_s", -0.5, Verdict::Regressed), lossy];
        let sentence = explain(Verdict::Regressed, &gates, &Sides::of("a 1", "a 2", ""));
        assert_eq!(sentence, "success rate: 98 % is below 100 %. Also regressed: output_tokens_per_s.");
    }

    fn summary(ttft_ms: f64, tpot_ms: f64) -> Summary {
        let mut summary = Summary::default();
        summary.ttft_ms.record_ms(ttft_ms);
        summary.tpot_ms.record_ms(tpot_ms);
        summary
    }

    #[test]
    fn the_diagnosis_depends_on_which_latency_moved() {
        let old = summary(200.0, 20.0);
        let starts = |new: Summary, with: &str| diagnosis(&old, &new).unwrap().starts_with(with);
        assert!(starts(summary(260.0, 20.1), "TTFT only"));
        assert!(starts(summary(201.0, 22.0), "TPOT but not TTFT"));
        assert!(starts(summary(220.0, 22.0), "both TTFT and TPOT"));
        assert_eq!(diagnosis(&old, &summary(199.0, 20.0)), None);
    }

    #[test]
    fn a_loss_only_under_load_names_where_it_starts() {
        use Verdict::{Ok, Regressed};
        let sentence = onset(&[(4, Ok), (16, Regressed), (32, Regressed)]).unwrap();
        assert!(sentence.starts_with("Only with 16 or more users"));
        assert_eq!(onset(&[(4, Regressed), (16, Regressed)]), None);
        assert_eq!(onset(&[(4, Ok), (16, Regressed), (32, Ok)]), None);
    }

    #[test]
    fn a_broken_limit_is_explained_by_its_reason() {
        let mut gate = outcome("success_rate", 0.0, Verdict::Regressed);
        (gate.change, gate.reason) = (None, "98 % is below 100 %".into());
        let sides = Sides::of("a", "b", "");
        assert_eq!(explain(Verdict::Regressed, &[gate], &sides), "success rate: 98 % is below 100 %.");
    }
}
