//! `tollgate ab`: a proof that needs neither a suspicion nor a baseline.

use std::process::ExitCode;

use anyhow::bail;

use crate::cli::comparison::{Subject, VersionComparison, exit_code, worst};
use crate::client::Cancel;
use crate::report::table;
use crate::session::event::Event;
use crate::store::RunFolder;
use crate::suite::harness::{ProgressLine, cancel_on_interrupt, this_run};

/// Alternate between two variants of a target on this machine and prove which one is slower.
#[derive(Debug, clap::Args)]
pub(crate) struct AbArgs {
    #[command(flatten)]
    subject: Subject,
    /// Image, tag, or URL of the old variant, or any setting of the target, such as `simulator.decode_scale=1.0`;
    /// by default unchanged.
    #[arg(long, value_name = "IMAGE|TAG|URL|KEY=VALUE", num_args = 1..)]
    old: Vec<String>,
    /// Same for the new variant.
    #[arg(long, value_name = "IMAGE|TAG|URL|KEY=VALUE", num_args = 1..)]
    new: Vec<String>,
}

pub(crate) fn run(AbArgs { subject, old, new }: AbArgs) -> anyhow::Result<ExitCode> {
    let old = subject.variant("--old", &old)?.target;
    let new = subject.variant("--new", &new)?;
    if old.place == new.target.place {
        bail!("old and new are the same: set what differs with --old KEY=VALUE or --new KEY=VALUE");
    }
    let run = this_run();
    let folder = RunFolder::of_comparison(&subject.root.join("target"), &run.id)?;
    let cancel = Cancel::new();
    cancel_on_interrupt(&cancel);
    let progress = ProgressLine::default();
    let listen = |event: Event| progress.show(event);
    let comparison = VersionComparison { run: &run, cancel: &cancel, listen: &listen };
    let reports = comparison.prove(&old, &new, &folder)?;
    for report in &reports {
        println!("{}\n{}\n", report.scenario, table::table(report));
    }
    println!("Reports: {}", folder.path().display());
    Ok(ExitCode::from(exit_code(worst(&reports))))
}
