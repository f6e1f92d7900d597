//! A campaign: the sessions of one target, shared by all of its selected scenarios.

mod counter_check;
mod proof;
mod proof_samples;
mod record_fanout;
mod scenario_run;
mod session;
mod sweep;

use std::time::Duration;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;

use crate::client::Cancel;
use crate::config::Scenario;
use crate::launch::{LaunchError, Launched, Launcher, MissingRequirement};
use crate::results::record_file::Header;
use crate::results::{Report, Run};
use crate::store::{Baselines, Pending, RecordFile, RunFolder, StoreError};
use crate::suite::event::Event;
use crate::sys::clock;
use crate::target::TargetSpec;
use crate::verdict::Verdict;
use crate::verdict::explain::onset;

use scenario_run::{Need, ScenarioRun};
pub use session::{SessionId, SessionOutcome, SessionRequest, run_session};
pub use sweep::{Ladder, Sweeping};

/// Everything a campaign needs from outside.
pub struct Campaign<'a> {
    pub run: &'a Run,
    pub target: &'a TargetSpec,
    pub baselines: &'a Baselines,
    pub folder: &'a RunFolder,
    pub pending: Pending,
    pub cancel: &'a Cancel,
    pub listen: &'a dyn Fn(Event),
    pub launcher: Launcher<'a>,
    /// Names whose absence is an error, not a reason to ignore a scenario.
    pub required: &'a [String],
}

/// How long an endpoint rests between two sessions, since it can't be started anew.
const ENDPOINT_PAUSE: Duration = Duration::from_secs(3);

