//! One scenario on its way through a campaign: what was measured so far, what that says, and whether it needs more.

use crate::baseline::{Baseline, Facts};
use crate::figures;
use crate::metric::Metric;
use crate::report::{self, BaselineUsed, Environment, Report, Run, Session};
use crate::scenario::{OnSuspected, Scenario};
use crate::store::Baselines;
use crate::summary::Summary;
use crate::verdict::explain::{Sides, explain};
use crate::verdict::{Evidence, GateOutcome, Old, OldValues, Verdict, judge};

pub struct Course<'a> {
    pub scenario: &'a Scenario,
    hash: String,
    environment: Option<Environment>,
    baseline: Option<&'a Baseline>,
    sessions: Vec<Session>,
    warnings: Vec<String>,
    end: Option<End>,
    pending: Option<String>,
}

/// What ends a course before its figures do.
enum End {
    Ignored(String),
    Trouble(String),
}

struct Judgement {
    verdict: Verdict,
    reason: String,
    gates: Vec<GateOutcome>,
}

impl<'a> Course<'a> {
    pub fn new(scenario: &'a Scenario) -> Course<'a> {
        Course {
            scenario,
            hash: scenario.hash(),
            environment: None,
            baseline: None,
            sessions: Vec::new(),
            warnings: Vec::new(),
            end: None,
            pending: None,
        }
    }

    /// What the sessions are measured on; the first one's word holds.
    pub fn on(&mut self, environment: &Environment, baselines: &'a Baselines) {
        if self.environment.is_some() {
            return;
        }
        self.environment = Some(environment.clone());
        self.baseline = baselines.accepted(&environment.name, &self.scenario.id);
        if let Some(Baseline { facts, .. }) = self.baseline {
            self.warn_of_change("machine", &facts.machine, &environment.machine);
            self.warn_of_change("model", &facts.model, &environment.model);
        }
    }

    pub fn add(&mut self, session: Session) {
        if session.summary.requests.reconnects > 0 {
            self.warn(format!(
                "session {}: the server closed {} idle connections; those requests were sent once more on a new one",
                session.number, session.summary.requests.reconnects
            ));
        }
        self.sessions.push(session);
    }

    pub fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    pub fn ignore(&mut self, reason: String) {
        self.end.get_or_insert(End::Ignored(reason));
    }

    /// Engine or client broke down: no figure of this scenario can be trusted any more.
    pub fn fail(&mut self, reason: String) {
        self.end.get_or_insert(End::Trouble(reason));
    }

    pub fn wants_session(&self) -> bool {
        let planned = self.scenario.run.sessions as usize;
        if self.end.is_some() || self.sessions.len() >= planned {
            return false;
        }
        if self.sessions.is_empty() {
            return true;
        }
        let judgement = self.judgement();
        judgement.verdict == Verdict::Suspected || self.calls_for_baseline(&judgement)
    }

    /// Whether a new baseline, once accepted, would turn the test green or keep it honest. A broken limit stays broken
    /// whatever the baseline is.
    fn calls_for_baseline(&self, judgement: &Judgement) -> bool {
        let calls = match judgement.verdict {
            Verdict::NoBaseline | Verdict::NotComparable | Verdict::Improved | Verdict::Regressed => true,
            Verdict::Suspected => !self.passes(Verdict::Suspected),
            _ => false,
        };
        calls && !judgement.gates.iter().any(GateOutcome::breaks_limit)
    }

    /// The baseline to be accepted, where this verdict leaves one and enough was measured.
    pub fn next_baseline(&self, recorded: &str) -> Option<Baseline> {
        let leaves = self.calls_for_baseline(&self.judgement());
        let complete = self.sessions.len() >= self.scenario.run.sessions as usize;
        let environment = self.environment.as_ref().filter(|_| leaves && complete && self.end.is_none())?;
        Some(Baseline {
            facts: Facts {
                scenario: self.hash.clone(),
                environment: environment.name.clone(),
                engine: environment.engine.clone(),
                recorded: recorded.to_owned(),
                machine: environment.machine.clone(),
                model: environment.model.clone(),
                simulator: environment.simulator.clone(),
            },
            values: self.values_to_keep(),
        })
    }

    pub fn accepted_baseline(&self) -> Option<&'a Baseline> {
        self.baseline
    }

