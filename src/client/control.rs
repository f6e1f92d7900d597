//! Requests outside the load: whether an engine is healthy, and who it is.

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

/// An ordinary HTTP client. The load uses separate connections, which carry nothing else.
pub(crate) struct ControlClient {
    http: reqwest::Client,
    address: Address,
}

const TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_POST: Duration = Duration::from_secs(24 * 60 * 60);

impl ControlClient {
    pub(crate) fn new(address: &Address, headers: HeaderMap) -> Result<ControlClient, reqwest::Error> {
        install_provider();
        let builder = reqwest::Client::builder().timeout(TIMEOUT).default_headers(headers);
        let builder = match address.tls_config() {
            Some(config) => builder.tls_backend_preconfigured(config.clone()),
            None => builder,
        };
        // The load uses no proxy and follows no redirect either, so the results here must hold for it.
        let builder = builder.no_proxy().redirect(Policy::none());
        // A connection that waits for the next request may be closed by then.
        let builder = builder.pool_max_idle_per_host(0);
        let builder = match address.http_version() {
            HttpVersion::Http1 => builder.http1_only(),
            HttpVersion::Http2 => builder.http2_prior_knowledge(),
        };
        Ok(ControlClient { http: builder.build()?, address: address.clone() })
    }

    /// Its response may take hours.
    pub(crate) async fn post(&self, url: &str, body: String) -> Result<reqwest::Response, String> {
        let request = self.http.post(url).header(CONTENT_TYPE, "application/json").body(body);
        match request.timeout(LONGEST_POST).send().await {
            Ok(response) => Ok(response),
            Err(error) => Err(self.explain(&error).await),
        }
    }

    pub(crate) async fn get(&self, url: &str) -> Result<(StatusCode, Vec<u8>), String> {
        let answered = async {
            let response = self.http.get(url).send().await?;
            Ok::<_, reqwest::Error>((response.status(), response.bytes().await?.to_vec()))
        };
        match answered.await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.explain(&error).await),
        }
    }

    /// If no connection can be opened, the load's own error says best why, and what to do about it.
    async fn explain(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            return chain(error);
        }
        Connection::open(&self.address, TIMEOUT).await.err().unwrap_or_else(|| chain(error))
    }
}

/// An error with its causes, which reqwest keeps separate.
pub(crate) fn chain(error: &reqwest::Error) -> String {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
