//! TLS: which certificates to accept.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::ConfigVerifierExt;

use crate::engine::HttpVersion;

/// Servers must have a certificate from an authority in this PEM file or, without one, from an authority that the
/// system trusts. An error says what is wrong.
pub(crate) fn client_config(
    ca_file: Option<&Path>,
    http_version: HttpVersion,
) -> Result<ClientConfig, String> {
    install_provider();
    let mut config = match ca_file {
        None => ClientConfig::with_platform_verifier().map_err(|error| error.to_string())?,
        Some(file) => {
            let roots = authorities(file).map_err(|why| format!("CA file {}: {why}", file.display()))?;
            ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![alpn(http_version).to_vec()];
    Ok(config)
}

/// The ALPN name of an HTTP version (RFC 7301).
pub(crate) fn alpn(http_version: HttpVersion) -> &'static [u8] {
    match http_version {
        HttpVersion::Http1 => b"http/1.1",
        HttpVersion::Http2 => b"h2",
    }
}

/// Must be called before anything that may use TLS is created. Another part of the process may have installed a
/// provider already; any provider will do.
pub(crate) fn install_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn authorities(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let text = std::fs::read(file).map_err(|error| error.to_string())?;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| format!("expected PEM: {error}"))?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        Err("expected certificates as PEM (-----BEGIN CERTIFICATE-----), found none".into())
    } else {
        Ok(roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, text).unwrap();
        let why = client_config(Some(&file), HttpVersion::Http1).unwrap_err();
        assert!(why.starts_with(&format!("CA file {}: ", file.display())), "{why}");
        why
    }

    #[test]
    fn a_file_without_a_certificate_is_rejected_with_a_reason() {
        assert!(refused("").contains("found none"));
        assert!(
            refused("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").contains("expected PEM")
        );
        assert!(
            refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").contains("certificate")
        );
        let missing = client_config(Some(Path::new("/nowhere/ca.pem")), HttpVersion::Http1).unwrap_err();
        assert!(missing.contains("/nowhere/ca.pem") && missing.contains("No such file"), "{missing}");
    }
}
