//! A baseline: K accepted sessions of one scenario in one environment, in a format that reads well in a diff.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::ConfigError;
use crate::engine::HttpVersion;
use crate::metrics::Metric;
use crate::target::{ContainerSpec, Endpoint, Environment, ImageRef, Place, Pull, SimulatorSettings};
use crate::verdict::OldValues;

#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    pub facts: Facts,
    /// One value per session.
    pub values: OldValues,
}

/// What was measured, where, and when. The first two fields decide what a baseline may be compared with; a change in
/// the others only causes a warning.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The scenario's hash.
    pub scenario: String,
    /// The name of the baseline's folder.
    pub environment: String,
    /// Name and version: `vllm 0.31.0`.
    pub engine: String,
    pub recorded: String,
    pub machine: String,
    pub model: String,
    #[serde(default)]
    pub http_version: HttpVersion,
    /// The duration of the scenario's part of a session.
    pub session_s: Option<f64>,
    /// The container's image with its digest and its arguments, or the simulated engine's settings: what is needed to
    /// start the same engine again.
    pub image: Option<ImageRef>,
    pub args: Option<Vec<String>>,
    pub simulator: Option<SimulatorSettings>,
}

impl Facts {
    /// Today's place, with the engine that the baseline was recorded on, if it can be started.
    pub fn place(&self, today: &Place) -> Option<Place> {
        match today {
            Place::Simulator(_) => self.simulator.clone().map(Place::Simulator),
            Place::Container(spec) => {
                let image = self.image.clone()?;
                let args = self.args.clone().unwrap_or_default();
                Some(Place::Container(ContainerSpec { image, args, pull: Pull::Missing, ..spec.clone() }))
            }
            // Whatever the old server runs by now, the report names it.
            Place::Endpoint(endpoint) => {
                let url = endpoint.old_url.clone()?;
                Some(Place::Endpoint(Endpoint { url, old_url: None, ..endpoint.clone() }))
            }
        }
    }

    /// Whether this is known to be the same engine that the baseline was recorded on.
    pub fn is_same_engine(&self, environment: &Environment) -> bool {
        match (&self.simulator, &self.image, &environment.image) {
            (Some(simulator), ..) => environment.simulator.as_ref() == Some(simulator),
            (None, Some(old), Some(new)) => old.is_same(new) && self.args == environment.args,
            _ => false,
        }
    }
}

impl Baseline {
    pub fn sessions(&self) -> usize {
        self.values.values().map(Vec::len).max().unwrap_or(0)
    }

    /// The body of the snapshot file.
    pub fn to_toml(&self) -> String {
        let Facts {
            scenario,
            environment,
            engine,
            recorded,
            machine,
            model,
            http_version,
            session_s,
            image,
            args,
            simulator,
        } = &self.facts;
        let mut body = String::new();
        let mut write = |key: &str, value: toml::Value| {
            writeln!(body, "{key} = {value}").expect("strings take writes");
        };
        write("engine", engine.as_str().into());
        if let Some(image) = image {
            write("image", image.to_string().into());
        }
        if let Some(args) = args {
            write("args", args.clone().into());
        }
        for (key, value) in [
            ("recorded", recorded),
            ("environment", environment),
            ("machine", machine),
            ("model", model),
            ("scenario", scenario),
        ] {
            write(key, value.as_str().into());
        }
        if !http_version.is_default() {
            write("http_version", toml::Value::try_from(http_version).expect("a version is a word"));
        }
        if let Some(session_s) = session_s {
            writeln!(body, "session_s = {session_s:.1}").expect("strings take writes");
        }
        body.push_str("# one value per session\n");
        for (metric, values) in &self.values {
            let values: Vec<String> = values.iter().map(|value| six_digits(*value)).collect();
            writeln!(body, "{metric} = [{}]", values.join(", ")).expect("strings take writes");
        }
        if let Some(settings) = simulator {
            let simulator = BTreeMap::from([("simulator", settings)]);
            let tables = toml::to_string(&simulator).expect("settings are plain values");
            write!(body, "\n{tables}").expect("strings take writes");
        }
        body
    }

