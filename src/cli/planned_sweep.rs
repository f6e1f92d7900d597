//! A sweep whose flags and files have been read, before it starts.

use std::path::PathBuf;

use crate::client::Cancel;
use crate::launch::Launcher;
use crate::results::Run;
use crate::results::sweep::Sweep;
use crate::session::event::Event;
use crate::store::StoreError;
use crate::suite::campaign::{SweepPlan, SweepRunner};
use crate::suite::harness::{ProgressLine, cancel_on_interrupt};
use crate::target::TargetSpec;

pub(crate) struct PlannedSweep {
    pub run: Run,
    pub targets: Vec<TargetSpec>,
    pub plan: SweepPlan,
}

impl PlannedSweep {
    /// The report before the first level.
    pub(crate) fn unmeasured(&self) -> Sweep {
        self.plan.unmeasured(&self.run, &self.targets)
    }

    /// Measures every target at every level, and saves the report after each level.
    pub(crate) fn measure(
        &self,
        save: &dyn Fn(&Sweep) -> Result<(), StoreError>,
    ) -> Result<Sweep, StoreError> {
        let cancel = Cancel::new();
        cancel_on_interrupt(&cancel);
        let progress = ProgressLine::default();
        let listen = |event: Event| progress.show(event);
        let runner = SweepRunner {
            plan: &self.plan,
            run: &self.run,
            targets: &self.targets,
            launcher: Launcher::new(&self.run.id, PathBuf::from("."), &cancel, |step| {
                listen(Event::Preparation(step))
            }),
            cancel: &cancel,
            listen: &listen,
            save,
        };
        let swept = runner.run();
        progress.clear();
        swept
    }
}
