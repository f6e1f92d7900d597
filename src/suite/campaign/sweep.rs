//! A sweep: every target under one load after another.

use std::thread;

use crate::client::Cancel;
use crate::config::{RunPlan, ScenarioId};
use crate::launch::{Launched, Launcher};
use crate::load::Load;
use crate::load::workload::Workload;
use crate::metrics::record::{RecordSink, RequestRecord};
use crate::metrics::summary::{Summary, Times};
use crate::metrics::timeline::TimelineBuilder;
use crate::results::limits::{Goodput, Limits};
use crate::results::sweep::{Axis, Level, Sweep, SweptTarget};
use crate::results::{Kind, Run, Session, VERSION, curve};
use crate::store::StoreError;
use crate::suite::campaign::ENDPOINT_PAUSE;
use crate::suite::campaign::session::{SessionId, SessionOutcome, SessionRequest, run_session};
use crate::suite::event::Event;
use crate::target::TargetSpec;

/// What is measured, and how.
pub struct Ladder {
    pub workload: Workload,
    pub axis: Axis,
    /// Each with what it counts on the axis, in rising order.
    pub loads: Vec<(f64, Load)>,
    pub run: RunPlan,
    pub limits: Limits,
    /// Whether all targets run at once and take turns level by level.
    pub interleaved: bool,
}

/// Everything a sweep needs from outside.
pub struct Sweeping<'a> {
    pub ladder: &'a Ladder,
    pub run: &'a Run,
    pub targets: &'a [TargetSpec],
    pub launcher: Launcher<'a>,
    pub cancel: &'a Cancel,
    pub listen: &'a dyn Fn(Event),
    /// Called with what there is after each level.
    pub save: &'a dyn Fn(&Sweep) -> Result<(), StoreError>,
}

impl Sweeping<'_> {
    /// Climbs the ladder with every target, `run.sessions` times. A target in trouble is left out from there on.
    pub fn run(&self) -> Result<Sweep, StoreError> {
        let mut sweep = self.ladder.unmeasured(self.run, self.targets);
        for number in 1..=self.ladder.run.sessions {
            let order = order(number, self.targets.len());
            if number > 1 && self.targets.iter().any(|target| !target.restarts()) {
                thread::sleep(ENDPOINT_PAUSE);
            }
            match self.ladder.interleaved {
                true => self.in_turn(number, &order, &mut sweep)?,
                false => {
                    for at in order {
                        self.in_turn(number, &[at], &mut sweep)?;
                    }
                }
            }
        }
        sweep.interrupted = self.cancel.is_cancelled();
        (self.save)(&sweep)?;
        Ok(sweep)
    }

    /// Has these targets run at once, and climbs with them level by level.
    fn in_turn(&self, number: u32, order: &[usize], sweep: &mut Sweep) -> Result<(), StoreError> {
        let mut launched: Vec<(usize, Launched)> = Vec::new();
        for at in order.iter().copied() {
            if sweep.targets[at].trouble.is_none() && !self.cancel.is_cancelled() {
                launched
                    .extend(self.launch(number, at, &mut sweep.targets[at]).map(|launched| (at, launched)));
            }
        }
        for (level, _) in self.ladder.loads.iter().enumerate() {
            for (at, launched) in &launched {
                if self.cancel.is_cancelled() {
                    return Ok(());
                }
                if sweep.targets[*at].trouble.is_none() {
                    self.climb(number, level, launched, &mut sweep.targets[*at]);
                    sweep.interrupted = self.cancel.is_cancelled();
                    (self.save)(sweep)?;
                }
            }
        }
        Ok(())
    }

    fn launch(&self, number: u32, at: usize, swept: &mut SweptTarget) -> Option<Launched> {
        let target = &self.targets[at];
        let session = session_name(number);
        (self.listen)(Event::EngineStarts { target: &target.name, session: &session });
        match self.launcher.check(target, &[]).and_then(|()| self.launcher.launch(target)) {
            Ok(launched) => {
                swept.environment = Some(launched.environment.clone());
                Some(launched)
            }
            Err(_) if self.cancel.is_cancelled() => None,
            Err(error) => {
                swept.trouble = Some(error.to_string());
                None
            }
        }
    }

    fn climb(&self, number: u32, level: usize, launched: &Launched, swept: &mut SweptTarget) {
        let Ladder { workload, loads, run, limits, axis, .. } = self.ladder;
        let (at, load) = &loads[level];
        let scenario = scenario(*axis, *at, &swept.name);
        let request = SessionRequest {
            scenario: &scenario,
            workload,
            load,
            run,
            salt: &self.run.id,
            records: None,
            begin_ns: None,
        };
        let name = session_name(number);
        let mut sink = GoodputSink {
            limits,
            load,
            streamed: workload.stream,
            within: 0,
            timeline: TimelineBuilder::new(load, workload.stream),
        };
        let id = SessionId { number, name: &name };
        let SessionOutcome { session, trouble, warnings } =
            run_session(&request, launched, id, self.listen, self.cancel, Some(&mut sink));
        if trouble.is_some() && self.cancel.is_cancelled() {
            return;
        }
        swept.warnings.extend(warnings.into_iter().map(|warning| format!("{}, {warning}", axis.level(*at))));
        swept.trouble = trouble.map(|trouble| format!("at {}, {trouble}", axis.level(*at)));
        if session.summary.requests.sent == 0 {
            return;
        }
        match swept.levels.iter_mut().find(|level| level.at == *at) {
            Some(known) => add(known, session, sink.within, limits),
            None => {
                let mut level = Level {
                    at: *at,
                    load: load.clone(),
                    summary: Summary::default(),
                    goodput: None,
                    timeline: Some(sink.timeline.finish()),
                    sessions: Vec::new(),
                };
                add(&mut level, session, sink.within, limits);
                swept.levels.push(level);
            }
        }
        swept.knee = curve::knee(&curve::throughput(&swept.levels));
        swept.meets_limits_up_to = curve::meets_limits_up_to(&swept.levels);
    }
}

