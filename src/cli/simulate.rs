//! `tollgate simulate`: a simulated engine to experiment with.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

use crate::simulator::{DEFAULT_MODEL, Simulator, StartError};
use crate::target::SimulatorSettings;
use crate::target::known_regressions::{self, Profile};
use crate::text::nearest::{did_you_mean, did_you_mean_key};

/// Serve a simulated engine on this machine until Ctrl-C.
#[derive(Debug, clap::Args)]
pub(crate) struct SimulateArgs {
    /// Address to listen on; use 0.0.0.0 in a container.
    #[arg(long, value_name = "IP", default_value_t = Ipv4Addr::LOCALHOST)]
    host: Ipv4Addr,
    /// Port to listen on; 0 picks any free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Name of the served model.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_MODEL)]
    model: String,
    /// Settings of a known regression, such as `vllm-4210-sick`.
    #[arg(long, value_name = "NAME", value_parser = parse_profile)]
    profile: Option<&'static Profile>,
    /// List the profiles and exit.
    #[arg(long, exclusive = true)]
    list_profiles: bool,
    /// Engine setting, such as `decode_scale=1.08` or `faults.error_rate=0.01`.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_setting)]
    settings: Vec<Setting>,
    /// Exit together with the process that started this one, however it ends.
    #[arg(long, hide = true)]
    with_parent: bool,
}

/// One key of [`SimulatorSettings`] with a value of the key's type.
#[derive(Clone, Debug, PartialEq)]
struct Setting {
    key: String,
    value: Value,
}

#[derive(Debug, PartialEq, Error)]
enum SettingError {
    #[error("expected KEY=VALUE, such as `decode_scale=1.08`")]
    NoValue,
    #[error("unknown simulator setting `{key}`: {help}")]
    UnknownKey { key: String, help: String },
    #[error("invalid value `{value}` for `{key}`: expected {expected}, such as `{key}={default}`")]
    BadValue { key: String, value: String, expected: &'static str, default: Value },
}

pub(crate) fn run(args: SimulateArgs) -> anyhow::Result<ExitCode> {
    if args.list_profiles {
        return list_profiles();
    }
    if args.with_parent {
        set_parent_process_death_signal(Some(Signal::KILL)).context("can't follow the parent process")?;
    }
    let settings = settings(args.profile, args.settings).context("invalid settings")?;
    let version = settings.version.clone();
    let addr = SocketAddr::from((args.host, args.port));
    let simulator = match Simulator::start_serving(&args.model, settings, 0, addr) {
        Ok(simulator) => simulator,
        Err(error @ StartError::Settings(_)) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(2));
        }
        // The message includes the cause; as an error with a source, the cause would appear twice.
        Err(error) => anyhow::bail!("{error}"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let interrupted = tokio::signal::ctrl_c();
        writeln!(std::io::stdout(), "simulated engine {version} listens on http://{}", simulator.addr())?;
        tokio::select! {
            interrupted = interrupted => interrupted.map(|()| ExitCode::SUCCESS).context("can't wait for Ctrl-C"),
            () = crash(&simulator) => {
                eprintln!("error: the engine crashed as configured (faults.crash_after_requests)");
                Ok(ExitCode::FAILURE)
            }
        }
    })
}

async fn crash(simulator: &Simulator) {
    while !simulator.has_crashed() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn list_profiles() -> anyhow::Result<ExitCode> {
    let mut stdout = std::io::stdout().lock();
    for Profile { name, story, .. } in known_regressions::profiles() {
        writeln!(stdout, "{name:<30}{story}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn settings(profile: Option<&Profile>, chosen: Vec<Setting>) -> Result<SimulatorSettings, toml::de::Error> {
    let base = profile.map(|profile| profile.settings.clone()).unwrap_or_default();
    chosen
        .into_iter()
        .fold(base, |table, setting| known_regressions::overlaid(table, setting.table()))
        .try_into()
}

impl Setting {
    /// Nested in one table per dot in the key.
    fn table(&self) -> Table {
        let mut keys = self.key.rsplit('.');
        let last = keys.next().unwrap_or_default();
        let innermost = Table::from_iter([(last.to_owned(), self.value.clone())]);
        keys.fold(innermost, |inner, key| Table::from_iter([(key.to_owned(), Value::Table(inner))]))
    }
}

fn parse_profile(name: &str) -> Result<&'static Profile, String> {
    let names = known_regressions::profiles().iter().map(|profile| profile.name.as_str());
    known_regressions::profile(name).ok_or_else(|| format!("unknown profile: {}", did_you_mean(name, names)))
}

/// Checks each setting separately, so that the error points at the argument.
fn parse_setting(argument: &str) -> Result<Setting, SettingError> {
    let (key, value) = argument.split_once('=').ok_or(SettingError::NoValue)?;
    let known = SimulatorSettings::default().by_key();
    let Some(default) = known.get(key) else {
        let help = did_you_mean_key(key, known.keys().map(String::as_str));
        return Err(SettingError::UnknownKey { key: key.into(), help });
    };
    let bad_value = || {
        let expected = match default {
            Value::Integer(_) => "a whole number",
            Value::Boolean(_) => "true or false",
            _ => "a number",
        };
        SettingError::BadValue { key: key.into(), value: value.into(), expected, default: default.clone() }
    };
    let parsed = match default {
        // `version=1.1` is a version, not a number.
        Value::String(_) => Value::String(value.trim_matches('"').into()),
        _ => value.parse::<Value>().map_err(|_| bad_value())?,
    };
    let setting = Setting { key: key.into(), value: parsed };
    SimulatorSettings::deserialize(setting.table()).map_err(|_| bad_value())?;
    Ok(setting)
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
        assert_eq!(settings(None, chosen), Ok(expected));
    }

    #[test]
    fn settings_override_a_profiles_faults_too() {
        let chosen = ["faults.crowd_seqs=3", "time_scale=0.5", "faults.long_prompt_slowdown_grows=true"];
        let chosen = chosen.into_iter().map(|argument| parse_setting(argument).unwrap()).collect();
        let settings = settings(Some(parse_profile("vllm-4210-sick").unwrap()), chosen).unwrap();
        assert_eq!((settings.version.as_str(), settings.time_scale), ("0.4.1", 0.5));
        let faults = settings.faults;
        assert_eq!((faults.crowd_seqs, faults.crowd_step_ms_per_seq), (3, 0.0752));
        assert!(faults.long_prompt_slowdown_grows);
    }

    #[test]
    fn an_unknown_profile_suggests_the_nearest_name() {
        let error = parse_profile("vllm-4210-sik").unwrap_err();
        assert_eq!(error, "unknown profile: did you mean `vllm-4210-sick`?");
    }

    #[test]
    fn an_unknown_key_suggests_the_nearest_word() {
        let error = parse_setting("decode_scal=1.08").unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("unknown simulator setting `decode_scal`: did you mean `decode_scale`?"),
            "{text}"
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_rejected() {
        for argument in ["max_seqs=-1", "max_seqs=many", "max_seqs=1.5", "decode_scale=", "seed=\"1\""] {
            let error = parse_setting(argument).unwrap_err();
            assert!(matches!(error, SettingError::BadValue { .. }), "{argument}: {error}");
        }
        assert_eq!(parse_setting("max_seqs"), Err(SettingError::NoValue));
    }
}
