//! A sweep whose flags and files were read, and that has not begun.

use std::path::PathBuf;

use crate::client::Cancel;
use crate::launch::Launcher;
use crate::results::Run;
use crate::results::sweep::Sweep;
use crate::store::StoreError;
use crate::suite::campaign::{SweepPlan, SweepRunner};
use crate::suite::event::Event;
use crate::suite::harness::{ProgressLine, cancel_on_interrupt};
use crate::target::TargetSpec;

pub struct PlannedSweep {
    pub run: Run,
    pub targets: Vec<TargetSpec>,
    pub plan: SweepPlan,
}

impl PlannedSweep {
    /// The report as it begins.
    pub fn unmeasured(&self) -> Sweep {
        self.plan.unmeasured(&self.run, &self.targets)
    }

    /// Measures every target at every level, and saves the report after each level.
    pub fn measure(&self, save: &dyn Fn(&Sweep) -> Result<(), StoreError>) -> Result<Sweep, StoreError> {
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
