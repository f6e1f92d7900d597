//! A proof: the old and the new engine take turns on this machine until every suspicion is decided.

use std::time::Instant;

use crate::launch::{LaunchError, Launched};
use crate::results::ProofEnd;
use crate::session::event::Event;
use crate::session::{SessionId, SessionOutcome, run_session, run_side_by_side};
use crate::store::StoreError;
use crate::suite::campaign::Campaign;
use crate::suite::campaign::scenario_run::ScenarioRun;
use crate::target::TargetSpec;
use crate::verdict::Side;
use crate::verdict::rule::MOST_STARTS_OF_PLANNED;

impl<'a> Campaign<'a> {
    /// All given scenarios share the proof's starts.
    pub(super) fn prove(
        &self,
        old: &TargetSpec,
        runs: &mut [&mut ScenarioRun<'a>],
    ) -> Result<(), StoreError> {
        let began = Instant::now();
        let minutes = || began.elapsed().as_secs_f64() / 60.0;
        // The screen's prompts may still be in the new engine's prefix cache, but not in the old one's.
        let salt = self.salt(" proof");
        let proof = ProofRunner { campaign: self, old, salt, budget_ends: began + self.target.proof.budget };
        let mut pair = 0;
        let end = loop {
            match proof.why_to_end(runs, pair) {
                Some(end) => break end,
                None => proof.block(&mut pair, runs)?,
            }
            runs.iter_mut().for_each(|run| run.pause_proof(minutes()));
        };
        runs.iter_mut().for_each(|run| run.end_proof(end, minutes()));
        Ok(())
    }
}

struct ProofRunner<'c, 'a> {
    campaign: &'c Campaign<'a>,
    old: &'c TargetSpec,
    salt: String,
    budget_ends: Instant,
}

impl<'a> ProofRunner<'_, 'a> {
    fn why_to_end(&self, runs: &[&mut ScenarioRun<'a>], pairs: u32) -> Option<ProofEnd> {
        if self.campaign.cancel.is_cancelled() {
            return Some(ProofEnd::Interrupted);
        }
        if !runs.iter().any(|run| run.is_undecided()) {
            return Some(ProofEnd::Decided);
        }
        if pairs >= MOST_STARTS_OF_PLANNED * self.campaign.target.proof.starts {
            return Some(ProofEnd::OutOfStarts);
        }
        self.is_out_of_time().then_some(ProofEnd::OutOfTime)
    }

    fn is_out_of_time(&self) -> bool {
        Instant::now() >= self.budget_ends
    }

    /// Two starts of each side. If time runs out or the user presses Ctrl-C, the measurements so far are kept.
    fn block(&self, pair: &mut u32, runs: &mut [&mut ScenarioRun<'a>]) -> Result<(), StoreError> {
        let turns: &[&[Side]] = if self.campaign.target.proof.side_by_side {
            &[&[Side::Old, Side::New], &[Side::Old, Side::New]]
        } else {
            &Side::BLOCK.each_ref().map(std::slice::from_ref)
        };
        // The scenarios are chosen for the whole block: deciding after every start would raise the error rate.
        let mut undecided: Vec<&mut ScenarioRun<'a>> =
            runs.iter_mut().map(|run| &mut **run).filter(|run| run.is_undecided()).collect();
        let mut starts = 0;
        for sides in turns {
            if self.campaign.cancel.is_cancelled() || self.is_out_of_time() {
                return Ok(());
            }
            self.turn(sides, *pair + starts / 2 + 1, &mut undecided)?;
            starts += sides.len() as u32;
        }
        *pair += starts / 2;
        Ok(())
    }

    /// One start of an engine, or of both at once.
    fn turn(&self, sides: &[Side], pair: u32, runs: &mut [&mut ScenarioRun<'a>]) -> Result<(), StoreError> {
        let names: Vec<String> =
            sides.iter().map(|side| format!("proof: {}, start {pair}", name(*side))).collect();
        let launched: Result<Vec<Launched>, LaunchError> =
            sides.iter().zip(&names).map(|(side, name)| self.launch(*side, name)).collect();
        for run in runs.iter_mut().filter(|run| !run.is_over()) {
            match &launched {
                Ok(launched) => self.measure(sides, launched, &names, pair, run),
                Err(error) => run.fail(error.to_string()),
            }
            self.campaign.save(run)?;
        }
        Ok(())
    }

    fn launch(&self, side: Side, session: &str) -> Result<Launched, LaunchError> {
        let Campaign { target, launcher, listen, .. } = self.campaign;
        listen(Event::EngineStarts { target: &target.name, session });
        let target = match side {
            Side::Old => self.old,
            Side::New => target,
        };
        launcher.launch(target)
    }

    fn measure(
        &self,
        sides: &[Side],
        launched: &[Launched],
        names: &[String],
        pair: u32,
        run: &mut ScenarioRun<'a>,
    ) {
        let scenario = run.scenario;
        let request = |index: usize| {
            let id = SessionId { number: pair, name: &names[index] };
            self.campaign.session_request(id, &launched[index], scenario, &self.salt)
        };
        let outcomes = match sides {
            [_] => vec![run_session(request(0))],
            _ => run_side_by_side(request(0), request(1)).into(),
        };
        for ((side, launched), outcome) in sides.iter().zip(launched).zip(outcomes) {
            let SessionOutcome { session, error, warnings } = outcome;
            run.add_to_proof(*side, &launched.environment, session);
            warnings.into_iter().for_each(|warning| run.warn(warning));
            match (side, error) {
                (_, None) => {}
                (Side::New, Some(error)) => run.record_error(error),
                (Side::Old, Some(error)) => run.fail(error.to_string()),
            }
        }
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Old => "old",
        Side::New => "new",
    }
}
