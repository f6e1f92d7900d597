//! `simulator = { profile = "vllm-4210-sick" }`: named settings, used for the keys that the file does not give.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::document::Document;
use crate::config::error::ConfigError;
use crate::target::known_regressions;
use crate::text::nearest::did_you_mean;

/// Replaces every profile's name with its settings.
pub(crate) fn put_in(document: &mut Document) -> Result<(), Vec<ConfigError>> {
    let targets: Vec<String> = document.names("targets").into_iter().map(str::to_owned).collect();
    let errors = targets.iter().filter_map(|target| put_in_target(document, target).err());
    let errors: Vec<ConfigError> = errors.collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn put_in_target(document: &mut Document, target: &str) -> Result<(), ConfigError> {
    let at = ["targets", target, "simulator", "profile"];
    let Some(simulator) = document.table_mut(&at[..3]) else { return Ok(()) };
    let Some(named) = simulator.get("profile") else { return Ok(()) };
    let span = named.span();
    let name = named.get_ref().as_str().map(str::to_owned);
    let Some(name) = name else {
        let error = document.error_at(&at, "`profile`: expected a string");
        return Err(error.help("for example profile = \"vllm-4210-sick\""));
    };
    let Some(profile) = known_regressions::profile(&name) else {
        let names = known_regressions::profiles().iter().map(|profile| profile.name.as_str());
        let error = document.error_at(&at, format!("unknown profile `{name}`"));
        return Err(error.help(did_you_mean(&name, names)));
    };
    if let Some(simulator) = document.table_mut(&at[..3]) {
        simulator.remove("profile");
        let settings = DeTable::parse(&profile.toml).expect("a profile is a TOML table");
        fill_in(simulator, settings.into_inner(), &span);
    }
    Ok(())
}

/// Adds the settings that are missing, at the position of the profile's name.
fn fill_in<'t>(table: &mut DeTable<'t>, settings: DeTable<'t>, span: &Range<usize>) {
    for (key, value) in settings {
        let key = Spanned::new(span.clone(), key.into_inner());
        match (table.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value.into_inner()) {
            (Some(DeValue::Table(inner)), DeValue::Table(value)) => fill_in(inner, value, span),
            (Some(_), _) => {}
            (None, DeValue::Table(value)) => {
                let mut inner = DeTable::new();
                fill_in(&mut inner, value, span);
                table.insert(key, Spanned::new(span.clone(), DeValue::Table(inner)));
            }
            (None, scalar) => {
                table.insert(key, Spanned::new(span.clone(), scalar));
            }
        }
    }
}
