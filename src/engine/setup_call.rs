//! What an engine is asked to do before a session.

use serde::Deserialize;
use serde_json::Value;

use crate::engine::refusal::reported_error;

/// A POST beside the load. Its answer may come as lines that tell of its progress.
#[derive(Clone, Debug, PartialEq)]
pub struct SetupCall {
    /// For whoever waits: `pulling qwen3:8b`.
    pub what: String,
    /// Below the target's base URL.
    pub path: &'static str,
    pub body: Value,
    /// Whether a session can't be run without. What is only good to have may be refused.
    pub is_needed: bool,
}

/// How far it is, from 0 to 1; `None` where a line doesn't say. An error is the engine's own words.
pub fn read_progress(line: &[u8]) -> Result<Option<f64>, String> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(default)]
        error: Value,
        #[serde(default)]
        completed: Option<f64>,
        #[serde(default)]
        total: Option<f64>,
    }
    let Ok(read) = serde_json::from_slice::<Line>(line) else { return Ok(None) };
    if !read.error.is_null() {
        return Err(reported_error(line).detail);
    }
    let share = read.completed.zip(read.total.filter(|total| *total > 0.0));
    Ok(share.map(|(completed, total)| completed / total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_it_is_or_nothing_or_what_went_wrong() {
        assert_eq!(read_progress(br#"{"status":"pulling a1","total":200,"completed":50}"#), Ok(Some(0.25)));
        assert_eq!(read_progress(br#"{"status":"pulling a1","total":200}"#), Ok(None));
        assert_eq!(read_progress(b"Cache flushed."), Ok(None));
        let failed = read_progress(br#"{"error":"pull model manifest: file does not exist"}"#);
        assert_eq!(failed, Err("pull model manifest: file does not exist".into()));
    }
}
