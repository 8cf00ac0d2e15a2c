//! All watches of this process share one watch on etcd. It fills a ring of recent commits; a watch here is only
//! a position in it, as on the embedded store. A watch that begins further back, or fell behind, reads a feed of
//! its own until the ring has what it needs. So a hundred mirrors cost etcd as much as one, and after a lost
//! connection each goes on exactly where it was, or is told that history there is gone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::api::{Event, Revision, Watch, WatchBatch};
use crate::engine::Commit;
use crate::error::{Error, Result};
use crate::etcd::Shared;
use crate::etcd::base::Base;
use crate::etcd::client::Client;
use crate::etcd::feed::{Ended, Feed};
use crate::range::KeyRange;

/// The ring holds at most so many commits, of together at most so many bytes.
const RING_COMMITS: usize = 2048;
const RING_BYTES: u64 = 8 * 1024 * 1024;
/// How many commits a watch takes at a time.
const CHUNK: usize = 256;
/// When nothing came for so long, etcd is asked whether it still serves, and whether anything should have come.
const QUIET: Duration = Duration::from_secs(2);
/// Between tries to watch again, doubling up to the second.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Where commits are announced.
pub(super) struct Hub {
    ring: Mutex<Ring>,
    head: watch::Sender<Revision>,
}

struct Ring {
    /// Every commit from this revision through the head is here.
    from: Revision,
    commits: VecDeque<Commit>,
    bytes: u64,
}

impl Hub {
    /// Begins with nothing, at a revision through which nothing is to be announced.
    pub(super) fn new(head: Revision) -> Self {
        Self {
            ring: Mutex::new(Ring {
                from: head.next(),
                commits: VecDeque::new(),
                bytes: 0,
            }),
            head: watch::Sender::new(head),
        }
    }

    pub(super) fn head(&self) -> Revision {
        *self.head.borrow()
    }

    fn publish(&self, commits: Vec<Commit>) {
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
                ring.from = old.revision.next();
            }
        }
        self.head.send_replace(head);
    }

    /// Goes on at a later revision, with a gap that each watch finds when it asks etcd for what is missing.
    fn skip_to(&self, head: Revision) {
        {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            *ring = Ring {
                from: head.next(),
                commits: VecDeque::new(),
                bytes: 0,
            };
        }
        self.head.send_replace(head);
    }

    /// Commits from a revision on, if the ring still reaches back to it.
    fn recent(&self, from: Revision) -> Option<Vec<Commit>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if from < ring.from {
            return None;
        }
        let skip = ring.commits.partition_point(|commit| commit.revision < from);
        Some(ring.commits.iter().skip(skip).take(CHUNK).cloned().collect())
    }
}

/// Keeps the hub fed for as long as the store is open.
pub(super) async fn keep_fed(shared: Arc<Shared>) {
    let mut pause = PAUSE.0;
    loop {
        let before = shared.hub.head();
        let ended = match shared.client.connection().await {
            Ok(connection) => {
                let ended = match Feed::open(connection.clone(), shared.base.clone(), before.next()).await {
                    Ok(feed) => fill(&shared, feed).await,
                    Err(ended) => ended,
                };
                if matches!(ended, Ended::Broken(_)) {
                    shared.client.discard(&connection).await;
                }
                ended
            }
            Err(fault) => fault.into(),
        };
        match ended {
            Ended::Compacted(compacted) => match shared.current_revision().await {
                Ok(head) => {
                    tracing::warn!(%before, %compacted, %head, "etcd dropped history before it was read");
                    shared.hub.skip_to(head.max(compacted));
                }
                Err(error) => tracing::warn!(%error, "etcd does not tell its revision"),
            },
            Ended::Broken(problem) => {
                tracing::warn!(problem, head = %shared.hub.head(), "the watch on etcd is made again");
            }
        }
        if shared.hub.head() > before {
            pause = PAUSE.0;
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// Takes what the feed gives until it ends, or stands still though it should not.
async fn fill(shared: &Shared, mut feed: Feed) -> Ended {
    // Whether, at the last look, etcd had more than came.
    let mut owed = false;
    loop {
        match timeout(QUIET, feed.next()).await {
            Ok(Ok(commits)) => {
                owed = false;
                shared.hub.publish(commits);
                shared.compact_old();
            }
            Ok(Err(ended)) => return ended,
            Err(_) => match timeout(QUIET, shared.revision_over(&feed.connection)).await {
                Ok(Ok(revision)) if revision <= shared.hub.head() => owed = false,
                Ok(Ok(_)) if !owed => owed = true,
                Ok(Ok(revision)) => return Ended::Broken(format!("it owes revision {revision}")),
                Ok(Err(fault)) => return fault.into(),
                Err(_) => return Ended::Broken("the member does not answer".into()),
            },
        }
    }
}

/// Starts a watch at a position that was checked against compaction.
pub(super) fn follow(shared: &Arc<Shared>, range: KeyRange, from: Revision) -> Watch {
    let cursor = Cursor {
        shared: Arc::downgrade(shared),
        client: Arc::clone(&shared.client),
        base: shared.base.clone(),
        head: shared.hub.head.subscribe(),
        range,
        next: from,
        feed: None,
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
    // Weak: a watch that nobody polls must not keep the store alive.
    shared: Weak<Shared>,
    client: Arc<Client>,
    base: Base,
    head: watch::Receiver<Revision>,
    range: KeyRange,
    next: Revision,
    /// Read while the ring does not reach back far enough.
    feed: Option<Feed>,
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
            let recent = self.shared.upgrade()?.hub.recent(next);
            let commits = match recent {
                Some(commits) => {
                    self.feed = None;
                    commits
                }
                None => match self.missed(next).await? {
                    Ok(commits) => commits,
                    Err(error) => return Some(Err(error)),
                },
            };
            for commit in commits {
                self.next = commit.revision.next();
                let of_range = |event: &&Event| self.range.contains(event.key());
                let events: Vec<Event> = commit.events.iter().filter(of_range).cloned().collect();
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

    /// Commits from `next` on, from etcd itself, however long it takes to reach it. None: the store stopped.
    async fn missed(&mut self, next: Revision) -> Option<Result<Vec<Commit>>> {
        let mut head = self.head.clone();
        tokio::select! {
            _ = head.wait_for(|_| false) => None,
            read = self.read_feed(next) => Some(read),
        }
    }

    async fn read_feed(&mut self, next: Revision) -> Result<Vec<Commit>> {
        let mut pause = PAUSE.0;
        loop {
            let mut feed = match self.feed.take() {
                Some(feed) => Ok(feed),
                None => Feed::apart(&self.client, self.base.clone(), next).await,
            };
            let read = match &mut feed {
                Ok(feed) => match timeout(QUIET, feed.next()).await {
                    Ok(read) => read,
                    // Everything wanted has happened already: a member that is silent is in trouble.
                    Err(_) => Err(Ended::Broken("the member is silent".into())),
                },
                Err(ended) => Err(std::mem::replace(ended, Ended::Broken(String::new()))),
            };
            match read {
                Ok(commits) => {
                    self.feed = feed.ok();
                    if !commits.is_empty() {
                        return Ok(commits);
                    }
                }
                Err(Ended::Compacted(compacted)) => {
                    return Err(Error::Compacted {
                        wanted: next,
                        compacted,
                    });
                }
                Err(Ended::Broken(problem)) => {
                    tracing::debug!(problem, "catching up with etcd is tried again");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
    }
}
