//! Baselines that wait to be accepted, as insta's `.snap.new` files.

use std::error::Error;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::{Path, PathBuf};

use insta::{Comparator, Settings, Snapshot};

use crate::config::ScenarioId;
use crate::results::baseline::Baseline;
use crate::store::replace::replace_with;
use crate::store::{Baselines, StoreError, baselines};

/// Expands insta's macro in the user's crate, so that insta finds that crate's workspace. Takes a name and a body.
pub(crate) type AssertSnapshot = fn(&str, &str);

/// Writes and withdraws pending baselines through insta, which follows `INSTA_UPDATE` and `CI`.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    pub assert: AssertSnapshot,
}

/// Our verdict decides whether insta considers the snapshot a match.
#[derive(Clone)]
struct FixedResult {
    matches: bool,
}

impl Comparator for FixedResult {
    fn matches(&self, _: &Snapshot, _: &Snapshot) -> bool {
        self.matches
    }

    fn dyn_clone(&self) -> Box<dyn Comparator> {
        Box::new(self.clone())
    }
}

impl Pending {
    /// Leaves a baseline to be accepted. Returns the file's name if insta's settings allow writing it.
    pub(crate) fn leave(
        &self,
        to: &Baselines,
        scenario: &ScenarioId,
        baseline: &Baseline,
    ) -> Result<Option<String>, StoreError> {
        let failure = self.assert_snapshot(to, scenario, baseline, false);
        let file = format!("{}.new", Baselines::file(&baseline.facts.environment, scenario));
        let folder = to.folder(&baseline.facts.environment);
        let path = folder.join(format!("{}.snap.new", scenario.file_stem()));
        let written = fs::read_to_string(&path).unwrap_or_default();
        if written.trim_end().ends_with(baseline.to_toml().trim_end()) {
            return Ok(Some(file));
        }
        let Some(cause) = failure.as_deref().and_then(write_error) else { return Ok(None) };
        // insta writes in place, so a failure leaves a part of the file.
        let _ = fs::remove_file(&path);
        Err(StoreError::new("write", file.as_ref(), cause))
    }

    /// Removes an earlier pending baseline of a scenario that passed.
    pub(crate) fn withdraw(&self, to: &Baselines, scenario: &ScenarioId, accepted: &Baseline) {
        self.assert_snapshot(to, scenario, accepted, true);
    }

    /// Returns insta's panic, which a failed assertion and a failed write cause.
    fn assert_snapshot(
        &self,
        to: &Baselines,
        scenario: &ScenarioId,
        baseline: &Baseline,
        matches: bool,
    ) -> Option<String> {
        let mut settings = Settings::new();
        settings.set_snapshot_path(to.folder(&baseline.facts.environment));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_comparator(Box::new(FixedResult { matches }));
        // insta panics if an assertion fails; that is expected here and must stay silent.
        let hook = take_hook();
        set_hook(Box::new(|_| {}));
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            settings.bind(|| (self.assert)(&scenario.file_stem(), &baseline.to_toml()))
        }));
        set_hook(hook);
        outcome.err().map(|panic| panic.downcast::<String>().map_or_else(|_| String::new(), |text| *text))
    }
}

/// insta's macro panics with the `Debug` text of an error, such as `FileIo(Os { code: 28, kind: …`. A failed assertion
/// has none.
fn write_error(panic: &str) -> Option<io::Error> {
    let (_, error) = panic.split_once("on an `Err` value: ")?;
    let code = error.split_once("Os { code: ").and_then(|(_, rest)| rest.split(',').next()?.parse().ok());
    Some(code.map_or_else(|| io::Error::other(error), io::Error::from_raw_os_error))
}

/// insta's errors have the part file's path before the reason.
fn reason(error: &dyn Error) -> io::Error {
    let text = error.to_string();
    io::Error::other(text.rsplit_once("\": ").map_or(text.as_str(), |(_, reason)| reason))
}

/// A `.snap.new` file below `baselines/`.
#[derive(Debug)]
pub(crate) struct PendingBaseline {
    /// `chat__users-32__vllm`.
    pub stem: String,
    /// The name shown to users.
    file: String,
    environment: String,
    path: PathBuf,
    /// The crate whose baseline it becomes.
    root: PathBuf,
}

/// Why a pending baseline is not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Damaged(String),
    #[error(
        "{file} has {found} sessions; a baseline needs {needed} to show how much they vary. To accept it anyway, use --force"
    )]
    TooFewSessions { file: String, found: usize, needed: usize },
    #[error(transparent)]
    Store(#[from] StoreError),
}

