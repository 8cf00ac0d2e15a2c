//! The one writer. It takes all that waits in the queue, applies it in one write of the backend, which costs
//! one fsync, and answers everybody: many clients share the price of one. Leases run out here too, so that
//! their end is an ordinary revision between others.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::api::{Event, LeaseId, LeaseStatus, Revision, Txn, TxnResponse};
use crate::engine::embedded::{Options, Shared};
use crate::engine::{Commit, Keep, Marks, Tables, View, apply};
use crate::error::{Error, Result};

/// At most so many requests share one write.
const GROUP: usize = 256;
/// The clock is looked at this often while there are leases.
const TICK: Duration = Duration::from_millis(500);
/// Automatic compaction drops at most so many revisions with one write, beyond what that write added.
const FORGET: u64 = 1024;

type Reply<R> = oneshot::Sender<Result<R>>;

pub(crate) enum Request {
    Commit(Txn, Reply<TxnResponse>),
    Compact(Revision, Reply<()>),
    Grant(Duration, Reply<LeaseStatus>),
    KeepAlive(LeaseId, Reply<LeaseStatus>),
    Status(LeaseId, Reply<LeaseStatus>),
    Revoke(LeaseId, Reply<Revision>),
    Tick(Reply<()>),
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    options: Options,
    marks: Marks,
    /// When each lease runs out.
    deadlines: BTreeMap<LeaseId, Duration>,
    /// The weights of the revisions after `marks.compacted`, and their sum.
    weights: VecDeque<u64>,
    weight: u64,
}

/// An answer that waits for the group's write: sent as it is if that succeeds, or replaced by its error.
type Answer = Box<dyn FnOnce(Option<&Error>)>;

fn answer<R: 'static>(reply: Reply<R>, result: Result<R>) -> Answer {
    Box::new(move |failed| {
        // A caller that went away does not want to know.
        let _ = reply.send(failed.map_or(result, |error| Err(error.clone())));
    })
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, options: Options) -> Result<Self> {
        let now = options.time.now();
        let mut writer = Self {
            shared: Arc::clone(&shared),
            options,
            marks: Marks::default(),
            deadlines: BTreeMap::new(),
            weights: VecDeque::new(),
            weight: 0,
        };
        shared.backend().read(&mut |view| {
            writer.marks = view.marks()?;
            // The store cannot know how long it was down, so every lease gets its whole time again.
            writer.deadlines = view
                .leases()?
                .into_iter()
                .map(|(lease, ttl)| (lease, now + ttl))
                .collect();
            let mut next = writer.marks.compacted.next();
            while next <= writer.marks.head {
                let commits = view.commits(next, GROUP)?;
                let Some(last) = commits.last() else { break };
                next = last.revision.next();
                writer.weights.extend(commits.iter().map(Commit::weight));
            }
            Ok(())
        })?;
        writer.weight = writer.weights.iter().sum();
        Ok(writer)
    }

    /// Runs until every handle on the queue is gone.
    pub(crate) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "the store's writer could not start"),
        };
        let mut group = Vec::with_capacity(GROUP);
        loop {
            let taken = runtime.block_on(async {
                if self.deadlines.is_empty() {
                    return requests.recv_many(&mut group, GROUP).await;
                }
                match tokio::time::timeout(TICK, requests.recv_many(&mut group, GROUP)).await {
                    Ok(taken) => taken,
                    Err(_) => usize::MAX, // nobody asked, but time passed
                }
            });
            if taken == 0 {
                return;
            }
            let now = self.options.time.now();
            if !group.is_empty() || self.deadlines.values().any(|deadline| *deadline <= now) {
                self.write(std::mem::take(&mut group), now);
            }
        }
    }

    /// Serves a group with one write of the backend.
    pub(crate) fn write(&mut self, group: Vec<Request>, now: Duration) {
        let mut draft = Draft {
            marks: self.marks,
            before: self.marks,
            now,
            old_deadlines: &self.deadlines,
            deadlines: BTreeMap::new(),
            commits: Vec::new(),
            compact: self.marks.compacted,
            dirty: false,
        };
        let mut answers: Vec<Answer> = Vec::with_capacity(group.len());
        let mut waiting = group.into_iter();
        let (options, weights, weight) = (&self.options, &self.weights, self.weight);
        let written = self.shared.backend().write(&mut |tables| {
            draft.expire(tables)?;
            for request in waiting.by_ref() {
                if let Some(fatal) = draft.serve(tables, request, &mut answers) {
                    return Err(fatal);
                }
            }
            draft.retain(options, weights, weight);
            draft.save(tables)
        });
        for request in waiting {
            answers.push(refuse(
                request,
                written.as_ref().err().cloned().unwrap_or(Error::Stopped),
            ));
        }
        let Draft {
            marks,
            deadlines,
            commits,
            ..
        } = draft;
        if let Err(error) = &written {
            tracing::error!(%error, source = ?std::error::Error::source(error), "a group of writes failed");
        } else {
            self.accept(marks, deadlines, commits);
        }
        for answer in answers {
            answer(written.as_ref().err());
        }
    }

    /// Takes over what is durable now.
    fn accept(&mut self, marks: Marks, deadlines: BTreeMap<LeaseId, Option<Duration>>, commits: Vec<Commit>) {
        for commit in &commits {
            let weight = commit.weight();
            self.weights.push_back(weight);
            self.weight += weight;
        }
        for _ in self.marks.compacted.0.max(Revision::FIRST.0)..marks.compacted.0 {
            self.weight -= self.weights.pop_front().unwrap_or(0);
        }
        for (lease, deadline) in deadlines {
            match deadline {
                Some(deadline) => self.deadlines.insert(lease, deadline),
                None => self.deadlines.remove(&lease),
            };
        }
        self.marks = marks;
        self.shared.hub.publish(commits);
    }
}

