//! The store inside this process: a backend, its one writer, and the calls that reach them. Reads go straight
//! to the backend and never wait for a writer; writes go through a bounded queue to the writer's thread.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::api::{
    KeyValue, LeaseId, LeaseStatus, RangeRequest, RangeResponse, Revision, Store, Txn, TxnResponse, Watch,
};
use crate::disk::Disk;
use crate::engine::hub::{self, Hub};
use crate::engine::lease::{MachineTime, Monotonic};
use crate::engine::writer::{Request, Writer};
use crate::engine::{Backend, View, read};
use crate::error::{Error, Result};
use crate::limits;
use crate::memory::Memory;
use crate::range::KeyRange;

/// So many writes wait at most; further callers wait for room.
const QUEUE: usize = 1024;
/// A read of at most so many keys is answered on the caller's thread even from disk: the tree's upper pages
/// are in memory, and another thread costs more than the read.
const SMALL_READ: usize = 64;

/// How an embedded store is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// History is kept for at least so many revisions, then compacted automatically, within an eighth more.
    pub keep_revisions: u64,
    /// History is compacted earlier if its events take about so many bytes.
    pub keep_bytes: u64,
    /// The time by which leases run out.
    pub time: Arc<dyn Monotonic>,
    /// How many bytes of the file the disk backend may hold in memory.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keep_revisions: 10_000,
            keep_bytes: 64 * 1024 * 1024,
            time: Arc::new(MachineTime::default()),
            cache_bytes: 8 * 1024 * 1024,
        }
    }
}

/// A store in this process, in memory or in a data directory. Dropping it finishes the writes already queued,
/// ends its watches and releases the data directory.
pub struct Embedded {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Request>>,
    writer: Option<thread::JoinHandle<()>>,
}

pub(crate) struct Shared {
    backend: Box<dyn Backend>,
    pub(crate) hub: Hub,
    reads: Arc<Reads>,
}

/// Reads on threads of their own. Whoever wanted one may be gone before it ends; until then it holds the backend.
#[derive(Default)]
struct Reads {
    count: Mutex<usize>,
    ended: Condvar,
}

/// One of them, until it is dropped.
struct Reading(Arc<Reads>);

impl Reads {
    fn begin(self: &Arc<Self>) -> Reading {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Reading(Arc::clone(self))
    }

    /// Returns once none is left.
    fn wait(&self) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.ended.wait_while(count, |count| *count > 0);
        drop(left.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.ended.notify_all();
    }
}

impl Shared {
    pub(crate) fn new(backend: Box<dyn Backend>) -> Result<Self> {
        let marks = read_now(backend.as_ref(), |view| view.marks())?;
        Ok(Self {
            backend,
            hub: Hub::new(marks.head),
            reads: Arc::default(),
        })
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    /// Reads one consistent state; long reads of a backend that may block go to a thread for that.
    pub(crate) async fn read<R, F>(self: &Arc<Self>, long: bool, read: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&dyn View) -> Result<R> + Send + 'static,
    {
        if !(long && self.backend.may_block()) {
            return read_now(self.backend(), read);
        }
        let (shared, reading) = (Arc::clone(self), self.reads.begin());
        let done = tokio::task::spawn_blocking(move || {
            let answer = read_now(shared.backend(), read);
            drop(shared);
            drop(reading);
            answer
        });
        done.await.unwrap_or(Err(Error::Stopped))
    }
}

fn read_now<R>(backend: &dyn Backend, read: impl FnOnce(&dyn View) -> Result<R>) -> Result<R> {
    let (mut read, mut answer) = (Some(read), None);
    backend.read(&mut |view| {
        if let Some(read) = read.take() {
            answer = Some(read(view)?);
        }
        Ok(())
    })?;
    answer.ok_or(Error::Stopped)
}

impl Embedded {
    /// A store that is gone when it is dropped.
    pub fn in_memory(options: Options) -> Result<Self> {
        Self::start(Box::new(Memory::default()), options)
    }

