//! The service: its records in memory, and how a call changes them. A change decides on a snapshot and is written
//! only if the account's record is still the one it saw; if not, it decides again.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, RwLock};

use roadstead_base::{AccountId, Ctx, Region, SharedClock, Timestamp};
use roadstead_dispatch::Dispatcher;
use roadstead_store::{Entry, Key, Mirror, Outcome, Store, Table, Transaction};

use crate::compiled::{Cache, Documents};
use crate::error::{Result, contended, store};
use crate::realm::{Keys, Kind, Realm, TABLE};
use crate::records::Record;

/// How often a change decides anew when others keep changing the account.
const MAX_TRIES: usize = 128;

/// When keys and roles were last used: kept in memory, as a help and not as a record.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub(crate) at: Timestamp,
    pub(crate) service: String,
    pub(crate) region: String,
}

pub struct Iam {
    store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    table: Table<Record>,
    pub(crate) mirror: Mirror<Record>,
    pub(crate) cache: Cache,
    /// What resources and sessions say.
    pub(crate) documents: Documents,
    /// What key ids and session tokens are made and known by.
    pub(crate) secret: [u8; 32],
    pub(crate) used: RwLock<HashMap<String, Used>>,
    dispatcher: OnceLock<Arc<Dispatcher>>,
}

impl Iam {
    /// Reads the records and keeps them level with the store. `secret` must be the same after a restart, or no key
    /// that was issued before is known.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn new(
        store: Arc<dyn Store>,
        clock: SharedClock,
        secret: [u8; 32],
    ) -> std::result::Result<Arc<Self>, roadstead_store::Error> {
        let table = Table::new(Arc::clone(&store), TABLE);
        let mirror = Mirror::of(&table).await?;
        Ok(Arc::new(Self {
            store,
            clock,
            table,
            mirror,
            cache: Cache::default(),
            documents: Documents::default(),
            secret,
            used: RwLock::default(),
            dispatcher: OnceLock::new(),
        }))
    }

    /// From now on other services are asked, through this, what of theirs uses their service-linked roles. Without it
    /// there are no others. The first call counts.
    pub fn ask_through(&self, dispatcher: Arc<Dispatcher>) {
        let _ = self.dispatcher.set(dispatcher);
    }

    pub(crate) fn dispatcher(&self) -> Option<&Arc<Dispatcher>> {
        self.dispatcher.get()
    }

    /// The regions in which anything is kept of an account.
    pub(crate) async fn regions(&self, account: &AccountId) -> Result<Vec<Region>> {
        let partitions = self.table.partitions().await.map_err(|error| store(&error))?;
        let region = |key: &Key| {
            let mut segments = key.segments();
            let own = segments.next()? == account.as_str();
            segments.next().filter(|_| own)?.parse().ok()
        };
        Ok(partitions.iter().filter_map(region).collect())
    }

    /// Reads: everything that was acknowledged to anybody before is seen.
    pub(crate) async fn read<T>(&self, ctx: &Ctx, read: impl FnOnce(&Realm<'_>) -> Result<T>) -> Result<T> {
        self.catch_up().await?;
        let (keys, snapshot) = (Keys::of(&ctx.account), self.mirror.snapshot());
        read(&Realm {
            keys: &keys,
            snapshot: &snapshot,
        })
    }

    /// Reads what is there now, without waiting for anything: for the gate.
    pub(crate) fn glance<T>(&self, account: &AccountId, read: impl FnOnce(&Realm<'_>) -> T) -> T {
        let (keys, snapshot) = (Keys::of(account), self.mirror.snapshot());
        read(&Realm {
            keys: &keys,
            snapshot: &snapshot,
        })
    }

    pub(crate) async fn change<T>(
        &self,
        ctx: &Ctx,
        mut decide: impl FnMut(&Realm<'_>, &mut Plan) -> Result<T> + Send,
    ) -> Result<T> {
        let keys = Keys::of(&ctx.account);
        for _ in 0..MAX_TRIES {
            self.catch_up().await?;
            let mut plan = Plan::new(&keys);
            let (answer, transaction) = {
                let snapshot = self.mirror.snapshot();
                let realm = Realm {
                    keys: &keys,
                    snapshot: &snapshot,
                };
                let answer = decide(&realm, &mut plan)?;
                if plan.writes.is_empty() {
                    return Ok(answer);
                }
                let account = snapshot.get(&keys.account());
                (answer, self.transaction(&realm, account, &mut plan))
            };
            let outcome = transaction.commit().await.map_err(|error| store(&error))?;
            if let Outcome::Committed(revision) = outcome {
                self.mirror
                    .wait_for(revision)
                    .await
                    .map_err(|error| store(&error))?;
                return Ok(answer);
            }
        }
        Err(contended())
    }

    fn transaction(
        &self,
        realm: &Realm<'_>,
        account: Option<&Arc<Entry<Record>>>,
        plan: &mut Plan,
    ) -> Transaction {
        let key = realm.keys.account();
        let mut transaction = Transaction::new(&self.store);
        transaction = match account {
            Some(entry) => transaction.compare_unmodified(entry),
            None => transaction.compare_absent(&key),
        };
        let planned = plan.writes.iter().position(|(at, _)| *at == key);
        let mut record = match planned.map(|at| plan.writes.remove(at).1) {
            Some(Some(Record::Account(record))) => record,
            _ => realm.account(),
        };
        record.serial += 1;
        transaction = transaction.put(&self.table, &key, &Record::Account(record));
        for (key, record) in plan.writes.drain(..) {
            transaction = match record {
                Some(record) => transaction.put(&self.table, &key, &record),
                None => transaction.delete(&key),
            };
        }
        transaction
    }

    async fn catch_up(&self) -> Result<()> {
        let revision = self.store.revision().await.map_err(|error| store(&error))?;
        self.mirror
            .wait_for(revision)
            .await
            .map_err(|error| store(&error))
    }
}

/// What a change writes.
pub(crate) struct Plan {
    keys: Keys,
    writes: Vec<(Key, Option<Record>)>,
}

impl Plan {
    fn new(keys: &Keys) -> Self {
        Self {
            keys: keys.clone(),
            writes: Vec::new(),
        }
    }

    pub(crate) fn put(&mut self, kind: Kind, name: &str, record: Record) {
        self.writes.push((self.keys.one(kind, name), Some(record)));
    }

    pub(crate) fn delete(&mut self, kind: Kind, name: &str) {
        self.writes.push((self.keys.one(kind, name), None));
    }

    pub(crate) fn put_account(&mut self, record: crate::records::AccountRecord) {
        self.writes
            .push((self.keys.account(), Some(Record::Account(record))));
    }
}
