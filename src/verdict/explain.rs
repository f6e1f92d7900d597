//! The verdict in a sentence: what changed, by how much, against which version.

use crate::figures;
use crate::metric::Better;
use crate::verdict::{GateOutcome, Verdict};

/// What old and new are called.
#[derive(Clone, Debug, PartialEq)]
pub struct Sides {
    pub old: String,
    pub new: String,
}

impl Sides {
    /// Two engines that were run in turn; where they bear the same name, `apart` says what else sets them apart.
    pub fn in_turn(old_engine: &str, new_engine: &str, apart: Option<(String, String)>) -> Sides {
        match apart {
            Some((old, new)) if old_engine == new_engine => {
                Sides { old: format!("{old_engine} with {old}"), new: format!("{new_engine} with {new}") }
            }
            _ if old_engine == new_engine => {
                Sides { old: "the old engine".into(), new: "the new one".into() }
            }
            _ => Sides { old: old_engine.into(), new: new_engine.into() },
        }
    }

    /// By their versions where these differ, such as `vllm 0.31.0` and `vllm 0.32.0`.
    pub fn of(old_engine: &str, new_engine: &str, recorded: &str) -> Sides {
        if old_engine == new_engine {
            Sides { old: format!("the baseline of {recorded}"), new: "this run".into() }
        } else {
            Sides { old: old_engine.into(), new: new_engine.into() }
        }
    }
}

/// The sentence for what the gates say, led by the worst of them.
pub fn explain(verdict: Verdict, gates: &[GateOutcome], sides: &Sides) -> String {
    let mut those = gates.iter().filter(|gate| gate.verdict == verdict);
    let Some(first) = those.next() else { return "no gate has anything to say".into() };
    let others: Vec<String> = those.map(|gate| gate.gate.metric.to_string()).collect();
    let also = if others.is_empty() {
        String::new()
    } else {
        format!(" Likewise {verdict}: {}.", others.join(", "), verdict = verdict.name())
    };
    match verdict {
        Verdict::Ok => "within every tolerance.".into(),
        Verdict::Inconclusive => {
            format!("{}{also} That is not proven: {}.", changed(first, "seems", sides), first.reason)
        }
        Verdict::Regressed | Verdict::Improved => format!("{}{also}", changed(first, "is", sides)),
        Verdict::Suspected if !first.reason.is_empty() => {
            format!("{}{also} That is no proof: {}.", changed(first, "seems", sides), first.reason)
        }
        Verdict::Suspected => format!(
            "{}{also} Stored figures alone can't prove it: nothing old was run beside it.",
            changed(first, "seems", sides)
        ),
        _ => format!("{}: {}.{also}", first.gate.metric, first.reason),
    }
}

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
    use crate::scenario::Gate;
    use crate::verdict::Change;

    fn outcome(metric: &str, relative: f64, verdict: Verdict) -> GateOutcome {
        GateOutcome {
            gate: Gate { metric: metric.parse().unwrap(), tolerance: Some(0.03), min: None, max: None },
            old: Some(100.0),
            new: Some(100.0 * (1.0 + relative)),
            change: Some(Change { relative, interval: None }),
            verdict,
            reason: String::new(),
        }
    }

    #[test]
    fn a_regression_names_the_metric_the_amount_and_both_versions() {
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
    fn without_a_version_change_the_baseline_is_named_by_its_date() {
        let gates = [outcome("ttft_ms_p95", 0.2, Verdict::Suspected)];
        let sides = Sides::of("vllm 0.32.0", "vllm 0.32.0", "2026-10-02");
        let sentence = explain(Verdict::Suspected, &gates, &sides);
        assert!(sentence.starts_with(
            "p95 time to first token seems 20 % longer in this run than in the baseline of 2026-10-02."
        ));
    }

    #[test]
    fn a_broken_limit_is_told_by_its_reason() {
        let mut gate = outcome("success_rate", 0.0, Verdict::Regressed);
        (gate.change, gate.reason) = (None, "98 % is below 100 %".into());
        let sides = Sides::of("a", "b", "");
        assert_eq!(explain(Verdict::Regressed, &[gate], &sides), "success rate: 98 % is below 100 %.");
    }
}
