//! TLS to etcd: the cluster's own authority and, where it asks for one, a certificate of the client. Nothing is
//! trusted that was not named: etcd's certificates are a cluster's private matter.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::{Error, Result};
use crate::etcd::endpoint::Endpoint;

/// Files in PEM form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificates of the authority that signed the members' certificates.
    pub authority: PathBuf,
    /// The client's certificate and its key, if the cluster asks for one.
    pub identity: Option<Identity>,
}

/// How a client shows who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, with those between it and the authority.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone)]
pub(super) struct Connector(TlsConnector);

impl Connector {
    pub(super) fn new(tls: &Tls) -> Result<Self> {
        let mut authorities = RootCertStore::empty();
        for certificate in certificates(&tls.authority)? {
            authorities
                .add(certificate)
                .map_err(|error| unusable(&tls.authority, error.to_string()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&tls.authority, error.to_string()))?
            .with_root_certificates(authorities);
        let mut config = match &tls.identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::from_pem_file(&identity.key)
                    .map_err(|error| unusable(&identity.key, error.to_string()))?;
                config
                    .with_client_auth_cert(certificates(&identity.certificate)?, key)
                    .map_err(|error| unusable(&identity.certificate, error.to_string()))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(super) async fn secure(
        &self,
        endpoint: &Endpoint,
        socket: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let name = ServerName::try_from(endpoint.host.clone()).map_err(|error| error.to_string())?;
        self.0
            .connect(name, socket)
            .await
            .map_err(|error| error.to_string())
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(unusable(path, "there is no certificate in it".into())),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(path, error.to_string())),
    }
}

fn unusable(path: &Path, detail: String) -> Error {
    Error::Etcd {
        doing: "setting up TLS",
        detail: format!("{} cannot be used: {detail}", path.display()),
    }
}
