//! The store's calls as etcd's.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::api::{
    KeyValue, LeaseId, LeaseStatus, RangeRequest, RangeResponse, Revision, Store, Txn, TxnResponse, Watch,
};
use crate::error::{Error, Result};
use crate::etcd::client::{Again, Failed};
use crate::etcd::feed::{Ended, Feed};
use crate::etcd::grpc::{self, Method};
use crate::etcd::message;
use crate::etcd::wire::Message;
use crate::etcd::{Etcd, Shared, hub, malformed};
use crate::limits;
use crate::range::KeyRange;

/// A read of more keys than this is made in several calls.
const PAGE: usize = 1000;
/// How often a read in several calls begins again when compaction overtakes it.
const RESTARTS: usize = 4;
/// How long etcd may take to tell through which revision history is gone.
const TELL: Duration = Duration::from_secs(2);

const COMPACTED: &str = "required revision has been compacted";
const FUTURE: &str = "required revision is a future revision";
pub(super) const NO_LEASE: &str = "requested lease not found";

impl Shared {
    pub(super) async fn read(&self, request: &RangeRequest) -> Result<RangeResponse> {
        let doing = "reading";
        // Of a range without keys, etcd is still asked whether it has that revision.
        let message = message::range(request, &self.base)
            .unwrap_or_else(|| message::nothing_at(request.revision, &self.base));
        match self
            .client
            .call(grpc::RANGE, message.finish(), Again::Harmless)
            .await
        {
            Ok(message) => {
                message::range_response(message, request, &self.base).map_err(|error| malformed(doing, error))
            }
            Err(failed) => Err(self.history_error(failed, doing, request.revision).await),
        }
    }

    /// A read in pages, all as of one revision.
    async fn read_pages(&self, request: &RangeRequest) -> Result<RangeResponse> {
        let mut whole = message::empty(Revision(0));
        let mut page = request.clone();
        loop {
            let left = request.limit.map_or(PAGE, |limit| limit - whole.kvs.len());
            page.limit = Some(left.min(PAGE));
            let part = self.read(&page).await?;
            whole.revision = whole.revision.max(part.revision);
            whole.more = part.more;
            page.revision = page.revision.or(Some(part.revision));
            whole.kvs.extend(part.kvs);
            whole.count = whole.kvs.len();
            if !part.more || left <= PAGE && request.limit.is_some() {
                return Ok(whole);
            }
            let Some(last) = whole.kvs.last() else {
                return Ok(whole);
            };
            page.range = request.range.after(&last.key);
        }
    }

    /// What a refusal means for a call that named a revision.
    async fn history_error(&self, failed: Failed, doing: &'static str, wanted: Option<Revision>) -> Error {
        match (&failed, wanted) {
            (Failed::Refused { status, .. }, Some(wanted)) if status.message.contains(COMPACTED) => {
                Error::Compacted {
                    wanted,
                    compacted: self.compacted_through(wanted).await,
                }
            }
            (Failed::Refused { status, .. }, Some(wanted)) if status.message.contains(FUTURE) => {
                match self.current_revision().await {
                    Ok(current) => Error::FutureRevision { wanted, current },
                    Err(error) => error,
                }
            }
            _ => failed.into_error(doing),
        }
    }

    /// Through which revision history is gone, now that `wanted` is known to be; etcd tells only watches. If it
    /// does not in time, at least what is known.
    async fn compacted_through(&self, wanted: Revision) -> Revision {
        let asked = async {
            let mut feed = Feed::apart(&self.client, self.base.clone(), Revision(0)).await?;
            loop {
                feed.next().await?;
            }
        };
        let told: Result<Result<std::convert::Infallible, Ended>, _> =
            tokio::time::timeout(TELL, asked).await;
        match told {
            Ok(Err(Ended::Compacted(compacted))) => compacted,
            _ => wanted,
        }
    }

    pub(super) async fn lease_call(
        &self,
        method: Method,
        request: Message,
        doing: &'static str,
    ) -> Result<message::Lease> {
        let answered = self.client.call(method, request.finish(), Again::Harmless).await;
        let message = answered.map_err(|failed| failed.into_error(doing))?;
        message::lease(message).map_err(|error| malformed(doing, error))
    }

