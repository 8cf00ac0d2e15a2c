//! Keeps the state in memory level with the store: loads it once, then follows the watch. What waits for a
//! revision is woken when the state has it and every node's map shows it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use roadstead_base::Timestamp;
use roadstead_store::{
    Error, Event, Key, KeyRange, KeyValue, RangeRequest, Result, Revision, Store, Watch, WatchBatch,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Fact, World};
use crate::keys::TABLE_PREFIX;
use crate::maps::Maps;

/// Records read at a time.
const PAGE: usize = 1000;
/// Batches of the watch taken together before node maps are made anew.
const BURST: usize = 256;
/// After a failed watch, the waits before trying again: doubling between these.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// The mark of a store that stopped: no revision gets there.
const STOPPED: Revision = Revision(u64::MAX);

/// The state and what hangs on it. Locks are taken in the order `maps`, `world`.
pub(crate) struct Shared {
    /// As in [`World`].
    began: u64,
    world: RwLock<World>,
    maps: Mutex<Maps>,
    applied: watch::Sender<Revision>,
}

/// The state, being kept level. Dropping it stops that.
pub(crate) struct Feed {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::ops::Deref for Feed {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Feed {
    /// Loads the state; it is there when this returns.
    pub(crate) async fn start(store: &Arc<dyn Store>, began: Timestamp) -> Result<Self> {
        let shared = Arc::new(Shared {
            began: u64::try_from(began.0).unwrap_or_default(),
            world: RwLock::default(),
            maps: Mutex::default(),
            applied: watch::Sender::new(Revision(0)),
        });
        let watch = shared.load(store.as_ref()).await?;
        let task = tokio::spawn(follow(Arc::clone(&shared), Arc::downgrade(store), watch));
        Ok(Self { shared, task })
    }
}

impl Shared {
    /// The state as it is now. Not to be held across an await.
    pub(crate) fn world(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the state has everything through a revision.
    pub(crate) async fn wait_for(&self, revision: Revision) -> Result<()> {
        if *self.applied.borrow() == STOPPED {
            return Err(Error::Stopped);
        }
        let mut applied = self.applied.subscribe();
        match applied.wait_for(|applied| *applied >= revision).await {
            Ok(applied) if *applied != STOPPED => Ok(()),
            _ => Err(Error::Stopped),
        }
    }

    pub(crate) fn subscribe(&self, instance: &str) -> roadstead_dispatch::MapReceiver {
        let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        maps.subscribe(&self.world(), instance)
    }

    /// How many nodes listen, and how many VPCs' maps are kept for them.
    #[cfg(test)]
    pub(crate) fn listeners(&self) -> (usize, usize) {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner).sizes()
    }

    /// Takes the present state over and begins to watch behind it.
    async fn load(&self, store: &dyn Store) -> Result<Watch> {
        let (records, revision) = everything(store).await?;
        let mut world = World {
            began: self.began,
            ..World::default()
        };
        let mut touched = BTreeSet::new();
        for kv in records {
            world.apply(
                Fact {
                    key: Key::from_bytes(kv.key.clone()),
                    now: Some(kv),
                },
                &mut touched,
            );
        }
        world.revision = revision;
        {
            let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
            let mut present = self.world.write().unwrap_or_else(PoisonError::into_inner);
            *present = world;
            drop(present);
            maps.rebuild(&self.world());
        }
        self.applied.send_replace(revision);
        store.watch(KeyRange::all(), Some(revision.next())).await
    }

