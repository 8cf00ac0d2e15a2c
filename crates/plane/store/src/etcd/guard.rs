//! Transactions under a guard: done only while a key of the backend's own is as it was. See `commit` for why.

use bytes::Bytes;

use crate::api::{LeaseId, Op, Revision, TxnResponse};
use crate::etcd::base::Base;
use crate::etcd::message::{Read, find, header, key_value, txn_response};
use crate::etcd::wire::{Malformed, Message, fields};

/// A step that writes one of the backend's own keys.
pub(super) fn put_raw(key: &[u8], value: &[u8]) -> Message {
    Message::new().message(2, Message::new().bytes(1, key).bytes(2, value))
}

/// The same, of a key that goes with a lease.
pub(super) fn put_leased(key: &[u8], value: &[u8], lease: LeaseId) -> Message {
    let put = Message::new().bytes(1, key).bytes(2, value).number(3, lease.0);
    Message::new().message(2, put)
}

/// A step that removes one of the backend's own keys.
pub(super) fn delete_raw(key: &[u8]) -> Message {
    Message::new().message(3, Message::new().bytes(1, key))
}

/// A step that reads one of the backend's own keys.
pub(super) fn get_raw(key: &[u8]) -> Message {
    Message::new().message(1, Message::new().bytes(1, key))
}

/// One step if a key was last written by this revision (etcd's; zero: if it is absent), otherwise another.
pub(super) fn guard(key: &[u8], revision: u64, then: Message, otherwise: Message) -> Message {
    Message::new()
        .message(1, unchanged(key, revision))
        .message(2, then)
        .message(3, otherwise)
}

/// That a key was last written by this revision (etcd's; zero: that it is absent).
pub(super) fn unchanged(key: &[u8], revision: u64) -> Message {
    Message::new().number(2, 2).bytes(3, key).set(6, revision)
}

/// What became of a guarded step.
pub(super) enum Guarded<T> {
    Served(T),
    /// The key was written by another revision (etcd's; zero: it is absent), with this value.
    Stale {
        revision: u64,
        value: Bytes,
    },
}

/// The answer to a guarded transaction; `steps` as for `txn_response`.
pub(super) fn guarded_response<'o>(
    message: Bytes,
    base: &Base,
    steps: impl FnOnce(bool) -> &'o [Op],
) -> Read<Guarded<TxnResponse>> {
    Ok(match outer(message)? {
        (revision, true, Some((4, inner))) => {
            Guarded::Served(txn_response(inner, base, Some(base.ours(revision)), steps)?)
        }
        (_, false, Some((1, found))) => stale(found)?,
        _ => return Err(Malformed),
    })
}

/// The answer to a guarded write; the revision is its own.
pub(super) fn fenced_response(message: Bytes, base: &Base) -> Read<Guarded<Revision>> {
    Ok(match outer(message)? {
        (revision, true, Some((2, _))) => Guarded::Served(base.ours(revision)),
        (_, false, Some((1, found))) => stale(found)?,
        _ => return Err(Malformed),
    })
}

/// Revision, whether the guard held, and the one step's answer with its kind.
type Outer = (u64, bool, Option<(u64, Bytes)>);

fn outer(message: Bytes) -> Read<Outer> {
    let (mut revision, mut held, mut answer) = (0, false, None);
    for field in fields(message) {
        match field? {
            (1, value) => revision = header(value)?,
            (2, value) => held = value.flag()?,
            (3, value) => {
                let (kind, inner) = fields(value.bytes()?).next().ok_or(Malformed)??;
                answer = Some((kind, inner.bytes()?));
            }
            _ => {}
        }
    }
    Ok((revision, held, answer))
}

fn stale<T>(found: Bytes) -> Read<Guarded<T>> {
    let kv = find(found, 2)?
        .map(|kv| key_value(kv.bytes()?, &Base::raw()))
        .transpose()?;
    Ok(match kv {
        Some(kv) => Guarded::Stale {
            revision: kv.mod_revision.0,
            value: kv.value,
        },
        None => Guarded::Stale {
            revision: 0,
            value: Bytes::new(),
        },
    })
}