    pub fn left_pending(&mut self, file: String) {
        self.pending = Some(file);
    }

    pub fn report(&self, run: &Run) -> Report {
        let Judgement { verdict, reason, gates } = self.judgement();
        let baseline =
            self.baseline.zip(self.environment.as_ref()).map(|(baseline, environment)| BaselineUsed {
                file: Baselines::file(&environment.name, &self.scenario.id),
                engine: baseline.facts.engine.clone(),
                recorded: baseline.facts.recorded.clone(),
                machine: baseline.facts.machine.clone(),
                values: baseline.values.clone(),
            });
        Report {
            version: report::VERSION,
            run: run.clone(),
            scenario: self.scenario.id.clone(),
            scenario_hash: Some(self.hash.clone()),
            passed: self.passes(verdict),
            verdict,
            reason,
            gates,
            warnings: self.warnings.clone(),
            environment: self.environment.clone(),
            baseline,
            pending: self.pending.clone(),
            summary: Summary::merge(self.sessions.iter().map(|session| &session.summary)),
            sessions: self.sessions.clone(),
        }
    }

    pub fn passed(&self) -> bool {
        self.passes(self.judgement().verdict)
    }

    fn passes(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Ok | Verdict::Improved | Verdict::Ignored => true,
            Verdict::Suspected => self.scenario.run.on_suspected == OnSuspected::Warn,
            _ => false,
        }
    }

    fn judgement(&self) -> Judgement {
        let gates = self.gate_outcomes();
        let concluded = |verdict, reason: String| Judgement { verdict, reason, gates: gates.clone() };
        match &self.end {
            Some(End::Ignored(reason)) => return concluded(Verdict::Ignored, reason.clone()),
            Some(End::Trouble(reason)) => return concluded(Verdict::Invalid, reason.clone()),
            None if self.sessions.is_empty() => {
                return concluded(Verdict::Invalid, "nothing was measured".into());
            }
            None => {}
        }
        let verdict = Verdict::worst(gates.iter().map(|gate| gate.verdict));
        if matches!(verdict, Verdict::Invalid | Verdict::Regressed) {
            return concluded(verdict, explain(verdict, &gates, &self.sides()));
        }
        match self.comparable() {
            Err((verdict, reason)) => concluded(verdict, reason),
            Ok(_) => concluded(verdict, explain(verdict, &gates, &self.sides())),
        }
    }

    fn gate_outcomes(&self) -> Vec<GateOutcome> {
        if self.sessions.is_empty() {
            return Vec::new();
        }
        let none = OldValues::new();
        let old = self.comparable().map_or(&none, |baseline| &baseline.values);
        let sessions: Vec<Evidence> = self
            .sessions
            .iter()
            .map(|session| Evidence { summary: &session.summary, health: &session.health })
            .collect();
        let values = |metric: Metric| old.get(&metric).map_or(&[][..], Vec::as_slice);
        self.scenario
            .gates
            .iter()
            .map(|gate| judge(gate, Old::Stored(values(gate.metric)), &sessions))
            .collect()
    }

    /// The baseline, if it is one of this very scenario.
    fn comparable(&self) -> Result<&'a Baseline, (Verdict, String)> {
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
        match (self.baseline, &self.environment) {
            (Some(Baseline { facts, .. }), Some(environment)) => {
                Sides::of(&facts.engine, &environment.engine, &facts.recorded)
            }
            _ => Sides { old: "the baseline".into(), new: "this run".into() },
        }
    }

    /// One value per session of every gated metric.
    fn values_to_keep(&self) -> OldValues {
        let kept = self.scenario.gates.iter().filter_map(|gate| {
            let values: Option<Vec<f64>> =
                self.sessions.iter().map(|session| session.summary.value(gate.metric)).collect();
            Some((gate.metric, values?))
        });
        kept.collect()
    }

    fn warn_of_change(&mut self, what: &str, old: &str, new: &str) {
        if old != new {
            self.warn(format!("the baseline was recorded with another {what}: {old}; now: {new}"));
        }
    }
}
