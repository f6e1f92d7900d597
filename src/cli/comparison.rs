//! Two variants of a target, as the command line names them, and the proof of which one is slower.

use std::env;
use std::path::PathBuf;

use anyhow::{anyhow, bail};

use crate::client::Cancel;
use crate::config::{Scenario, Suite, TOLLGATE_SET};
use crate::launch::Launcher;
use crate::results::{Report, Run};
use crate::store::{Baselines, Pending, RunFolder, StoreError};
use crate::suite::campaign::Campaign;
use crate::suite::event::Event;
use crate::suite::files;
use crate::target::{Place, TargetSpec};
use crate::text::nearest::did_you_mean;
use crate::verdict::Verdict;

/// What is compared, of the perf suite of which crate.
#[derive(Debug, clap::Args)]
pub struct Subject {
    /// A target of perf-tests/targets.toml.
    #[arg(long)]
    pub target: String,
    /// Only this scenario, such as `chat::users-4::sim`; all of the target's, if none is named.
    #[arg(long)]
    scenario: Vec<String>,
    /// The crate that holds `perf-tests/`.
    #[arg(long, default_value = ".")]
    pub root: PathBuf,
}

/// The target with some of its keys set otherwise, and what is asked of it.
pub struct Variant {
    pub target: TargetSpec,
    pub scenarios: Vec<Scenario>,
}

impl Subject {
    /// The target as its file has it. Before any variant is read: in those a mistaken target would look like a mistaken
    /// override.
    pub fn as_it_stands(&self) -> anyhow::Result<TargetSpec> {
        let mut suite = files::load(&self.root)?;
        suite.targets.remove(&self.target).ok_or_else(|| {
            let help = did_you_mean(&self.target, suite.targets.keys().map(String::as_str));
            anyhow!("there is no target `{}`: {help}", self.target)
        })
    }

    /// The target with these keys set, besides those of the environment. `said` is where the user said so.
    pub fn variant(&self, said: &str, words: &[String]) -> anyhow::Result<Variant> {
        let standing = self.as_it_stands()?;
        let pairs: Vec<String> = words.iter().map(|word| pair(word, &standing)).collect::<Result<_, _>>()?;
        let set = pairs.iter().map(|pair| format!("targets.{}.{pair}", self.target));
        let overrides: Vec<String> = env::var(TOLLGATE_SET).into_iter().chain(set).collect();
        let overrides = overrides.join(",");
        let mut suite = files::load_with(&self.root, &|name| match name {
            TOLLGATE_SET => Some(overrides.clone()),
            _ => env::var(name).ok(),
        })
        .map_err(|errors| {
            anyhow!("{said} is read as {TOLLGATE_SET}={overrides:?}, and that is wrong:\n{errors}")
        })?;
        let scenarios = self.chosen(&mut suite)?;
        Ok(Variant { target: suite.targets[&self.target].clone(), scenarios })
    }

    fn chosen(&self, suite: &mut Suite) -> anyhow::Result<Vec<Scenario>> {
        suite.scenarios.retain(|scenario| scenario.id.target == self.target);
        let names: Vec<String> = suite.scenarios.iter().map(|scenario| scenario.id.to_string()).collect();
        if names.is_empty() {
            bail!(
                "no scenario runs on target `{0}`: add `{0}` to the `targets` of a scenario file",
                self.target
            );
        }
        for wanted in &self.scenario {
            if !names.contains(wanted) {
                let help = did_you_mean(wanted, names.iter().map(String::as_str));
                bail!("there is no scenario `{wanted}`: {help}");
            }
        }
        let is_wanted = |scenario: &Scenario| {
            self.scenario.is_empty() || self.scenario.contains(&scenario.id.to_string())
        };
        Ok(suite.scenarios.drain(..).filter(is_wanted).collect())
    }
}

/// A URL, an image and a tag of the target's image stand for themselves.
fn pair(word: &str, target: &TargetSpec) -> anyhow::Result<String> {
    if word.starts_with("http://") || word.starts_with("https://") {
        return Ok(format!("url='{word}'"));
    }
    if word.contains('=') {
        return Ok(word.to_owned());
    }
    if word.contains(['/', ':', '@']) {
        return Ok(format!("image='{word}'"));
    }
    match &target.place {
        Place::Container(spec) => Ok(format!("image='{}:{word}'", spec.image.name)),
        _ => bail!(
            "`{word}` would be a tag, and target `{}` has no image: give a URL or KEY=VALUE, such as \
             simulator.decode_scale=1.08",
            target.name
        ),
    }
}

/// What all proofs of a command have in common.
pub struct VersionComparison<'a> {
    pub run: &'a Run,
    pub cancel: &'a Cancel,
    pub listen: &'a dyn Fn(Event),
}

impl VersionComparison<'_> {
    /// A proof without suspicion and without baseline.
    pub fn prove(
        &self,
        old: &TargetSpec,
        new: &Variant,
        folder: &RunFolder,
    ) -> Result<Vec<Report>, StoreError> {
        let campaign = Campaign {
            run: self.run,
            target: &new.target,
            baselines: &Baselines::none(),
            folder,
            pending: Pending { assert: |_, _| {} },
            cancel: self.cancel,
            listen: self.listen,
            launcher: self.launcher(folder),
            required: &[],
        };
        campaign.prove_at_once(old, &new.scenarios.iter().collect::<Vec<_>>())
    }

    pub fn launcher(&self, folder: &RunFolder) -> Launcher<'_> {
        Launcher::new(&self.run.id, folder.path(), self.cancel, |step| {
            (self.listen)(Event::Preparation(step))
        })
    }
}

/// 0 ok or improved, 1 regressed, 3 not decided, 4 engine or client failure.
pub fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Ok | Verdict::Improved => 0,
        Verdict::Regressed => 1,
        Verdict::Suspected | Verdict::Inconclusive | Verdict::NotComparable | Verdict::NoBaseline => 3,
        Verdict::Invalid | Verdict::Ignored => 4,
    }
}

/// Of all of a proof's scenarios.
pub fn worst(reports: &[Report]) -> Verdict {
    Verdict::worst(reports.iter().map(|report| report.verdict))
}
