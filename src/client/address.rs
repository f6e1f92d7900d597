//! Where requests go: a parsed base URL.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use crate::client::access::Access;
use crate::client::socket::Socket;
use crate::client::tls::{alpn, client_config};
use crate::engine::HttpVersion;
use crate::sys::arrival::Stream;

/// A server and the path prefix of its routes. Proxies from the environment are not used: they would be measured too.
#[derive(Clone)]
pub(crate) struct Address {
    host: String,
    port: u16,
    /// The path before `/v1`, usually empty.
    prefix: String,
    /// Query appended to every route, such as `api-version=2026-01-01`; usually empty.
    query: String,
    /// As in a request's `Host` header.
    authority: String,
    http_version: HttpVersion,
    tls: Option<Tls>,
    /// The host's addresses, looked up once so that no request has to wait for DNS.
    resolved: OnceCell<Vec<SocketAddr>>,
    /// How many connections have been tried.
    tried: Cell<usize>,
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
    #[error("can't set up TLS for `{host}`: {why}")]
    Tls { host: String, why: String },
}

/// The server agreed to TLS but not to a protocol on top of it.
#[derive(Debug, thiserror::Error)]
#[error("the server selected no protocol (ALPN)")]
struct NoProtocol;

impl Address {
    /// Parses a base URL with or without a trailing `/v1`, and with or without a query.
    pub(crate) fn of(access: &Access) -> Result<Address, AddressError> {
        let Access { url, ca_file, http_version, .. } = access;
        let wrong = |why: String| AddressError::Url { found: url.clone(), why };
        let uri: Uri = url.trim().parse().map_err(|error| wrong(format!("{error}")))?;
        let authority = uri.authority().ok_or_else(|| wrong("it has no host".into()))?;
        if authority.as_str().contains('@') {
            return Err(wrong("put credentials into `api_key_env`".into()));
        }
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(wrong("it must start with http:// or https://".into())),
        };
        if ca_file.is_some() && !secure {
            return Err(wrong("a CA file needs https://".into()));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = port(authority).map_err(wrong)?.unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path().trim_end_matches('/');
        Ok(Address {
            prefix: path.strip_suffix("/v1").unwrap_or(path).to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            authority: authority.to_string(),
            http_version: *http_version,
            tls: secure.then(|| Tls::new(&host, access)).transpose()?,
            host,
            port,
            resolved: OnceCell::new(),
            tried: Cell::new(0),
        })
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn host_value(&self) -> HeaderValue {
        HeaderValue::try_from(&self.authority).expect("a URL's authority is text")
    }

    pub(crate) fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    pub(crate) fn http_version(&self) -> HttpVersion {
        self.http_version
    }

    /// The request target of one of the engine's routes.
    pub(crate) fn target(&self, route: &str) -> String {
        match self.query.as_str() {
            "" => format!("{}{route}", self.prefix),
            query => format!("{}{route}?{query}", self.prefix),
        }
    }

    /// The full URL of one of the engine's routes.
    pub(crate) fn url(&self, route: &str) -> String {
        format!("{}://{}{}", self.scheme(), self.authority, self.target(route))
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The TLS configuration, if TLS is used.
    pub(crate) fn tls_config(&self) -> Option<&ClientConfig> {
        self.tls.as_ref().map(|tls| &*tls.config)
    }

    /// Opens a connection up to the point where HTTP begins, including TLS. An error says what went wrong.
    pub(crate) async fn connect(&self) -> Result<Socket, String> {
        self.try_connect().await.map_err(|error| format!("{error}{}", self.advice(&error)))
    }

    /// What to do if the server turns out not to speak the requested version.
    pub(crate) fn other_version(&self) -> &'static str {
        match self.http_version {
            HttpVersion::Http1 => {
                "; the server does not speak HTTP/1.1 there: set `http_version = \"2\"` (`--http-version 2`)"
            }
            HttpVersion::Http2 => {
                "; the server does not speak HTTP/2 there: set `http_version = \"1.1\"` (`--http-version 1.1`)"
            }
        }
    }

    async fn try_connect(&self) -> io::Result<Socket> {
        let look_up = async || io::Result::Ok(lookup_host((self.host.as_str(), self.port)).await?.collect());
        let addresses: &Vec<SocketAddr> = self.resolved.get_or_try_init(look_up).await?;
        let stream = TcpStream::connect(self.in_turn(addresses).as_slice()).await?;
        stream.set_nodelay(true)?;
        let stream = Stream::new(stream);
        let Some(tls) = &self.tls else { return Ok(Socket::Plain(stream)) };
        let connector = TlsConnector::from(tls.config.clone());
        let stream = connector.connect(tls.server.clone(), stream).await?;
        let chosen = stream.get_ref().1.alpn_protocol();
        // HTTP/1.1 servers need not support ALPN.
        let is_agreed = self.http_version == HttpVersion::Http1 || chosen == Some(alpn(self.http_version));
        if is_agreed { Ok(Socket::Tls(Box::new(stream))) } else { Err(io::Error::other(NoProtocol)) }
    }

    /// Starts with a different address each time, so that a name's replicas share the load, but always with one of the
    /// IP version that the system prefers.
    fn in_turn(&self, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let tried = self.tried.replace(self.tried.get().wrapping_add(1));
        let mut in_turn = addresses.to_vec();
        if let Some(first) = in_turn.chunk_by_mut(|one, next| one.is_ipv4() == next.is_ipv4()).next() {
            first.rotate_left(tried % first.len());
        }
        in_turn
    }

    /// What to do about an error, if its cause shows it.
    fn advice(&self, error: &io::Error) -> &'static str {
        let Some(cause) = error.get_ref() else { return "" };
        if cause.is::<NoProtocol>() {
            return self.other_version();
        }
        match cause.downcast_ref() {
            Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                "; to trust its authority, set `ca_file` (`--ca-file`)"
            }
            Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
                self.other_version()
            }
            _ => "",
        }
    }
}

