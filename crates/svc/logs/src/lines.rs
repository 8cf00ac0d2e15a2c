//! Where streams and lines lie. A line's key is its group, its stream, its time and a number that only grows, so that
//! a stream is one range in order of time, and lines of one time stay in the order in which they came.

pub(crate) mod merge;
mod owed;
mod read;

use std::sync::Arc;

use roadstead_base::Timestamp;
use roadstead_volume::{Batch, Numbers, Space, Volume};
use tokio::sync::{Mutex, MutexGuard};

use crate::error::{Error, Result};
use crate::records::StreamRecord;

pub(crate) use owed::{FilterKey, Owed};

/// Streams that are changed at the same time wait for each other only if they share one of these.
const LOCKS: usize = 64;
/// What each line counts besides its text, as documented.
pub(crate) const LINE_BYTES: usize = 26;
/// Deletes in one write.
const CLEARED_AT_ONCE: usize = 4096;

pub(crate) struct Lines {
    volume: Volume,
    streams: Space,
    lines: Space,
    /// Groups and streams that are deleted, whose lines are not yet.
    doomed: Space,
    /// What subscriptions have not got yet.
    owed: Space,
    numbers: Numbers,
    locks: Arc<[Mutex<()>; LOCKS]>,
}

/// A line as it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub time: i64,
    pub number: u64,
    pub ingested: i64,
    pub message: String,
}

/// Lines that came for a stream.
#[derive(Clone, Copy)]
pub(crate) struct Arrived<'a> {
    pub group: u64,
    pub stream: &'a str,
    /// Of the stream, before.
    pub record: &'a StreamRecord,
    /// Times and texts.
    pub lines: &'a [(i64, &'a str)],
    /// The number of the first of them, from which the others' go on.
    pub first: u64,
    pub now: Timestamp,
}

/// A place among the lines of a stream or of a group: a time and a number.
pub(crate) type Place = (i64, u64);

/// What clients know a line by.
pub(crate) fn event_id((time, number): Place) -> String {
    format!("{:020}{number:020}", time.max(0))
}

impl Lines {
    pub(crate) fn open(volume: Volume) -> Result<Self> {
        Ok(Self {
            streams: volume.space("log-streams")?,
            lines: volume.space("log-lines")?,
            doomed: volume.space("log-doomed")?,
            owed: volume.space("log-owed")?,
            numbers: Numbers::open(&volume, "log-meta")?,
            volume,
            locks: Arc::new(std::array::from_fn(|_| Mutex::new(()))),
        })
    }

    /// `count` numbers in a row, none of which was given before.
    pub(crate) async fn numbers(&self, count: u64) -> Result<u64> {
        Ok(self.numbers.take(count).await?)
    }

