//! The store of many machines: etcd 3.4 or later. Its semantics are the store's own, so this is translation and
//! patience: calls are tried on other members while that is safe, a write whose answer was lost is looked for, and
//! reported as unknown if it cannot be found out, and watches go on where they were after any loss of connection
//! or leader.
//!
//! The cluster, or a prefix in it, belongs to one Roadstead alone. The first to connect takes it while it is empty by
//! writing a key that no read shows; the revision of that is the store's first. Within a shared cluster revisions
//! count others' changes too, and history is compacted for all.

mod base;
mod claim;
mod client;
mod commit;
mod endpoint;
mod feed;
mod grpc;
mod guard;
mod holder;
mod hub;
mod message;
mod store;
mod tls;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::api::Revision;
use crate::error::{Error, Result};
use base::Base;
use client::{Again, Client};
use grpc::{Connection, Fault};
use hub::Hub;

pub use endpoint::{BadEndpoints, Endpoints};
pub use holder::{Held, Holder};
pub use tls::{Identity, Tls};

/// How etcd is used.
#[derive(Debug, Clone)]
pub struct Options {
    /// The bound on every call, with all its tries on all members.
    pub timeout: Duration,
    /// History is compacted automatically to this many revisions, within an eighth more; none leaves that to
    /// etcd's own settings.
    pub keep_revisions: Option<u64>,
    /// Needed for `etcds://`, refused otherwise.
    pub tls: Option<Tls>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            keep_revisions: Some(50_000),
            tls: None,
        }
    }
}

/// A store in an etcd cluster. Works on the runtime that it was connected on; dropping it ends its watches.
pub struct Etcd {
    shared: Arc<Shared>,
    feeding: JoinHandle<()>,
}

pub(crate) struct Shared {
    client: Arc<Client>,
    base: Base,
    hub: Hub,
    slots: commit::Slots,
    keep_revisions: Option<u64>,
    /// History through this revision was given up by this process.
    compacted: AtomicU64,
}

impl Etcd {
    /// Connects to a cluster, and takes it if it is empty.
    ///
    /// # Errors
    /// `Unavailable` if no member with a leader answers in time, `NewerFormat` if a newer release wrote to it,
    /// `Etcd` if it holds something else's keys, is too old, or TLS is not set up as the endpoints want it.
    pub async fn connect(endpoints: Endpoints, options: Options) -> Result<Self> {
        let tls = match (&options.tls, endpoints.secure) {
            (Some(tls), true) => Some(tls::Connector::new(tls)?),
            (None, false) => None,
            (Some(_), false) => return Err(misused("certificates were given for etcd:// (without TLS)")),
            (None, true) => return Err(misused("etcds:// wants the certificate of its authority")),
        };
        let client = Arc::new(Client::new(endpoints, tls, options.timeout));
        let (base, head) = claim::claim(&client).await?;
        let shared = Arc::new(Shared {
            client,
            base,
            hub: Hub::new(head),
            slots: commit::Slots::new(),
            keep_revisions: options.keep_revisions,
            compacted: AtomicU64::new(0),
        });
        let feeding = tokio::spawn(hub::keep_fed(Arc::clone(&shared)));
        Ok(Self { shared, feeding })
    }
}

fn misused(detail: &str) -> Error {
    Error::Etcd {
        doing: "the way it is to be reached",
        detail: detail.to_owned(),
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.feeding.abort();
    }
}

impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Etcd")
            .field("endpoints", &self.shared.client.endpoints().to_string())
            .field("head", &self.shared.hub.head())
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// The revision of everything that was acknowledged before this call.
    async fn current_revision(&self) -> Result<Revision> {
        let doing = "reading the revision";
        let request = message::nothing_at(None, &self.base).finish();
        let answered = self.client.call(grpc::RANGE, request, Again::Harmless).await;
        let message = answered.map_err(|failed| failed.into_error(doing))?;
        let revision = message::header_revision(message).map_err(|error| malformed(doing, error))?;
        Ok(self.base.ours(revision))
    }

    /// The same, over this one connection and tried once.
    async fn revision_over(&self, connection: &Connection) -> Result<Revision, Fault> {
        let request = message::nothing_at(None, &self.base).finish();
        let message = connection.call(grpc::RANGE, &request).await?;
        let revision = message::header_revision(message).map_err(|error| Fault::Lost(error.to_string()))?;
        Ok(self.base.ours(revision))
    }

    /// Begins a compaction if history has grown beyond what is to be kept.
    fn compact_old(&self) {
        let Some(keep) = self.keep_revisions else { return };
        let head = self.hub.head().0;
        let old = head.saturating_sub(keep);
        // Only the one task that feeds the hub comes here. What fails is made up for by the next compaction.
        if old <= self.compacted.load(Ordering::Relaxed) + keep / 8 {
            return;
        }
        self.compacted.store(old, Ordering::Relaxed);
        let (client, theirs) = (Arc::clone(&self.client), self.base.theirs(Revision(old)));
        let compaction = async move {
            let request = wire::Message::new().number(1, theirs).finish();
            if let Err(client::Failed::Unavailable(problem) | client::Failed::Unknown(problem)) =
                client.call(grpc::COMPACT, request, Again::Harmless).await
            {
                tracing::warn!(problem, "history could not be compacted; it is tried again later");
            }
        };
        tokio::spawn(compaction);
    }
}

/// An answer that is none.
fn malformed(doing: &'static str, error: wire::Malformed) -> Error {
    Error::Etcd {
        doing,
        detail: error.to_string(),
    }
}
