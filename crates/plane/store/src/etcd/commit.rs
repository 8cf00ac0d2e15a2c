//! A commit and its fate. When the answer to a write is lost, the write may have been served, may not have been,
//! or may be served later, by a member that stood still with it in its hands. So each write carries a mark: it
//! holds only while a key of this client's, its slot, is unchanged, and changes it. If the answer is lost, the
//! slot is changed by a second transaction: either that finds the mark, and the write took place, or it takes the
//! write's place, and the write never will.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::time::Instant;

use crate::api::{
    KeyValue, MAX_DELETED, MAX_OPS, MAX_TXN_BYTES, Op, OpResult, RangeRequest, Revision, Txn, TxnResponse,
};
use crate::error::{Error, Result};
use crate::etcd::base::{Base, RESERVED};
use crate::etcd::client::{Again, Failed};
use crate::etcd::guard::{self, Guarded};
use crate::etcd::message;
use crate::etcd::store::NO_LEASE;
use crate::etcd::wire::Message;
use crate::etcd::{Shared, grpc, malformed};
use crate::limits;
use crate::range::KeyRange;

const DOING: &str = "the commit";
const TOO_LARGE: &str = "request is too large";
/// What a mark adds to a transaction, in operations and, generously, in bytes.
const MARK_OPS: usize = 2;
const MARK_BYTES: usize = 512;
/// How often a write is begun again that certainly did not take place.
const TRIES: usize = 3;

/// The slots of this client; each serves one write at a time.
pub(super) struct Slots {
    client: u64,
    made: AtomicU64,
    free: Mutex<Vec<Slot>>,
}

/// A key of this client's, and the revision (etcd's) that last wrote it; zero if it is absent.
struct Slot {
    key: Bytes,
    revision: u64,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self {
            // Any number that no other client has; if one had, its writes would only be begun again.
            client: std::hash::RandomState::new().build_hasher().finish(),
            made: AtomicU64::new(0),
            free: Mutex::default(),
        }
    }

    fn take(&self, base: &Base) -> Slot {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| {
            let number = self.made.fetch_add(1, Ordering::Relaxed);
            Slot {
                key: base.own(&format!("slot/{:016x}/{number}", self.client)),
                revision: 0,
            }
        })
    }

    /// Whether a slot is this client's.
    pub(super) fn owns(&self, key: &[u8]) -> bool {
        let mine = format!("slot/{:016x}/", self.client);
        key.windows(mine.len()).any(|part| part == mine.as_bytes())
    }

    /// Gives back a slot whose revision is known. One that is not (its write was cancelled) is left behind.
    fn give(&self, slot: Slot) {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(slot);
    }
}

/// What became of a write whose answer was lost.
enum Fate {
    Took {
        succeeded: bool,
        revision: Revision,
    },
    Never,
    /// The write would have left no mark, but can no longer take place.
    Unmarked,
    NotTold(String),
}

/// Whether these steps write, and so must leave a mark.
fn writes(ops: &[Op]) -> bool {
    ops.iter().any(|op| !matches!(op, Op::Range(_)))
}

/// Whether these steps certainly change something, so that a mark among them makes no revision of its own.
fn puts(ops: &[Op]) -> bool {
    ops.iter().any(|op| matches!(op, Op::Put { .. }))
}

impl Shared {
    pub(super) async fn commit(&self, txn: &Txn) -> Result<TxnResponse> {
        limits::check(txn)?;
        self.check(txn).await?;
        // A comparison of no key at all is decided here, since etcd cannot say "no key".
        let mut compares = Vec::with_capacity(txn.compare.len());
        let mut possible = true;
        for compare in &txn.compare {
            match self.base.bounds(&compare.range) {
                Some(bounds) => compares.push(message::compare(compare, bounds, &self.base)),
                None => possible &= crate::engine::apply::holds_of_nothing(compare),
            }
        }
        let (then, otherwise) = if possible {
            (&txn.then[..], &txn.otherwise[..])
        } else {
            compares.clear();
            (&txn.otherwise[..], &[][..])
        };
        let sent = Sent {
            compares,
            then,
            otherwise,
        };
        let response = self.send(txn, &sent).await?;
        Ok(TxnResponse {
            succeeded: response.succeeded && possible,
            ..response
        })
    }

