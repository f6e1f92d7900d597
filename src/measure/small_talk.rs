//! What is asked beside the load: whether an engine is well, and who it is.

use std::io;
use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap};

use crate::measure::address::{Address, hint};
use crate::measure::trust::install_provider;

/// An ordinary HTTP client. The load itself goes over connections of its own, on which nothing else is ever sent.
pub struct SmallTalk(reqwest::Client);

const TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_POST: Duration = Duration::from_secs(24 * 60 * 60);

impl SmallTalk {
    pub fn new(address: &Address, headers: HeaderMap) -> Result<SmallTalk, reqwest::Error> {
        install_provider();
        let builder = reqwest::Client::builder().timeout(TIMEOUT).default_headers(headers);
        let builder = match address.tls_config() {
            Some(config) => builder.tls_backend_preconfigured(config.clone()),
            None => builder,
        };
        // A connection that waits for the next question may be closed by then.
        let builder = builder.pool_max_idle_per_host(0);
        let builder = if address.is_loopback() { builder.no_proxy() } else { builder };
        Ok(SmallTalk(builder.build()?))
    }

    /// Its answer may take hours.
    pub async fn post(&self, url: &str, body: String) -> Result<reqwest::Response, reqwest::Error> {
        let request = self.0.post(url).header(CONTENT_TYPE, "application/json").body(body);
        request.timeout(LONGEST_POST).send().await
    }

    pub async fn get(&self, url: &str) -> Result<(StatusCode, Vec<u8>), String> {
        let answered = async {
            let response = self.0.get(url).send().await?;
            Ok::<_, reqwest::Error>((response.status(), response.bytes().await?.to_vec()))
        };
        answered.await.map_err(|error| chain(&error))
    }
}

/// An error with its causes, which reqwest keeps apart, and with what to do about it where that is known.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = || std::iter::successors(error.source(), |error| error.source());
    let told = causes().fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    let hints = causes().filter_map(|cause| cause.downcast_ref::<io::Error>()).map(hint);
    told + &hints.collect::<String>()
}
