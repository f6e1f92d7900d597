//! What a scenario's figures say so far.

use crate::metrics::{Family, Metric};
use crate::results::Session;
use crate::results::baseline::Baseline;
use crate::suite::campaign::proof_samples::ProofSamples;
use crate::suite::campaign::scenario_run::{End, ScenarioRun};
use crate::text::figures;
use crate::verdict::explain::{Sides, explain};
use crate::verdict::{Evidence, GateOutcome, Old, OldValues, Side, Verdict, judge};

pub(super) struct Judgment {
    pub verdict: Verdict,
    pub reason: String,
    pub gates: Vec<GateOutcome>,
}

impl<'a> ScenarioRun<'a> {
    pub(super) fn judgment(&self) -> Judgment {
        let mut gates = self.gate_outcomes();
        match &self.end {
            Some(End::Failed(_)) => gates.iter_mut().for_each(invalidate),
            Some(End::EngineDied(_)) => {
                gates.iter_mut().filter(|gate| !self.is_proven_death(gate)).for_each(invalidate)
            }
            Some(End::Ignored(_)) | None => {}
        }
        let concluded = |verdict, reason: String| Judgment { verdict, reason, gates: gates.clone() };
        match &self.end {
            Some(End::Ignored(reason)) => return concluded(Verdict::Ignored, reason.clone()),
            Some(End::Failed(reason)) => return concluded(Verdict::Invalid, reason.clone()),
            Some(End::EngineDied(reason)) => {
                let convicted = gates.iter().any(|gate| gate.verdict == Verdict::Regressed);
                let verdict = if convicted { Verdict::Regressed } else { Verdict::Invalid };
                return concluded(verdict, self.explain_death(reason, verdict, &gates));
            }
            None if self.sessions.is_empty() && self.proof.is_none() => {
                return concluded(Verdict::Invalid, "nothing was measured".into());
            }
            None if self.proof.as_ref().is_some_and(|samples| samples.starts() == 0) => {
                let reason = "the proof ended before it had measured both versions once";
                return concluded(Verdict::Inconclusive, reason.into());
            }
            None => {}
        }
        let verdict = Verdict::worst(gates.iter().map(|gate| gate.verdict));
        if matches!(verdict, Verdict::Invalid | Verdict::Regressed) {
            let sentence = explain(verdict, &gates, &self.sides());
            let part = self
                .proof
                .as_ref()
                .and_then(ProofSamples::slow_part)
                .filter(|_| verdict == Verdict::Regressed);
            let sentences = [Some(sentence), part, self.onset.clone()];
            return concluded(verdict, sentences.into_iter().flatten().collect::<Vec<_>>().join(" "));
        }
        match self.comparable_baseline() {
            Err((verdict, reason)) if self.proof.is_none() && self.scenario.is_compared() => {
                concluded(verdict, reason)
            }
            _ => concluded(verdict, explain(verdict, &gates, &self.sides())),
        }
    }

    /// A dying engine loses requests. That is a regression if the old one handled the same load through a whole proof:
    /// had it died too, the run would be over.
    fn is_proven_death(&self, gate: &GateOutcome) -> bool {
        gate.gate.metric.family() == Family::Success && gate.breaks_limit() && self.has_full_proof()
    }

    fn has_full_proof(&self) -> bool {
        self.proof.as_ref().is_some_and(|samples| samples.starts() >= self.scenario.target.proof.starts)
    }

    fn explain_death(&self, reason: &str, verdict: Verdict, gates: &[GateOutcome]) -> String {
        let starts = self.proof.as_ref().map_or(0, ProofSamples::starts);
        match verdict {
            Verdict::Regressed => format!(
                "{} What happened: {reason}. The old one handled the same load in all of its {starts} starts.",
                explain(verdict, gates, &self.sides())
            ),
            _ if self.has_full_proof() => {
                format!(
                    "{reason}; a proof with {starts} starts of each does not attribute it to the new version"
                )
            }
            _ => reason.to_owned(),
        }
    }