    pub(super) async fn lease_times(&self, lease: LeaseId, keys: bool) -> Result<message::Lease> {
        let request = Message::new().number(1, lease.0).flag(2, keys);
        match self
            .lease_call(grpc::LEASE_STATUS, request, "asking for a lease")
            .await
        {
            Ok(found) if found.ttl > 0 => Ok(found),
            Ok(_) => Err(Error::LeaseNotFound { lease }),
            Err(Error::Etcd { detail, .. }) if detail.contains(NO_LEASE) => {
                Err(Error::LeaseNotFound { lease })
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Store for Etcd {
    async fn get(&self, key: &[u8]) -> Result<Option<KeyValue>> {
        let found = self.shared.read(&RangeRequest::new(KeyRange::key(key))).await?;
        Ok(found.kvs.into_iter().next())
    }

    async fn range(&self, request: RangeRequest) -> Result<RangeResponse> {
        if request.count_only || request.limit.is_some_and(|limit| limit <= PAGE) {
            return self.shared.read(&request).await;
        }
        let mut restarts = 0;
        loop {
            match self.shared.read_pages(&request).await {
                Err(Error::Compacted { .. }) if request.revision.is_none() && restarts < RESTARTS => {
                    restarts += 1
                }
                done => return done,
            }
        }
    }

    async fn commit(&self, txn: Txn) -> Result<TxnResponse> {
        self.shared.commit(&txn).await
    }

    async fn watch(&self, range: KeyRange, from: Option<Revision>) -> Result<Watch> {
        let from = match from {
            None => self.shared.current_revision().await?.next(),
            Some(wanted @ Revision(0)) => {
                return Err(Error::Compacted {
                    wanted,
                    compacted: wanted,
                });
            }
            Some(wanted) => {
                // What may be read just before may be watched from there on.
                let before = RangeRequest::new(KeyRange::between("", "")).at(Revision(wanted.0 - 1));
                match self.shared.read(&before).await {
                    Ok(_) | Err(Error::FutureRevision { .. }) => wanted.max(Revision::FIRST.next()),
                    Err(Error::Compacted { compacted, .. }) => {
                        return Err(Error::Compacted { wanted, compacted });
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        Ok(hub::follow(&self.shared, range, from))
    }

    async fn compact(&self, revision: Revision) -> Result<()> {
        if revision.0 == 0 {
            return Err(Error::Compacted {
                wanted: revision,
                compacted: revision,
            });
        }
        let request = Message::new().number(1, self.shared.base.theirs(revision));
        match self
            .shared
            .client
            .call(grpc::COMPACT, request.finish(), Again::Harmless)
            .await
        {
            Ok(_) => Ok(()),
            // An earlier try was served after all.
            Err(Failed::Refused { status, doubt: true }) if status.message.contains(COMPACTED) => Ok(()),
            Err(failed) => Err(self
                .shared
                .history_error(failed, "compacting", Some(revision))
                .await),
        }
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseStatus> {
        let doing = "granting a lease";
        let ttl = limits::lease_ttl(ttl)?;
        // A try that was served without an answer leaves a lease that nobody keeps alive: it runs out.
        let request = Message::new().number(1, ttl.as_secs());
        let granted = self.shared.lease_call(grpc::LEASE_GRANT, request, doing).await?;
        if !granted.error.is_empty() || granted.id == 0 {
            return Err(Error::Etcd {
                doing,
                detail: granted.error,
            });
        }
        let ttl = message::seconds(granted.ttl);
        Ok(LeaseStatus {
            id: LeaseId(granted.id),
            ttl,
            remaining: ttl,
        })
    }

    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<LeaseStatus> {
        let doing = "keeping a lease alive";
        let request = Message::new().number(1, lease.0);
        let kept = self
            .shared
            .lease_call(grpc::LEASE_KEEP_ALIVE, request, doing)
            .await?;
        if kept.ttl <= 0 {
            return Err(Error::LeaseNotFound { lease });
        }
        let ttl = message::seconds(kept.ttl);
        Ok(LeaseStatus {
            id: lease,
            ttl,
            remaining: ttl,
        })
    }

    async fn lease_revoke(&self, lease: LeaseId) -> Result<Revision> {
        let doing = "ending a lease";
        let request = Message::new().number(1, lease.0).finish();
        match self
            .shared
            .client
            .call(grpc::LEASE_REVOKE, request, Again::Harmless)
            .await
        {
            Ok(message) => {
                let revision = message::header_revision(message).map_err(|error| malformed(doing, error))?;
                Ok(self.shared.base.ours(revision))
            }
            Err(Failed::Refused { status, doubt }) if status.message.contains(NO_LEASE) => {
                if doubt {
                    return self.shared.current_revision().await; // an earlier try was served after all
                }
                Err(Error::LeaseNotFound { lease })
            }
            Err(failed) => Err(failed.into_error(doing)),
        }
    }

    async fn lease_status(&self, lease: LeaseId) -> Result<LeaseStatus> {
        let found = self.shared.lease_times(lease, false).await?;
        Ok(LeaseStatus {
            id: lease,
            ttl: message::seconds(found.granted),
            remaining: message::seconds(found.ttl),
        })
    }

    async fn lease_keys(&self, lease: LeaseId) -> Result<Vec<Bytes>> {
        let theirs = self.shared.lease_times(lease, true).await?.keys;
        let mut keys: Vec<Bytes> = theirs
            .iter()
            .filter_map(|key| self.shared.base.bare(key))
            .collect();
        keys.sort_unstable();
        Ok(keys)
    }

    async fn leases(&self) -> Result<Vec<LeaseId>> {
        let doing = "listing leases";
        let answered = self
            .shared
            .client
            .call(grpc::LEASES, Bytes::new(), Again::Harmless)
            .await;
        let message = answered.map_err(|failed| failed.into_error(doing))?;
        message::leases(message).map_err(|error| malformed(doing, error))
    }

    async fn revision(&self) -> Result<Revision> {
        self.shared.current_revision().await
    }
}
