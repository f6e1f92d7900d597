//! `tollgate accept`: what was measured becomes the baseline.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use crate::store::{Artifact, PendingBaseline};

/// Make pending baselines the accepted ones.
#[derive(Debug, clap::Args)]
pub struct AcceptArgs {
    /// Scenarios, such as `chat::users-32::vllm`; all that are pending, if none is named.
    scenarios: Vec<String>,
    /// Accept a baseline of fewer than four sessions.
    #[arg(long)]
    force: bool,
    /// Take them from here and not from the crate: a folder or a ZIP file, as CI's artifact is downloaded.
    #[arg(long, value_name = "DIR|ZIP")]
    from: Option<PathBuf>,
    /// The crate that holds `baselines/`.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

pub fn run(args: AcceptArgs) -> anyhow::Result<ExitCode> {
    let artifact = args.from.as_deref().map(Artifact::open).transpose()?;
    let all = match &artifact {
        Some(artifact) => artifact.pending(&args.root),
        None => PendingBaseline::all(&args.root),
    };
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

fn chosen<'a>(all: &'a [PendingBaseline], args: &AcceptArgs) -> anyhow::Result<Vec<&'a PendingBaseline>> {
    if let (true, Some(from)) = (all.is_empty(), &args.from) {
        bail!(
            "nothing is pending in {}: expected baselines/<environment>/<scenario>.snap.new within; is it the \
             artifact of pending baselines, whole and as it was downloaded?",
            from.display()
        );
    }
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
