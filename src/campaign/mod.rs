//! A campaign: the sessions of one target, shared by all of its selected scenarios.

mod course;
mod session;

use std::time::Duration;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;

use crate::event::Event;
use crate::launch::{self, LaunchError, Launched};
use crate::measure::Cancel;
use crate::report::{Report, Run};
use crate::scenario::Scenario;
use crate::store::{Baselines, Pending, RunFolder, StoreError};
use crate::target::TargetSpec;

use course::Course;
pub use session::{Asked, Held, hold};

/// Everything a campaign needs from outside.
pub struct Campaign<'a> {
    pub run: &'a Run,
    pub target: &'a TargetSpec,
    pub baselines: &'a Baselines,
    pub folder: &'a RunFolder,
    pub pending: Pending,
    pub cancel: &'a Cancel,
    pub listen: &'a dyn Fn(Event),
    /// Names whose absence is an error, not a reason to ignore a scenario.
    pub required: &'a [String],
}

/// How long an endpoint rests between two sessions, since it can't be started anew.
const ENDPOINT_PAUSE: Duration = Duration::from_secs(3);

impl<'a> Campaign<'a> {
    /// Runs sessions until every scenario is decided. What is measured is on disk after each scenario.
    pub fn run(&self, scenarios: &[&'a Scenario]) -> Result<Vec<Report>, StoreError> {
        let mut courses: Vec<Course> = scenarios.iter().map(|scenario| Course::new(scenario)).collect();
        for number in 1.. {
            let mut open: Vec<&mut Course> =
                courses.iter_mut().filter(|course| course.wants_session()).collect();
            if open.is_empty() {
                break;
            }
            if number > 1 && !self.target.restarts() {
                std::thread::sleep(ENDPOINT_PAUSE);
            }
            open.shuffle(&mut Pcg64::seed_from_u64(number.into()));
            self.session(number, &mut open)?;
        }
        (self.listen)(Event::Pause);
        courses.iter_mut().map(|course| self.conclude(course)).collect()
    }

    fn session(&self, number: u32, open: &mut [&mut Course<'a>]) -> Result<(), StoreError> {
        (self.listen)(Event::EngineStarts { target: &self.target.name, session: number });
        let launched = launch::launch(self.target, number, self.cancel);
        for course in open {
            match &launched {
                Ok(launched) => self.measure(launched, number, course),
                Err(LaunchError::NotToBeHad(reason)) => match self.requirement() {
                    None => course.ignore(reason.clone()),
                    Some(name) => course.fail(format!("{reason}, and TOLLGATE_REQUIRE names `{name}`")),
                },
                Err(LaunchError::Failed(reason)) => course.fail(reason.clone()),
            }
            self.folder.save(&course.report(self.run))?;
        }
        Ok(())
    }

    fn measure(&self, launched: &Launched, number: u32, course: &mut Course<'a>) {
        course.on(&launched.environment, self.baselines);
        let scenario = course.scenario;
        let asked = Asked {
            scenario: &scenario.id,
            workload: &scenario.workload,
            load: &scenario.load,
            run: &scenario.run,
            // An endpoint remembers yesterday's prompts; an engine that starts anew does not.
            salt: if self.target.restarts() { "" } else { &self.run.id },
        };
        let Held { session, trouble } = hold(&asked, launched, number, self.listen, self.cancel);
        course.add(session);
        if let Some(trouble) = trouble {
            course.fail(trouble);
        }
    }

    /// By which name the target is required, if it is.
    fn requirement(&self) -> Option<&String> {
        let names = [self.target.name.as_str(), self.target.engine.name()];
        self.required.iter().find(|required| names.contains(&required.as_str()))
    }

    fn conclude(&self, course: &mut Course) -> Result<Report, StoreError> {
        let scenario = &course.scenario.id;
        if let Some(next) = course.next_baseline(&self.run.started[..10]) {
            match self.pending.leave(self.baselines, scenario, &next) {
                Some(file) => course.left_pending(file),
                None => course.warn(
                    "the new baseline was not written, because CI is set: set INSTA_UPDATE=new to have it"
                        .into(),
                ),
            }
        } else if let Some(accepted) = course.accepted_baseline().filter(|_| course.passed()) {
            self.pending.withdraw(self.baselines, scenario, accepted);
        }
        let report = course.report(self.run);
        self.folder.save(&report)?;
        Ok(report)
    }
}
