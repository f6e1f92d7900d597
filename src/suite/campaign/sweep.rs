//! A sweep: measures every target at one load after another.

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
use crate::session::event::Event;
use crate::session::{SessionId, SessionOutcome, SessionRequest, run_session};
use crate::store::StoreError;
use crate::suite::campaign::ENDPOINT_PAUSE;
use crate::target::TargetSpec;

/// What to measure, and how.
pub(crate) struct SweepPlan {
    pub workload: Workload,
    pub axis: Axis,
    /// Each with its value on the axis, in ascending order.
    pub loads: Vec<(f64, Load)>,
    pub run: RunPlan,
    pub limits: Limits,
    /// Whether all targets are up at once and take turns level by level.
    pub interleaved: bool,
}

/// Measures the plan on every target.
pub(crate) struct SweepRunner<'a> {
    pub plan: &'a SweepPlan,
    pub run: &'a Run,
    pub targets: &'a [TargetSpec],
    pub launcher: Launcher<'a>,
    pub cancel: &'a Cancel,
    pub listen: &'a dyn Fn(Event),
    /// Called with the report so far after each level.
    pub save: &'a dyn Fn(&Sweep) -> Result<(), StoreError>,
}

impl SweepRunner<'_> {
    /// Measures every level on every target, `run.sessions` times. A target that fails is skipped from then on.
    pub(crate) fn run(&self) -> Result<Sweep, StoreError> {
        let mut sweep = self.plan.unmeasured(self.run, self.targets);
        for number in 1..=self.plan.run.sessions {
            let order = order(number, self.targets.len());
            if number > 1 && self.targets.iter().any(|target| !target.restarts()) {
                thread::sleep(ENDPOINT_PAUSE);
            }
            if self.plan.interleaved {
                self.run_targets(number, &order, &mut sweep)?;
            } else {
                for at in order {
                    self.run_targets(number, &[at], &mut sweep)?;
                }
            }
        }
        sweep.interrupted = self.cancel.is_cancelled();
        (self.save)(&sweep)?;
        Ok(sweep)
    }

    /// Starts these targets, then measures them level by level.
    fn run_targets(&self, number: u32, order: &[usize], sweep: &mut Sweep) -> Result<(), StoreError> {
        let mut launched: Vec<(usize, Launched)> = Vec::new();
        for at in order.iter().copied() {
            if sweep.targets[at].trouble.is_none() && !self.cancel.is_cancelled() {
                launched
                    .extend(self.launch(number, at, &mut sweep.targets[at]).map(|launched| (at, launched)));
            }
        }
        for (level, _) in self.plan.loads.iter().enumerate() {
            for (at, launched) in &launched {
                if self.cancel.is_cancelled() {
                    return Ok(());
                }
                if sweep.targets[*at].trouble.is_none() {
                    self.measure_level(number, level, launched, &mut sweep.targets[*at]);
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

    fn measure_level(&self, number: u32, level: usize, engine: &Launched, swept: &mut SweptTarget) {
        let SweepPlan { workload, loads, run, axis, .. } = self.plan;
        let (at, load) = &loads[level];
        let mut sink = GoodputSink::new(self.plan, load);
        let SessionOutcome { session, error, warnings } = run_session(SessionRequest {
            id: SessionId { number, name: &session_name(number) },
            engine,
            scenario: &scenario(*axis, *at, &swept.name),
            workload,
            load,
            plan: run,
            salt: &self.run.id,
            records: None,
            begin_ns: None,
            listen: self.listen,
            cancel: self.cancel,
            sink: Some(&mut sink),
        });
        if error.is_some() && self.cancel.is_cancelled() {
            return;
        }
        swept.warnings.extend(warnings.into_iter().map(|warning| format!("{}, {warning}", axis.level(*at))));
        swept.trouble = error.map(|error| format!("at {}, {error}", axis.level(*at)));
        if session.summary.requests.sent > 0 {
            self.add_session(*at, session, sink, swept);
        }
    }

    fn add_session(&self, at: f64, session: Session, sink: GoodputSink, swept: &mut SweptTarget) {
        let GoodputSink { limits, load, within_limits, timeline, .. } = sink;
        match swept.levels.iter_mut().find(|level| level.at == at) {
            Some(level) => add(level, session, within_limits, limits),
            None => {
                let mut level = Level {
                    at,
                    load: load.clone(),
                    summary: Summary::default(),
                    goodput: None,
                    timeline: Some(timeline.finish()),
                    sessions: Vec::new(),
                };
                add(&mut level, session, within_limits, limits);
                swept.levels.push(level);
            }
        }
        swept.knee = curve::knee(&curve::throughput(&swept.levels));
        swept.meets_limits_up_to = curve::meets_limits_up_to(&swept.levels);
    }
}

impl SweepPlan {
    /// The report before anything was measured.
    pub(crate) fn unmeasured(&self, run: &Run, targets: &[TargetSpec]) -> Sweep {
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

/// Collects what a summary doesn't keep: how many requests met all limits, and what happened when.
struct GoodputSink<'a> {
    limits: &'a Limits,
    load: &'a Load,
    streamed: bool,
    within_limits: u64,
    timeline: TimelineBuilder,
}

impl<'a> GoodputSink<'a> {
    fn new(plan: &'a SweepPlan, load: &'a Load) -> GoodputSink<'a> {
        let streamed = plan.workload.stream;
        let timeline = TimelineBuilder::new(load, streamed);
        GoodputSink { limits: &plan.limits, load, streamed, within_limits: 0, timeline }
    }
}

impl RecordSink for GoodputSink<'_> {
    fn take(&mut self, record: &RequestRecord) {
        self.timeline.take(record);
        let times = Times::of(record, self.load, self.streamed);
        self.within_limits += u64::from(times.is_some_and(|times| self.limits.admit(&times)));
    }
}

/// Every other session runs in reverse order, so that a steady drift of the machine cancels out.
fn order(number: u32, targets: usize) -> Vec<usize> {
    if number % 2 == 1 { (0..targets).collect() } else { (0..targets).rev().collect() }
}

fn session_name(number: u32) -> String {
    format!("session {number}")
}

/// Identifies a level: progress shows it, and its prompts depend on it.
fn scenario(axis: Axis, at: f64, target: &str) -> ScenarioId {
    let load = match axis {
        Axis::Users => format!("users-{at}"),
        Axis::RequestsPerS => format!("rate-{at}"),
    };
    ScenarioId { file: "sweep".into(), load, target: target.into() }
}

/// Adds a session to a level; `within_limits` of its requests met all limits.
fn add(level: &mut Level, session: Session, within_limits: u64, limits: &Limits) {
    let before = level.goodput.map_or(0, |goodput| goodput.requests);
    level.summary = Summary::merge([&level.summary, &session.summary]);
    level.sessions.push(session);
    level.goodput = (!limits.is_empty()).then(|| Goodput::of(limits, before + within_limits, &level.summary));
}