    /// Keeps others from changing the stream.
    pub(crate) async fn lock(&self, group: u64, stream: &str) -> MutexGuard<'_, ()> {
        let mut hash = group;
        for byte in stream.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let at = usize::try_from(hash % LOCKS as u64).unwrap_or_default();
        self.locks[at].lock().await
    }

    pub(crate) fn stream(&self, group: u64, stream: &str) -> Result<Option<StreamRecord>> {
        self.streams
            .get(stream_key(group, stream))?
            .map(|bytes| record(&bytes))
            .transpose()
    }

    /// The line at a place of a stream.
    pub(crate) fn line(&self, group: u64, stream: u64, (time, number): Place) -> Result<Option<Line>> {
        let mut found = self.read(
            group,
            stream,
            (time, number),
            (time, number.saturating_add(1)),
            false,
        );
        found.next().transpose()
    }

    /// The streams of a group whose names begin with this, in order of names.
    pub(crate) fn streams(&self, group: u64, prefix: &str) -> Result<Vec<(String, StreamRecord)>> {
        let mut found = Vec::new();
        for pair in self.streams.prefix(stream_key(group, prefix)) {
            let (key, value) = pair?;
            let name = String::from_utf8(key[8..].to_vec()).map_err(|_| broken("the name of a stream"))?;
            found.push((name, record(&value)?));
        }
        Ok(found)
    }

    pub(crate) async fn put_stream(&self, group: u64, stream: &str, record: &StreamRecord) -> Result<()> {
        let mut batch = Batch::default();
        self.add_stream(&mut batch, group, stream, record)?;
        Ok(self.volume.write(batch).await?)
    }

    fn add_stream(&self, batch: &mut Batch, group: u64, stream: &str, record: &StreamRecord) -> Result<()> {
        let value = serde_json::to_vec(record).map_err(|_| broken("a stream"))?;
        batch.put(&self.streams, stream_key(group, stream), value);
        Ok(())
    }

    /// Adds lines to a stream that the caller has locked, brings its record up to date, and writes down what is owed of
    /// them to subscriptions: all of it or nothing. Durable when it returns.
    pub(crate) async fn append(&self, arrived: Arrived<'_>, owed: &[Owed]) -> Result<()> {
        let Arrived {
            group,
            stream,
            record,
            lines,
            first,
            now,
        } = arrived;
        let mut record = record.clone();
        let mut batch = Batch::default();
        self.add_owed(&mut batch, owed)?;
        for ((time, message), number) in lines.iter().zip(first..) {
            let mut value = now.0.to_be_bytes().to_vec();
            value.extend_from_slice(message.as_bytes());
            batch.put(&self.lines, line_key(group, record.id, (*time, number)), value);
            record.first_event = Some(record.first_event.map_or(*time, |first| first.min(*time)));
            record.last_event = Some(record.last_event.map_or(*time, |last| last.max(*time)));
            record.bytes += (message.len() + LINE_BYTES) as u64;
        }
        record.last_ingestion = Some(now);
        self.add_stream(&mut batch, group, stream, &record)?;
        Ok(self.volume.write(batch).await?)
    }

    /// Forgets a stream that the caller has locked. Its lines are cleared away later.
    pub(crate) async fn drop_stream(&self, group: u64, stream: &str, id: u64) -> Result<()> {
        let mut batch = Batch::default();
        batch.delete(&self.streams, stream_key(group, stream));
        batch.put(&self.doomed, place_key(group, Some(id)), []);
        Ok(self.volume.write(batch).await?)
    }

    /// Forgets all of a group. Its streams and lines are cleared away later.
    pub(crate) async fn drop_group(&self, group: u64) -> Result<()> {
        let mut batch = Batch::default();
        batch.put(&self.doomed, place_key(group, None), []);
        Ok(self.volume.write(batch).await?)
    }

    /// Groups that have streams or lines, or are owed some.
    pub(crate) fn groups(&self) -> Result<Vec<u64>> {
        let mut found: Vec<u64> = Vec::new();
        for space in [&self.streams, &self.lines, &self.owed] {
            let mut from = Some(0u64);
            while let Some(start) = from {
                let Some(pair) = space.range(start.to_be_bytes()..).next() else {
                    break;
                };
                let group = head(&pair?.0)?;
                found.push(group);
                from = group.checked_add(1);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Clears away what was forgotten. How many lines and streams that were.
    pub(crate) async fn clear_doomed(&self) -> Result<usize> {
        let mut cleared = 0;
        let doomed: Vec<_> = self.doomed.range::<&[u8], _>(..).collect::<Result<_, _>>()?;
        for (key, _) in doomed {
            cleared += self.clear(&self.lines, &key).await?;
            if key.len() == 8 {
                cleared += self.clear(&self.streams, &key).await?;
                cleared += self.clear(&self.owed, &key).await?;
            }
            let mut batch = Batch::default();
            batch.delete(&self.doomed, key);
            self.volume.write(batch).await?;
        }
        Ok(cleared)
    }

    async fn clear(&self, space: &Space, prefix: &[u8]) -> Result<usize> {
        let mut cleared = 0;
        loop {
            let keys: Vec<Vec<u8>> = space
                .prefix(prefix)
                .take(CLEARED_AT_ONCE)
                .map(|pair| pair.map(|(key, _)| key))
                .collect::<Result<_, _>>()?;
            if keys.is_empty() {
                return Ok(cleared);
            }
            cleared += keys.len();
            let mut batch = Batch::default();
            for key in keys {
                batch.delete(space, key);
            }
            self.volume.write(batch).await?;
        }
    }

    /// Clears away the lines of a stream from before a time. How many that were.
    pub(crate) async fn expire(&self, group: u64, stream: &str, before: i64) -> Result<usize> {
        let mut expired = 0;
        loop {
            let _locked = self.lock(group, stream).await;
            let Some(mut record) = self.stream(group, stream)? else {
                return Ok(expired);
            };
            let range = line_key(group, record.id, (i64::MIN, 0))..line_key(group, record.id, (before, 0));
            let old: Vec<_> = self
                .lines
                .range(range)
                .take(CLEARED_AT_ONCE)
                .collect::<Result<_, _>>()?;
            if old.is_empty() {
                return Ok(expired);
            }
            expired += old.len();
            let mut batch = Batch::default();
            for (key, value) in old {
                let size = (value.len().saturating_sub(8) + LINE_BYTES) as u64;
                record.bytes = record.bytes.saturating_sub(size);
                batch.delete(&self.lines, key);
            }
            record.first_event = record.first_event.map(|first| first.max(before));
            self.add_stream(&mut batch, group, stream, &record)?;
            self.volume.write(batch).await?;
        }
    }
}

fn broken(what: &str) -> Error {
    Error::Broken(format!("{what} cannot be read from the volume of logs"))
}

fn record(bytes: &[u8]) -> Result<StreamRecord> {
    serde_json::from_slice(bytes).map_err(|_| broken("a stream"))
}

fn head(key: &[u8]) -> Result<u64> {
    let bytes = key.get(..8).and_then(|head| head.try_into().ok());
    bytes.map(u64::from_be_bytes).ok_or_else(|| broken("a key"))
}

fn stream_key(group: u64, stream: &str) -> Vec<u8> {
    let mut key = group.to_be_bytes().to_vec();
    key.extend_from_slice(stream.as_bytes());
    key
}

/// Of a group, or of a stream in it: what the keys of their lines begin with.
fn place_key(group: u64, stream: Option<u64>) -> Vec<u8> {
    let mut key = group.to_be_bytes().to_vec();
    key.extend(stream.into_iter().flat_map(u64::to_be_bytes));
    key
}

fn line_key(group: u64, stream: u64, (time, number): Place) -> Vec<u8> {
    let mut key = place_key(group, Some(stream));
    // With the sign turned, bytes are in the order of numbers.
    key.extend_from_slice(&(time ^ i64::MIN).to_be_bytes());
    key.extend_from_slice(&number.to_be_bytes());
    key
}
