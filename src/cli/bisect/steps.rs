//! The proofs of a search. Proofs that an earlier run finished are reused.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::comparison::{Variant, VersionComparison, worst};
use crate::results;
use crate::results::{ProofEnd, Report};
use crate::store::{ReadError, RunFolder};
use crate::sys::machine;
use crate::target::TargetSpec;
use crate::text::fingerprint::fingerprint;
use crate::verdict::Verdict;

/// Folder below the results that holds one folder per proof.
const FOLDER: &str = "bisect";

pub(crate) struct Steps<'a> {
    pub comparison: &'a VersionComparison<'a>,
    pub target_dir: PathBuf,
    pub old: &'a TargetSpec,
}

/// The proof of one version against the good end.
pub(crate) struct Step {
    pub version: String,
    pub verdict: Verdict,
    /// Of both sides together.
    pub starts: usize,
    pub minutes: f64,
    /// When an earlier run started this proof.
    pub earlier_run: Option<String>,
    pub reports: Vec<Report>,
    pub folder: PathBuf,
}

impl Steps<'_> {
    /// `None` if interrupted.
    pub(crate) fn prove(&self, version: &str, new: &Variant) -> Result<Option<Step>, ReadError> {
        let folder = RunFolder::of_proof(&self.target_dir, FOLDER, &self.name(version, new))?;
        if let Some(reports) = self.finished(folder.reports()?, new, &folder) {
            let earlier_run = reports.first().map(|report| report.run.started.clone());
            return Ok(Some(Step { earlier_run, ..Step::of(version, reports, folder.path()) }));
        }
        let reports = self.comparison.prove(self.old, new, &folder)?;
        let is_whole = !self.comparison.cancel.is_cancelled();
        Ok(is_whole.then(|| Step::of(version, reports, folder.path())))
    }

    /// Covers everything that could change the result, so that a different question gets a different folder.
    fn name(&self, version: &str, new: &Variant) -> String {
        let asked =
            new.scenarios.iter().map(|scenario| json!([scenario.id, scenario.hash(), scenario.gates]));
        let question = json!({
            "tollgate": [env!("CARGO_PKG_VERSION"), results::VERSION.to_string()],
            "machine": machine::describe(),
            "old": self.old,
            "new": new.target,
            "asked": asked.collect::<Vec<_>>(),
        });
        let readable: String =
            version.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
        format!("{readable}-{}", fingerprint(&question.to_string()))
    }

    /// Returns an earlier run's reports if it finished and both engines are unchanged. Failed proofs are retried.
    fn finished(&self, reports: Vec<Report>, new: &Variant, folder: &RunFolder) -> Option<Vec<Report>> {
        let launcher = self.comparison.launcher(folder);
        let is_whole = |report: &Report| {
            let (Some(proof), Some(environment)) = (&report.proof, &report.environment) else { return false };
            !matches!(proof.end, ProofEnd::Interrupted | ProofEnd::Failed)
                && !matches!(report.verdict, Verdict::Invalid | Verdict::Ignored)
                && launcher.is_still(self.old, &proof.old).unwrap_or(false)
                && launcher.is_still(&new.target, environment).unwrap_or(false)
        };
        let mut asked = new.scenarios.iter();
        let is_complete = asked
            .all(|scenario| reports.iter().any(|report| report.scenario == scenario.id && is_whole(report)));
        is_complete.then_some(reports)
    }
}

impl Step {
    fn of(version: &str, reports: Vec<Report>, folder: PathBuf) -> Step {
        let proofs = || reports.iter().filter_map(|report| report.proof.as_ref());
        Step {
            version: version.to_owned(),
            verdict: worst(&reports),
            // The scenarios share the starts.
            starts: proofs().map(|proof| proof.sessions.len()).max().unwrap_or(0),
            minutes: proofs().map(|proof| proof.minutes).fold(0.0, f64::max),
            earlier_run: None,
            reports,
            folder,
        }
    }
}
