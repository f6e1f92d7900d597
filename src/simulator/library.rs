//! The models of an Ollama server, and how it pulls more.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::simulator::about;
use crate::simulator::dialect::{ApiError, Voice};
use crate::simulator::routes::{Frontend, MaybeBody, Shared};

/// Model names; all models respond alike.
#[derive(Debug)]
pub(crate) struct Library(Vec<String>);

const MODEL_BYTES: u64 = 250_000_000;

impl Library {
    pub(crate) fn of(model: &str) -> Library {
        Library(vec![model.to_owned()])
    }

    pub(crate) fn models(&self) -> Vec<String> {
        self.0.clone()
    }

    fn add(&mut self, model: &str) {
        if !self.0.iter().any(|known| known == model) {
            self.0.push(model.to_owned());
        }
    }
}

impl Frontend {
    pub(crate) fn model_digest(&self) -> String {
        digest(&self.identity.model)
    }
}

pub(crate) async fn tags(state: Shared) -> Response {
    let models = state.library.lock().expect("the library lock is not poisoned").models();
    let models: Vec<Value> = models
        .iter()
        .map(|model| json!({ "name": model, "model": model, "size": MODEL_BYTES, "digest": digest(model) }))
        .collect();
    about::json(json!({ "models": models }).to_string())
}

/// Pulls any model at once, and reports progress as if it took a while.
pub(crate) async fn pull(state: Shared, body: MaybeBody) -> Result<Response, ApiError> {
    let body: Value = body.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    let model = body["model"].as_str().filter(|model| !model.is_empty());
    let model = model.ok_or_else(|| ApiError::missing("model").in_words_of(Voice::Ollama))?;
    state.library.lock().expect("the library lock is not poisoned").add(model);
    let digest = format!("sha256:{}", digest(model));
    let part = |completed: u64| {
        let status = format!("pulling {}", &digest[7..19]);
        json!({ "status": status, "digest": digest, "total": MODEL_BYTES, "completed": completed })
    };
    let statuses = [
        json!({ "status": "pulling manifest" }),
        part(MODEL_BYTES / 2),
        part(MODEL_BYTES),
        json!({ "status": "verifying sha256 digest" }),
        json!({ "status": "success" }),
    ];
    let lines: String = statuses.iter().map(|status| format!("{status}\n")).collect();
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

fn digest(model: &str) -> String {
    Sha256::digest(model.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