const FOLDER: &str = "baselines";
/// Fewer stored sessions than this don't show how much sessions vary.
const LEAST_SESSIONS: usize = 4;

impl PendingBaseline {
    /// All pending baselines of a crate.
    pub(crate) fn all(root: &Path) -> Vec<PendingBaseline> {
        PendingBaseline::below(root, "", root)
    }

    /// The pending baselines in any folder's `baselines/`, to be accepted in the crate at `root`. `shown` prefixes
    /// their names.
    pub(super) fn below(folder: &Path, shown: &str, root: &Path) -> Vec<PendingBaseline> {
        let mut all = Vec::new();
        let folders = fs::read_dir(folder.join(FOLDER)).into_iter().flatten().flatten();
        for folder in folders.filter(|folder| folder.path().is_dir()) {
            let Ok(environment) = folder.file_name().into_string() else { continue };
            let files = fs::read_dir(folder.path()).into_iter().flatten().flatten();
            all.extend(files.filter_map(|file| {
                let name = file.file_name().into_string().ok()?;
                Some(PendingBaseline {
                    stem: name.strip_suffix(".snap.new")?.to_owned(),
                    file: format!("{shown}{FOLDER}/{environment}/{name}"),
                    environment: environment.clone(),
                    path: file.path(),
                    root: root.to_owned(),
                })
            }));
        }
        all.sort_by(|a, b| a.file.cmp(&b.file));
        all
    }

    /// Makes it the baseline and returns the accepted file's name. A pending file in the crate itself is removed.
    pub(crate) fn accept(&self, force: bool) -> Result<String, Refusal> {
        let io_error = |action, source| StoreError::new(action, &self.path, source);
        let text = fs::read_to_string(&self.path).map_err(|source| io_error("read", source))?;
        let baseline = baselines::parse_in(&self.environment, &self.file, &text)
            .map_err(|error| Refusal::Damaged(error.plain()))?;
        let found = baseline.sessions();
        if found < LEAST_SESSIONS && !force {
            return Err(Refusal::TooFewSessions { file: self.file.clone(), found, needed: LEAST_SESSIONS });
        }
        let damaged = |error: Box<dyn Error>| Refusal::Damaged(format!("{}: {error}", self.file));
        let snapshot = Snapshot::from_file(&self.path).map_err(damaged)?;
        let accepted = format!("{FOLDER}/{}/{}.snap", self.environment, self.stem);
        let path = self.root.join(&accepted);
        replace_with(&path, |part| snapshot.save(part).map_err(|error| reason(&*error)))?;
        if path.parent() == self.path.parent() {
            fs::remove_file(&self.path).map_err(|source| io_error("remove", source))?;
        }
        Ok(accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::baseline::Facts;

    /// Fails as insta does if the disk fills up while it writes.
    fn fill_disk(name: &str, body: &str) {
        let folder = Settings::clone_current().snapshot_path().to_owned();
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.snap.new")), &body[..body.len() / 2]).unwrap();
        fs::write("/dev/full", body).unwrap();
    }

    fn baseline() -> Baseline {
        let facts = Facts {
            scenario: "sha256:77ab".into(),
            environment: "simulator".into(),
            engine: "simulator 1.0.0".into(),
            recorded: "2026-10-02".into(),
            machine: "simulated".into(),
            model: "simulated".into(),
            http_version: Default::default(),
            session_s: None,
            image: None,
            args: None,
            simulator: None,
        };
        Baseline { facts, values: [("ttft_ms_p50".parse().unwrap(), vec![26.5; 4])].into() }
    }

    #[test]
    fn a_half_written_pending_baseline_is_removed_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let scenario = crate::results::record_file::example::header().scenario;
        let to = Baselines::load(folder.path(), &[]).unwrap();
        let error = Pending { assert: fill_disk }.leave(&to, &scenario, &baseline()).unwrap_err().to_string();
        let file = format!("baselines/simulator/{}.snap.new", scenario.file_stem());
        assert!(error.starts_with(&format!("can't write {file}: No space left on device")), "{error}");
        assert!(!folder.path().join(file).exists());
    }

    #[test]
    fn a_failed_assertion_is_no_failed_write() {
        assert!(write_error("snapshot assertion for 'chat' failed in line 1").is_none());
        let other = write_error("called `Result::unwrap()` on an `Err` value: MissingField").unwrap();
        assert_eq!(other.to_string(), "MissingField");
    }
}
