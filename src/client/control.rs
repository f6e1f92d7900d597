//! What is asked beside the load: whether an engine is well, and who it is.

use std::error::Error;
use std::iter;
use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;

use crate::client::address::Address;
use crate::client::connection::Connection;
use crate::client::tls::install_provider;
use crate::engine::HttpVersion;

/// An ordinary HTTP client. The load itself goes over connections of its own, on which nothing else is ever sent.
pub struct ControlClient {
    http: reqwest::Client,
    address: Address,
}

const TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_POST: Duration = Duration::from_secs(24 * 60 * 60);

impl ControlClient {
    pub fn new(address: &Address, headers: HeaderMap) -> Result<ControlClient, reqwest::Error> {
        install_provider();
        let builder = reqwest::Client::builder().timeout(TIMEOUT).default_headers(headers);
        let builder = match address.tls_config() {
            Some(config) => builder.tls_backend_preconfigured(config.clone()),
            None => builder,
        };
        // The load goes through no proxy and follows no redirect either: what is said here is to hold for it.
        let builder = builder.no_proxy().redirect(Policy::none());
        // A connection that waits for the next question may be closed by then.
        let builder = builder.pool_max_idle_per_host(0);
        let builder = match address.http_version() {
            HttpVersion::Http1 => builder.http1_only(),
            HttpVersion::Http2 => builder.http2_prior_knowledge(),
        };
        Ok(ControlClient { http: builder.build()?, address: address.clone() })
    }

    /// Its answer may take hours.
    pub async fn post(&self, url: &str, body: String) -> Result<reqwest::Response, String> {
        let request = self.http.post(url).header(CONTENT_TYPE, "application/json").body(body);
        match request.timeout(LONGEST_POST).send().await {
            Ok(response) => Ok(response),
            Err(error) => Err(self.explain(&error).await),
        }
    }

    pub async fn get(&self, url: &str) -> Result<(StatusCode, Vec<u8>), String> {
        let answered = async {
            let response = self.http.get(url).send().await?;
            Ok::<_, reqwest::Error>((response.status(), response.bytes().await?.to_vec()))
        };
        match answered.await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.explain(&error).await),
        }
    }

    /// Where there is no connection to be had, the load's own says best why, and what to do about it.
    async fn explain(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            return chain(error);
        }
        Connection::open(&self.address, TIMEOUT).await.err().unwrap_or_else(|| chain(error))
    }
}

/// An error with its causes, which reqwest keeps apart.
pub fn chain(error: &reqwest::Error) -> String {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
