//! A campaign: the sessions of one target, shared by all of its selected scenarios.

mod proof;
mod proof_samples;
mod scenario_run;
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
use crate::session::event::Event;
use crate::session::{SessionId, SessionOutcome, SessionRequest, run_session};
use crate::store::{Baselines, Pending, RecordFile, RunFolder, StoreError};
use crate::sys::clock;
use crate::target::TargetSpec;
use crate::verdict::Verdict;
use crate::verdict::explain::onset;

use scenario_run::{Need, ScenarioRun};
pub(crate) use sweep::{SweepPlan, SweepRunner};

/// What a campaign runs with.
pub(crate) struct Campaign<'a> {
    pub run: &'a Run,
    pub target: &'a TargetSpec,
    pub baselines: &'a Baselines,
    pub folder: &'a RunFolder,
    pub pending: Pending,
    pub cancel: &'a Cancel,
    pub listen: &'a dyn Fn(Event),
    pub launcher: Launcher<'a>,
    /// Targets, engines and tools that must be available. A scenario that lacks one of them fails; others are ignored.
    pub required: &'a [String],
}

/// The pause between two sessions on an endpoint, which can't be restarted.
const ENDPOINT_PAUSE: Duration = Duration::from_secs(3);

impl<'a> Campaign<'a> {
    /// Measures until every scenario is decided, and saves a scenario's report after each of its sessions.
    pub(crate) fn run(&self, scenarios: &[&'a Scenario]) -> Result<Vec<Report>, StoreError> {
        let mut runs: Vec<ScenarioRun> =
            scenarios.iter().map(|scenario| ScenarioRun::new(scenario)).collect();
        if let Err(error) = self.launcher.check(self.target, &self.recorded_targets(scenarios)) {
            runs.iter_mut().for_each(|run| self.mark_engine_unavailable(run, &error));
        }
        for number in 1.. {
            let mut open = runs_needing(&mut runs, Need::Session);
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

    /// Runs one proof for all scenarios that need the same old engine. Returns whether there was one to run.
    fn proof(&self, runs: &mut [ScenarioRun<'a>]) -> Result<bool, StoreError> {
        let mut suspected = runs_needing(runs, Need::Proof);
        let Some(old) = suspected.first().and_then(|run| run.old_target()) else { return Ok(false) };
        // Baselines accepted at different times may come from different engines.
        suspected.retain(|run| run.old_target().as_ref() == Some(&old));
        match self.launcher.obtain(&old) {
            Ok(found) => {
                if let Some(found) = found {
                    suspected.iter_mut().for_each(|run| run.check_old_engine(&found));
                    suspected.retain(|run| run.old_target().is_some());
                }
                if !suspected.is_empty() {
                    self.prove(&old, &mut suspected)?;
                }
            }
            Err(why) => suspected.iter_mut().for_each(|run| run.mark_old_unavailable(&why.to_string())),
        }
        Ok(true)
    }

    /// The engines of the baselines, which a proof may have to start again.
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

    /// Runs a proof right away, without a suspicion and without a baseline.
    pub(crate) fn prove_at_once(
        &self,
        old: &TargetSpec,
        scenarios: &[&'a Scenario],
    ) -> Result<Vec<Report>, StoreError> {
        let mut runs: Vec<ScenarioRun> =
            scenarios.iter().map(|scenario| ScenarioRun::new(scenario)).collect();
        let ready = self.launcher.check(self.target, std::slice::from_ref(old));
        match ready.and_then(|()| self.launcher.obtain(old)) {
            Ok(_) => self.prove(old, &mut runs.iter_mut().collect::<Vec<_>>())?,
            Err(error) => runs.iter_mut().for_each(|run| self.mark_engine_unavailable(run, &error)),
        }
        (self.listen)(Event::Pause);
        set_onsets(&mut runs);
        runs.iter().map(|run| self.save(run)).collect()
    }

    fn session(&self, number: u32, open: &mut [&mut ScenarioRun<'a>]) -> Result<(), StoreError> {
        let name = format!("session {number}");
        (self.listen)(Event::EngineStarts { target: &self.target.name, session: &name });
        let launched = self.launcher.launch_shared(self.target);
        for run in open {
            match &launched {
                Ok(launched) => self.measure(launched, SessionId { number, name: &name }, run),
                Err(error) => self.mark_engine_unavailable(run, error),
            }
            self.save(run)?;
        }
        Ok(())
    }

    fn mark_engine_unavailable(&self, run: &mut ScenarioRun<'a>, why: &LaunchError) {
        match why {
            LaunchError::Unavailable { reason, missing } => match self.required_name(*missing) {
                None => run.ignore(reason.clone()),
                Some(name) => run.fail(format!("{reason}, but TOLLGATE_REQUIRE names `{name}`")),
            },
            LaunchError::Failed(reason) => run.fail(reason.clone()),
        }
    }

    fn measure(&self, launched: &Launched, id: SessionId, run: &mut ScenarioRun<'a>) {
        run.set_environment(&launched.environment, self.baselines);
        let salt = self.salt("");
        let request = self.session_request(id, launched, run.scenario, &salt);
        let SessionOutcome { session, error, warnings } = run_session(request);
        run.add_session(session);
        warnings.into_iter().for_each(|warning| run.warn(warning));
        if let Some(error) = error {
            run.record_error(error);
        }
    }

    /// Makes the prompts of one part of this run unique. An endpoint may have cached those of an earlier run or part; a
    /// restarted engine hasn't.
    fn salt(&self, part: &str) -> String {
        if self.target.restarts() { String::new() } else { format!("{}{part}", self.run.id) }
    }

    fn session_request<'s>(
        &'s self,
        id: SessionId<'s>,
        engine: &'s Launched,
        scenario: &'s Scenario,
        salt: &'s str,
    ) -> SessionRequest<'s> {
        SessionRequest {
            id,
            engine,
            scenario: &scenario.id,
            workload: &scenario.workload,
            load: &scenario.load,
            plan: &scenario.run,
            salt,
            records: scenario.run.records.then(|| self.record_file(scenario)),
            begin_ns: None,
            listen: self.listen,
            cancel: self.cancel,
            sink: None,
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

    /// The name in TOLLGATE_REQUIRE that covers the target or what it lacks, if there is one.
    fn required_name(&self, missing: MissingRequirement) -> Option<&String> {
        let names = [Some(self.target.name.as_str()), Some(self.target.engine.name()), missing.name()];
        self.required.iter().find(|required| names.contains(&Some(required.as_str())))
    }

    fn conclude(&self, runs: &mut [ScenarioRun<'a>]) -> Result<Vec<Report>, StoreError> {
        (self.listen)(Event::Pause);
        set_onsets(runs);
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
                Ok(Some(file)) => run.set_pending(file),
                Err(error) => run.warn(format!("no pending baseline was left: {error}")),
                Ok(None) => run.warn(
                    "no pending baseline was written because of CI or INSTA_UPDATE; set INSTA_UPDATE=new to write one"
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

fn runs_needing<'c, 'a>(runs: &'c mut [ScenarioRun<'a>], need: Need) -> Vec<&'c mut ScenarioRun<'a>> {
    runs.iter_mut().filter(|run| run.need() == need).collect()
}

/// The loads of a scenario file together show the number of users from which the engine is slower.
fn set_onsets(runs: &mut [ScenarioRun]) {
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
            run.set_onset(onset);
        }
    }
}
