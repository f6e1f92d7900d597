//! `tollgate simulate`: a simulated engine to try things on.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::Context;
use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

use crate::nearest::did_you_mean;
use crate::simulator::{DEFAULT_MODEL, Simulator, StartError};
use crate::target::SimulatorSettings;

/// Serve a simulated engine on this machine until Ctrl-C.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port on 127.0.0.1 to listen on; 0 is any free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// The model's name in requests.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_MODEL)]
    model: String,
    /// A setting of the engine, as in `decode_scale=1.08`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_setting)]
    settings: Vec<Setting>,
}

/// One key of [`SimulatorSettings`] with a value of the key's type.
#[derive(Clone, Debug, PartialEq)]
struct Setting {
    key: String,
    value: Value,
}

#[derive(Debug, PartialEq, Error)]
enum SettingError {
    #[error("expected KEY=VALUE, as in `decode_scale=1.08`")]
    NoValue,
    #[error("there is no simulator setting `{key}`: {help}")]
    UnknownKey { key: String, help: String },
    #[error("`{key}` cannot be `{value}`: expected {expected}, as in `{key}={default}`")]
    BadValue { key: String, value: String, expected: &'static str, default: Value },
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings = settings(args.settings).context("reading the settings")?;
    let version = settings.version.clone();
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let simulator = match Simulator::start_serving(&args.model, settings, 0, addr) {
        Ok(simulator) => simulator,
        Err(error @ StartError::Settings(_)) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(2));
        }
        // Its message names the cause; as an error with a source it would be told twice.
        Err(error) => anyhow::bail!("{error}"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let interrupted = tokio::signal::ctrl_c();
        writeln!(std::io::stdout(), "simulated engine {version} listens on http://{}", simulator.addr())?;
        interrupted.await.context("waiting for Ctrl-C")
    })?;
    Ok(ExitCode::SUCCESS)
}

fn settings(chosen: Vec<Setting>) -> Result<SimulatorSettings, toml::de::Error> {
    chosen.into_iter().map(|setting| (setting.key, setting.value)).collect::<Table>().try_into()
}

/// Checks every setting by itself, so that the error points at the argument.
fn parse_setting(argument: &str) -> Result<Setting, SettingError> {
    let (key, value) = argument.split_once('=').ok_or(SettingError::NoValue)?;
    let known = Table::try_from(SimulatorSettings::default()).expect("the default settings are a TOML table");
    let Some(default) = known.get(key) else {
        let help = did_you_mean(key, known.keys().map(String::as_str));
        return Err(SettingError::UnknownKey { key: key.into(), help });
    };
    let bad_value = || {
        let expected = if default.is_integer() { "a whole number" } else { "a number" };
        SettingError::BadValue { key: key.into(), value: value.into(), expected, default: default.clone() }
    };
    let parsed = match default {
        // `version=1.1` is a version, not a number.
        Value::String(_) => Value::String(value.trim_matches('"').into()),
        _ => value.parse::<Value>().map_err(|_| bad_value())?,
    };
    let single = Table::from_iter([(key.to_owned(), parsed.clone())]);
    SimulatorSettings::deserialize(single).map_err(|_| bad_value())?;
    Ok(Setting { key: key.into(), value: parsed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_override_the_defaults() {
        let chosen = ["decode_scale=1.08", "max_seqs=8", "prefill_base_ms=50", "version=1.1"];
        let chosen = chosen.into_iter().map(|argument| parse_setting(argument).unwrap()).collect();
        let expected = SimulatorSettings {
            decode_scale: 1.08,
            max_seqs: 8,
            prefill_base_ms: 50.0,
            version: "1.1".into(),
            ..SimulatorSettings::default()
        };
        assert_eq!(settings(chosen), Ok(expected));
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_word() {
        let error = parse_setting("decode_scal=1.08").unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("there is no simulator setting `decode_scal`: did you mean `decode_scale`?"),
            "{text}"
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused() {
        for argument in ["max_seqs=-1", "max_seqs=many", "max_seqs=1.5", "decode_scale=", "seed=\"1\""] {
            let error = parse_setting(argument).unwrap_err();
            assert!(matches!(error, SettingError::BadValue { .. }), "{argument}: {error}");
        }
        assert_eq!(parse_setting("max_seqs"), Err(SettingError::NoValue));
    }
}
