//! TLS on a listener: the certificate it shows may be replaced while connections live.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a listener speaks.
#[derive(Clone, Debug, Default)]
pub enum Security {
    #[default]
    Plain,
    /// TLS alone; who speaks HTTP is told so.
    Tls(Arc<Tls>),
    /// TLS to whom begins with it, HTTP to others; for the machine's own loopback.
    Either(Arc<Tls>),
}

/// A certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("reading the {what}: {problem}")]
    Pem { what: &'static str, problem: String },
    #[error("there is no certificate in the chain")]
    Empty,
    #[error("the certificate and its key do not make a pair: {0}")]
    Pair(rustls::Error),
    #[error("setting up TLS: {0}")]
    Setup(rustls::Error),
}

/// A server's side of TLS, with the certificate of the moment.
pub struct Tls {
    shown: Arc<Shown>,
    acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls(key withheld)")
    }
}

impl Tls {
    /// From PEM: the certificate with those between it and its authority, and its key.
    ///
    /// # Errors
    /// [`TlsError`]: one cannot be read, or they do not belong together.
    pub fn new(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let first = certified(chain, key, &provider)?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(first))));
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            shown,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// Shows another certificate to connections from now on.
    ///
    /// # Errors
    /// As [`Tls::new`]; the one before is shown further.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let provider = rustls::crypto::ring::default_provider();
        let next = Arc::new(certified(chain, key, &provider)?);
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> std::io::Result<TlsStream<S>> {
        self.acceptor.accept(stream).await
    }
}

fn certified(chain: &[u8], key: &[u8], provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let pem = |what| {
        move |error: rustls::pki_types::pem::Error| TlsError::Pem {
            what,
            problem: error.to_string(),
        }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(pem("certificate"))?;
    if chain.is_empty() {
        return Err(TlsError::Empty);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(pem("key"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Pair)
}

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
