//! One scenario on its way through a campaign: what was measured so far, and whether it needs more.

mod judgment;

use std::fmt::Display;

use crate::config::{OnSuspected, Scenario};
use crate::metrics::summary::Summary;
use crate::results;
use crate::results::baseline::{Baseline, Facts};
use crate::results::{BaselineUsed, ProofEnd, Report, Run, Session};
use crate::store::Baselines;
use crate::suite::campaign::proof_samples::ProofSamples;
use crate::suite::campaign::session::{INTERRUPTED, Trouble};
use crate::target::{Environment, TargetSpec};
use crate::verdict::{GateOutcome, OldValues, Side, Verdict, is_decided, no_room, wants_proof};
use judgment::Judgment;

pub struct ScenarioRun<'a> {
    pub scenario: &'a Scenario,
    hash: String,
    environment: Option<Environment>,
    baseline: Option<&'a Baseline>,
    /// Another machine's, where this one has none of its own.
    elsewhere: Option<&'a Baseline>,
    old_is_lost: bool,
    sessions: Vec<Session>,
    proof: Option<ProofSamples>,
    warnings: Vec<String>,
    end: Option<End>,
    pending: Option<String>,
    /// From which load on it is slower, as only all of the runs together know.
    onset: Option<String>,
}

/// What a run needs next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Need {
    Nothing,
    Session,
    Proof,
}

/// What ends a run before its figures do.
enum End {
    Ignored(String),
    Trouble(String),
    /// The engine died under the load. Only a proof tells whether that is its own fault.
    Death(String),
}

impl<'a> ScenarioRun<'a> {
    pub fn new(scenario: &'a Scenario) -> ScenarioRun<'a> {
        ScenarioRun {
            scenario,
            hash: scenario.hash(),
            environment: None,
            baseline: None,
            elsewhere: None,
            old_is_lost: false,
            sessions: Vec::new(),
            proof: None,
            warnings: Vec::new(),
            end: None,
            pending: None,
            onset: None,
        }
    }

    /// What the sessions are measured on; the first one's word holds.
    pub fn on(&mut self, environment: &Environment, baselines: &'a Baselines) {
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
            self.warn_of_change("version of HTTP", &facts.http_version, &environment.http_version);
            return;
        }
        let mut others = baselines.of_scenario(&self.scenario.id).map(|(_, baseline)| baseline);
        self.elsewhere = others.find(|baseline| baseline.facts.model == environment.model);
        if let Some(Baseline { facts, .. }) = self.elsewhere {
            self.warn(format!(
                "there is no baseline of {} yet; the engine of {}'s is {}",
                environment.name, facts.environment, facts.engine
            ));
        }
    }

    pub fn add(&mut self, session: Session) {
        self.sessions.push(session);
    }

    pub fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    pub fn ignore(&mut self, reason: String) {
        self.end.get_or_insert(End::Ignored(reason));
    }

    /// Engine or client broke down: no figure of this scenario can be trusted any more.
    pub fn fail(&mut self, reason: String) {
        if !self.is_over() {
            self.end = Some(End::Trouble(reason));
        }
    }