    async fn send(&self, txn: &Txn, sent: &Sent<'_>) -> Result<TxnResponse> {
        let most = sent.compares.len().max(sent.then.len()).max(sent.otherwise.len());
        let plain = sent.message(None, self);
        let size = plain.len();
        let marked = (puts(sent.then) || puts(sent.otherwise))
            && most + MARK_OPS <= MAX_OPS
            && size + MARK_BYTES <= MAX_TXN_BYTES;
        if !marked {
            let again = if writes(sent.then) || writes(sent.otherwise) {
                Again::Never
            } else {
                Again::Harmless
            };
            return match self.client.call(grpc::TXN, plain, again).await {
                Ok(answer) => {
                    message::txn_response(answer, &self.base, None, |succeeded| sent.steps(succeeded))
                        .map_err(|error| malformed(DOING, error))
                }
                Err(failed) => Err(self.commit_error(failed, txn, size).await),
            };
        }
        let (begin, limit) = (Instant::now(), self.client.limit());
        let mut problem = String::from("its slot kept changing");
        for _ in 0..TRIES {
            let mut slot = self.slots.take(&self.base);
            let message = sent.message(Some(&slot), self);
            // Half of the time for the write, the rest to find out what became of it.
            let end = (Instant::now() + limit / 2).min(begin + limit);
            match self
                .client
                .call_until(grpc::TXN, message, Again::Never, end)
                .await
            {
                Ok(answer) => {
                    let answer =
                        guard::guarded_response(answer, &self.base, |succeeded| sent.steps(succeeded));
                    match answer.map_err(|error| malformed(DOING, error))? {
                        Guarded::Served(response) => {
                            if puts(sent.steps(response.succeeded)) {
                                slot.revision = self.base.theirs(response.revision);
                            }
                            self.slots.give(slot);
                            return Ok(response);
                        }
                        // Somebody tidied the slot away: nothing was done.
                        Guarded::Stale { revision, .. } => {
                            slot.revision = revision;
                            self.slots.give(slot);
                        }
                    }
                }
                Err(Failed::Unknown(detail)) => match self.settle(&mut slot, sent, begin + limit).await {
                    Fate::Took { succeeded, revision } => {
                        self.slots.give(slot);
                        return self
                            .reconstruct(sent.steps(succeeded), succeeded, revision, detail)
                            .await;
                    }
                    Fate::Never => {
                        self.slots.give(slot);
                        problem = detail;
                    }
                    Fate::Unmarked => {
                        self.slots.give(slot);
                        return Err(Error::OutcomeUnknown { doing: DOING, detail });
                    }
                    Fate::NotTold(also) => {
                        let detail = format!("{detail}; then {also}");
                        return Err(Error::OutcomeUnknown { doing: DOING, detail });
                    }
                },
                Err(failed) => {
                    self.slots.give(slot);
                    return Err(self.commit_error(failed, txn, size).await);
                }
            }
            if begin.elapsed() >= limit {
                break;
            }
        }
        Err(Error::Unavailable {
            doing: DOING,
            detail: problem,
        })
    }

    /// Finds out what became of a write, and that it is final.
    async fn settle(&self, slot: &mut Slot, sent: &Sent<'_>, end: Instant) -> Fate {
        let message = guard::guard(
            &slot.key,
            slot.revision,
            guard::put_raw(&slot.key, FENCED),
            guard::get_raw(&slot.key),
        );
        let answer = match self
            .client
            .call_until(grpc::TXN, message.finish(), Again::Harmless, end)
            .await
        {
            Ok(answer) => guard::fenced_response(answer, &self.base),
            Err(Failed::Refused { status, .. }) => return Fate::NotTold(status.to_string()),
            Err(Failed::Unavailable(detail) | Failed::Unknown(detail)) => return Fate::NotTold(detail),
        };
        let (revision, value) = match answer {
            Ok(Guarded::Served(revision)) => (self.base.theirs(revision), Bytes::from_static(FENCED)),
            Ok(Guarded::Stale { revision, value }) => (revision, value),
            Err(error) => return Fate::NotTold(error.to_string()),
        };
        slot.revision = revision;
        match value.as_ref() {
            THEN | OTHERWISE => Fate::Took {
                succeeded: value == THEN,
                revision: self.base.ours(revision),
            },
            FENCED if sent.always_marks() => Fate::Never,
            FENCED => Fate::Unmarked,
            other => Fate::NotTold(format!("its slot holds {:?}", String::from_utf8_lossy(other))),
        }
    }

