//! Files named by flags.

use std::fs;

use anyhow::anyhow;

use crate::config::{Excerpt, SuiteErrors, read_conversations, read_trace};
use crate::load::conversations::Conversations;
use crate::load::trace::Trace;

/// Reads a trace.
pub(crate) fn trace(path: &str) -> Result<Trace, String> {
    read_trace(path, &text(path)?).map_err(|errors| SuiteErrors(errors).to_string())
}

/// Reads conversations.
pub(crate) fn conversations(path: &str, excerpt: &Excerpt) -> anyhow::Result<Conversations> {
    let text = text(path).map_err(anyhow::Error::msg)?;
    read_conversations(path, &text, excerpt).map_err(|error| anyhow!(error.plain()))
}

fn text(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path} can't be read: {error}"))
}
