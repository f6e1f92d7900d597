//! Runs the calls that prepare an engine for a session.

use std::time::Duration;

use http::StatusCode;

use crate::client::Share;
use crate::client::address::Address;
use crate::client::cancel::Cancel;
use crate::client::control::{ControlClient, chain};
use crate::engine::{LineTooLong, Lines, SetupCall, read_progress, refusal};

/// Loading a large model takes minutes without any output.
const SILENCE: Duration = Duration::from_secs(15 * 60);

/// Runs a call and waits for its end. An error says what happened; the caller decides whether that matters.
pub(crate) async fn run(
    control: &ControlClient,
    address: &Address,
    call: &SetupCall,
    share: &Share,
    cancel: &Cancel,
) -> Result<(), String> {
    let url = address.url(call.path);
    tokio::select! {
        done = converse(control, &url, call, share) => done,
        () = cancel.cancelled() => Err("interrupted".into()),
    }
}

async fn converse(control: &ControlClient, url: &str, call: &SetupCall, share: &Share) -> Result<(), String> {
    let silence = |_| format!("no response for {} minutes", SILENCE.as_secs() / 60);
    let sent = tokio::time::timeout(SILENCE, control.post(url, call.body.to_string())).await;
    let mut response = sent.map_err(silence)??;
    if response.status() != StatusCode::OK {
        let status = response.status().as_u16();
        let said = response.bytes().await.unwrap_or_default();
        return Err(format!("HTTP {status}: {}", refusal(&said)));
    }
    let mut lines = Lines::default();
    loop {
        let piece = tokio::time::timeout(SILENCE, response.chunk()).await.map_err(silence)?;
        let Some(piece) = piece.map_err(|error| chain(&error))? else { break };
        lines.push(&piece, |line| note(line, share))?;
    }
    note(lines.rest(), share).map_err(|Reported(why)| why)
}

/// The error message of a progress line.
struct Reported(String);

fn note(line: &[u8], share: &Share) -> Result<(), Reported> {
    if let Some(done) = read_progress(line).map_err(Reported)? {
        share.set(done);
    }
    Ok(())
}

impl From<LineTooLong> for Reported {
    fn from(error: LineTooLong) -> Reported {
        Reported(error.to_string())
    }
}

impl From<Reported> for String {
    fn from(Reported(why): Reported) -> String {
        why
    }
}
