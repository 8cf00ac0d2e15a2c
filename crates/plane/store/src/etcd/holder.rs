//! One server at a time. Two servers that reconcile the same records would undo each other's work, so a server
//! holds the store while it runs: by a key that goes with a lease, which a killed server leaves to run out. A
//! server that was away for longer than its lease looks whether another took its place, and says so.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::api::{LeaseId, RangeRequest};
use crate::error::{Error, Result};
use crate::etcd::base::Base;
use crate::etcd::client::Again;
use crate::etcd::guard::{self, Guarded};
use crate::etcd::message;
use crate::etcd::wire::Message;
use crate::etcd::{Etcd, Shared, grpc, malformed};
use crate::range::KeyRange;

/// How long a killed server holds the store. It says four times in this while that it lives.
const TTL: Duration = Duration::from_secs(8);
/// Whoever waits for it looks this often, and gives up a while after the lease should have run out.
const LOOK: Duration = Duration::from_millis(500);
const MARGIN: Duration = Duration::from_secs(4);
const KEY: &str = "holder";
const DOING: &str = "holding the store";
/// How often a holder that changes meanwhile is looked at again.
const TRIES: usize = 4;
/// How many slots are removed in one transaction, and read at once.
const SLOTS: usize = 60;

/// Who works on a store. The same instance on the same host takes over from itself at once: its data folder lets
/// only one process live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub instance: String,
    pub host: String,
    pub process: u32,
}

impl Holder {
    fn is(&self, other: &Holder) -> bool {
        self.instance == other.instance && self.host == other.host
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "instance {} (process {} on {})",
            self.instance, self.process, self.host
        )
    }
}

/// A store that is held, until this is released or dropped; after a drop its lease runs out.
pub struct Held {
    shared: Arc<Shared>,
    lease: watch::Receiver<LeaseId>,
    lost: watch::Receiver<Option<Holder>>,
    keeping: JoinHandle<()>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("lease", &*self.lease.borrow())
            .finish_non_exhaustive()
    }
}

impl Held {
    /// Waits until another server has taken the store because this one did not reach it for too long; never ends
    /// otherwise.
    pub async fn lost(&mut self) -> Holder {
        if let Ok(lost) = self.lost.wait_for(Option::is_some).await
            && let Some(holder) = lost.clone()
        {
            return holder;
        }
        std::future::pending().await
    }

    /// Lets the next server have it at once.
    ///
    /// # Errors
    /// etcd cannot be reached: the lease runs out by itself.
    pub async fn release(self) -> Result<()> {
        self.keeping.abort();
        let lease = *self.lease.borrow();
        self.shared.end_lease(lease).await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

enum Taken {
    Mine(LeaseId),
    /// And what is left of the other's lease.
    Others(Holder, Duration),
}

impl Etcd {
    /// Takes the store for this server. One that was killed is waited for; of one that lives it is said who.
    ///
    /// # Errors
    /// `Held` if another server works on it, or what etcd said.
    pub async fn hold(&self, me: Holder) -> Result<Held> {
        let (begin, mut least) = (Instant::now(), Duration::MAX);
        let lease = loop {
            match self.shared.take(&me).await? {
                Taken::Mine(lease) => break lease,
                Taken::Others(holder, left) => {
                    // Who gets time added lives.
                    if left > least || begin.elapsed() > TTL + MARGIN {
                        return Err(Error::Held {
                            place: self.shared.client.endpoints().to_string(),
                            holder: holder.to_string(),
                        });
                    }
                    if least == Duration::MAX {
                        tracing::info!(%holder, "the store is held; it is waited for in case that server is dead");
                    }
                    least = left;
                    sleep(LOOK).await;
                }
            }
        };
        self.shared.tidy_slots().await;
        let (told, lease) = watch::channel(lease);
        let (lose, lost) = watch::channel(None);
        let keeping = tokio::spawn(keep(Arc::clone(&self.shared), me, told, lose));
        Ok(Held {
            shared: Arc::clone(&self.shared),
            lease,
            lost,
            keeping,
        })
    }
}

/// Says again and again that this server lives.
async fn keep(
    shared: Arc<Shared>,
    me: Holder,
    lease: watch::Sender<LeaseId>,
    lost: watch::Sender<Option<Holder>>,
) {
    loop {
        sleep(TTL / 4).await;
        let present = *lease.borrow();
        let request = Message::new().number(1, present.0);
        match shared.lease_call(grpc::LEASE_KEEP_ALIVE, request, DOING).await {
            Ok(kept) if kept.ttl > 0 => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "etcd was not told that this server lives; it is tried again");
                continue;
            }
        }
        match shared.take(&me).await {
            Ok(Taken::Mine(new)) => {
                tracing::warn!("the store was not reached for a while, and is held again");
                lease.send_replace(new);
            }
            Ok(Taken::Others(holder, _)) => {
                lost.send_replace(Some(holder));
                return;
            }
            Err(error) => tracing::warn!(%error, "the store could not be held again yet"),
        }
    }
}