impl<'a> Campaign<'a> {
    /// Measures until every scenario is decided. What is measured is on disk after each scenario.
    pub fn run(&self, scenarios: &[&'a Scenario]) -> Result<Vec<Report>, StoreError> {
        let mut runs: Vec<ScenarioRun> =
            scenarios.iter().map(|scenario| ScenarioRun::new(scenario)).collect();
        if let Err(error) = self.launcher.check(self.target, &self.recorded_targets(scenarios)) {
            runs.iter_mut().for_each(|run| self.without_engine(run, &error));
        }
        for number in 1.. {
            let mut open = needing(&mut runs, Need::Session);
            if !open.is_empty() {
                if number > 1 && !self.target.restarts() {
                    std::thread::sleep(ENDPOINT_PAUSE);
                }
                open.shuffle(&mut Pcg64::seed_from_u64(number.into()));
                self.session(number, &mut open)?;
            } else if !self.proof(&mut runs)? {
                break;
            }
        }
        self.conclude(&mut runs)
    }

    /// One proof for all that need the same old engine, if any needs one.
    fn proof(&self, runs: &mut [ScenarioRun<'a>]) -> Result<bool, StoreError> {
        let mut suspected = needing(runs, Need::Proof);
        let Some(old) = suspected.first().and_then(|run| run.old_target()) else { return Ok(false) };
        // Baselines that were accepted at different times may have been recorded on different engines.
        suspected.retain(|run| run.old_target().as_ref() == Some(&old));
        match self.launcher.obtain(&old) {
            Ok(found) => {
                if let Some(found) = found {
                    suspected.iter_mut().for_each(|run| run.meet_old(&found));
                    suspected.retain(|run| run.old_target().is_some());
                }
                if !suspected.is_empty() {
                    self.prove(&old, &mut suspected)?;
                }
            }
            Err(why) => suspected.iter_mut().for_each(|run| run.lose_old(&why.to_string())),
        }
        Ok(true)
    }

    /// The engines that baselines were recorded on, as far as these may have to be started again.
    fn recorded_targets(&self, scenarios: &[&Scenario]) -> Vec<TargetSpec> {
        let baselines = scenarios.iter().flat_map(|scenario| self.baselines.of_scenario(&scenario.id));
        let places = baselines.filter_map(|(_, baseline)| baseline.facts.place(&self.target.place));
        let mut targets: Vec<TargetSpec> = Vec::new();
        for place in places {
            if !targets.iter().any(|target| target.place == place) {
                targets.push(TargetSpec { place, ..self.target.clone() });
            }
        }
        targets
    }

    /// Proves without any suspicion, and without any baseline.
    pub fn prove_at_once(
        &self,
        old: &TargetSpec,
        scenarios: &[&'a Scenario],
    ) -> Result<Vec<Report>, StoreError> {
        let mut runs: Vec<ScenarioRun> =
            scenarios.iter().map(|scenario| ScenarioRun::new(scenario)).collect();
        let ready = self.launcher.check(self.target, std::slice::from_ref(old));
        match ready.and_then(|()| self.launcher.obtain(old)) {
            Ok(_) => self.prove(old, &mut runs.iter_mut().collect::<Vec<_>>())?,
            Err(error) => runs.iter_mut().for_each(|run| self.without_engine(run, &error)),
        }
        (self.listen)(Event::Pause);
        tell_onsets(&mut runs);
        runs.iter().map(|run| self.save(run)).collect()
    }

    fn session(&self, number: u32, open: &mut [&mut ScenarioRun<'a>]) -> Result<(), StoreError> {
        let name = format!("session {number}");
        (self.listen)(Event::EngineStarts { target: &self.target.name, session: &name });
        let launched = self.launcher.launch_shared(self.target);
        for run in open {
            match &launched {
                Ok(launched) => self.measure(launched, SessionId { number, name: &name }, run),
                Err(error) => self.without_engine(run, error),
            }
            self.save(run)?;
        }
        Ok(())
    }

    fn without_engine(&self, run: &mut ScenarioRun<'a>, why: &LaunchError) {
        match why {
            LaunchError::NotToBeHad { reason, missing } => match self.requirement(*missing) {
                None => run.ignore(reason.clone()),
                Some(name) => run.fail(format!("{reason}, and TOLLGATE_REQUIRE names `{name}`")),
            },
            LaunchError::Failed(reason) => run.fail(reason.clone()),
        }
    }

    fn measure(&self, launched: &Launched, id: SessionId, run: &mut ScenarioRun<'a>) {
        run.on(&launched.environment, self.baselines);
        let salt = self.salt("");
        let request = self.session_request(run.scenario, &salt);
        let SessionOutcome { session, trouble, warnings } =
            run_session(&request, launched, id, self.listen, self.cancel, None);
        run.add(session);
        warnings.into_iter().for_each(|warning| run.warn(warning));
        if let Some(trouble) = trouble {
            run.meet(trouble);
        }
    }

    /// What makes the prompts of a part of this run its own. An endpoint remembers those of yesterday and of every
    /// other part; an engine that starts anew does not.
    fn salt(&self, part: &str) -> String {
        match self.target.restarts() {
            true => String::new(),
            false => format!("{}{part}", self.run.id),
        }
    }

    fn session_request<'s>(&'s self, scenario: &'s Scenario, salt: &'s str) -> SessionRequest<'s> {
        SessionRequest {
            scenario: &scenario.id,
            workload: &scenario.workload,
            load: &scenario.load,
            run: &scenario.run,
            salt,
            records: scenario.run.records.then(|| self.record_file(scenario)),
            begin_ns: None,
        }
    }

    fn record_file(&self, scenario: &Scenario) -> RecordFile {
        self.folder.records(Header {
            run: self.run.clone(),
            scenario: scenario.id.clone(),
            scenario_hash: Some(scenario.hash()),
            clock: clock::origin(),
        })
    }

    /// By which name the target, or what it is missing, is required, if it is.
    fn requirement(&self, missing: MissingRequirement) -> Option<&String> {
        let names = [Some(self.target.name.as_str()), Some(self.target.engine.name()), missing.name()];
        self.required.iter().find(|required| names.contains(&Some(required.as_str())))
    }

    fn conclude(&self, runs: &mut [ScenarioRun<'a>]) -> Result<Vec<Report>, StoreError> {
        (self.listen)(Event::Pause);
        tell_onsets(runs);
        let concluded = runs.iter_mut().map(|run| {
            self.settle_pending(run);
            self.save(run)
        });
        concluded.collect()
    }

    fn settle_pending(&self, run: &mut ScenarioRun<'a>) {
        let scenario = &run.scenario.id;
        if let Some(next) = run.next_baseline(&self.run.started[..10]) {
            match self.pending.leave(self.baselines, scenario, &next) {
                Some(file) => run.left_pending(file),
                None => run.warn(
                    "the new baseline was not left pending, since CI is set or INSTA_UPDATE says so: INSTA_UPDATE=new leaves it"
                        .into(),
                ),
            }
        } else if let Some(accepted) = run.accepted_baseline().filter(|_| run.passed()) {
            self.pending.withdraw(self.baselines, scenario, accepted);
        }
    }

    fn save(&self, run: &ScenarioRun) -> Result<Report, StoreError> {
        let report = run.report(self.run);
        self.folder.save(&report)?;
        Ok(report)
    }
}

fn needing<'c, 'a>(runs: &'c mut [ScenarioRun<'a>], need: Need) -> Vec<&'c mut ScenarioRun<'a>> {
    runs.iter_mut().filter(|run| run.need() == need).collect()
}

/// The loads of one scenario file tell together from how many users on it is slower.
fn tell_onsets(runs: &mut [ScenarioRun]) {
    let loads: Vec<(String, u32, Verdict)> = runs
        .iter()
        .filter_map(|run| {
            let scenario = run.scenario;
            Some((scenario.id.file.clone(), scenario.load.users()?, run.verdict()))
        })
        .collect();
    for run in runs {
        let file = &run.scenario.id.file;
        let of_file = loads.iter().filter(|(of, ..)| of == file);
        let of_file: Vec<(u32, Verdict)> = of_file.map(|(_, users, verdict)| (*users, *verdict)).collect();
        if let Some(onset) = onset(&of_file) {
            run.sets_in(onset);
        }
    }
}
