//! One thread writes. It takes all that is waiting, writes it at once and syncs the disk once, so that many writers
//! wait for one sync instead of each for its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use fjall::{Database, PersistMode};
use tokio::sync::{mpsc, oneshot};

use crate::batch::{Batch, Write};
use crate::error::{Error, Result};

/// Batches that wait for the writer; further writers wait for a place.
const WAITING: usize = 1024;
/// Writes that go into one.
const MAX_WRITES: usize = 16_384;

struct Asked {
    writes: Vec<Write>,
    done: oneshot::Sender<Result<()>>,
}

pub(crate) struct Writer {
    /// None only while it is dropped.
    asked: Option<mpsc::Sender<Asked>>,
    thread: Option<JoinHandle<()>>,
    /// Why nothing is taken any more.
    failed: Arc<Mutex<Option<String>>>,
}

impl Writer {
    pub(crate) fn start(database: Database) -> Result<Self> {
        let (asked, waiting) = mpsc::channel(WAITING);
        let failed = Arc::new(Mutex::new(None));
        let why = Arc::clone(&failed);
        let thread = std::thread::Builder::new()
            .name("rs-volume".into())
            .spawn(move || run(&database, waiting, &why))
            .map_err(Error::Thread)?;
        Ok(Self {
            asked: Some(asked),
            thread: Some(thread),
            failed,
        })
    }

    pub(crate) async fn write(&self, batch: Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let (done, answer) = oneshot::channel();
        let request = Asked {
            writes: batch.0,
            done,
        };
        let Some(asked) = &self.asked else {
            return Err(self.why());
        };
        if asked.send(request).await.is_err() {
            return Err(self.why());
        }
        answer.await.unwrap_or_else(|_| Err(self.why()))
    }

    fn why(&self) -> Error {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        Error::Failed(failed.clone().unwrap_or_else(|| "its writer ended".into()))
    }
}

/// The folder is free for others once the last handle is gone.
impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.asked.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of a volume panicked");
        }
    }
}

fn run(database: &Database, mut waiting: mpsc::Receiver<Asked>, why: &Mutex<Option<String>>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut round = vec![first];
        let mut count = round[0].writes.len();
        while count < MAX_WRITES {
            let Ok(next) = waiting.try_recv() else { break };
            count += next.writes.len();
            round.push(next);
        }
        let mut batch = database.batch().durability(Some(PersistMode::SyncData));
        for Write { space, key, value } in round.iter_mut().flat_map(|asked| asked.writes.drain(..)) {
            match value {
                Some(value) => batch.insert(&space, key, value),
                None => batch.remove(&space, key),
            }
        }
        match batch.commit() {
            Ok(()) => {
                for asked in round {
                    let _gone = asked.done.send(Ok(()));
                }
            }
            Err(error) => {
                // What is on disk now is not known: after this nothing may be called written.
                let reason = error.to_string();
                tracing::error!(%error, "writing to a volume failed; it takes no more");
                *why.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.clone());
                waiting.close();
                for asked in round {
                    let _gone = asked.done.send(Err(Error::Failed(reason.clone())));
                }
                return;
            }
        }
    }
}