    /// The answer that was lost, from what the store was before the write.
    async fn reconstruct(
        &self,
        steps: &[Op],
        succeeded: bool,
        revision: Revision,
        detail: String,
    ) -> Result<TxnResponse> {
        let lost = |error: Error| Error::OutcomeUnknown {
            doing: DOING,
            detail: format!(
                "{detail}; it took place in revision {revision}, but not all of its answer is left: {error}"
            ),
        };
        let before = Revision(revision.0 - 1);
        let (mut results, mut gone) = (Vec::with_capacity(steps.len()), std::collections::BTreeSet::new());
        for step in steps {
            let range = match step {
                Op::Put { key, .. } => KeyRange::key(key),
                Op::Delete { range } => range.clone(),
                // What a read inside saw is between two revisions; no one else can tell it any more.
                Op::Range(_) => return Err(lost(Error::HistoryInTransaction { wanted: before })),
            };
            let mut previous = self
                .read(&RangeRequest::new(range).at(before))
                .await
                .map_err(lost)?
                .kvs;
            results.push(if let Op::Put { .. } = step {
                OpResult::Put {
                    previous: previous.pop(),
                }
            } else {
                previous.retain(|kv| gone.insert(kv.key.clone()));
                OpResult::Delete { previous }
            });
        }
        Ok(TxnResponse {
            succeeded,
            revision,
            results,
        })
    }

    async fn check(&self, txn: &Txn) -> Result<()> {
        for (ops, chosen_if) in [(&txn.then, true), (&txn.otherwise, false)] {
            let mut deleted = 0;
            for op in ops {
                match op {
                    Op::Put { key, .. } if key.first() == Some(&RESERVED) => {
                        return Err(Error::ReservedKey {
                            key: String::from_utf8_lossy(key).into_owned(),
                        });
                    }
                    // One key, or none.
                    Op::Delete { range } if range.is_empty() || *range == KeyRange::key(&range.start) => {
                        deleted += 1;
                    }
                    Op::Delete { range } => {
                        deleted += self
                            .read(&RangeRequest::new(range.clone()).count_only())
                            .await?
                            .count;
                    }
                    Op::Put { .. } | Op::Range(_) => {}
                }
            }
            if deleted > MAX_DELETED {
                let compare = Txn {
                    compare: txn.compare.clone(),
                    ..Txn::default()
                };
                if Box::pin(self.commit(&compare)).await?.succeeded == chosen_if {
                    return Err(Error::TooLarge {
                        what: "deleted keys",
                        got: deleted,
                        limit: MAX_DELETED,
                    });
                }
            }
        }
        Ok(())
    }

    async fn commit_error(&self, failed: Failed, txn: &Txn, size: usize) -> Error {
        let Failed::Refused { status, .. } = &failed else {
            return failed.into_error(DOING);
        };
        if status.message.contains(TOO_LARGE) {
            return Error::TooLarge {
                what: "bytes with etcd's own",
                got: size,
                limit: MAX_TXN_BYTES,
            };
        }
        if status.message.contains(NO_LEASE) {
            let leases = txn.then.iter().chain(&txn.otherwise).filter_map(|op| match op {
                Op::Put { lease, .. } => *lease,
                Op::Delete { .. } | Op::Range(_) => None,
            });
            for lease in leases {
                let status = self.lease_times(lease, false).await;
                if let Err(error @ Error::LeaseNotFound { .. }) = status {
                    return error;
                }
            }
        }
        failed.into_error(DOING)
    }
}

/// Whether a slot was fenced before any write left its mark: only its being there keeps that write away.
pub(super) fn fences_first_use(slot: &KeyValue) -> bool {
    slot.version == 1 && slot.value == FENCED
}

const THEN: &[u8] = b"then";
const OTHERWISE: &[u8] = b"otherwise";
const FENCED: &[u8] = b"fenced";

/// A transaction as it is sent.
struct Sent<'t> {
    compares: Vec<Message>,
    then: &'t [Op],
    otherwise: &'t [Op],
}

impl<'t> Sent<'t> {
    fn steps(&self, succeeded: bool) -> &'t [Op] {
        if succeeded { self.then } else { self.otherwise }
    }

    /// Whether either way it leaves a mark or changes nothing.
    fn always_marks(&self) -> bool {
        [self.then, self.otherwise]
            .iter()
            .all(|ops| puts(ops) || !writes(ops))
    }

    /// With a slot, under its guard and with its marks.
    fn message(&self, slot: Option<&Slot>, shared: &Shared) -> Bytes {
        let steps = |ops: &[Op], mark: &[u8]| -> Vec<Message> {
            let mark = slot
                .filter(|_| puts(ops))
                .map(|slot| guard::put_raw(&slot.key, mark));
            ops.iter()
                .filter_map(|op| message::op(op, &shared.base))
                .chain(mark)
                .collect()
        };
        let txn = Message::new()
            .messages(1, self.compares.iter().cloned())
            .messages(2, steps(self.then, THEN))
            .messages(3, steps(self.otherwise, OTHERWISE));
        let message = match slot {
            None => txn,
            Some(slot) => guard::guard(
                &slot.key,
                slot.revision,
                Message::new().message(4, txn),
                guard::get_raw(&slot.key),
            ),
        };
        message.finish()
    }
}
