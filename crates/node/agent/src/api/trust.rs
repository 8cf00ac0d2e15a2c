//! Whom the agent believes to be its control plane, over TLS: the authorities that the operator named, or else
//! the machine's. Calls and the channel share it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::client::Endpoint;

/// The authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("the certificates of {}: {problem}", path.display())]
    File { path: PathBuf, problem: String },
    #[error("this machine trusts no certificate authority: name the control plane's with --ca")]
    Nobody,
    #[error("certificates were named with --ca, but the control plane's address is plain http")]
    NotTls,
}

/// Authorities.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trust(..)")
    }
}

impl Default for Trust {
    /// In nobody: enough for plain HTTP.
    fn default() -> Self {
        Self::in_roots(RootCertStore::empty())
    }
}

impl Trust {
    /// What this address needs.
    ///
    /// # Errors
    /// [`TrustError`]: the file cannot be read or has no certificate, or nobody would be trusted.
    pub fn of(endpoint: &Endpoint, ca: Option<&Path>) -> Result<Self, TrustError> {
        if !endpoint.tls {
            return if ca.is_some() {
                Err(TrustError::NotTls)
            } else {
                Ok(Self::default())
            };
        }
        let mut roots = RootCertStore::empty();
        match ca {
            Some(path) => {
                let bad = |problem: String| TrustError::File {
                    path: path.to_owned(),
                    problem,
                };
                let read = CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))?;
                for certificate in read {
                    let certificate = certificate.map_err(|error| bad(error.to_string()))?;
                    roots.add(certificate).map_err(|error| bad(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(bad("there is none in the file".to_owned()));
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err(TrustError::Nobody);
                }
            }
        }
        Ok(Self::in_roots(roots))
    }

    fn in_roots(roots: RootCertStore) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        #[allow(clippy::expect_used)] // ring has the default versions
        let builder = builder.expect("ring supports the default protocol versions");
        Self(Arc::new(
            builder.with_root_certificates(roots).with_no_client_auth(),
        ))
    }

    pub(super) fn config(&self) -> ClientConfig {
        (*self.0).clone()
    }

    /// Secures a stream to a host.
    ///
    /// # Errors
    /// The handshake failed, as when the host's certificate is not of an authority that is trusted.
    pub(crate) async fn secure(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(self.0.clone());
        connector
            .connect(name, stream)
            .await
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_named_where_they_are_needed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        let secure = Endpoint::parse("https://control.example").expect("an address");
        let plain = Endpoint::parse("http://127.0.0.1:4566").expect("an address");
        assert!(Trust::of(&plain, None).is_ok());
        for (endpoint, content, wanted) in [
            (&secure, None, "ca.pem"),
            (&secure, Some(""), "there is none"),
            (
                &secure,
                Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                "ca.pem",
            ),
            (&plain, Some(""), "plain http"),
        ] {
            if let Some(content) = content {
                std::fs::write(&file, content).expect("written");
            }
            let error = Trust::of(endpoint, Some(&file)).expect_err("refused");
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }
}
