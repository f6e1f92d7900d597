//! `tollgate ab`: a proof without suspicion and without baseline.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{anyhow, bail};

use crate::campaign::Campaign;
use crate::event::Event;
use crate::harness::{ProgressLine, cancel_on_interrupt, this_run};
use crate::launch::Launcher;
use crate::measure::Cancel;
use crate::nearest::did_you_mean;
use crate::report::{Report, table};
use crate::scenario::{Scenario, Suite, TOLLGATE_SET};
use crate::store::{Baselines, Pending, RunFolder};
use crate::suite;
use crate::verdict::Verdict;

/// Run two variants of a target in turn on this machine and prove which is slower.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A target of perf-tests/targets.toml.
    #[arg(long)]
    target: String,
    /// The old variant's image or URL, or any key of the target as it has it, such as `simulator.decode_scale=1.0`; as
    /// in the file, if none is given.
    #[arg(long, value_name = "IMAGE|URL|KEY=VALUE", num_args = 1..)]
    old: Vec<String>,
    /// The same of the new variant.
    #[arg(long, value_name = "IMAGE|URL|KEY=VALUE", num_args = 1..)]
    new: Vec<String>,
    /// Only this scenario, such as `chat::users-4::sim`; all of the target's, if none is named.
    #[arg(long)]
    scenario: Vec<String>,
    /// The crate that holds `perf-tests/`.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    check_target(&args)?;
    let (old, new) = (variant(&args, "--old", &args.old)?, variant(&args, "--new", &args.new)?);
    let scenarios = chosen(&new, &args)?;
    let (old, new) = (&old.targets[&args.target], &new.targets[&args.target]);
    if old.place == new.place {
        bail!("old and new are the same: give what differs by --old KEY=VALUE or --new KEY=VALUE");
    }
    let run = this_run();
    let folder = RunFolder::of_comparison(&args.root.join("target"), &run.id)?;
    let cancel = Cancel::new();
    cancel_on_interrupt(&cancel);
    let progress = ProgressLine::default();
    let listen = |event: Event| progress.show(event);
    let campaign = Campaign {
        run: &run,
        target: new,
        baselines: &Baselines::none(),
        folder: &folder,
        pending: Pending { assert: |_, _| {} },
        cancel: &cancel,
        listen: &listen,
        launcher: Launcher::new(&run.id, folder.path(), &cancel, &listen),
        required: &[],
    };
    let reports = campaign.prove_at_once(old, &scenarios)?;
    for report in &reports {
        println!("{}\n{}\n", report.scenario, table::table(report));
    }
    println!("Reports: {}", folder.path().display());
    Ok(ExitCode::from(exit_code(&reports)))
}

/// Before the variants are read: in them a mistaken target would look like a mistaken override.
fn check_target(args: &Args) -> anyhow::Result<()> {
    let suite = suite::load(&args.root)?;
    if !suite.targets.contains_key(&args.target) {
        let help = did_you_mean(&args.target, suite.targets.keys().map(String::as_str));
        bail!("there is no target `{}`: {help}", args.target);
    }
    Ok(())
}

/// The suite with this variant's keys set, besides those of the environment.
fn variant(args: &Args, flag: &str, keys: &[String]) -> anyhow::Result<Suite> {
    let set = keys.iter().map(|key| format!("targets.{}.{}", args.target, with_key(key)));
    let overrides: Vec<String> = env::var(TOLLGATE_SET).into_iter().chain(set).collect();
    let overrides = overrides.join(",");
    suite::load_with(&args.root, &|name| match name {
        TOLLGATE_SET => Some(overrides.clone()),
        _ => env::var(name).ok(),
    })
    .map_err(|errors| anyhow!("{flag} is read as {TOLLGATE_SET}={overrides:?}, and that is wrong:\n{errors}"))
}

/// An image or a URL stands for itself.
fn with_key(text: &str) -> String {
    match text {
        url if url.starts_with("http://") || url.starts_with("https://") => format!("url='{url}'"),
        image if !image.contains('=') => format!("image='{image}'"),
        pair => pair.to_owned(),
    }
}

fn chosen<'s>(suite: &'s Suite, args: &Args) -> anyhow::Result<Vec<&'s Scenario>> {
    let of_target: Vec<&Scenario> =
        suite.scenarios.iter().filter(|scenario| scenario.id.target == args.target).collect();
    let names: Vec<String> = of_target.iter().map(|scenario| scenario.id.to_string()).collect();
    if names.is_empty() {
        bail!("no scenario runs on target `{0}`: add `{0}` to the `targets` of a scenario file", args.target);
    }
    for wanted in &args.scenario {
        if !names.contains(wanted) {
            let help = did_you_mean(wanted, names.iter().map(String::as_str));
            bail!("there is no scenario `{wanted}`: {help}");
        }
    }
    let is_wanted =
        |scenario: &Scenario| args.scenario.is_empty() || args.scenario.contains(&scenario.id.to_string());
    Ok(of_target.into_iter().filter(|scenario| is_wanted(scenario)).collect())
}

/// 0 ok or improved, 1 regressed, 3 not decided, 4 engine or client failure: the worst of all.
fn exit_code(reports: &[Report]) -> u8 {
    match Verdict::worst(reports.iter().map(|report| report.verdict)) {
        Verdict::Ok | Verdict::Improved => 0,
        Verdict::Regressed => 1,
        Verdict::Suspected | Verdict::Inconclusive | Verdict::NotComparable | Verdict::NoBaseline => 3,
        Verdict::Invalid | Verdict::Ignored => 4,
    }
}
