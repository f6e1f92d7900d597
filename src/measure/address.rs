//! Where requests go: a base URL, taken apart.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use crate::measure::socket::{Socket, Stream};
use crate::measure::trust::client_config;

/// A server and the path below which its routes are. Proxies of the environment are not used: they would be measured.
#[derive(Clone)]
pub struct Address {
    host: String,
    port: u16,
    /// The path before `/v1`, usually empty.
    prefix: String,
    /// As in a request's `Host` header.
    authority: String,
    tls: Option<Tls>,
    /// What the host's name stands for, looked up once: no request is to wait for that.
    resolved: OnceCell<Vec<SocketAddr>>,
}

#[derive(Clone)]
struct Tls {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("expected a URL such as `http://127.0.0.1:8000/v1`, found `{found}`: {why}")]
    Url { found: String, why: String },
    #[error("TLS for `{host}` can't be set up: {why}")]
    Tls { host: String, why: String },
}

impl Address {
    /// Takes a base URL with or without a trailing `/v1`, and the certificates of the authorities to be trusted, if not
    /// the system's.
    pub fn parse(url: &str, ca_file: Option<&Path>) -> Result<Address, AddressError> {
        let wrong = |why: String| AddressError::Url { found: url.to_owned(), why };
        let uri: Uri = url.trim().parse().map_err(|error| wrong(format!("{error}")))?;
        let authority = uri.authority().ok_or_else(|| wrong("it names no host".into()))?;
        if authority.as_str().contains('@') {
            return Err(wrong("credentials belong into `api_key_env`".into()));
        }
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(wrong("it has to begin with http:// or https://".into())),
        };
        if ca_file.is_some() && !secure {
            return Err(wrong("a CA file is of use with https:// only".into()));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path().trim_end_matches('/');
        Ok(Address {
            prefix: path.strip_suffix("/v1").unwrap_or(path).to_owned(),
            authority: authority.to_string(),
            tls: secure.then(|| Tls::new(&host, ca_file)).transpose()?,
            host,
            port,
            resolved: OnceCell::new(),
        })
    }

    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The request target of one of the engine's routes.
    pub fn target(&self, route: &str) -> String {
        format!("{}{route}", self.prefix)
    }

    /// One of the engine's routes as a whole URL.
    pub fn url(&self, route: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{}{route}", self.authority, self.prefix)
    }

    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// How TLS is spoken, where it is.
    pub fn tls_config(&self) -> Option<&ClientConfig> {
        self.tls.as_ref().map(|tls| &*tls.config)
    }

    /// Opens a connection, TLS included.
    pub async fn connect(&self, timeout: Duration) -> Result<Socket, String> {
        match tokio::time::timeout(timeout, self.connect_unbounded()).await {
            Ok(Ok(socket)) => Ok(socket),
            Ok(Err(error)) => Err(format!("no connection to {}: {error}{}", self.authority, hint(&error))),
            Err(_) => Err(format!("no connection to {} within {timeout:?}", self.authority)),
        }
    }

    async fn connect_unbounded(&self) -> std::io::Result<Socket> {
        let look_up =
            async || std::io::Result::Ok(lookup_host((self.host.as_str(), self.port)).await?.collect());
        let addresses: &Vec<SocketAddr> = self.resolved.get_or_try_init(look_up).await?;
        let stream = TcpStream::connect(addresses.as_slice()).await?;
        stream.set_nodelay(true)?;
        let stream = Stream::new(stream);
        Ok(match &self.tls {
            None => Socket::Plain(stream),
            Some(tls) => {
                let connector = TlsConnector::from(tls.config.clone());
                Socket::Tls(Box::new(connector.connect(tls.server.clone(), stream).await?))
            }
        })
    }
}

impl Tls {
    fn new(host: &str, ca_file: Option<&Path>) -> Result<Tls, AddressError> {
        let failed = |why: String| AddressError::Tls { host: host.to_owned(), why };
        let config = Arc::new(client_config(ca_file).map_err(failed)?);
        let server = ServerName::try_from(host.to_owned()).map_err(|error| failed(error.to_string()))?;
        Ok(Tls { config, server })
    }
}

/// What to do about a connection that could not be opened, where that is known.
pub(super) fn hint(error: &std::io::Error) -> &'static str {
    let Some(inner) = error.get_ref() else { return "" };
    if let Some(wrapped) = inner.downcast_ref::<std::io::Error>() {
        return hint(wrapped);
    }
    match inner.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "; give the certificate of its authority as `ca_file` (`--ca-file`)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> (String, u16, String) {
        let address = Address::parse(url, None).unwrap();
        (address.host.clone(), address.port, address.target("/v1/models"))
    }

    #[test]
    fn a_trailing_v1_or_slash_makes_no_difference() {
        for url in ["http://h:8000", "http://h:8000/", "http://h:8000/v1", "http://h:8000/v1/"] {
            assert_eq!(parsed(url), ("h".into(), 8000, "/v1/models".into()), "{url}");
        }
    }

    #[test]
    fn a_gateways_path_is_kept_and_ports_have_defaults() {
        assert_eq!(parsed("https://h/llm/v1"), ("h".into(), 443, "/llm/v1/models".into()));
        assert_eq!(parsed("http://[::1]/"), ("::1".into(), 80, "/v1/models".into()));
    }

    #[test]
    fn a_route_has_its_whole_url_again() {
        for url in ["http://127.0.0.1:8000", "https://h/llm"] {
            assert_eq!(Address::parse(url, None).unwrap().url("/health"), format!("{url}/health"));
        }
    }

    #[test]
    fn a_name_is_looked_up_once_and_all_its_addresses_are_tried() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let known = listener.local_addr().unwrap();
            let connect =
                |address: Address| async move { address.connect(Duration::from_secs(30)).await.map(drop) };
            let named = Address::parse(&format!("http://localhost:{}", known.port()), None).unwrap();
            assert_eq!(named.connect(Duration::from_secs(30)).await.map(drop), Ok(()));
            assert!(named.resolved.get().unwrap().contains(&known));
            let nowhere = Address::parse("http://nowhere.invalid", None).unwrap();
            let error = connect(nowhere.clone()).await.unwrap_err();
            assert!(error.starts_with("no connection to nowhere.invalid: failed to lookup"), "{error}");
            nowhere.resolved.set(vec!["127.0.0.1:1".parse().unwrap(), known]).unwrap();
            assert_eq!(connect(nowhere).await, Ok(()));
        });
    }

    #[test]
    fn loopback_is_this_machine() {
        let is_loopback = |url| Address::parse(url, None).unwrap().is_loopback();
        assert!(is_loopback("http://127.0.0.1:8000/v1") && is_loopback("http://localhost:80"));
        assert!(is_loopback("http://[::1]:80") && !is_loopback("https://llm.example.com/v1"));
    }

    #[test]
    fn what_is_no_url_is_refused_in_words() {
        for url in ["", "localhost:8000", "ftp://h", "http://", "http://user:secret@h/", "h"] {
            let error = Address::parse(url, None).err().map(|error| error.to_string());
            assert!(error.is_some_and(|error| error.starts_with("expected a URL such as")), "{url}");
        }
    }
}
