//! How watches hear of commits without the writer ever waiting for them. A watch is only a position: it is
//! told that the head moved, takes recent commits from a small shared ring, and reads older ones from the
//! events table. A slow watch therefore costs nothing and loses nothing until compaction overtakes it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::stream;
use tokio::sync::watch;

use crate::api::{Event, Revision, Watch, WatchBatch};
use crate::engine::Commit;
use crate::engine::embedded::Shared;
use crate::error::{Error, Result};
use crate::range::KeyRange;

/// The ring holds at most so many commits, of together at most so many bytes.
const RING_COMMITS: usize = 1024;
const RING_BYTES: u64 = 4 * 1024 * 1024;
/// How many commits a watch takes at a time.
const CHUNK: usize = 256;

/// Where commits are announced.
pub(crate) struct Hub {
    ring: Mutex<Ring>,
    head: watch::Sender<Revision>,
}

#[derive(Default)]
struct Ring {
    commits: VecDeque<Commit>,
    bytes: u64,
}

impl Hub {
    pub(crate) fn new(head: Revision) -> Self {
        Self {
            ring: Mutex::default(),
            head: watch::Sender::new(head),
        }
    }

    pub(crate) fn head(&self) -> Revision {
        *self.head.borrow()
    }

    /// Announces commits that are durable: consecutive ones, right after the last announced.
    pub(crate) fn publish(&self, commits: Vec<Commit>) {
        let Some(head) = commits.last().map(|commit| commit.revision) else {
            return;
        };
        {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            for commit in commits {
                ring.bytes += commit.weight();
                ring.commits.push_back(commit);
            }
            while ring.commits.len() > RING_COMMITS || ring.bytes > RING_BYTES {
                let Some(old) = ring.commits.pop_front() else {
                    break;
                };
                ring.bytes -= old.weight();
            }
        }
        self.head.send_replace(head);
    }

    /// Commits from a revision on, if the ring still reaches back to it.
    fn recent(&self, from: Revision) -> Option<Vec<Commit>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ring.commits.front()?.revision;
        let skip = usize::try_from(from.0.checked_sub(first.0)?).ok()?;
        Some(ring.commits.iter().skip(skip).take(CHUNK).cloned().collect())
    }
}

/// Starts a watch at a position that was checked against compaction.
pub(crate) fn follow(shared: &Arc<Shared>, range: KeyRange, from: Revision) -> Watch {
    let cursor = Cursor {
        shared: Arc::downgrade(shared),
        head: shared.hub.head.subscribe(),
        range,
        next: from,
        ready: VecDeque::new(),
        ended: false,
    };
    Watch::new(Box::pin(stream::unfold(cursor, |mut cursor| async move {
        let batch = cursor.next().await?;
        cursor.ended = batch.is_err();
        Some((batch, cursor))
    })))
}

struct Cursor {
    // Weak: a watch that nobody polls must not keep the store's files open and locked.
    shared: Weak<Shared>,
    head: watch::Receiver<Revision>,
    range: KeyRange,
    next: Revision,
    ready: VecDeque<WatchBatch>,
    ended: bool,
}

impl Cursor {
    async fn next(&mut self) -> Option<Result<WatchBatch>> {
        if self.ended {
            return None;
        }
        while self.ready.is_empty() {
            let next = self.next;
            let head = *self.head.wait_for(|head| *head >= next).await.ok()?;
            let commits = match self.take(next).await? {
                Ok(commits) => commits,
                Err(error) => return Some(Err(error)),
            };
            for commit in &commits {
                self.next = commit.revision.next();
                let events: Vec<Event> = commit
                    .events
                    .iter()
                    .filter(|event| self.range.contains(event.key()))
                    .cloned()
                    .collect();
                if !events.is_empty() {
                    self.ready.push_back(WatchBatch {
                        revision: commit.revision,
                        events,
                    });
                }
            }
            let seen = Revision(self.next.0 - 1);
            if seen >= head && self.ready.back().is_none_or(|batch| batch.revision < seen) {
                self.ready.push_back(WatchBatch {
                    revision: seen,
                    events: Vec::new(),
                });
            }
        }
        self.ready.pop_front().map(Ok)
    }

    /// At least one commit from `next` on. None: the store stopped.
    async fn take(&self, next: Revision) -> Option<Result<Vec<Commit>>> {
        let shared = self.shared.upgrade()?;
        if let Some(commits) = shared.hub.recent(next) {
            return Some(Ok(commits));
        }
        let read = shared.read(true, move |view| {
            let compacted = view.marks()?.compacted;
            if next <= compacted {
                return Err(Error::Compacted {
                    wanted: next,
                    compacted,
                });
            }
            let commits = view.commits(next, CHUNK)?;
            if commits.first().is_none_or(|commit| commit.revision != next) {
                return Err(Error::corrupt(
                    "history",
                    format!("the events of revision {next} are missing"),
                ));
            }
            Ok(commits)
        });
        Some(read.await)
    }
}