/// Answers a request that was never looked at.
fn refuse(request: Request, error: Error) -> Answer {
    match request {
        Request::Commit(_, reply) => answer(reply, Err(error)),
        Request::Compact(_, reply) | Request::Tick(reply) => answer(reply, Err(error)),
        Request::Grant(_, reply) | Request::KeepAlive(_, reply) | Request::Status(_, reply) => {
            answer(reply, Err(error))
        }
        Request::Revoke(_, reply) => answer(reply, Err(error)),
    }
}

/// What a group has done so far, to be taken over if its write succeeds and forgotten if it fails.
struct Draft<'w> {
    marks: Marks,
    before: Marks,
    now: Duration,
    old_deadlines: &'w BTreeMap<LeaseId, Duration>,
    /// Changed deadlines; none: the lease is gone.
    deadlines: BTreeMap<LeaseId, Option<Duration>>,
    commits: Vec<Commit>,
    /// History is to be dropped through here.
    compact: Revision,
    dirty: bool,
}

impl Draft<'_> {
    /// Serves one request; returns an error only if the whole group is lost.
    fn serve(
        &mut self,
        tables: &mut dyn Tables,
        request: Request,
        answers: &mut Vec<Answer>,
    ) -> Option<Error> {
        fn note<R: 'static>(answers: &mut Vec<Answer>, reply: Reply<R>, result: Result<R>) -> Option<Error> {
            let fatal = result.as_ref().err().filter(|error| error.is_fatal()).cloned();
            answers.push(answer(reply, result));
            fatal
        }
        match request {
            Request::Commit(txn, reply) => note(answers, reply, self.commit(tables, &txn)),
            Request::Compact(revision, reply) => note(answers, reply, self.compact(revision)),
            Request::Grant(ttl, reply) => note(answers, reply, self.grant(tables, ttl)),
            Request::KeepAlive(lease, reply) => note(answers, reply, self.keep_alive(tables.view(), lease)),
            Request::Status(lease, reply) => note(answers, reply, self.status(tables.view(), lease)),
            Request::Revoke(lease, reply) => note(answers, reply, self.revoke(tables, lease)),
            Request::Tick(reply) => note(answers, reply, Ok(())),
        }
    }

    fn commit(&mut self, tables: &mut dyn Tables, txn: &Txn) -> Result<TxnResponse> {
        let applied = apply::apply(tables, self.marks.head, txn)?;
        self.record(tables, applied.events)?;
        Ok(applied.response)
    }

    fn record(&mut self, tables: &mut dyn Tables, events: Vec<Event>) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.marks.head = self.marks.head.next();
        let commit = Commit {
            revision: self.marks.head,
            events: events.into(),
        };
        tables.append(&commit)?;
        self.commits.push(commit);
        self.dirty = true;
        Ok(())
    }

    fn compact(&mut self, wanted: Revision) -> Result<()> {
        if wanted > self.marks.head {
            return Err(Error::FutureRevision {
                wanted,
                current: self.marks.head,
            });
        }
        if wanted <= self.compact {
            return Err(Error::Compacted {
                wanted,
                compacted: self.compact,
            });
        }
        self.compact = wanted;
        Ok(())
    }

    fn grant(&mut self, tables: &mut dyn Tables, ttl: Duration) -> Result<LeaseStatus> {
        let id = self.marks.next_lease;
        self.marks.next_lease = LeaseId(id.0 + 1);
        tables.set_lease(id, ttl)?;
        self.deadlines.insert(id, Some(self.now + ttl));
        self.dirty = true;
        Ok(LeaseStatus {
            id,
            ttl,
            remaining: ttl,
        })
    }

    fn keep_alive(&mut self, view: &dyn View, id: LeaseId) -> Result<LeaseStatus> {
        let ttl = view.lease(id)?.ok_or(Error::LeaseNotFound { lease: id })?;
        self.deadlines.insert(id, Some(self.now + ttl));
        Ok(LeaseStatus {
            id,
            ttl,
            remaining: ttl,
        })
    }

    fn status(&self, view: &dyn View, id: LeaseId) -> Result<LeaseStatus> {
        let ttl = view.lease(id)?.ok_or(Error::LeaseNotFound { lease: id })?;
        let deadline = self
            .deadlines
            .get(&id)
            .copied()
            .flatten()
            .or(self.old_deadlines.get(&id).copied());
        Ok(LeaseStatus {
            id,
            ttl,
            remaining: deadline.unwrap_or(self.now).saturating_sub(self.now),
        })
    }

    fn revoke(&mut self, tables: &mut dyn Tables, lease: LeaseId) -> Result<Revision> {
        if tables.lease(lease)?.is_none() {
            return Err(Error::LeaseNotFound { lease });
        }
        let keys = tables.lease_keys(lease)?;
        let events = apply::delete_keys(tables, self.marks.head, &keys)?;
        self.record(tables, events)?;
        tables.remove_lease(lease)?;
        self.deadlines.insert(lease, None);
        self.dirty = true;
        Ok(self.marks.head)
    }

    fn expire(&mut self, tables: &mut dyn Tables) -> Result<()> {
        let due = self
            .old_deadlines
            .iter()
            .filter(|(_, deadline)| **deadline <= self.now);
        let due: Vec<LeaseId> = due.map(|(lease, _)| *lease).collect();
        for lease in due {
            self.revoke(tables, lease)?;
        }
        Ok(())
    }

    /// Decides whether history has grown beyond what is to be kept.
    fn retain(&mut self, options: &Options, weights: &VecDeque<u64>, weight: u64) {
        let added: u64 = self.commits.iter().map(Commit::weight).sum();
        let kept = weights.len() as u64 + self.commits.len() as u64;
        let (mut drop, mut left) = (0, weight + added);
        if kept > options.keep_revisions + options.keep_revisions / 8 {
            drop = kept - options.keep_revisions;
        }
        for (count, old) in (1..).zip(weights) {
            if left <= options.keep_bytes && count > drop {
                break;
            }
            left -= old;
            drop = drop.max(count);
        }
        let drop = drop
            .min(weights.len() as u64)
            .min(FORGET + self.commits.len() as u64);
        let first = self.before.compacted.max(Revision::FIRST);
        if drop > 0 {
            self.compact = self.compact.max(Revision(first.0 + drop));
        }
    }

    fn save(&mut self, tables: &mut dyn Tables) -> Result<Keep> {
        if self.compact > self.before.compacted {
            tables.forget(self.compact)?;
            self.marks.compacted = self.compact;
            self.dirty = true;
        }
        if !self.dirty {
            return Ok(Keep::Nothing);
        }
        tables.set_marks(self.marks)?;
        Ok(Keep::Commit)
    }
}