    /// The engine under test, or the client beside it, could not go on.
    pub fn meet(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::EngineDied(reason) => _ = self.end.get_or_insert(End::Death(reason)),
            Trouble::Other(reason) => self.fail(reason),
        }
    }

    /// Whether a proof has nothing more to find out: that an engine died is something to be proven.
    pub fn is_over(&self) -> bool {
        matches!(self.end, Some(End::Ignored(_) | End::Trouble(_)))
    }

    pub fn need(&self) -> Need {
        if self.is_over() || self.proof.is_some() {
            return Need::Nothing;
        }
        if matches!(self.end, Some(End::Death(_))) {
            return if self.old_target().is_some() { Need::Proof } else { Need::Nothing };
        }
        if self.sessions.is_empty() {
            return Need::Session;
        }
        let judgment = self.judgment();
        if judgment.gates.iter().any(GateOutcome::breaks_limit) {
            // No proof and no further session mends that, and failing requests say little of speed.
            return Need::Nothing;
        }
        if (wants_proof(&judgment.gates) || self.elsewhere.is_some()) && self.old_target().is_some() {
            Need::Proof
        } else if self.is_complete() {
            Need::Nothing
        } else if judgment.verdict == Verdict::Suspected || self.calls_for_baseline(&judgment) {
            Need::Session
        } else {
            Need::Nothing
        }
    }

    /// The target as it was when the baseline was recorded, where that can be started and is another engine.
    pub fn old_target(&self) -> Option<TargetSpec> {
        let facts = &self.origin()?.facts;
        if self.old_is_lost || facts.is_of(self.environment.as_ref()?) {
            return None;
        }
        let target = &self.scenario.target;
        Some(TargetSpec { place: facts.place(&target.place)?, ..target.clone() })
    }

    /// The old engine can't be started any more.
    pub fn lose_old(&mut self, why: &str) {
        self.old_is_lost = true;
        self.warn(format!("nothing old could be run: {why}"));
    }

    /// What answers where the old engine should be running.
    pub fn meet_old(&mut self, found: &Environment) {
        let Some(Baseline { facts, .. }) = self.origin() else { return };
        if facts.engine != found.engine {
            let place = found.url.as_deref().unwrap_or("the old server");
            self.lose_old(&format!(
                "{place} is {}, and the baseline was recorded on {}; set old_url to a server of that version",
                found.engine, facts.engine
            ));
        }
    }

    /// The baseline whose engine is the old one. Where none was recorded on this machine, another machine's still says
    /// which engine that was.
    fn origin(&self) -> Option<&'a Baseline> {
        self.baseline.or(self.elsewhere)
    }

    pub fn add_to_proof(&mut self, side: Side, environment: &Environment, session: Session) {
        if side == Side::New && self.environment.is_none() {
            self.environment = Some(environment.clone());
        }
        self.proof.get_or_insert_with(|| ProofSamples::against(environment)).add(side, session);
    }

    /// Whether more starts of each side could still change the verdict.
    pub fn is_undecided(&self) -> bool {
        let starts = self.proof.as_ref().map_or(0, ProofSamples::starts);
        let planned = self.scenario.target.proof.starts;
        // Once the engine has died, its speed is not pursued.
        let goes_on = || self.end.is_none() && !is_decided(&self.gate_outcomes());
        !self.is_over() && (starts < planned || goes_on())
    }

    /// What the report says of the proof if this was all of it.
    pub fn pause_proof(&mut self, minutes: f64) {
        if let Some(samples) = &mut self.proof {
            samples.end(ProofEnd::Interrupted, minutes);
        }
    }

    /// `end` is what ended the proof of all its scenarios; this one may have been through before.
    pub fn end_proof(&mut self, end: ProofEnd, minutes: f64) {
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
            samples.end(end, minutes);
        }
    }

    /// Whether a suspicion may yet become more than that: beside the old engine, or by further sessions.
    fn can_prove_more(&self) -> bool {
        self.old_target().is_some() || !self.is_complete()
    }

    fn is_complete(&self) -> bool {
        self.sessions.len() >= self.planned_sessions()
    }

    fn planned_sessions(&self) -> usize {
        self.scenario.run.sessions as usize
    }

    /// Whether a new baseline, once accepted, would turn the test green or keep it honest. A broken limit stays broken
    /// whatever the baseline is, and sessions in which the client was sick, or the engine left no room, make none.
    fn calls_for_baseline(&self, judgment: &Judgment) -> bool {
        let calls = match judgment.verdict {
            Verdict::NoBaseline | Verdict::NotComparable | Verdict::Improved | Verdict::Regressed => true,
            Verdict::Suspected => !self.passes(Verdict::Suspected),
            // Proven without one; the next run shall have one to begin with.
            Verdict::Ok => self.elsewhere.is_some(),
            _ => false,
        };
        let unfit = |gate: &GateOutcome| gate.breaks_limit() || gate.verdict == Verdict::Invalid;
        let crowded = |session: &Session| no_room(&session.summary).is_some();
        calls && !judgment.gates.iter().any(unfit) && !self.all_sessions().any(crowded)
    }

    /// The baseline to be accepted, where this verdict leaves one and enough was measured.
    pub fn next_baseline(&self, recorded: &str) -> Option<Baseline> {
        let leaves = self.calls_for_baseline(&self.judgment());
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

    pub fn accepted_baseline(&self) -> Option<&'a Baseline> {
        self.baseline
    }

    pub fn left_pending(&mut self, file: String) {
        self.pending = Some(file);
    }

    pub fn verdict(&self) -> Verdict {
        self.judgment().verdict
    }

    pub fn sets_in(&mut self, onset: String) {
        self.onset = Some(onset);
    }

    pub fn report(&self, run: &Run) -> Report {
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

    pub fn passed(&self) -> bool {
        self.passes(self.judgment().verdict)
    }

    fn passes(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Ok | Verdict::Improved | Verdict::Ignored => true,
            Verdict::Suspected => self.scenario.run.on_suspected == OnSuspected::Warn,
            _ => false,
        }
    }

    /// The sessions that a new baseline consists of: those of the proof, where there was one.
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

    /// One value per session of every gated metric.
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
            self.warn(format!("the baseline was recorded with another {what}: {old}; now: {new}"));
        }
    }
}

#[cfg(test)]
mod tests;