    /// The store in a directory, which is made if it is not there. Blocks while the files are opened and, after
    /// a crash, checked.
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        let disk = Disk::open(dir, options.cache_bytes)?;
        Self::start(Box::new(disk), options)
    }

    fn start(backend: Box<dyn Backend>, options: Options) -> Result<Self> {
        let shared = Arc::new(Shared::new(backend)?);
        let (queue, requests) = mpsc::channel(QUEUE);
        let writer = Writer::new(Arc::clone(&shared), options)?;
        let writer = thread::Builder::new()
            .name("rs-store".into())
            .spawn(move || writer.run(requests))
            .map_err(Error::storage("starting the writer's thread"))?;
        Ok(Self {
            shared,
            queue: Some(queue),
            writer: Some(writer),
        })
    }

    /// Makes the store look at its clock now. Returns when leases that ran out are gone.
    pub async fn tick(&self) -> Result<()> {
        self.ask(Request::Tick).await
    }

    async fn ask<R>(&self, request: impl FnOnce(oneshot::Sender<Result<R>>) -> Request) -> Result<R> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(Error::Stopped)?;
        queue.send(request(reply)).await.map_err(|_| Error::Stopped)?;
        answer.await.unwrap_or(Err(Error::Stopped))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer had panicked");
        }
        self.shared.reads.wait();
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("head", &self.shared.hub.head())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Embedded {
    async fn get(&self, key: &[u8]) -> Result<Option<KeyValue>> {
        read_now(self.shared.backend(), |view| view.record(key))
    }

    async fn range(&self, request: RangeRequest) -> Result<RangeResponse> {
        let small = request.limit.is_some_and(|limit| limit <= SMALL_READ);
        let long = !small || request.count_only || request.revision.is_some();
        self.shared
            .read(long, move |view| read::range(view, &request))
            .await
    }

    async fn commit(&self, txn: Txn) -> Result<TxnResponse> {
        limits::check(&txn)?;
        self.ask(|reply| Request::Commit(txn, reply)).await
    }

    async fn watch(&self, range: KeyRange, from: Option<Revision>) -> Result<Watch> {
        let from = match from {
            None => self.shared.hub.head().next(),
            Some(wanted) => {
                let compacted = read_now(self.shared.backend(), |view| view.marks())?.compacted;
                if wanted <= compacted {
                    return Err(Error::Compacted { wanted, compacted });
                }
                wanted.max(Revision::FIRST.next())
            }
        };
        Ok(hub::follow(&self.shared, range, from))
    }

    async fn compact(&self, revision: Revision) -> Result<()> {
        self.ask(|reply| Request::Compact(revision, reply)).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseStatus> {
        let ttl = limits::lease_ttl(ttl)?;
        self.ask(|reply| Request::Grant(ttl, reply)).await
    }

    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<LeaseStatus> {
        self.ask(|reply| Request::KeepAlive(lease, reply)).await
    }

    async fn lease_revoke(&self, lease: LeaseId) -> Result<Revision> {
        self.ask(|reply| Request::Revoke(lease, reply)).await
    }

    async fn lease_status(&self, lease: LeaseId) -> Result<LeaseStatus> {
        self.ask(|reply| Request::Status(lease, reply)).await
    }

    async fn lease_keys(&self, lease: LeaseId) -> Result<Vec<Bytes>> {
        let read = move |view: &dyn View| match view.lease(lease)? {
            Some(_) => view.lease_keys(lease),
            None => Err(Error::LeaseNotFound { lease }),
        };
        self.shared.read(true, read).await
    }

    async fn leases(&self) -> Result<Vec<LeaseId>> {
        let leases = self.shared.read(true, |view| view.leases()).await?;
        Ok(leases.into_iter().map(|(lease, _)| lease).collect())
    }

    async fn revision(&self) -> Result<Revision> {
        Ok(self.shared.hub.head())
    }
}
