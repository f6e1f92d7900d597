//! What a proof measured of one scenario on the old and the new engine.

use std::collections::BTreeMap;

use crate::config::Scenario;
use crate::metrics::Metric;
use crate::metrics::summary::Summary;
use crate::results::{Pair, Proof, ProofEnd, ProofSession, Session};
use crate::target::Environment;
use crate::verdict::Side;
use crate::verdict::explain::diagnosis;

pub(crate) struct ProofSamples {
    old: Environment,
    sessions: Vec<ProofSession>,
    minutes: f64,
    end: ProofEnd,
}

impl ProofSamples {
    pub(crate) fn new(old: &Environment) -> ProofSamples {
        ProofSamples { old: old.clone(), sessions: Vec::new(), minutes: 0.0, end: ProofEnd::Interrupted }
    }

    pub(crate) fn add(&mut self, side: Side, session: Session) {
        self.sessions.push(ProofSession { side, session });
    }

    pub(crate) fn set_end(&mut self, end: ProofEnd, minutes: f64) {
        (self.end, self.minutes) = (end, minutes);
    }

    pub(crate) fn old_environment(&self) -> &Environment {
        &self.old
    }

    pub(crate) fn sessions(&self, side: Side) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(move |sample| sample.side == side).map(|sample| &sample.session)
    }

    /// Completed starts of each side so far.
    pub(crate) fn starts(&self) -> u32 {
        let [old, new] = [Side::Old, Side::New].map(|side| self.sessions(side).count() as u32);
        old.min(new)
    }

    /// Says which part of the engine became slower.
    pub(crate) fn slow_part(&self) -> Option<String> {
        let [old, new] = [Side::Old, Side::New]
            .map(|side| Summary::merge(self.sessions(side).map(|session| &session.summary)));
        diagnosis(&old, &new)
    }

    pub(crate) fn report(&self, scenario: &Scenario) -> Proof {
        Proof {
            old: self.old.clone(),
            starts: self.starts(),
            minutes: self.minutes,
            end: self.end,
            side_by_side: scenario.target.proof.side_by_side,
            pairs: scenario.gates.iter().map(|gate| (gate.metric, self.pairs(gate.metric))).collect(),
            sessions: self.sessions.clone(),
        }
    }

    /// Pairs each round with the same round of the other side's session of the same number; both sent the same prompts.
    fn pairs(&self, metric: Metric) -> Vec<Pair> {
        let by_number = |side| -> BTreeMap<u32, &Session> {
            self.sessions(side).map(|session| (session.number, session)).collect()
        };
        let (old, new) = (by_number(Side::Old), by_number(Side::New));
        let partners = old.iter().filter_map(|(number, old)| Some((&old.rounds, &new.get(number)?.rounds)));
        partners
            .flat_map(|(old, new)| old.iter().zip(new))
            .filter_map(|(old, new)| {
                Some(Pair { old: old.summary.value(metric)?, new: new.summary.value(metric)? })
            })
            .collect()
    }
}
