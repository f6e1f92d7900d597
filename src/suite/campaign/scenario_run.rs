//! One scenario of a campaign: what was measured so far, and whether it needs more.

mod judgment;

use std::fmt::Display;

use crate::config::{OnSuspected, Scenario};
use crate::metrics::summary::Summary;
use crate::results;
use crate::results::baseline::{Baseline, Facts};
use crate::results::{BaselineUsed, ProofEnd, Report, Run, Session};
use crate::session::{INTERRUPTED, SessionError};
use crate::store::Baselines;
use crate::suite::campaign::proof_samples::ProofSamples;
use crate::target::{Environment, TargetSpec};
use crate::verdict::{GateOutcome, OldValues, Side, Verdict, is_decided, no_room, wants_proof};
use judgment::Judgment;

pub(crate) struct ScenarioRun<'a> {
    pub scenario: &'a Scenario,
    hash: String,
    environment: Option<Environment>,
    baseline: Option<&'a Baseline>,
    /// Another machine's baseline, if this one has none.
    other_baseline: Option<&'a Baseline>,
    old_unavailable: bool,
    sessions: Vec<Session>,
    proof: Option<ProofSamples>,
    warnings: Vec<String>,
    end: Option<End>,
    pending: Option<String>,
    /// The load from which the engine is slower. Only the runs of all loads together show it.
    onset: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Need {
    Nothing,
    Session,
    Proof,
}

/// Why a run ended without a verdict of its gates.
enum End {
    Ignored(String),
    Failed(String),
    /// The engine died under the load. Only a proof can show whether that is its own fault.
    EngineDied(String),
}

impl<'a> ScenarioRun<'a> {
    pub(crate) fn new(scenario: &'a Scenario) -> ScenarioRun<'a> {
        ScenarioRun {
            scenario,
            hash: scenario.hash(),
            environment: None,
            baseline: None,
            other_baseline: None,
            old_unavailable: false,
            sessions: Vec::new(),
            proof: None,
            warnings: Vec::new(),
            end: None,
            pending: None,
            onset: None,
        }
    }

    /// Remembers the first session's environment, and finds its baseline.
    pub(crate) fn set_environment(&mut self, environment: &Environment, baselines: &'a Baselines) {
        if self.environment.is_some() {
            return;
        }
        self.environment = Some(environment.clone());
        if !self.scenario.is_compared() {
            return;
        }
        self.baseline = baselines.accepted(&environment.name, &self.scenario.id);
        if let Some(Baseline { facts, .. }) = self.baseline {
            self.warn_of_change("machine", &facts.machine, &environment.machine);
            self.warn_of_change("model", &facts.model, &environment.model);
            self.warn_of_change("HTTP version", &facts.http_version, &environment.http_version);
            return;
        }
        let mut others = baselines.of_scenario(&self.scenario.id).map(|(_, baseline)| baseline);
        self.other_baseline = others.find(|baseline| baseline.facts.model == environment.model);
        if let Some(Baseline { facts, .. }) = self.other_baseline {
            self.warn(format!(
                "there is no baseline for {} yet; the one for {} was recorded on {}",
                environment.name, facts.environment, facts.engine
            ));
        }
    }

    pub(crate) fn add_session(&mut self, session: Session) {
        self.sessions.push(session);
    }

    pub(crate) fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    pub(crate) fn ignore(&mut self, reason: String) {
        self.end.get_or_insert(End::Ignored(reason));
    }

    /// The engine or the client broke down, so none of this scenario's figures can be trusted.
    pub(crate) fn fail(&mut self, reason: String) {
        if !self.is_over() {
            self.end = Some(End::Failed(reason));
        }
    }

    /// A session of the engine under test ended early.
    pub(crate) fn record_error(&mut self, error: SessionError) {
        match error {
            SessionError::EngineDied(reason) => _ = self.end.get_or_insert(End::EngineDied(reason)),
            SessionError::Other(reason) => self.fail(reason),
        }
    }

    /// Whether no measurement can add anything. After an engine died, a proof still can.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.end, Some(End::Ignored(_) | End::Failed(_)))
    }