    fn take(&self, batches: Vec<WatchBatch>) {
        let mut touched = BTreeSet::new();
        let Some(revision) = batches.last().map(|batch| batch.revision) else {
            return;
        };
        {
            let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
            {
                let mut world = self.world.write().unwrap_or_else(PoisonError::into_inner);
                for event in batches.into_iter().flat_map(|batch| batch.events) {
                    let key = Key::from_bytes(event.key().clone());
                    let now = match event {
                        Event::Put { current, .. } => Some(current),
                        Event::Delete { .. } => None,
                    };
                    world.apply(Fact { key, now }, &mut touched);
                }
                world.revision = world.revision.max(revision);
            }
            if !touched.is_empty() {
                maps.publish(&self.world(), &touched);
            }
        }
        self.applied.send_if_modified(|applied| {
            let newer = *applied < revision;
            *applied = revision.max(*applied);
            newer
        });
    }
}

/// Follows until the store stops.
async fn follow(shared: Arc<Shared>, store: Weak<dyn Store>, first: Watch) {
    let (mut watch, mut wait) = (Some(first), RETRY.0);
    loop {
        let error = match &mut watch {
            Some(running) => match running.next().await {
                Some(Ok(batch)) => {
                    let (batches, error) = burst(running, batch);
                    shared.take(batches);
                    wait = RETRY.0;
                    match error {
                        None => continue,
                        Some(error) => error,
                    }
                }
                Some(Err(error)) => error,
                None => break,
            },
            None => {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY.1);
                let Some(store) = store.upgrade() else { break };
                match shared.load(store.as_ref()).await {
                    Ok(running) => {
                        watch = Some(running);
                        continue;
                    }
                    Err(error) => error,
                }
            }
        };
        if matches!(error, Error::Stopped) {
            break;
        }
        tracing::warn!(%error, "EC2 lost its watch of the store and reads everything again");
        watch = None;
    }
    shared.applied.send_replace(STOPPED);
}

/// The batch and what else is ready.
fn burst(watch: &mut Watch, first: WatchBatch) -> (Vec<WatchBatch>, Option<Error>) {
    let mut batches = vec![first];
    while batches.len() < BURST {
        match watch.next().now_or_never() {
            Some(Some(Ok(batch))) => batches.push(batch),
            Some(Some(Err(error))) => return (batches, Some(error)),
            Some(None) => return (batches, Some(Error::Stopped)),
            None => break,
        }
    }
    (batches, None)
}

/// All records of this service in every account and region, as of one revision. They do not lie together, so
/// this steps from one account and region to the next.
async fn everything(store: &dyn Store) -> Result<(Vec<KeyValue>, Revision)> {
    /// How often reading begins again when compaction overtakes it.
    const RESTARTS: usize = 4;
    for _ in 0..RESTARTS {
        match partitions(store).await {
            Err(Error::Compacted { .. }) => {}
            done => return done,
        }
    }
    partitions(store).await
}

async fn partitions(store: &dyn Store) -> Result<(Vec<KeyValue>, Revision)> {
    let at = store.revision().await?;
    let (mut records, mut rest) = (Vec::new(), KeyRange::all());
    loop {
        let next = store
            .range(RangeRequest::new(rest.clone()).limit(1).keys_only().at(at))
            .await?;
        let Some(kv) = next.kvs.into_iter().next() else {
            return Ok((records, at));
        };
        let mut slashes = kv
            .key
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .map(|(index, _)| index);
        let Some(end) = slashes.nth(1) else {
            rest = rest.after(&kv.key);
            continue;
        };
        let partition = kv.key.slice(..=end);
        let mut ours = KeyRange::prefix([partition.as_ref(), TABLE_PREFIX.as_bytes()].concat());
        loop {
            let page = store
                .range(RangeRequest::new(ours.clone()).limit(PAGE).at(at))
                .await?;
            let last = page.kvs.last().map(|kv| kv.key.clone());
            records.extend(page.kvs);
            match last {
                Some(last) if page.more => ours = ours.after(&last),
                _ => break,
            }
        }
        // No key of the partition begins with what follows the slash.
        let Some(behind) = KeyRange::prefix(&partition).end else {
            return Ok((records, at));
        };
        rest = KeyRange {
            start: behind,
            end: None,
        };
    }
}
