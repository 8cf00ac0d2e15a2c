//! One task that hands keys to workers. All its state is the queue; what it does in between is wait.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roadstead_store::{Changed, Changes, Told};
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{debug, error, info, warn};

use crate::queue::{Queue, Stats};
use crate::{Action, Error, Options, Reconciler, chain};

/// A running reconciler. Dropping it stops it at once; `stop` lets what is being worked on end.
pub struct Driver<K> {
    handle: Handle<K>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    followers: JoinSet<()>,
}

/// Tells a driver where to look. Cheap to clone; never waits.
pub struct Handle<K>(Arc<Shared<K>>);

struct Shared<K> {
    queue: Mutex<Queue<K>>,
    wake: Notify,
    resync: Notify,
}

impl<K> Clone for Handle<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> fmt::Debug for Handle<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl<K: Clone + Eq + std::hash::Hash> Handle<K> {
    /// The key is to be looked at: soon if it is idle, once more if it is being worked on.
    pub fn tell(&self, key: K) {
        self.queue().tell(key, Instant::now());
        self.0.wake.notify_one();
    }

    /// Every key is to be looked at.
    pub fn resync(&self) {
        self.0.resync.notify_one();
    }

    /// How many keys are where.
    pub fn stats(&self) -> Stats {
        self.queue().stats()
    }

    fn queue(&self) -> MutexGuard<'_, Queue<K>> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + std::hash::Hash + fmt::Display + Send + Sync + 'static> Driver<K> {
    /// Starts a reconciler on the current runtime. `name` is its name in the logs.
    pub fn new<R: Reconciler<Key = K>>(name: &'static str, options: Options, reconciler: Arc<R>) -> Self {
        let queue = Mutex::new(Queue::new(options.max_keys, options.backoff));
        let handle = Handle(Arc::new(Shared {
            queue,
            wake: Notify::new(),
            resync: Notify::new(),
        }));
        let (stop, stopped) = watch::channel(false);
        let run = Run {
            name,
            options,
            reconciler,
            handle: handle.clone(),
            workers: JoinSet::new(),
            working: HashMap::new(),
            backlog: Vec::new().into_iter(),
        };
        Self {
            handle,
            stop,
            task: tokio::spawn(run.run(stopped)),
            followers: JoinSet::new(),
        }
    }

    pub fn handle(&self) -> Handle<K> {
        self.handle.clone()
    }

    /// Tells the driver of a mirror's changes for as long as it runs: of each change, the keys that `keys` finds
    /// in it (a record's owner is often only in what was there before). Missed changes become a resync; so does
    /// the start, since nobody knows what changed before.
    pub fn follow<T, F, I>(&mut self, mut changes: Changes<T>, keys: F)
    where
        T: Send + Sync + 'static,
        F: Fn(&Changed<T>) -> I + Send + 'static,
        I: IntoIterator<Item = K>,
    {
        let handle = self.handle();
        handle.resync();
        self.followers.spawn(async move {
            while let Some(told) = changes.next().await {
                match told {
                    Told::Changed(changed) => keys(&changed).into_iter().for_each(|key| handle.tell(key)),
                    Told::Missed => handle.resync(),
                }
            }
        });
    }

    /// Takes no new key, lets what is being worked on end within the grace, then cuts it off.
    pub async fn stop(mut self) {
        self.followers.abort_all();
        self.stop.send_replace(true);
        if let Err(ended) = (&mut self.task).await {
            error!(error = %ended, "a reconciler's driver ended badly");
        }
    }
}

impl<K> Drop for Driver<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Run<R: Reconciler> {
    name: &'static str,
    options: Options,
    reconciler: Arc<R>,
    handle: Handle<R::Key>,
    workers: JoinSet<Result<Action, Error>>,
    working: HashMap<Id, R::Key>,
    /// Keys of the last resync that found no room yet.
    backlog: std::vec::IntoIter<R::Key>,
}

impl<R: Reconciler> Run<R> {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        // The first tick comes at once: the resync at the start.
        let mut resync = tokio::time::interval(self.options.resync.max(std::time::Duration::from_millis(1)));
        resync.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = Arc::clone(&self.handle.0);
        // Asked before each feeding: select takes any of what is ready, and a stop must not lose to new work.
        while !*stopped.borrow() {
            self.feed();
            let due = self.handle.queue().next_due();
            let has_room = self.workers.len() < self.options.workers.max(1);
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => break,
                Some(done) = self.workers.join_next_with_id() => self.done(done),
                () = shared.wake.notified() => {}
                () = sleep_until(due), if due.is_some() && has_room => {}
                _ = resync.tick() => self.resync(),
                () = shared.resync.notified() => self.resync(),
            }
        }
        self.end().await;
    }

    /// Looks at every key again, unless the last such round still waits for room.
    fn resync(&mut self) {
        if self.backlog.as_slice().is_empty() {
            self.backlog = self.reconciler.keys().into_iter();
            debug!(reconciler = self.name, keys = self.backlog.len(), "resync");
        }
    }

    /// Fills the queue from the backlog and the workers from the queue.
    fn feed(&mut self) {
        let handle = self.handle.clone();
        let mut queue = handle.queue();
        while let Some(key) = self.backlog.as_slice().first() {
            if !queue.refresh(key) {
                break;
            }
            self.backlog.next();
        }
        if self.backlog.as_slice().is_empty() && queue.room() && queue.take_overflowed() {
            // Something told was not remembered; now there is room to look at everything.
            handle.resync();
        }
        while self.workers.len() < self.options.workers.max(1) {
            let Some(key) = queue.take(Instant::now()) else {
                break;
            };
            let (reconciler, limit) = (Arc::clone(&self.reconciler), self.options.timeout);
            let worked = key.clone();
            let task = self.workers.spawn(async move {
                match tokio::time::timeout(limit, reconciler.reconcile(&worked)).await {
                    Ok(result) => result,
                    Err(_) => Err(format!("it took longer than {limit:?} and was dropped").into()),
                }
            });
            self.working.insert(task.id(), key);
        }
    }

    fn done(&mut self, done: Result<(Id, Result<Action, Error>), JoinError>) {
        let (id, result) = match done {
            Ok((id, result)) => (id, result),
            Err(panicked) => (panicked.id(), Err(panicked.into())),
        };
        let Some(key) = self.working.remove(&id) else {
            return;
        };
        let mut queue = self.handle.queue();
        match result {
            Ok(action) => {
                let before = queue.failures(&key);
                if before > 0 {
                    info!(reconciler = self.name, %key, failures = before, "succeeded again");
                }
                queue.done(key, Some(action), Instant::now());
            }
            Err(error) => {
                let failures = queue.failures(&key).saturating_add(1);
                let retry = queue.done(key.clone(), None, Instant::now());
                let error = chain(error.as_ref());
                warn!(reconciler = self.name, %key, failures, ?retry, error, "reconcile failed");
            }
        }
    }

    async fn end(mut self) {
        let rest = async { while self.workers.join_next().await.is_some() {} };
        if tokio::time::timeout(self.options.grace, rest).await.is_err() {
            warn!(
                reconciler = self.name,
                keys = self.workers.len(),
                "cut off at the end of the grace"
            );
            self.workers.shutdown().await;
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
