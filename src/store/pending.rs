//! Baselines that wait to be accepted, as insta's `.snap.new` files.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::{Path, PathBuf};

use insta::{Comparator, Settings, Snapshot};

use crate::config::ScenarioId;
use crate::results::baseline::Baseline;
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
    pub(crate) fn leave(&self, to: &Baselines, scenario: &ScenarioId, baseline: &Baseline) -> Option<String> {
        self.assert_snapshot(to, scenario, baseline, false);
        let file = format!("{}.new", Baselines::file(&baseline.facts.environment, scenario));
        let folder = to.folder(&baseline.facts.environment);
        folder.join(format!("{}.snap.new", scenario.file_stem())).exists().then_some(file)
    }

    /// Removes an earlier pending baseline of a scenario that passed.
    pub(crate) fn withdraw(&self, to: &Baselines, scenario: &ScenarioId, accepted: &Baseline) {
        self.assert_snapshot(to, scenario, accepted, true);
    }

    fn assert_snapshot(&self, to: &Baselines, scenario: &ScenarioId, baseline: &Baseline, matches: bool) {
        let mut settings = Settings::new();
        settings.set_snapshot_path(to.folder(&baseline.facts.environment));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_comparator(Box::new(FixedResult { matches }));
        // insta panics if an assertion fails; that is expected here and must stay silent.
        let hook = take_hook();
        set_hook(Box::new(|_| {}));
        let _ = catch_unwind(AssertUnwindSafe(|| {
            settings.bind(|| (self.assert)(&scenario.file_stem(), &baseline.to_toml()))
        }));
        set_hook(hook);
    }
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
        let damaged = |error: Box<dyn std::error::Error>| Refusal::Damaged(format!("{}: {error}", self.file));
        let snapshot = Snapshot::from_file(&self.path).map_err(damaged)?;
        let accepted = format!("{FOLDER}/{}/{}.snap", self.environment, self.stem);
        let path = self.root.join(&accepted);
        snapshot.save(&path).map_err(damaged)?;
        if path.parent() == self.path.parent() {
            fs::remove_file(&self.path).map_err(|source| io_error("remove", source))?;
        }
        Ok(accepted)
    }
}