    pub(crate) fn need(&self) -> Need {
        if self.is_over() || self.proof.is_some() {
            return Need::Nothing;
        }
        if matches!(self.end, Some(End::EngineDied(_))) {
            return if self.old_target().is_some() { Need::Proof } else { Need::Nothing };
        }
        if self.sessions.is_empty() {
            return Need::Session;
        }
        let judgment = self.judgment();
        if judgment.gates.iter().any(GateOutcome::breaks_limit) {
            // No proof or further session changes that, and failing requests say little about speed.
            return Need::Nothing;
        }
        if (wants_proof(&judgment.gates) || self.other_baseline.is_some()) && self.old_target().is_some() {
            Need::Proof
        } else if self.is_complete() {
            Need::Nothing
        } else if judgment.verdict == Verdict::Suspected || self.needs_baseline(&judgment) {
            Need::Session
        } else {
            Need::Nothing
        }
    }

    /// The target as it was when the baseline was recorded, if it can be started and is a different engine.
    pub(crate) fn old_target(&self) -> Option<TargetSpec> {
        let facts = &self.old_baseline()?.facts;
        if self.old_unavailable || facts.is_same_engine(self.environment.as_ref()?) {
            return None;
        }
        let target = &self.scenario.target;
        Some(TargetSpec { place: facts.place(&target.place)?, ..target.clone() })
    }

    /// The old engine can't be started anymore.
    pub(crate) fn mark_old_unavailable(&mut self, why: &str) {
        self.old_unavailable = true;
        self.warn(format!("could not run the old version: {why}"));
    }

    /// Checks that the server at `old_url` runs the baseline's engine.
    pub(crate) fn check_old_engine(&mut self, found: &Environment) {
        let Some(Baseline { facts, .. }) = self.old_baseline() else { return };
        if facts.engine != found.engine {
            let place = found.url.as_deref().unwrap_or("the old server");
            self.mark_old_unavailable(&format!(
                "{place} is {}, but the baseline was recorded on {}; set old_url to a server of that version",
                found.engine, facts.engine
            ));
        }
    }