impl Tls {
    fn new(host: &str, access: &Access) -> Result<Tls, AddressError> {
        let failed = |why: String| AddressError::Tls { host: host.to_owned(), why };
        let config = client_config(access.ca_file.as_deref(), access.http_version).map_err(failed)?;
        let server = ServerName::try_from(host.to_owned()).map_err(|error| failed(error.to_string()))?;
        Ok(Tls { config: Arc::new(config), server })
    }
}

/// `None` if the URL has no port. `Authority` itself takes a port out of range for none.
fn port(authority: &Authority) -> Result<Option<u16>, String> {
    match authority.as_str().strip_prefix(authority.host()).unwrap_or_default() {
        "" | ":" => Ok(None),
        digits => match digits[1..].parse() {
            Ok(port @ 1..) => Ok(Some(port)),
            _ => Err(format!("port {} is not between 1 and 65535", &digits[1..])),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> (String, u16, String) {
        let address = Address::of(&Access::to(url)).unwrap();
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
    fn a_port_out_of_range_is_refused() {
        for url in ["http://h:99999", "http://h:0/v1", "https://[::1]:65536"] {
            let error = Address::of(&Access::to(url)).err().unwrap().to_string();
            assert!(error.ends_with("is not between 1 and 65535"), "{error}");
        }
        assert_eq!(parsed("http://[::1]:8000/").1, 8000);
        assert_eq!(parsed("http://h:/").1, 80);
    }

    #[test]
    fn a_urls_query_is_sent_with_every_route() {
        for url in
            ["http://h/openai/v1?api-version=2026-01-01&x=1", "http://h/openai/?api-version=2026-01-01&x=1"]
        {
            let address = Address::of(&Access::to(url)).unwrap();
            let target = "/openai/v1/models?api-version=2026-01-01&x=1";
            assert_eq!(address.target("/v1/models"), target);
            assert_eq!(address.url("/v1/models"), format!("http://h{target}"));
        }
    }

    #[test]
    fn a_route_has_a_full_url() {
        for url in ["http://127.0.0.1:8000", "https://h/llm"] {
            assert_eq!(Address::of(&Access::to(url)).unwrap().url("/health"), format!("{url}/health"));
        }
    }

    #[test]
    fn a_name_is_resolved_once_and_all_addresses_are_tried() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let known = listener.local_addr().unwrap();
            let address = |url: &str| Address::of(&Access::to(url)).unwrap();
            let named = address(&format!("http://localhost:{}", known.port()));
            assert!(named.connect().await.is_ok());
            assert!(named.resolved.get().unwrap().contains(&known));
            let nowhere = address("http://nowhere.invalid");
            let error = nowhere.connect().await.err().unwrap();
            assert!(error.starts_with("failed to lookup"), "{error}");
            nowhere.resolved.set(vec!["127.0.0.1:1".parse().unwrap(), known]).unwrap();
            assert!(nowhere.connect().await.is_ok());
        });
    }

    #[test]
    fn the_addresses_of_a_name_take_turns() {
        let address = Address::of(&Access::to("http://h")).unwrap();
        let known = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "[::1]:80"].map(|ip| ip.parse().unwrap());
        let turns: Vec<Vec<SocketAddr>> = (0..4).map(|_| address.in_turn(&known)).collect();
        let [a, b, c, other] = known;
        let expected = [[a, b, c, other], [b, c, a, other], [c, a, b, other], [a, b, c, other]];
        assert_eq!(turns, expected);
        assert!(address.in_turn(&[]).is_empty());
    }

    #[test]
    fn loopback_is_this_machine() {
        let is_loopback = |url| Address::of(&Access::to(url)).unwrap().is_loopback();
        assert!(is_loopback("http://127.0.0.1:8000/v1") && is_loopback("http://localhost:80"));
        assert!(is_loopback("http://[::1]:80") && !is_loopback("https://llm.example.com/v1"));
    }

    #[test]
    fn an_invalid_url_is_rejected_with_a_reason() {
        for url in ["", "localhost:8000", "ftp://h", "http://", "http://user:secret@h/", "h"] {
            let error = Address::of(&Access::to(url)).err().map(|error| error.to_string());
            assert!(error.is_some_and(|error| error.starts_with("expected a URL such as")), "{url}");
        }
    }
}
