//! A short hash of what a scenario asks; a baseline is valid for one hash.

use serde_json::{Value, json};

use crate::config::{RunPlan, Scenario};
use crate::load::Load;
use crate::load::workload::Workload;
use crate::text::fingerprint::fingerprint;

impl Scenario {
    /// `sha256:` and 16 hex digits over workload, load and run. Gates, names, the target and the number of sessions are
    /// not part of it.
    pub fn hash(&self) -> String {
        hash_of(&self.workload, &self.load, &self.run)
    }
}

/// The same for a load without a scenario file.
pub(crate) fn hash_of(workload: &Workload, load: &Load, run: &RunPlan) -> String {
    let asked = json!({
        "workload": workload,
        "load": load,
        "run": {
            "warmup": run.warmup,
            "rounds": run.rounds,
            "request_timeout": run.request_timeout,
        },
    });
    hash(&asked)
}

impl Workload {
    /// A hash of the workload alone.
    pub fn hash(&self) -> String {
        hash(&json!(self))
    }
}

fn hash(asked: &Value) -> String {
    let mut text = String::new();
    write_canonical(asked, &mut text);
    format!("sha256:{}", fingerprint(&text))
}

/// Sorts the keys here: whether serde_json does depends on features that any other crate in a build may enable.
/// A file with a fingerprint is represented by the fingerprint alone, wherever the file is.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(entries) => {
            let counts = |key: &str| key != "file" || !entries.contains_key("fingerprint");
            let mut entries: Vec<_> = entries.iter().filter(|(key, _)| counts(key)).collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (key, value) in entries {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::conversations::{Conversations, Turn};
    use crate::load::trace::{Trace, TracedRequest};

    #[test]
    fn a_files_contents_are_hashed_and_not_its_path() {
        let trace = |file: &str, input_tokens| {
            let request = TracedRequest { at_ns: 0, input_tokens, output_tokens: 4, blocks: Vec::new() };
            hash(&json!({ "load": Trace::new(file, vec![request]) }))
        };
        assert_eq!(trace("a/t.csv", 3), trace("/mnt/t.csv", 3));
        assert_ne!(trace("a/t.csv", 3), trace("a/t.csv", 4));
        let conversations = |file: &str, said: &str| {
            let turn = Turn { said: said.into(), answered: "b".into(), output_tokens: 1 };
            hash(&json!(Conversations::new(file, vec![vec![turn]])))
        };
        assert_eq!(conversations("a/s.json", "a"), conversations("/mnt/s.json", "a"));
        assert_ne!(conversations("a/s.json", "a"), conversations("a/s.json", "b"));
    }
}