    pub(super) fn gate_outcomes(&self) -> Vec<GateOutcome> {
        if let Some(samples) = &self.proof {
            let [old, new] = [Side::Old, Side::New].map(|side| self.evidence(samples.sessions(side)));
            return self.judge(|_| Old::Alternating(&old), &new);
        }
        let none = OldValues::new();
        let old = self.comparable_baseline().map_or(&none, |baseline| &baseline.values);
        let values = |metric: Metric| Old::Stored(old.get(&metric).map_or(&[][..], Vec::as_slice));
        let new = self.evidence(self.sessions.iter());
        let mut outcomes = self.judge(values, &new);
        if self.same_engine() {
            outcomes.iter_mut().for_each(clear_same_engine);
        }
        if self.can_prove_more() {
            return outcomes;
        }
        outcomes.into_iter().map(|outcome| outcome.left_unproven(&new)).collect()
    }

    fn evidence<'s>(&self, sessions: impl Iterator<Item = &'s Session>) -> Vec<Evidence<'s>> {
        let open = self.scenario.load.is_open();
        sessions.map(|Session { summary, health, .. }| Evidence { summary, health, open }).collect()
    }

    fn judge<'o>(&self, old: impl Fn(Metric) -> Old<'o>, new: &[Evidence]) -> Vec<GateOutcome> {
        if new.is_empty() {
            return Vec::new();
        }
        self.scenario.gates.iter().map(|gate| judge(gate, old(gate.metric), new)).collect()
    }

    /// Whether the baseline was recorded on this same engine, so that only the machine can have changed.
    fn same_engine(&self) -> bool {
        match (self.baseline, &self.environment) {
            (Some(Baseline { facts, .. }), Some(environment)) => facts.is_same_engine(environment),
            _ => false,
        }
    }

    /// The baseline, if the scenario hasn't changed since it was recorded.
    fn comparable_baseline(&self) -> Result<&'a Baseline, (Verdict, String)> {
        let recorded = figures::counted(self.sessions.len() as u64, "session");
        let Some(baseline) = self.baseline else {
            return Err((
                Verdict::NoBaseline,
                format!("there is no baseline yet; this run recorded {recorded} for one."),
            ));
        };
        if baseline.facts.scenario != self.hash {
            let date = &baseline.facts.recorded;
            return Err((
                Verdict::NotComparable,
                format!(
                    "the scenario has changed since its baseline was recorded on {date}; this run recorded {recorded} for a new one."
                ),
            ));
        }
        Ok(baseline)
    }

    fn sides(&self) -> Sides {
        let new = self.environment.as_ref().map_or("this run", |environment| &environment.engine);
        match (&self.proof, self.baseline) {
            (Some(samples), _) => {
                let old = samples.old_environment();
                let apart = self
                    .environment
                    .as_ref()
                    .and_then(|new| Some((old.apart_from(new)?, new.apart_from(old)?)));
                Sides::in_turn(&old.engine, new, apart)
            }
            (None, Some(Baseline { facts, .. })) => Sides::of(&facts.engine, new, &facts.recorded),
            (None, None) => Sides { old: "the baseline".into(), new: "this run".into() },
        }
    }
}

/// An incomplete measurement is shown, but says nothing about any gate.
fn invalidate(outcome: &mut GateOutcome) {
    outcome.verdict = Verdict::Invalid;
    outcome.reason.clear();
}

/// An engine can't have become slower or faster than itself.
fn clear_same_engine(outcome: &mut GateOutcome) {
    const WHY: &str = "this is the same engine as the baseline's, so the machine has changed";
    if outcome.change.is_none() {
        return;
    }
    match outcome.verdict {
        Verdict::Regressed => (outcome.verdict, outcome.reason) = (Verdict::Suspected, WHY.into()),
        Verdict::Improved => (outcome.verdict, outcome.reason) = (Verdict::Ok, WHY.into()),
        _ => {}
    }
}
