//! etcd's messages (`rpc.proto` and `kv.proto` of its v3 API) in the store's own types. Revisions change their
//! base on the way, here and nowhere else: see [`Base`].

use std::time::Duration;

use bytes::Bytes;

use crate::api::{
    Compare, Event, KeyValue, LeaseId, Op, OpResult, RangeRequest, RangeResponse, Relation, Revision, Target,
    TxnResponse,
};
use crate::etcd::base::{Base, NO_END};
use crate::etcd::wire::{Malformed, Message, Value, fields};

pub(super) type Read<T> = Result<T, Malformed>;

/// A range read. None: no key can be in its range.
pub(super) fn range(request: &RangeRequest, base: &Base) -> Option<Message> {
    let (start, end) = base.bounds(&request.range)?;
    // To etcd a limit of zero is none: it is asked for one key, which `Shape` takes away again.
    let limit = request.limit.map_or(0, |limit| limit.max(1) as u64);
    let message = Message::new()
        .bytes(1, &start)
        .bytes(2, &end)
        .number(3, if request.count_only { 0 } else { limit })
        .number(4, request.revision.map_or(0, |revision| base.theirs(revision)))
        .flag(8, request.keys_only)
        .flag(9, request.count_only);
    Some(message)
}

/// A read that shows nothing and costs next to nothing: its answer tells the present revision, or that the one
/// it asks for cannot be read.
pub(super) fn nothing_at(revision: Option<Revision>, base: &Base) -> Message {
    Message::new()
        .bytes(1, &base.own("nothing"))
        .number(4, revision.map_or(0, |revision| base.theirs(revision)))
        .flag(9, true)
}

pub(super) fn compare(compare: &Compare, (start, end): (Bytes, Bytes), base: &Base) -> Message {
    let result = match compare.relation {
        Relation::Equal => 0,
        Relation::Greater => 1,
        Relation::Less => 2,
        Relation::NotEqual => 3,
    };
    let message = Message::new().number(1, result);
    let message = match &compare.target {
        Target::Version(_) => message.number(2, 0),
        Target::CreateRevision(_) => message.number(2, 1),
        Target::ModRevision(_) => message.number(2, 2),
        Target::Value(_) => message.number(2, 3),
        Target::Lease(_) => message.number(2, 4),
    };
    let message = message.bytes(3, &start);
    let message = match &compare.target {
        Target::Version(version) => message.set(4, *version),
        Target::CreateRevision(revision) => message.set(5, base.compared(*revision)),
        Target::ModRevision(revision) => message.set(6, base.compared(*revision)),
        Target::Value(value) => message.set_bytes(7, value),
        Target::Lease(lease) => message.set(8, lease.map_or(0, |lease| lease.0)),
    };
    message.bytes(64, &end)
}

/// A step of a transaction. None: it concerns no key, and its answer is `nothing`.
pub(super) fn op(op: &Op, base: &Base) -> Option<Message> {
    Some(match op {
        Op::Put { key, value, lease } => Message::new().message(
            2,
            Message::new()
                .bytes(1, &base.key(key))
                .bytes(2, value)
                .number(3, lease.map_or(0, |lease| lease.0))
                .flag(4, true),
        ),
        Op::Delete { range } => {
            let (start, end) = base.bounds(range)?;
            Message::new().message(3, Message::new().bytes(1, &start).bytes(2, &end).flag(3, true))
        }
        Op::Range(request) => Message::new().message(1, range(request, base)?),
    })
}

/// What a step that concerns no key did.
pub(super) fn nothing(op: &Op) -> OpResult {
    match op {
        Op::Put { .. } => OpResult::Put { previous: None },
        Op::Delete { .. } => OpResult::Delete { previous: Vec::new() },
        Op::Range(_) => OpResult::Range(empty(Revision(0))),
    }
}

/// The answer of a range without keys.
pub(super) fn empty(revision: Revision) -> RangeResponse {
    RangeResponse {
        kvs: Vec::new(),
        more: false,
        count: 0,
        revision,
    }
}

