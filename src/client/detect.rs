//! Detects the engine at a URL.

use serde_json::Value;

use crate::client::access::Access;
use crate::client::address::Address;
use crate::client::control::ControlClient;
use crate::client::{ClientError, runtime};
use crate::engine::{EngineKind, refusal};

/// None of the responses came from a known engine.
#[derive(Debug, thiserror::Error)]
#[error("can't detect the engine at {authority}: {}; set `engine`", .said.join(", "))]
pub struct Undetected {
    authority: String,
    /// The result of each request.
    said: Vec<String>,
}

/// The first engine in the list whose probe matches.
pub(crate) fn detect(access: &Access) -> Result<EngineKind, ClientError> {
    let address = Address::of(access)?;
    let control = ControlClient::new(&address, access.header_map()?)?;
    let runtime = runtime()?;
    let mut answers: Vec<(&str, Result<Value, String>)> = Vec::new();
    for kind in EngineKind::all() {
        let probe = kind.probe();
        if !answers.iter().any(|(path, _)| *path == probe.path) {
            let answer = runtime.block_on(ask(&control, &address, probe.path));
            answers.push((probe.path, answer));
        }
        let answer = answers.iter().find(|(path, _)| *path == probe.path).map(|(_, answer)| answer);
        if let Some(Ok(answer)) = answer
            && (probe.is_mine)(answer)
        {
            return Ok(kind);
        }
    }
    let said = answers.into_iter().map(|(path, answer)| match answer {
        Ok(_) => format!("{path} returned nothing that identifies an engine"),
        Err(why) => format!("{path}: {why}"),
    });
    Err(Undetected { authority: address.authority().to_owned(), said: said.collect() }.into())
}

async fn ask(control: &ControlClient, address: &Address, path: &str) -> Result<Value, String> {
    let (status, body) = control.get(&address.url(path)).await?;
    if !status.is_success() {
        return Err(format!("HTTP {}: {}", status.as_u16(), refusal(&body)));
    }
    serde_json::from_slice(&body).map_err(|_| "no JSON".to_owned())
}