    /// Reads a snapshot file, or reports where it is damaged. Validation happens here because `cargo insta accept` does
    /// not know our rules.
    pub fn parse(file: &str, text: &str) -> Result<Baseline, ConfigError> {
        let error = |span: Range<usize>, message: String| ConfigError::within(file, text, span, message);
        let of_toml = |e: toml::de::Error| error(e.span().unwrap_or(0..0), e.message().to_owned());
        if let Some(marker) = conflict_marker(text) {
            let message = "this file has a merge conflict".to_owned();
            return Err(error(marker, message).help(KEEP_ONE_SIDE));
        }
        let body = without_header(text).ok_or_else(|| {
            error(0..text.len().min(3), "expected insta's header between two lines of `---`".into())
        })?;
        let table = DeTable::parse(&body).map_err(of_toml)?;
        let (span, mut table) = (table.span(), table.into_inner());
        let mut values = OldValues::new();
        let metrics: Vec<_> = table
            .iter()
            .filter_map(|(key, value)| Some((key.get_ref().parse::<Metric>().ok()?, value.clone())))
            .collect();
        for (metric, array) in metrics {
            table.remove(metric.to_string().as_str());
            values.insert(metric, session_values(metric, &array).map_err(|(s, m)| error(s, m))?);
        }
        let facts = Facts::deserialize(toml::de::Deserializer::from(Spanned::new(span, table)));
        let baseline = Baseline { facts: facts.map_err(of_toml)?, values };
        let counts: Vec<usize> = baseline.values.values().map(Vec::len).collect();
        if counts.iter().any(|count| *count != counts[0]) {
            let message = "every metric needs one value per session".to_owned();
            return Err(ConfigError::about(file, message).help(RECORD_AGAIN));
        }
        if counts.is_empty() {
            return Err(ConfigError::about(file, "no metric has values").help(RECORD_AGAIN));
        }
        Ok(baseline)
    }
}

const RECORD_AGAIN: &str = "delete the file and run the scenario: it records a new baseline";

const KEEP_ONE_SIDE: &str =
    "keep all lines of one side (git checkout --ours or --theirs); sessions of two baselines don't mix";

/// The first line that git writes around the two sides of a conflict.
fn conflict_marker(text: &str) -> Option<Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n').find_map(|line| {
        let span = start..start + line.trim_end().len();
        start += line.len();
        ["<<<<<<<", "|||||||", ">>>>>>>"].iter().any(|marker| line.starts_with(marker)).then_some(span)
    })
}

fn session_values(metric: Metric, array: &Spanned<DeValue>) -> Result<Vec<f64>, (Range<usize>, String)> {
    let expected = || format!("expected one number per session, such as {metric} = [412.0, 409.5]");
    let values = array.get_ref().as_array().ok_or_else(|| (array.span(), expected()))?;
    let numbers = values.iter().map(|value| {
        let digits = match value.get_ref() {
            DeValue::Float(float) => float.as_str(),
            DeValue::Integer(integer) => integer.as_str(),
            _ => return Err((value.span(), expected())),
        };
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
            _ => Err((value.span(), format!("{metric} can't be {digits}"))),
        }
    });
    let numbers: Vec<f64> = numbers.collect::<Result<_, _>>()?;
    if numbers.is_empty() { Err((array.span(), expected())) } else { Ok(numbers) }
}

/// The file with insta's header blanked out, so that positions in the rest stay correct.
fn without_header(text: &str) -> Option<String> {
    let rest = text.strip_prefix("---")?;
    let end = 3 + rest.find("\n---")? + "\n---".len();
    let blank = text[..end].chars().map(|c| if c == '\n' { "\n".into() } else { " ".repeat(c.len_utf8()) });
    Some(blank.collect::<String>() + &text[end..])
}

