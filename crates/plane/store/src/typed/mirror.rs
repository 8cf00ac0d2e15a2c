//! A table in memory, kept up to date by a watch. Describe calls and reconcilers read this instead of the
//! store: a snapshot costs a pointer, however large the table, and never waits for a disk.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use rpds::RedBlackTreeMapSync;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use crate::api::{Event, KeyValue, Revision, Store, Watch, WatchBatch};
use crate::error::{Error, Result};
use crate::range::KeyRange;
use crate::typed::key::Key;
use crate::typed::table::{self, Entry, Table};

/// A listener that falls further behind than this is told that it missed something, instead of what.
const BACKLOG: usize = 4096;
/// How long whoever waits for a revision waits.
const SHOW: Duration = Duration::from_secs(10);
/// After a failed watch, the waits before trying again: doubling between these.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A live copy of the records of a table. Dropping it ends its task.
pub struct Mirror<T> {
    shared: Arc<Shared<T>>,
    task: JoinHandle<()>,
}

struct Shared<T> {
    state: RwLock<Snapshot<T>>,
    changes: broadcast::Sender<Arc<Changed<T>>>,
    head: watch::Sender<Revision>,
}

/// The records as of one revision. Cheap to clone; never changes.
pub struct Snapshot<T> {
    entries: RedBlackTreeMapSync<Key, Arc<Entry<T>>>,
    revision: Revision,
}

/// A record that came, changed, or went.
#[derive(Debug)]
pub struct Changed<T> {
    pub key: Key,
    /// None: it is new.
    pub before: Option<Arc<Entry<T>>>,
    /// None: it is gone.
    pub after: Option<Arc<Entry<T>>>,
}

/// What a listener hears.
#[derive(Debug)]
pub enum Told<T> {
    Changed(Arc<Changed<T>>),
    /// The listener fell too far behind: look at everything.
    Missed,
}

/// A listener on a mirror.
pub struct Changes<T>(broadcast::Receiver<Arc<Changed<T>>>);

impl<T: Send + Sync + 'static> Changes<T> {
    /// Waits for the next change. The mirror shows it already. None: the mirror stopped.
    pub async fn next(&mut self) -> Option<Told<T>> {
        match self.0.recv().await {
            Ok(changed) => Some(Told::Changed(changed)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Told::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Mirror<T> {
    /// A copy of the whole table, in every account and region. Loaded when it returns.
    pub async fn of(table: &Table<T>) -> Result<Self> {
        Self::start(table, None).await
    }

    /// A copy of the records below a key.
    pub async fn below(table: &Table<T>, key: Key) -> Result<Self> {
        Self::start(table, Some(key)).await
    }

    async fn start(table: &Table<T>, below: Option<Key>) -> Result<Self> {
        let shared = Arc::new(Shared {
            state: RwLock::new(Snapshot {
                entries: RedBlackTreeMapSync::new_sync(),
                revision: Revision(0),
            }),
            changes: broadcast::Sender::new(BACKLOG),
            head: watch::Sender::new(Revision(0)),
        });
        let store = Arc::downgrade(table.store());
        let follower = Follower {
            shared: Arc::clone(&shared),
            store,
            table: table.name(),
            below,
        };
        follower.load(table.store().as_ref()).await?;
        let watch = follower.watch(table.store().as_ref()).await?;
        Ok(Self {
            shared,
            task: tokio::spawn(follower.run(watch)),
        })
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Entry<T>>> {
        self.shared.read(|state| state.entries.get(key).cloned())
    }

    /// All records as they are now.
    pub fn snapshot(&self) -> Snapshot<T> {
        self.shared.read(Snapshot::clone)
    }

    /// Waits until the mirror shows everything through a revision: read-your-writes for whoever committed it. At
    /// most ten seconds, then `Behind`: the store may be cut off from its etcd.
    pub async fn wait_for(&self, revision: Revision) -> Result<()> {
        let mut head = self.shared.head.subscribe();
        let waited = head.wait_for(|head| *head >= revision || *head == STOPPED);
        match tokio::time::timeout(SHOW, waited).await {
            Ok(Ok(head)) if *head != STOPPED => Ok(()),
            Ok(_) => Err(Error::Stopped),
            Err(_) => Err(Error::Behind {
                wanted: revision,
                shown: self.shared.read(|state| state.revision),
            }),
        }
    }

    /// Listens to changes from now on.
    pub fn changes(&self) -> Changes<T> {
        Changes(self.shared.changes.subscribe())
    }
}

/// The head of a mirror whose store stopped: no revision gets there.
const STOPPED: Revision = Revision(u64::MAX);

impl<T> Drop for Mirror<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<T> fmt::Debug for Mirror<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (records, revision) = self.shared.read(|state| (state.entries.size(), state.revision));
        f.debug_struct("Mirror")
            .field("records", &records)
            .field("revision", &revision)
            .finish()
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            revision: self.revision,
        }
    }
}

impl<T> Snapshot<T> {
    /// Everything through this revision is in it.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub fn len(&self) -> usize {
        self.entries.size()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn get(&self, key: &Key) -> Option<&Arc<Entry<T>>> {
        self.entries.get(key)
    }

    /// All records in order of keys.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry<T>>> {
        self.entries.values()
    }

    /// The records below a key, in order, without looking at others.
    pub fn below<'s>(&'s self, key: &'s Key) -> impl Iterator<Item = &'s Arc<Entry<T>>> {
        let first = Key::from_bytes(key.below().start);
        self.entries
            .range(first..)
            .map(|(_, entry)| entry)
            .take_while(move |entry| entry.key.is_below(key))
    }

    /// The records after a key: the next page of a listing.
    pub fn after<'s>(&'s self, key: &'s Key) -> impl Iterator<Item = &'s Arc<Entry<T>>> {
        self.entries
            .range(key..)
            .map(|(_, entry)| entry)
            .filter(move |entry| entry.key != *key)
    }
}

