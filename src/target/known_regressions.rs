//! Known performance regressions that reached users, as settings of the simulated engine.

use std::sync::LazyLock;

use serde::Deserialize;
use toml::{Table, Value};

/// A regression: the engine before it and the engine after it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Regression {
    /// Where it was reported, and what happened.
    story: String,
    healthy: Table,
    /// Only the settings that differ.
    sick: Table,
}

/// Named settings of the simulated engine, such as `vllm-4210-sick`.
#[derive(Debug)]
pub(crate) struct Profile {
    pub name: String,
    pub story: String,
    pub settings: Table,
    /// The settings as TOML.
    pub toml: String,
}

/// Two profiles per regression, the healthy one first.
pub(crate) fn profiles() -> &'static [Profile] {
    static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
        let regressions: Table =
            include_str!("known_regressions.toml").parse().expect("known regressions are valid TOML");
        let regressions = regressions.into_iter().map(|(name, regression)| {
            let regression: Regression =
                regression.try_into().unwrap_or_else(|error| panic!("{name}: {error}"));
            regression.profiles(&name)
        });
        regressions.flatten().collect()
    });
    &PROFILES
}

pub(crate) fn profile(name: &str) -> Option<&'static Profile> {
    profiles().iter().find(|profile| profile.name == name)
}

/// Overlays `over` on `base`, key by key, including nested tables.
pub(crate) fn overlaid(mut base: Table, over: Table) -> Table {
    for (key, value) in over {
        let value = match (base.remove(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => Value::Table(overlaid(inner, value)),
            (_, value) => value,
        };
        base.insert(key, value);
    }
    base
}

impl Regression {
    fn profiles(self, name: &str) -> [Profile; 2] {
        let profile = |state, settings: Table| Profile {
            name: format!("{name}-{state}"),
            story: self.story.clone(),
            toml: settings.to_string(),
            settings,
        };
        let sick = overlaid(self.healthy.clone(), self.sick.clone());
        [profile("healthy", self.healthy.clone()), profile("sick", sick)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::SimulatorSettings;

    fn settings(name: &str) -> SimulatorSettings {
        let profile = profile(name).unwrap_or_else(|| panic!("no profile {name}"));
        profile.settings.clone().try_into().unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    #[test]
    fn every_profile_is_an_engine_that_can_be_simulated() {
        assert_eq!(profiles().len(), 20);
        for Profile { name, .. } in profiles() {
            assert_eq!(settings(name).validate(), Ok(()), "{name}");
        }
    }

    #[test]
    fn the_sick_engine_differs_from_the_healthy_one() {
        for Profile { name, .. } in profiles() {
            let Some(regression) = name.strip_suffix("-healthy") else { continue };
            let (healthy, sick) = (settings(name), settings(&format!("{regression}-sick")));
            assert_ne!(healthy.version, sick.version, "{name}");
            assert!(healthy.faults.are_none(), "{name}");
        }
    }

    #[test]
    fn a_table_is_overlaid_key_by_key() {
        let table = |text: &str| text.parse::<Table>().unwrap();
        let base = table("a = 1\nfaults = { b = 2, c = 3 }");
        let over = table("faults = { c = 4 }\nd = 5");
        assert_eq!(overlaid(base, over), table("a = 1\nd = 5\nfaults = { b = 2, c = 4 }"));
    }
}
