//! Two variants of a target as given on the command line, and the proof of which is slower.

use std::env;
use std::path::PathBuf;

use anyhow::{anyhow, bail};

use crate::client::Cancel;
use crate::config::{Scenario, Suite, TOLLGATE_SET};
use crate::launch::Launcher;
use crate::results::{Report, Run};
use crate::session::event::Event;
use crate::store::{Baselines, Pending, RunFolder, StoreError};
use crate::suite::campaign::Campaign;
use crate::suite::files;
use crate::target::{Place, TargetSpec};
use crate::text::nearest::did_you_mean;
use crate::verdict::Verdict;

/// The target and scenarios to compare, and the crate that defines them.
#[derive(Debug, clap::Args)]
pub(crate) struct Subject {
    /// Target from perf-tests/targets.toml.
    #[arg(long)]
    pub target: String,
    /// Run only this scenario, such as `chat::users-4::sim` [default: all scenarios of the target].
    #[arg(long)]
    scenario: Vec<String>,
    /// Path to the crate that contains `perf-tests/`.
    #[arg(long, default_value = ".")]
    pub root: PathBuf,
}

/// A target with some settings overridden, and the scenarios that run on it.
pub(crate) struct Variant {
    pub target: TargetSpec,
    pub scenarios: Vec<Scenario>,
}

impl Subject {
    /// The target as its file defines it. Look it up before parsing a variant: there, an unknown target would look like
    /// an unknown override.
    pub(crate) fn as_it_stands(&self) -> anyhow::Result<TargetSpec> {
        let mut suite = files::load(&self.root)?;
        suite.targets.remove(&self.target).ok_or_else(|| {
            let help = did_you_mean(&self.target, suite.targets.keys().map(String::as_str));
            anyhow!("there is no target `{}`: {help}", self.target)
        })
    }

    /// The target with these settings and those from the environment. `source` is where the user gave them.
    pub(crate) fn variant(&self, source: &str, words: &[String]) -> anyhow::Result<Variant> {
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
            anyhow!("{source} is read as {TOLLGATE_SET}={overrides:?}, which is invalid:\n{errors}")
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

/// A URL, an image, or a tag of the target's image needs no key.
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
            "`{word}` looks like a tag, but target `{}` has no image: give a URL or KEY=VALUE, such as \
             simulator.decode_scale=1.08",
            target.name
        ),
    }
}

/// What all proofs of a command share.
pub(crate) struct VersionComparison<'a> {
    pub run: &'a Run,
    pub cancel: &'a Cancel,
    pub listen: &'a dyn Fn(Event),
}

impl VersionComparison<'_> {
    /// A proof that needs neither a suspicion nor a baseline.
    pub(crate) fn prove(
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

    pub(crate) fn launcher(&self, folder: &RunFolder) -> Launcher<'_> {
        Launcher::new(&self.run.id, folder.path(), self.cancel, |step| {
            (self.listen)(Event::Preparation(step))
        })
    }
}

/// 0 ok or improved, 1 regressed, 3 undecided, 4 engine or client failure.
pub(crate) fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Ok | Verdict::Improved => 0,
        Verdict::Regressed => 1,
        Verdict::Suspected | Verdict::Inconclusive | Verdict::NotComparable | Verdict::NoBaseline => 3,
        Verdict::Invalid | Verdict::Ignored => 4,
    }
}

/// The worst verdict of a proof's scenarios.
pub(crate) fn worst(reports: &[Report]) -> Verdict {
    Verdict::worst(reports.iter().map(|report| report.verdict))
}