/// The revision in an answer's header, which is field 1 of every answer.
pub(super) fn header_revision(answer: Bytes) -> Read<u64> {
    for field in fields(answer) {
        if let (1, value) = field? {
            return header(value);
        }
    }
    Err(Malformed)
}

pub(super) fn header(value: Value) -> Read<u64> {
    find(value.bytes()?, 3)?.map_or(Ok(0), Value::number)
}

pub(super) fn find(message: Bytes, wanted: u64) -> Read<Option<Value>> {
    for field in fields(message) {
        let (number, value) = field?;
        if number == wanted {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

pub(super) fn key_value(message: Bytes, base: &Base) -> Read<KeyValue> {
    let mut kv = KeyValue {
        key: Bytes::new(),
        value: Bytes::new(),
        create_revision: Revision(0),
        mod_revision: Revision(0),
        version: 0,
        lease: None,
    };
    for field in fields(message) {
        match field? {
            (1, value) => kv.key = base.strip(value.bytes()?),
            (2, value) => kv.create_revision = base.ours(value.number()?),
            (3, value) => kv.mod_revision = base.ours(value.number()?),
            (4, value) => kv.version = value.number()?,
            (5, value) => kv.value = value.bytes()?,
            (6, value) => kv.lease = Some(LeaseId(value.number()?)).filter(|lease| lease.0 != 0),
            _ => {}
        }
    }
    Ok(kv)
}

/// The answer to a range read that asked for this.
pub(super) fn range_response(message: Bytes, request: &RangeRequest, base: &Base) -> Read<RangeResponse> {
    let mut response = empty(Revision(0));
    let mut counted = 0;
    for field in fields(message) {
        match field? {
            (1, value) => response.revision = base.ours(header(value)?),
            (2, value) => response.kvs.push(key_value(value.bytes()?, base)?),
            (3, value) => response.more = value.flag()?,
            (4, value) => counted = value.number()?,
            _ => {}
        }
    }
    if request.count_only {
        response.more = false;
        response.count = usize::try_from(counted).map_err(|_| Malformed)?;
        return Ok(response);
    }
    if request.limit == Some(0) {
        response.more = !response.kvs.is_empty();
        response.kvs.clear();
    }
    response.count = response.kvs.len();
    Ok(response)
}

/// The answer to a transaction whose steps were these, without those that concern no key. One inside another
/// does not know its revision: it is given.
pub(super) fn txn_response<'o>(
    message: Bytes,
    base: &Base,
    given: Option<Revision>,
    steps: impl FnOnce(bool) -> &'o [Op],
) -> Read<TxnResponse> {
    let (mut revision, mut succeeded, mut answers) = (0, false, Vec::new());
    for field in fields(message) {
        match field? {
            (1, value) => revision = header(value)?,
            (2, value) => succeeded = value.flag()?,
            (3, value) => answers.push(value.bytes()?),
            _ => {}
        }
    }
    let revision = given.unwrap_or(base.ours(revision));
    let (mut answers, mut results) = (answers.into_iter(), Vec::new());
    for step in steps(succeeded) {
        if op(step, base).is_none() {
            results.push(nothing(step));
        } else {
            results.push(result(answers.next().ok_or(Malformed)?, step, base)?);
        }
    }
    for result in &mut results {
        if let OpResult::Range(response) = result {
            response.revision = revision;
        }
    }
    Ok(TxnResponse {
        succeeded,
        revision,
        results,
    })
}

fn result(answer: Bytes, step: &Op, base: &Base) -> Read<OpResult> {
    let (number, value) = fields(answer).next().ok_or(Malformed)??;
    let inner = value.bytes()?;
    match (number, step) {
        (1, Op::Range(request)) => Ok(OpResult::Range(range_response(inner, request, base)?)),
        (2, Op::Put { .. }) => {
            let previous = find(inner, 2)?.map(|kv| key_value(kv.bytes()?, base));
            Ok(OpResult::Put {
                previous: previous.transpose()?,
            })
        }
        (3, Op::Delete { .. }) => {
            let mut previous = Vec::new();
            for field in fields(inner) {
                if let (3, value) = field? {
                    previous.push(key_value(value.bytes()?, base)?);
                }
            }
            Ok(OpResult::Delete { previous })
        }
        _ => Err(Malformed),
    }
}

/// Begins a watch of every key, the reserved ones too, so that each revision shows; in pieces if it is large.
pub(super) fn watch(from: u64) -> Bytes {
    let create = Message::new()
        .bytes(1, NO_END)
        .bytes(2, NO_END)
        .number(3, from)
        .flag(6, true)
        .flag(8, true);
    Message::new().message(1, create).finish()
}

/// What a watch is told.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) canceled: bool,
    /// Not zero: the watch began before this revision, through which history is gone.
    pub(super) compacted: u64,
    pub(super) reason: String,
    /// More of the same revision follows.
    pub(super) fragment: bool,
    /// Each with the revision it happened in, which is etcd's; none: it is of a key that is not the store's.
    pub(super) events: Vec<(u64, Option<Event>)>,
}

pub(super) fn watch_response(message: Bytes, base: &Base) -> Read<Heard> {
    let mut heard = Heard::default();
    for field in fields(message) {
        match field? {
            (4, value) => heard.canceled = value.flag()?,
            (5, value) => heard.compacted = value.number()?,
            (6, value) => heard.reason = String::from_utf8_lossy(&value.bytes()?).into_owned(),
            (7, value) => heard.fragment = value.flag()?,
            (11, value) => heard.events.push(event(value.bytes()?, base)?),
            _ => {}
        }
    }
    Ok(heard)
}

fn event(message: Bytes, base: &Base) -> Read<(u64, Option<Event>)> {
    let (mut delete, mut current, mut previous) = (false, None, None);
    for field in fields(message) {
        match field? {
            (1, value) => delete = value.number()? == 1,
            (2, value) => current = Some(value.bytes()?),
            (3, value) => previous = Some(value.bytes()?),
            _ => {}
        }
    }
    let current = current.ok_or(Malformed)?;
    let revision = find(current.clone(), 3)?.ok_or(Malformed)?.number()?;
    let key = find(current.clone(), 1)?.ok_or(Malformed)?.bytes()?;
    if base.bare(&key).is_none() {
        return Ok((revision, None));
    }
    let current = key_value(current, base)?;
    let previous = previous.map(|kv| key_value(kv, base)).transpose()?;
    let event = if delete {
        Event::Delete {
            key: current.key,
            previous,
        }
    } else {
        Event::Put { current, previous }
    };
    Ok((revision, Some(event)))
}

/// What the lease calls answer, as far as each fills it.
#[derive(Debug, Default)]
pub(super) struct Lease {
    pub(super) id: u64,
    /// Seconds; less than one (in two's complement) when there is no such lease.
    pub(super) ttl: i64,
    pub(super) granted: i64,
    pub(super) error: String,
    pub(super) keys: Vec<Bytes>,
}

/// For grant, keep-alive and time-to-live alike: their members have the same numbers, but for 4 and 5.
pub(super) fn lease(message: Bytes) -> Read<Lease> {
    let mut lease = Lease::default();
    for field in fields(message) {
        match field? {
            (2, value) => lease.id = value.number()?,
            (3, value) => lease.ttl = value.number()?.cast_signed(),
            (4, Value::Number(granted)) => lease.granted = granted.cast_signed(),
            (4, Value::Bytes(error)) => lease.error = String::from_utf8_lossy(&error).into_owned(),
            (5, value) => lease.keys.push(value.bytes()?),
            _ => {}
        }
    }
    Ok(lease)
}

pub(super) fn leases(message: Bytes) -> Read<Vec<LeaseId>> {
    let mut leases = Vec::new();
    for field in fields(message) {
        if let (2, value) = field? {
            let id = find(value.bytes()?, 1)?.ok_or(Malformed)?.number()?;
            leases.push(LeaseId(id));
        }
    }
    leases.sort_unstable();
    Ok(leases)
}

/// The server's release, from the answer to a status call.
pub(super) fn release(message: Bytes) -> Read<String> {
    let release = find(message, 2)?.ok_or(Malformed)?.bytes()?;
    Ok(String::from_utf8_lossy(&release).into_owned())
}

/// Whole seconds; what is less than nothing is nothing.
pub(super) fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
