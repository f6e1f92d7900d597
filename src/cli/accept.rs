//! `tollgate accept`: turns pending baselines into accepted ones.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use crate::store::{Artifact, PendingBaseline};

/// Accept pending baselines.
#[derive(Debug, clap::Args)]
pub(crate) struct AcceptArgs {
    /// Scenarios to accept, such as `chat::users-32::vllm`; by default all pending ones.
    scenarios: Vec<String>,
    /// Accept baselines with fewer than four sessions.
    #[arg(long)]
    force: bool,
    /// Read the pending baselines from this folder or ZIP file instead, such as a downloaded CI artifact.
    #[arg(long, value_name = "DIR|ZIP")]
    from: Option<PathBuf>,
    /// Path to the crate that contains `baselines/`.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

pub(crate) fn run(args: AcceptArgs) -> anyhow::Result<ExitCode> {
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
            "no pending baselines in {}: expected files such as baselines/<environment>/<scenario>.snap.new; is this \
             the complete artifact, as downloaded?",
            from.display()
        );
    }
    if all.is_empty() {
        bail!(
            "no pending baselines below {}: a run leaves one if there was no baseline, or if the verdict is \
             `regressed` or `improved`; `invalid` leaves none, and CI needs INSTA_UPDATE=new",
            args.root.join("baselines").display()
        );
    }
    let stem = |scenario: &String| scenario.replace("::", "__");
    for scenario in &args.scenarios {
        if !all.iter().any(|pending| pending.stem == stem(scenario)) {
            let names: Vec<String> = all.iter().map(|pending| pending.stem.replace("__", "::")).collect();
            bail!("`{scenario}` has no pending baseline; pending baselines: {}", names.join(", "));
        }
    }
    let wanted: Vec<String> = args.scenarios.iter().map(stem).collect();
    Ok(all.iter().filter(|pending| wanted.is_empty() || wanted.contains(&pending.stem)).collect())
}
