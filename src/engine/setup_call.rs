//! Calls that prepare an engine for a session.

use serde::Deserialize;
use serde_json::Value;

use crate::engine::refusal::error_in;

/// A POST request outside the load. The response may be a stream of progress lines.
#[derive(Clone, Debug, PartialEq)]
pub struct SetupCall {
    /// Shown to the waiting user: `pulling qwen3:8b`.
    pub what: String,
    /// Relative to the target's base URL.
    pub path: &'static str,
    pub body: Value,
    /// Whether a session can't run without it. An optional call may be refused.
    pub is_needed: bool,
}

/// Progress from 0 to 1; `None` if a line doesn't say. An error holds the engine's own message.
pub(crate) fn read_progress(line: &[u8]) -> Result<Option<f64>, String> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(default)]
        completed: Option<f64>,
        #[serde(default)]
        total: Option<f64>,
    }
    let Ok(read) = serde_json::from_slice::<Line>(line) else { return Ok(None) };
    if let Some(error) = error_in(line) {
        return Err(error.detail);
    }
    let share = read.completed.zip(read.total.filter(|total| *total > 0.0));
    Ok(share.map(|(completed, total)| completed / total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_progress_an_error_or_neither() {
        assert_eq!(read_progress(br#"{"status":"pulling a1","total":200,"completed":50}"#), Ok(Some(0.25)));
        assert_eq!(read_progress(br#"{"status":"pulling a1","total":200}"#), Ok(None));
        assert_eq!(read_progress(b"Cache flushed."), Ok(None));
        let failed = read_progress(br#"{"error":"pull model manifest: file does not exist"}"#);
        assert_eq!(failed, Err("pull model manifest: file does not exist".into()));
    }
}
