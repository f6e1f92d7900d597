//! `tollgate accept`: what was measured becomes the baseline.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use crate::store::PendingBaseline;

/// Make pending baselines the accepted ones.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenarios, such as `chat::users-32::vllm`; all that are pending, if none is named.
    scenarios: Vec<String>,
    /// Accept a baseline of fewer than four sessions.
    #[arg(long)]
    force: bool,
    /// The crate that holds `baselines/`.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let all = PendingBaseline::all(&args.root);
    let mut refused = 0;
    for pending in chosen(&all, &args)? {
        match pending.accept(args.force) {
            Ok(file) => println!("accepted {file}"),
            Err(refusal) => {
                refused += 1;
                eprintln!("refused: {refusal}");
            }
        }
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen<'a>(all: &'a [PendingBaseline], args: &Args) -> anyhow::Result<Vec<&'a PendingBaseline>> {
    if all.is_empty() {
        bail!(
            "nothing is pending below {}: a run leaves a pending baseline when there was none, and after \
             `regressed` and `improved`; not after `invalid`, and under CI only with INSTA_UPDATE=new",
            args.root.join("baselines").display()
        );
    }
    let stem = |scenario: &String| scenario.replace("::", "__");
    for scenario in &args.scenarios {
        if !all.iter().any(|pending| pending.stem == stem(scenario)) {
            let names: Vec<String> = all.iter().map(|pending| pending.stem.replace("__", "::")).collect();
            bail!("`{scenario}` has no pending baseline; pending are: {}", names.join(", "));
        }
    }
    let wanted: Vec<String> = args.scenarios.iter().map(stem).collect();
    Ok(all.iter().filter(|pending| wanted.is_empty() || wanted.contains(&pending.stem)).collect())
}
