//! What a transaction does to the tables: the compare, the steps, the events they leave. A function of the
//! tables and the transaction alone, so that every backend agrees.

use std::ops::ControlFlow;

use bytes::Bytes;

use crate::api::{
    Compare, Event, KeyValue, LeaseId, MAX_DELETED, Op, OpResult, Relation, Revision, Target, Txn,
    TxnResponse,
};
use crate::engine::{Stored, Tables, View, read};
use crate::error::{Error, Result};
use crate::range::KeyRange;

/// A transaction's answer, and what it changed in the next revision (nothing, if it only read).
pub(crate) struct Applied {
    pub(crate) response: TxnResponse,
    pub(crate) events: Vec<Event>,
}

/// Applies a transaction that passed `limits::check` on tables that stand at `head`. An error that is not fatal
/// leaves the tables untouched.
pub(crate) fn apply(tables: &mut dyn Tables, head: Revision, txn: &Txn) -> Result<Applied> {
    let mut succeeded = true;
    for compare in &txn.compare {
        if !holds(tables.view(), compare)? {
            succeeded = false;
            break;
        }
    }
    let ops = if succeeded { &txn.then } else { &txn.otherwise };
    check_against(tables.view(), ops)?;

    let mut writer = Changes {
        tables,
        revision: head.next(),
        events: Vec::new(),
    };
    let mut results = Vec::with_capacity(ops.len());
    for op in ops {
        results.push(match op {
            Op::Put { key, value, lease } => OpResult::Put {
                previous: writer.put(key, value, *lease)?,
            },
            Op::Delete { range } => OpResult::Delete {
                previous: writer.delete(range)?,
            },
            Op::Range(request) => OpResult::Range(read::range(writer.tables.view(), request)?),
        });
    }
    let events = writer.events;
    let revision = if events.is_empty() { head } else { head.next() };
    for result in &mut results {
        if let OpResult::Range(response) = result {
            response.revision = revision;
        }
    }
    Ok(Applied {
        response: TxnResponse {
            succeeded,
            revision,
            results,
        },
        events,
    })
}

/// Deletes keys one by one, as a lease's end does; those that are gone already are passed over.
pub(crate) fn delete_keys(tables: &mut dyn Tables, head: Revision, keys: &[Bytes]) -> Result<Vec<Event>> {
    let mut writer = Changes {
        tables,
        revision: head.next(),
        events: Vec::new(),
    };
    for key in keys {
        writer.delete(&KeyRange::key(key))?;
    }
    Ok(writer.events)
}

/// What can only be refused by looking at the tables, found before the first write.
fn check_against(view: &dyn View, ops: &[Op]) -> Result<()> {
    let mut deleted = 0;
    for op in ops {
        match op {
            Op::Put {
                lease: Some(lease), ..
            } if view.lease(*lease)?.is_none() => {
                return Err(Error::LeaseNotFound { lease: *lease });
            }
            Op::Delete { range } => view.scan(range, &mut |_| {
                deleted += 1;
                Ok(if deleted > MAX_DELETED {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            })?,
            Op::Put { .. } | Op::Range(_) => {}
        }
    }
    if deleted > MAX_DELETED {
        return Err(Error::TooLarge {
            what: "deleted keys",
            got: deleted,
            limit: MAX_DELETED,
        });
    }
    Ok(())
}

fn holds(view: &dyn View, compare: &Compare) -> Result<bool> {
    let (mut any, mut all) = (false, true);
    view.scan(&compare.range, &mut |stored| {
        any = true;
        all = relates(Some(&stored), compare);
        Ok(if all {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    Ok(if any { all } else { relates(None, compare) })
}

/// Whether a comparison holds of a range that can have no key.
#[cfg(feature = "etcd")]
pub(crate) fn holds_of_nothing(compare: &Compare) -> bool {
    relates(None, compare)
}

fn relates(stored: Option<&Stored<'_>>, compare: &Compare) -> bool {
    let ordering = match &compare.target {
        Target::CreateRevision(wanted) => stored.map_or(Revision(0), |kv| kv.create_revision).cmp(wanted),
        Target::ModRevision(wanted) => stored.map_or(Revision(0), |kv| kv.mod_revision).cmp(wanted),
        Target::Version(wanted) => stored.map_or(0, |kv| kv.version).cmp(wanted),
        Target::Lease(wanted) => stored.and_then(|kv| kv.lease).cmp(wanted),
        Target::Value(wanted) => match stored {
            Some(kv) => kv.value.bytes().cmp(wanted.as_ref()),
            None => return false,
        },
    };
    match compare.relation {
        Relation::Equal => ordering.is_eq(),
        Relation::NotEqual => ordering.is_ne(),
        Relation::Less => ordering.is_lt(),
        Relation::Greater => ordering.is_gt(),
    }
}

struct Changes<'t> {
    tables: &'t mut dyn Tables,
    revision: Revision,
    events: Vec<Event>,
}

impl Changes<'_> {
    fn put(&mut self, key: &Bytes, value: &Bytes, lease: Option<LeaseId>) -> Result<Option<KeyValue>> {
        let previous = self.tables.record(key)?;
        let current = KeyValue {
            key: key.clone(),
            value: value.clone(),
            create_revision: previous.as_ref().map_or(self.revision, |kv| kv.create_revision),
            mod_revision: self.revision,
            version: previous.as_ref().map_or(0, |kv| kv.version) + 1,
            lease,
        };
        let before = previous.as_ref().and_then(|kv| kv.lease);
        if before != lease {
            if let Some(old) = before {
                self.tables.detach(old, key)?;
            }
            if let Some(new) = lease {
                self.tables.attach(new, key)?;
            }
        }
        self.tables.put(&current)?;
        self.events.push(Event::Put {
            current,
            previous: previous.clone(),
        });
        Ok(previous)
    }

    fn delete(&mut self, range: &KeyRange) -> Result<Vec<KeyValue>> {
        let mut gone = Vec::new();
        self.tables.view().scan(range, &mut |stored| {
            gone.push(stored.to_key_value(false));
            Ok(ControlFlow::Continue(()))
        })?;
        for kv in &gone {
            if let Some(lease) = kv.lease {
                self.tables.detach(lease, &kv.key)?;
            }
            self.tables.remove(&kv.key)?;
            self.events.push(Event::Delete {
                key: kv.key.clone(),
                previous: Some(kv.clone()),
            });
        }
        Ok(gone)
    }
}