impl Ladder {
    /// The report before anything is measured.
    pub fn unmeasured(&self, run: &Run, targets: &[TargetSpec]) -> Sweep {
        let unmeasured = |target: &TargetSpec| SweptTarget {
            name: target.name.clone(),
            environment: None,
            levels: Vec::new(),
            knee: None,
            meets_limits_up_to: None,
            trouble: None,
            warnings: Vec::new(),
        };
        Sweep {
            kind: Kind::Sweep,
            version: VERSION,
            run: run.clone(),
            workload: self.workload.to_string(),
            workload_hash: self.workload.hash(),
            axis: self.axis,
            limits: self.limits.clone(),
            interleaved: self.interleaved,
            interrupted: false,
            targets: targets.iter().map(unmeasured).collect(),
            warnings: Vec::new(),
        }
    }
}

/// Takes what a summary can't show any more: which requests kept all limits, and what happened when.
struct GoodputSink<'a> {
    limits: &'a Limits,
    load: &'a Load,
    streamed: bool,
    within: u64,
    timeline: TimelineBuilder,
}

impl RecordSink for GoodputSink<'_> {
    fn take(&mut self, record: &RequestRecord) {
        self.timeline.take(record);
        let times = Times::of(record, self.load, self.streamed);
        self.within += u64::from(times.is_some_and(|times| self.limits.admit(&times)));
    }
}

/// Every other session goes the other way round, so that a steady drift of the machine cancels.
fn order(number: u32, targets: usize) -> Vec<usize> {
    if number % 2 == 1 { (0..targets).collect() } else { (0..targets).rev().collect() }
}

fn session_name(number: u32) -> String {
    format!("session {number}")
}

/// What a level is called in progress and to its prompt sampler.
fn scenario(axis: Axis, at: f64, target: &str) -> ScenarioId {
    let load = match axis {
        Axis::Users => format!("users-{at}"),
        Axis::RequestsPerS => format!("rate-{at}"),
    };
    ScenarioId { file: "sweep".into(), load, target: target.into() }
}

/// One more session of a level; `within` of its requests were within all bounds.
fn add(level: &mut Level, session: Session, within: u64, limits: &Limits) {
    let before = level.goodput.map_or(0, |goodput| goodput.requests);
    level.summary = Summary::merge([&level.summary, &session.summary]);
    level.sessions.push(session);
    level.goodput = (!limits.is_empty()).then(|| Goodput::of(limits, before + within, &level.summary));
}