/// Six significant digits: far finer than any noise, and short enough for a diff.
fn six_digits(value: f64) -> String {
    if value == 0.0 {
        return "0.0".into();
    }
    let decimals = (5 - value.abs().log10().floor() as i32).clamp(1, 12) as usize;
    let text = format!("{value:.decimals$}");
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Faults;

    fn baseline() -> Baseline {
        let values = [
            ("output_tokens_per_s", vec![2398.0, 2421.25]),
            ("ttft_ms_p95", vec![411.125, 0.001_234_5]),
            ("success_rate", vec![1.0, 1.0]),
        ];
        Baseline {
            facts: Facts {
                scenario: "sha256:77ab".into(),
                environment: "simulator".into(),
                engine: "simulator 1.0.0".into(),
                recorded: "2026-10-02".into(),
                machine: "2 x \"Quoted\" CPU".into(),
                model: "simulated".into(),
                http_version: HttpVersion::default(),
                session_s: Some(28.5),
                image: None,
                args: None,
                simulator: Some(SimulatorSettings::default()),
            },
            values: values.into_iter().map(|(name, values)| (name.parse().unwrap(), values)).collect(),
        }
    }

    fn file(body: &str) -> String {
        format!("---\nsource: perf-tests/perf.rs\nexpression: body\n---\n{body}")
    }

    fn parse(text: &str) -> Result<Baseline, String> {
        Baseline::parse("a.snap", text).map_err(|error| error.plain())
    }

    #[test]
    fn a_baseline_survives_the_round_trip() {
        assert_eq!(parse(&file(&baseline().to_toml())).unwrap(), baseline());
    }

    #[test]
    fn a_merge_conflict_is_named_wherever_it_is() {
        let whole = file(&baseline().to_toml());
        for line in ["source: ", "ttft_ms_p95 = "] {
            let text = whole.replace(line, &format!("<<<<<<< HEAD\n{line}"));
            let number = text.lines().position(|line| line == "<<<<<<< HEAD").unwrap() + 1;
            let error = parse(&text).unwrap_err();
            assert!(
                error.starts_with(&format!("a.snap:{number}:1: this file has a merge conflict")),
                "{error}"
            );
            assert!(error.contains("git checkout --ours or --theirs"), "{error}");
        }
        let before_the_header = parse(&format!("<<<<<<< HEAD\n{whole}")).unwrap_err();
        assert!(before_the_header.contains("merge conflict"), "{before_the_header}");
    }

    #[test]
    fn an_unusual_http_version_survives_the_round_trip() {
        let mut unusual = baseline();
        unusual.facts.http_version = HttpVersion::Http2;
        assert!(unusual.to_toml().contains("http_version = \"2\"\n"));
        assert_eq!(parse(&file(&unusual.to_toml())).unwrap(), unusual);
        assert!(!baseline().to_toml().contains("http_version"));
    }

    #[test]
    fn a_simulators_faults_survive_the_round_trip() {
        let mut faulty = baseline();
        let faults = Faults { error_rate: 0.01, ..Faults::default() };
        faulty.facts.simulator = Some(SimulatorSettings { faults, ..SimulatorSettings::default() });
        assert_eq!(parse(&file(&faulty.to_toml())).unwrap(), faulty);
    }

    #[test]
    fn a_containers_image_and_args_survive_the_round_trip() {
        let mut contained = baseline();
        let digest = format!("sha256:{}", "4f".repeat(32));
        contained.facts.simulator = None;
        contained.facts.image = Some("vllm/vllm-openai:v0.31.0".parse::<ImageRef>().unwrap().pinned(digest));
        contained.facts.args = Some(vec!["--max-model-len".into(), "8192".into()]);
        assert_eq!(parse(&file(&contained.to_toml())).unwrap(), contained);
    }

    #[test]
    fn the_old_engine_keeps_the_baselines_image_and_args() {
        let image = |tag: &str, hex: &str| {
            let image: ImageRef = format!("a:{tag}").parse().unwrap();
            image.pinned(format!("sha256:{}", hex.repeat(32)))
        };
        let facts = Facts {
            image: Some(image("1", "11")),
            args: Some(vec!["-x".into()]),
            simulator: None,
            ..baseline().facts
        };
        let today = ContainerSpec {
            engine: crate::engine::EngineKind::OPENAI,
            image: "a:2".parse().unwrap(),
            pull: Pull::Always,
            args: Vec::new(),
            env: BTreeMap::new(),
            volumes: Vec::new(),
            port: 8080,
            host_port: None,
            shm_bytes: None,
            gpus: None,
            user: None,
            start_timeout: std::time::Duration::from_secs(1),
            hardware: None,
        };
        let Some(Place::Container(old)) = facts.place(&Place::Container(today.clone())) else {
            panic!("it can be started")
        };
        assert_eq!((old.image, old.args), (image("1", "11"), vec!["-x".to_owned()]));
        assert_eq!(old.pull, Pull::Missing, "its digest is known, so it needs no pull");
        assert_eq!(old.port, today.port);
    }

    #[test]
    fn errors_have_positions_in_the_whole_file() {
        let text = file(&baseline().to_toml().replace("411.125", "\"fast\""));
        let error = parse(&text).unwrap_err();
        assert!(error.starts_with("a.snap:15:16: expected one number per session"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = file(&baseline().to_toml().replace("ttft_ms_p95", "ttft_p95"));
        let error = parse(&text).unwrap_err();
        assert!(error.starts_with("a.snap:15:1: unknown field `ttft_p95`"), "{error}");
    }

    #[test]
    fn every_metric_needs_a_value_per_session() {
        let text = file(&baseline().to_toml().replace("[1.0, 1.0]", "[1.0]"));
        assert!(parse(&text).unwrap_err().contains("one value per session"));
    }

    #[test]
    fn a_file_without_a_header_is_refused() {
        assert!(parse("engine = \"x\"").unwrap_err().contains("between two lines of `---`"));
        assert!(parse("").is_err());
    }

    #[test]
    fn numbers_keep_six_significant_digits() {
        let shown = [2398.0, 2421.256, 0.998_765_432, 123_456_789.0].map(six_digits);
        assert_eq!(shown, ["2398.0", "2421.26", "0.998765", "123456789.0"]);
    }
}
