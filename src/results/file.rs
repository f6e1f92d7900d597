//! Reads any kind of report, in this version of the format or an older one.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::results::comparison::Comparison;
use crate::results::sweep::Sweep;
use crate::results::{Kind, Report, VERSION};
use crate::text::nearest::did_you_mean;
use crate::text::printable::one_line;

/// The contents of a report file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ReportFile {
    Scenario(Box<Report>),
    Sweep(Box<Sweep>),
    Comparison(Box<Comparison>),
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum FileError {
    #[error("{file}:{line}:{column}: expected a tollgate report, found invalid JSON: {why}")]
    InvalidJson { file: String, line: usize, column: usize, why: String },
    #[error(
        "{file}: expected a tollgate report, which is an object with `version`; found other JSON. Reports are the files \
         that `tollgate bench`, `sweep`, and `compare` write with --json, and target/tollgate/<run>/*.json"
    )]
    NotAReport { file: String },
    #[error("{file}: unknown `kind` of report `{found}`: {help}")]
    UnknownKind { file: String, found: String, help: String },
    #[error(
        "{file}: this report has version {found}, from a newer tollgate; this one reads up to version {VERSION}: update \
         tollgate"
    )]
    Newer { file: String, found: u64 },
    #[error("{file}:{line}:{column}: this {kind} report (version {version}) is damaged: {why}")]
    Damaged { file: String, line: usize, column: usize, kind: &'static str, version: u64, why: String },
    #[error("{file}: expected a scenario report from a suite or `tollgate bench`, found a {found} report")]
    OtherKind { file: String, found: &'static str },
    #[error("{file}: this {kind} report is damaged: {why}")]
    Contradictory { file: String, kind: &'static str, why: String },
}

impl ReportFile {
    /// The report of a suite or a bench; otherwise which kind it is.
    pub(crate) fn scenario(self) -> Result<Report, &'static str> {
        match self {
            ReportFile::Scenario(report) => Ok(*report),
            ReportFile::Sweep(_) => Err("sweep"),
            ReportFile::Comparison(_) => Err("comparison"),
        }
    }
}

/// What every report has in common.
#[derive(Deserialize)]
struct ReportHead {
    kind: Option<String>,
    version: u64,
}

/// Reads a report; errors name it `file`.
pub(crate) fn read(file: &str, text: &str) -> Result<ReportFile, FileError> {
    let head = head(file, text)?;
    match kind(file, &head)? {
        Kind::Scenario => {
            parsed(file, text, &head, "scenario").map(|report| ReportFile::Scenario(Box::new(report)))
        }
        Kind::Sweep => {
            let sweep: Sweep = parsed(file, text, &head, "sweep")?;
            sweep.check().map_err(|why| FileError::Contradictory {
                file: file.to_owned(),
                kind: "sweep",
                why,
            })?;
            Ok(ReportFile::Sweep(Box::new(sweep)))
        }
        Kind::Comparison => {
            parsed(file, text, &head, "comparison").map(|report| ReportFile::Comparison(Box::new(report)))
        }
    }
}

fn head(file: &str, text: &str) -> Result<ReportHead, FileError> {
    let head = serde_json::from_str::<ReportHead>(text);
    let head = head.map_err(|error| match error.classify() {
        serde_json::error::Category::Data => FileError::NotAReport { file: file.to_owned() },
        _ => FileError::InvalidJson {
            file: file.to_owned(),
            line: error.line(),
            column: error.column(),
            why: without_place(&error),
        },
    })?;
    match head.version {
        found if found > u64::from(VERSION) => Err(FileError::Newer { file: file.to_owned(), found }),
        0 => Err(FileError::NotAReport { file: file.to_owned() }),
        _ => Ok(head),
    }
}

fn kind(file: &str, head: &ReportHead) -> Result<Kind, FileError> {
    match head.kind.as_deref() {
        // Version 1 has no `kind`.
        None | Some("scenario") => Ok(Kind::Scenario),
        Some("sweep") => Ok(Kind::Sweep),
        Some("comparison") => Ok(Kind::Comparison),
        Some(found) => Err(FileError::UnknownKind {
            file: file.to_owned(),
            found: one_line(found),
            help: did_you_mean(found, ["scenario", "sweep", "comparison"]),
        }),
    }
}

fn parsed<T: DeserializeOwned>(
    file: &str,
    text: &str,
    head: &ReportHead,
    kind: &'static str,
) -> Result<T, FileError> {
    serde_json::from_str(text).map_err(|error| FileError::Damaged {
        file: file.to_owned(),
        line: error.line(),
        column: error.column(),
        kind,
        version: head.version,
        why: without_place(&error),
    })
}

/// Removes the position, which the message already starts with.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    one_line(text.strip_suffix(&place).unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::results::sweep::Level;
    use crate::results::{example, sweep};

    fn sweep_json() -> Value {
        serde_json::to_value(sweep::example::crossing()).unwrap()
    }

    fn error(json: &Value) -> String {
        read("r.json", &serde_json::to_string_pretty(json).unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn every_kind_survives_the_round_trip() {
        for report in example::all() {
            let text = serde_json::to_string(&report).unwrap();
            assert_eq!(read("r.json", &text), Ok(ReportFile::Scenario(Box::new(report))));
        }
        let sweep = sweep::example::crossing();
        let text = serde_json::to_string(&sweep).unwrap();
        let ReportFile::Sweep(back) = read("r.json", &text).unwrap() else { panic!("not a sweep") };
        for (back, target) in back.targets.iter().zip(&sweep.targets) {
            for (back, level) in back.levels.iter().zip(&target.levels) {
                let p95 = |level: &Level| level.summary.value("e2e_ms_p95".parse().unwrap()).unwrap();
                assert!((p95(back) / p95(level) - 1.0).abs() < 1e-9);
                assert_eq!(back.summary.requests, level.summary.requests);
                assert_eq!(back.sessions.len(), level.sessions.len());
            }
        }
    }

    #[test]
    fn a_report_of_version_1_still_loads() {
        let ReportFile::Scenario(report) = read("v1.json", include_str!("file/version-1.json")).unwrap()
        else {
            panic!("not a scenario report")
        };
        assert_eq!((report.version, report.kind, report.load), (1, Kind::Scenario, None));
        assert_eq!(report.summary.requests.succeeded, 4);
        assert_eq!(report.sessions[0].rounds.len(), 1);
    }

    #[test]
    fn the_error_for_a_newer_report_asks_to_update() {
        let mut json = sweep_json();
        json["version"] = json!(VERSION + 1);
        json["what_is_new"] = json!(1);
        let error = error(&json);
        assert!(error.contains("from a newer tollgate") && error.contains("update tollgate"), "{error}");
    }

    #[test]
    fn the_error_for_an_unknown_kind_suggests_the_nearest() {
        let mut json = sweep_json();
        json["kind"] = json!("sweap");
        let error = error(&json);
        let expected = "r.json: unknown `kind` of report `sweap`: did you mean `sweep`?";
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn errors_for_other_files_say_what_was_expected() {
        let error = |text: &str| read("r.json", text).unwrap_err().to_string();
        assert!(
            error("").starts_with("r.json:1:0: expected a tollgate report, found invalid JSON"),
            "{}",
            error("")
        );
        assert!(
            error("{\"version\": 2,\n oops").starts_with("r.json:2:2: "),
            "{}",
            error("{\"version\": 2,\n oops")
        );
        assert!(
            error("[1, 2]")
                .starts_with("r.json: expected a tollgate report, which is an object with `version`")
        );
        assert!(error("{\"version\": -1}").contains("an object with `version`"));
    }

    #[test]
    fn errors_for_damage_have_its_position_and_reason() {
        let mut json = sweep_json();
        json["targets"][0]["levels"][1]["summary"]["metrics"]["ttft_ms"]["count"] = json!(7);
        let text = serde_json::to_string_pretty(&json).unwrap();
        let FileError::Damaged { line, why, .. } = read("r.json", &text).unwrap_err() else {
            panic!("not damaged")
        };
        assert!(why.starts_with("the histogram holds 24 times but `count` says 7"), "{why}");
        assert!(line > 1, "{line}");
    }

    #[test]
    fn impossible_counts_are_damage() {
        for (key, value) in
            [("succeeded", json!(1000)), ("sent", json!(u64::MAX)), ("ended_by_length", json!(99))]
        {
            let mut json = sweep_json();
            json["targets"][0]["levels"][0]["summary"]["requests"][key] = value;
            let error = error(&json);
            assert!(error.contains("requests"), "{error}");
        }
    }

    #[test]
    fn lists_that_contradict_each_other_are_damage() {
        let mut json = sweep_json();
        json["targets"][1]["levels"][2]["timeline"]["failed"] = json!([1, 2]);
        assert!(error(&json).contains("targets[1].levels[2].timeline"), "{}", error(&json));
        let mut json = sweep_json();
        json["targets"][0]["levels"].as_array_mut().unwrap().swap(0, 1);
        assert!(error(&json).contains("ascending order"), "{}", error(&json));
    }

    /// Replaces each value of a report in turn by every kind of nonsense.
    #[test]
    fn no_damage_panics() {
        let mut whole = sweep_json();
        let targets = whole["targets"].as_array_mut().unwrap();
        targets.truncate(1);
        targets[0]["levels"].as_array_mut().unwrap().truncate(1);
        let mut paths = Vec::new();
        paths_of(&whole, &mut String::new(), &mut paths);
        assert!(paths.len() > 100, "{}", paths.len());
        let nonsense =
            [json!(null), json!(-1), json!(1e300), json!(u64::MAX), json!(""), json!([]), json!({})];
        for path in &paths {
            for value in &nonsense {
                let mut json = whole.clone();
                *json.pointer_mut(path).unwrap() = value.clone();
                let text = json.to_string();
                if let Ok(ReportFile::Sweep(sweep)) = read("r.json", &text) {
                    serde_json::to_string(&sweep).unwrap();
                }
            }
        }
    }

    fn paths_of(value: &Value, path: &mut String, paths: &mut Vec<String>) {
        paths.push(path.clone());
        let children: Vec<(String, &Value)> = match value {
            Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), value)).collect(),
            // The first two represent all items.
            Value::Array(items) => {
                items.iter().take(2).enumerate().map(|(at, value)| (at.to_string(), value)).collect()
            }
            _ => Vec::new(),
        };
        for (key, child) in children {
            let len = path.len();
            path.push('/');
            path.push_str(&key);
            paths_of(child, path, paths);
            path.truncate(len);
        }
    }
}
