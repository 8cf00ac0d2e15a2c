//! How records and commits are laid out on disk. Written by hand, because the layout is the data format that
//! later releases must read: it must not change by way of a dependency.
//!
//! Integers are little-endian. A record is 4 x u64 (create revision, mod revision, version, lease or 0) and the
//! value. A commit is a sequence of events: kind (1 put, 2 delete), key, for a put the record, whether there was
//! a previous record (0, 1), and that; each of these byte strings after its u32 length.

use bytes::Bytes;

use crate::api::{Event, KeyValue, LeaseId, Revision};
use crate::engine::{Stored, ValueRef};
use crate::error::{Error, Result};

const HEADER: usize = 32;
const PUT: u8 = 1;
const DELETE: u8 = 2;

pub(crate) fn encode_record(kv: &KeyValue, out: &mut Vec<u8>) {
    let numbers = [
        kv.create_revision.0,
        kv.mod_revision.0,
        kv.version,
        kv.lease.map_or(0, |lease| lease.0),
    ];
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&kv.value);
}

pub(crate) fn decode_record<'a>(key: &'a [u8], record: &'a [u8]) -> Result<Stored<'a>> {
    let (head, value) = record.split_at_checked(HEADER).ok_or_else(|| {
        Error::corrupt(
            "key table",
            format!("the record of a key has only {} bytes", record.len()),
        )
    })?;
    let mut numbers = head.chunks_exact(8).map(|chunk| {
        let mut number = [0; 8];
        number.copy_from_slice(chunk);
        u64::from_le_bytes(number)
    });
    let mut number = || numbers.next().unwrap_or(0);
    let (create_revision, mod_revision, version) = (Revision(number()), Revision(number()), number());
    let lease = Some(LeaseId(number())).filter(|lease| lease.0 != 0);
    Ok(Stored {
        key,
        create_revision,
        mod_revision,
        version,
        lease,
        value: ValueRef::Slice(value),
    })
}

pub(crate) fn encode_events(events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut record = Vec::new();
    for event in events {
        out.push(if matches!(event, Event::Put { .. }) {
            PUT
        } else {
            DELETE
        });
        string(event.key(), &mut out);
        if let Event::Put { current, .. } = event {
            record.clear();
            encode_record(current, &mut record);
            string(&record, &mut out);
        }
        match event.previous() {
            None => out.push(0),
            Some(previous) => {
                out.push(1);
                record.clear();
                encode_record(previous, &mut record);
                string(&record, &mut out);
            }
        }
    }
    out
}

fn string(bytes: &[u8], out: &mut Vec<u8>) {
    // Keys and values are far below 4 GiB: limits::check saw to it.
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

pub(crate) fn decode_events(row: &[u8]) -> Result<Vec<Event>> {
    let mut rest = Rest(Bytes::copy_from_slice(row));
    let mut events = Vec::new();
    while !rest.0.is_empty() {
        let kind = rest.byte()?;
        let key = rest.string()?;
        let current = if kind == PUT {
            Some(rest.record(&key)?)
        } else {
            None
        };
        let previous = if rest.byte()? == 1 {
            Some(rest.record(&key)?)
        } else {
            None
        };
        events.push(match (kind, current) {
            (PUT, Some(current)) => Event::Put { current, previous },
            (DELETE, _) => Event::Delete { key, previous },
            _ => return Err(Error::corrupt("event table", format!("an event has kind {kind}"))),
        });
    }
    Ok(events)
}

struct Rest(Bytes);

impl Rest {
    fn take(&mut self, len: usize) -> Result<Bytes> {
        if self.0.len() < len {
            return Err(Error::corrupt(
                "event table",
                format!("{len} bytes wanted, {} left", self.0.len()),
            ));
        }
        Ok(self.0.split_to(len))
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn string(&mut self) -> Result<Bytes> {
        let mut len = [0; 4];
        len.copy_from_slice(&self.take(4)?);
        self.take(u32::from_le_bytes(len) as usize)
    }

    fn record(&mut self, key: &Bytes) -> Result<KeyValue> {
        let record = self.string()?;
        let stored = decode_record(key, &record)?;
        Ok(KeyValue {
            key: key.clone(),
            value: record.slice(HEADER..),
            create_revision: stored.create_revision,
            mod_revision: stored.mod_revision,
            version: stored.version,
            lease: stored.lease,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kv(key: &str, value: &str, lease: Option<LeaseId>) -> KeyValue {
        KeyValue {
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: Bytes::copy_from_slice(value.as_bytes()),
            create_revision: Revision(7),
            mod_revision: Revision(u64::MAX),
            version: 3,
            lease,
        }
    }

    #[test]
    fn events_come_back_as_they_were() {
        let events = vec![
            Event::Put {
                current: kv("a", "1", None),
                previous: None,
            },
            Event::Put {
                current: kv("b", "", Some(LeaseId(9))),
                previous: Some(kv("b", "old", None)),
            },
            Event::Delete {
                key: "c".into(),
                previous: Some(kv("c", "gone", Some(LeaseId(1)))),
            },
            Event::Delete {
                key: "d".into(),
                previous: None,
            },
        ];
        assert_eq!(decode_events(&encode_events(&events)).unwrap(), events);
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let events = [Event::Put {
            current: kv("key", "value", None),
            previous: Some(kv("key", "old", None)),
        }];
        let row = encode_events(&events);
        for len in 1..row.len() {
            assert!(decode_events(&row[..len]).is_err(), "cut to {len}");
        }
        assert!(decode_events(&[9, 0, 0, 0, 0, 0]).is_err());
        assert!(decode_record(b"k", &[0; 31]).is_err());
    }
}