impl Shared {
    async fn take(&self, me: &Holder) -> Result<Taken> {
        let key = self.base.own(KEY);
        let value = serde_json::to_vec(me).map_err(|source| Error::Encode {
            key: KEY.into(),
            source: Arc::new(source),
        })?;
        let mut lease = None;
        for _ in 0..TRIES {
            let found = self.read_own(&key, None, 1).await?;
            let revision = match found.first() {
                None => 0,
                Some(kv) => {
                    let holder: Holder = serde_json::from_slice(&kv.value)
                        .map_err(|error| Error::corrupt("key of the holder", error.to_string()))?;
                    if !holder.is(me) {
                        self.forget(lease).await;
                        let left = match kv.lease {
                            Some(lease) => self.lease_times(lease, false).await,
                            None => Ok(message::Lease::default()),
                        };
                        let left = left.map_or(Duration::ZERO, |lease| message::seconds(lease.ttl));
                        return Ok(Taken::Others(holder, left));
                    }
                    kv.mod_revision.0
                }
            };
            let mine = match lease {
                Some(lease) => lease,
                None => *lease.insert(self.grant().await?),
            };
            let step = guard::guard(
                &key,
                revision,
                guard::put_leased(&key, &value, mine),
                guard::get_raw(&key),
            );
            // Twice is as good as once: the second finds itself, and looks again.
            let answer = self.client.call(grpc::TXN, step.finish(), Again::Harmless).await;
            let answer = answer.map_err(|failed| failed.into_error(DOING))?;
            match guard::fenced_response(answer, &Base::raw()).map_err(|error| malformed(DOING, error))? {
                Guarded::Served(_) => return Ok(Taken::Mine(mine)),
                Guarded::Stale { .. } => {}
            }
        }
        self.forget(lease).await;
        Err(Error::Contended {
            key: KEY.into(),
            tries: TRIES,
        })
    }

    async fn grant(&self) -> Result<LeaseId> {
        let request = Message::new().number(1, TTL.as_secs());
        let granted = self.lease_call(grpc::LEASE_GRANT, request, DOING).await?;
        Ok(LeaseId(granted.id))
    }

    /// Ends a lease that was not used; if that fails it runs out.
    async fn forget(&self, lease: Option<LeaseId>) {
        if let Some(lease) = lease
            && let Err(error) = self.end_lease(lease).await
        {
            tracing::debug!(%error, "an unused lease runs out by itself");
        }
    }

    async fn end_lease(&self, lease: LeaseId) -> Result<()> {
        let request = Message::new().number(1, lease.0).finish();
        let ended = self
            .client
            .call(grpc::LEASE_REVOKE, request, Again::Harmless)
            .await;
        ended.map(|_| ()).map_err(|failed| failed.into_error(DOING))
    }

    /// The backend's own keys from one on, as etcd has them.
    async fn read_own(&self, from: &[u8], end: Option<&[u8]>, limit: usize) -> Result<Vec<crate::KeyValue>> {
        let request = Message::new()
            .bytes(1, from)
            .bytes(2, end.unwrap_or_default())
            .number(3, limit as u64);
        let answer = self
            .client
            .call(grpc::RANGE, request.finish(), Again::Harmless)
            .await
            .map_err(|failed| failed.into_error(DOING))?;
        let all = RangeRequest::new(KeyRange::all());
        let found =
            message::range_response(answer, &all, &Base::raw()).map_err(|error| malformed(DOING, error))?;
        Ok(found.kvs)
    }

    /// Removes the slots of servers that are no more, so that restarts leave nothing behind. One kind stays: a
    /// first use that was fenced off, since a write that stands still somewhere waits for its absence.
    async fn tidy_slots(&self) {
        if let Err(error) = self.try_tidy_slots().await {
            tracing::warn!(%error, "slots of earlier servers stay for now");
        }
    }

    async fn try_tidy_slots(&self) -> Result<()> {
        let (mut from, end) = self.base.own_below("slot/");
        loop {
            let found = self.read_own(&from, Some(&end), SLOTS).await?;
            let Some(last) = found.last() else { return Ok(()) };
            from = [&last.key[..], b"\0"].concat().into();
            let old: Vec<_> = found
                .iter()
                .filter(|kv| !self.slots.owns(&kv.key) && !crate::etcd::commit::fences_first_use(kv))
                .collect();
            if old.is_empty() {
                continue;
            }
            let txn = Message::new()
                .messages(
                    1,
                    old.iter().map(|kv| guard::unchanged(&kv.key, kv.mod_revision.0)),
                )
                .messages(2, old.iter().map(|kv| guard::delete_raw(&kv.key)));
            let done = self.client.call(grpc::TXN, txn.finish(), Again::Harmless).await;
            done.map_err(|failed| failed.into_error(DOING))?;
        }
    }
}