impl<T> Shared<T> {
    fn read<R>(&self, read: impl FnOnce(&Snapshot<T>) -> R) -> R {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes changes over, then tells: who hears of a change finds it in the mirror.
    fn apply(&self, changes: Vec<(Key, Option<Arc<Entry<T>>>)>, revision: Revision) {
        let mut told = Vec::with_capacity(changes.len());
        {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            for (key, after) in changes {
                let before = state.entries.get(&key).cloned();
                match &after {
                    Some(entry) => state.entries.insert_mut(key.clone(), Arc::clone(entry)),
                    None if before.is_none() => continue,
                    None => _ = state.entries.remove_mut(&key),
                }
                told.push(Changed { key, before, after });
            }
            state.revision = revision;
        }
        for changed in told {
            // Nobody may be listening.
            let _ = self.changes.send(Arc::new(changed));
        }
        self.head.send_replace(revision);
    }
}

struct Follower<T> {
    shared: Arc<Shared<T>>,
    // Weak: a mirror must not keep a store open that its owner has dropped.
    store: Weak<dyn Store>,
    table: &'static str,
    below: Option<Key>,
}

impl<T: DeserializeOwned + Send + Sync + 'static> Follower<T> {
    /// Brings the mirror to the present state, telling only what differs.
    async fn load(&self, store: &dyn Store) -> Result<()> {
        let (kvs, revision) = match &self.below {
            Some(key) => table::everything(store, &key.below()).await?,
            None => table::everywhere(store, self.table).await?,
        };
        let old = self.shared.read(Snapshot::clone);
        let mut gone: BTreeSet<Key> = old.entries.keys().cloned().collect();
        let mut changes = Vec::new();
        for kv in kvs {
            let key = Key::from_bytes(kv.key.clone());
            if let Some(entry) = decoded(kv) {
                gone.remove(&key);
                if old.get(&key).is_none_or(|known| known.revision != entry.revision) {
                    changes.push((key, Some(entry)));
                }
            }
        }
        changes.extend(gone.into_iter().map(|key| (key, None)));
        self.shared.apply(changes, revision);
        Ok(())
    }

    async fn watch(&self, store: &dyn Store) -> Result<Watch> {
        let range = self.below.as_ref().map_or_else(KeyRange::all, Key::below);
        let from = self.shared.read(|state| state.revision).next();
        store.watch(range, Some(from)).await
    }

    fn take(&self, batch: WatchBatch) {
        let mut changes = Vec::with_capacity(batch.events.len());
        for event in batch.events {
            let key = Key::from_bytes(event.key().clone());
            if self.below.is_some() || table::owns(self.table, &key) {
                let after = match event {
                    Event::Put { current, .. } => decoded(current),
                    Event::Delete { .. } => None,
                };
                changes.push((key, after));
            }
        }
        self.shared.apply(changes, batch.revision);
    }

    /// Follows until the store stops.
    async fn run(self, first: Watch) {
        let (mut watch, mut wait) = (Some(first), RETRY.0);
        loop {
            let failed = match &mut watch {
                Some(running) => match running.next().await {
                    Some(Ok(batch)) => {
                        self.take(batch);
                        wait = RETRY.0;
                        continue;
                    }
                    Some(Err(error)) => Some(error),
                    None => break,
                },
                None => None,
            };
            let Some(store) = self.store.upgrade() else { break };
            let compacted = matches!(failed, Some(Error::Compacted { .. }));
            let again = if compacted {
                self.load(store.as_ref()).await
            } else {
                Ok(())
            };
            let again = match again {
                Ok(()) => self.watch(store.as_ref()).await,
                Err(error) => Err(error),
            };
            match again {
                Ok(running) if failed.is_none() || compacted => watch = Some(running),
                Err(Error::Stopped) => break,
                outcome => {
                    let error = outcome
                        .as_ref()
                        .err()
                        .or(failed.as_ref())
                        .map(ToString::to_string);
                    tracing::warn!(
                        table = self.table,
                        error,
                        "a mirror lost its watch and tries again"
                    );
                    watch = outcome.ok();
                    drop(store);
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RETRY.1);
                }
            }
        }
        self.shared.head.send_replace(STOPPED);
    }
}

/// A record that cannot be read is left out and said so: one damaged record must not stop all reconcilers.
fn decoded<T: DeserializeOwned>(kv: KeyValue) -> Option<Arc<Entry<T>>> {
    match table::decode(kv) {
        Ok(entry) => Some(Arc::new(entry)),
        Err(error) => {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "a record is left out");
            None
        }
    }
}