    /// The baseline that says which engine is the old one: this machine's, or else another machine's.
    fn old_baseline(&self) -> Option<&'a Baseline> {
        self.baseline.or(self.other_baseline)
    }

    pub(crate) fn add_to_proof(&mut self, side: Side, environment: &Environment, session: Session) {
        if side == Side::New && self.environment.is_none() {
            self.environment = Some(environment.clone());
        }
        self.proof.get_or_insert_with(|| ProofSamples::new(environment)).add(side, session);
    }

    /// Whether more starts of each side could still change the verdict.
    pub(crate) fn is_undecided(&self) -> bool {
        let starts = self.proof.as_ref().map_or(0, ProofSamples::starts);
        let planned = self.scenario.target.proof.starts;
        // Once the engine has died, its speed is not pursued.
        let goes_on = || self.end.is_none() && !is_decided(&self.gate_outcomes());
        !self.is_over() && (starts < planned || goes_on())
    }

    /// Records how long the proof has run, in case it gets no further.
    pub(crate) fn pause_proof(&mut self, minutes: f64) {
        if let Some(samples) = &mut self.proof {
            samples.set_end(ProofEnd::Interrupted, minutes);
        }
    }

    /// `end` is why the proof ended for its scenarios together; this one may have been decided earlier.
    pub(crate) fn end_proof(&mut self, end: ProofEnd, minutes: f64) {
        let end = match end {
            _ if self.is_undecided() => end,
            _ if !self.is_over() => ProofEnd::Decided,
            ProofEnd::Interrupted => end,
            _ => ProofEnd::Failed,
        };
        if end == ProofEnd::Interrupted {
            self.fail(INTERRUPTED.into());
        }
        if let Some(samples) = &mut self.proof {
            samples.set_end(end, minutes);
        }
    }

    /// Whether a proof or further sessions can still settle a suspicion.
    fn can_prove_more(&self) -> bool {
        self.old_target().is_some() || !self.is_complete()
    }

    fn is_complete(&self) -> bool {
        self.sessions.len() >= self.planned_sessions()
    }

    fn planned_sessions(&self) -> usize {
        self.scenario.run.sessions as usize
    }

    /// Whether a new baseline, once accepted, would make the test pass or keep it up to date. It can't fix a broken
    /// limit. Sessions with an unhealthy client, or with an engine that left no room, can't become a baseline.
    fn needs_baseline(&self, judgment: &Judgment) -> bool {
        let calls = match judgment.verdict {
            Verdict::NoBaseline | Verdict::NotComparable | Verdict::Improved | Verdict::Regressed => true,
            Verdict::Suspected => !self.passes(Verdict::Suspected),
            // The proof needed no baseline of this machine, but the next run should have one.
            Verdict::Ok => self.other_baseline.is_some(),
            _ => false,
        };
        let is_unfit = |gate: &GateOutcome| gate.breaks_limit() || gate.verdict == Verdict::Invalid;
        let had_no_room = |session: &Session| no_room(&session.summary).is_some();
        calls && !judgment.gates.iter().any(is_unfit) && !self.all_sessions().any(had_no_room)
    }

    /// The baseline to accept, if the verdict calls for one and enough was measured.
    pub(crate) fn next_baseline(&self, recorded: &str) -> Option<Baseline> {
        let leaves = self.needs_baseline(&self.judgment());
        let sessions = self.sessions_to_keep();
        let complete = sessions.len() >= self.planned_sessions();
        let environment = self.environment.as_ref().filter(|_| leaves && complete && self.end.is_none())?;
        Some(Baseline {
            facts: Facts {
                scenario: self.hash.clone(),
                environment: environment.name.clone(),
                engine: environment.engine.clone(),
                recorded: recorded.to_owned(),
                machine: environment.machine.clone(),
                model: environment.model.clone(),
                http_version: environment.http_version,
                session_s: Some(
                    sessions.iter().map(|session| session.seconds).sum::<f64>() / sessions.len() as f64,
                ),
                image: environment.image.clone(),
                args: environment.args.clone(),
                simulator: environment.simulator.clone(),
            },
            values: self.values_of(&sessions),
        })
    }

    pub(crate) fn accepted_baseline(&self) -> Option<&'a Baseline> {
        self.baseline
    }

    pub(crate) fn set_pending(&mut self, file: String) {
        self.pending = Some(file);
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.judgment().verdict
    }

    pub(crate) fn set_onset(&mut self, onset: String) {
        self.onset = Some(onset);
    }

    pub(crate) fn report(&self, run: &Run) -> Report {
        let Judgment { verdict, reason, gates } = self.judgment();
        let baseline =
            self.baseline.zip(self.environment.as_ref()).map(|(baseline, environment)| BaselineUsed {
                file: Baselines::file(&environment.name, &self.scenario.id),
                engine: baseline.facts.engine.clone(),
                recorded: baseline.facts.recorded.clone(),
                machine: baseline.facts.machine.clone(),
                values: baseline.values.clone(),
            });
        Report {
            kind: results::Kind::Scenario,
            version: results::VERSION,
            run: run.clone(),
            scenario: self.scenario.id.clone(),
            load: Some(self.scenario.load.clone()),
            scenario_hash: Some(self.hash.clone()),
            passed: self.passes(verdict),
            verdict,
            reason,
            gates,
            warnings: self.warnings.clone(),
            environment: self.environment.clone(),
            baseline,
            proof: self.proof.as_ref().map(|samples| samples.report(self.scenario)),
            pending: self.pending.clone(),
            summary: Summary::merge(self.all_sessions().map(|session| &session.summary)),
            sessions: self.sessions.clone(),
        }
    }

    pub(crate) fn passed(&self) -> bool {
        self.passes(self.judgment().verdict)
    }

    fn passes(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Ok | Verdict::Improved | Verdict::Ignored => true,
            Verdict::Suspected => self.scenario.run.on_suspected == OnSuspected::Warn,
            _ => false,
        }
    }

    /// The sessions of a new baseline: the proof's, if there was one.
    fn sessions_to_keep(&self) -> Vec<&Session> {
        match &self.proof {
            Some(samples) => samples.sessions(Side::New).collect(),
            None => self.sessions.iter().collect(),
        }
    }

    /// Every session of the engine under test.
    fn all_sessions(&self) -> impl Iterator<Item = &Session> {
        let proven = self.proof.iter().flat_map(|samples| samples.sessions(Side::New));
        self.sessions.iter().chain(proven)
    }

    /// One value per session for every gated metric.
    fn values_of(&self, sessions: &[&Session]) -> OldValues {
        let kept = self.scenario.gates.iter().filter_map(|gate| {
            let values: Option<Vec<f64>> =
                sessions.iter().map(|session| session.summary.value(gate.metric)).collect();
            Some((gate.metric, values?))
        });
        kept.collect()
    }

    fn warn_of_change<T: PartialEq + Display>(&mut self, what: &str, old: &T, new: &T) {
        if old != new {
            self.warn(format!("the baseline was recorded with a different {what}: {old}; now: {new}"));
        }
    }
}

#[cfg(test)]
mod tests;
