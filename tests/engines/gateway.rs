//! A gateway in front of an engine that terminates TLS.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::common::EngineProcess;

/// One of the certificates from the client's own tests.
pub fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/client/tests/tls").join(name)
}

/// Starts a gateway that lives as long as the test, and returns its URL.
pub fn start(engine: &EngineProcess, protocols: &[&str]) -> String {
    let acceptor = TlsAcceptor::from(Arc::new(config(protocols)));
    let behind = engine.url.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                tokio::spawn(async move {
                    // If this fails, both sides see their connection close.
                    let mut client = acceptor.accept(client).await?;
                    let mut engine = TcpStream::connect(&behind).await?;
                    copy_bidirectional(&mut client, &mut engine).await
                });
            }
        });
    });
    url
}

fn config(protocols: &[&str]) -> ServerConfig {
    let provider = rustls::crypto::ring::default_provider();
    let chain = CertificateDer::pem_file_iter(certificate("server.pem")).unwrap();
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(certificate("server.key")).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
    let mut config = config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config
}
