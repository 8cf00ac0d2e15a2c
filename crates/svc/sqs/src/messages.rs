//! The messages of all queues. Contents lie in the volume, beside a state of fixed form that every receive writes anew;
//! from the states each queue's backlog is made at the start. What is written is written before it counts, and nobody
//! who hangs up in between leaves the backlog at odds with the volume: writes go on by themselves.

mod backlog;
mod state;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use roadstead_base::Timestamp;
use roadstead_queue::{Message, Taken};
use roadstead_volume::{Batch, Numbers, Space, Volume};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::backlog::{Attempt, Backlog};
use crate::error::{Error, Result};
use crate::records::{MessageRecord, SentRecord};
use crate::seal::Seal;

/// Writes of one batch; a purge takes several.
const AT_ONCE: usize = 1000;
const PLAIN: u8 = 0;
const SEALED: u8 = 1;

pub(crate) struct Messages {
    volume: Volume,
    contents: Space,
    states: Space,
    sent: Space,
    pub(crate) numbers: Numbers,
    seal: Seal,
    backlogs: RwLock<HashMap<u64, Arc<Backlog>>>,
    count: AtomicUsize,
    /// A task to move messages was started.
    pub(crate) moving: tokio::sync::Notify,
    /// Held while it is seen that none runs and one is started.
    pub(crate) starting: tokio::sync::Mutex<()>,
}

/// A message to be sent.
pub(crate) struct Outgoing {
    pub number: u64,
    pub record: MessageRecord,
    pub visible: i64,
    /// FIFO: what another like it is known by, and until when.
    pub known: Option<(Vec<u8>, SentRecord)>,
}

/// A message's place: queue and number.
fn key(queue: u64, number: u64) -> Vec<u8> {
    [queue.to_be_bytes(), number.to_be_bytes()].concat()
}

fn split(key: &[u8]) -> Option<(u64, &[u8])> {
    let (queue, rest) = key.split_at_checked(8)?;
    Some((u64::from_be_bytes(queue.try_into().ok()?), rest))
}

fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Broken(error.to_string()))
}

fn of_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| Error::Broken(error.to_string()))
}

/// Goes on also when who waits for it is gone.
async fn by_itself<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work)
        .await
        .map_err(|error| Error::Broken(error.to_string()))?
}

impl Messages {
    /// Reads the states of all messages. Blocks.
    pub(crate) fn open(volume: Volume, seal: Seal, now: Timestamp) -> Result<Self> {
        let messages = Self {
            contents: volume.space("sqs-message")?,
            states: volume.space("sqs-state")?,
            sent: volume.space("sqs-sent")?,
            numbers: Numbers::open(&volume, "sqs-number")?,
            volume,
            seal,
            backlogs: RwLock::default(),
            count: AtomicUsize::new(0),
            moving: tokio::sync::Notify::new(),
            starting: tokio::sync::Mutex::default(),
        };
        for pair in messages.states.prefix(b"") {
            let (key, value) = pair?;
            let Some((queue, number)) = split(&key) else {
                continue;
            };
            let (Ok(number), Some(message)) =
                (number.try_into().map(u64::from_be_bytes), state::read(&value))
            else {
                return Err(Error::Broken("a message's state cannot be read".into()));
            };
            messages.backlog(queue).queue().insert(number, message, now.0);
            messages.count.fetch_add(1, Ordering::Relaxed);
        }
        for pair in messages.sent.prefix(b"") {
            let (key, value) = pair?;
            if let Some((queue, known)) = split(&key) {
                messages
                    .backlog(queue)
                    .known()
                    .insert(known.to_vec(), of_json(&value)?);
            }
        }
        Ok(messages)
    }

    /// Of all queues.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// That of a queue, made if there is none.
    pub(crate) fn backlog(&self, queue: u64) -> Arc<Backlog> {
        let all = self.backlogs.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(backlog) = all.get(&queue) {
            return Arc::clone(backlog);
        }
        drop(all);
        let mut all = self.backlogs.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(queue).or_insert_with(|| Arc::new(Backlog::new())))
    }

    /// The queues that have one.
    pub(crate) fn queues(&self) -> Vec<u64> {
        let all = self.backlogs.read().unwrap_or_else(PoisonError::into_inner);
        all.keys().copied().collect()
    }

    pub(crate) fn wake_all(&self) {
        let all = self.backlogs.read().unwrap_or_else(PoisonError::into_inner);
        for backlog in all.values() {
            backlog.arrived.notify_waiters();
        }
    }

    fn content(&self, queue: u64, number: u64, record: &MessageRecord, sealed: bool) -> Result<Vec<u8>> {
        let json = to_json(record)?;
        let (kind, bytes) = match sealed {
            true => (SEALED, self.seal.seal(&key(queue, number), &json)?),
            false => (PLAIN, json),
        };
        Ok([&[kind], bytes.as_slice()].concat())
    }

    /// None if it was deleted meanwhile.
    pub(crate) fn read(&self, queue: u64, number: u64) -> Result<Option<MessageRecord>> {
        let place = key(queue, number);
        let Some(bytes) = self.contents.get(&place)? else {
            return Ok(None);
        };
        let record = match bytes.split_first() {
            Some((&SEALED, rest)) => of_json(&self.seal.open(&place, rest)?)?,
            Some((&PLAIN, rest)) => of_json(rest)?,
            _ => return Err(Error::Broken("a message is of no known kind".into())),
        };
        Ok(Some(record))
    }

    /// Writes messages, and then lets them be received. `turn` is held until they can be.
    pub(crate) async fn send(
        self: &Arc<Self>,
        queue: u64,
        outgoing: Vec<Outgoing>,
        sealed: bool,
        now: Timestamp,
        turn: Option<tokio::sync::OwnedMutexGuard<()>>,
    ) -> Result<()> {
        let messages = Arc::clone(self);
        by_itself(async move {
            let _until_they_are_there = turn;
            let mut batch = Batch::default();
            for Outgoing {
                number,
                record,
                visible,
                known,
            } in &outgoing
            {
                let place = key(queue, *number);
                let message = waiting(record, *visible);
                batch.put(
                    &messages.contents,
                    place.clone(),
                    messages.content(queue, *number, record, sealed)?,
                );
                batch.put(&messages.states, place, state::write(&message));
                if let Some((known, sent)) = known {
                    let place = [&queue.to_be_bytes(), known.as_slice()].concat();
                    batch.put(&messages.sent, place, to_json(sent)?);
                }
            }
            messages.volume.write(batch).await?;
            let backlog = messages.backlog(queue);
            for Outgoing {
                number,
                record,
                visible,
                known,
            } in outgoing
            {
                let message = waiting(&record, visible);
                backlog.queue().insert(number, message, now.0);
                if let Some((known, sent)) = known {
                    backlog.known().insert(known, sent);
                }
                messages.count.fetch_add(1, Ordering::Relaxed);
            }
            backlog.arrived.notify_waiters();
            Ok(())
        })
        .await
    }

    /// Writes down how messages stand that were received or made visible at another time.
    pub(crate) async fn note(self: &Arc<Self>, queue: u64, taken: &[Taken]) -> Result<()> {
        let mut batch = Batch::default();
        for Taken { number, message } in taken {
            batch.put(&self.states, key(queue, *number), state::write(message));
        }
        let messages = Arc::clone(self);
        by_itself(async move {
            messages.volume.write(batch).await?;
            messages.backlog(queue).arrived.notify_waiters();
            Ok(())
        })
        .await
    }

    /// Deletes messages, and then their groups go on.
    pub(crate) async fn delete(
        self: &Arc<Self>,
        queue: u64,
        numbers: Vec<u64>,
        now: Timestamp,
    ) -> Result<()> {
        let messages = Arc::clone(self);
        by_itself(async move {
            for numbers in numbers.chunks(AT_ONCE) {
                let mut batch = Batch::default();
                for number in numbers {
                    batch.delete(&messages.contents, key(queue, *number));
                    batch.delete(&messages.states, key(queue, *number));
                }
                messages.volume.write(batch).await?;
                let backlog = messages.backlog(queue);
                for number in numbers {
                    if backlog.queue().remove(*number, now.0).is_some() {
                        messages.count.fetch_sub(1, Ordering::Relaxed);
                    }
                }
                backlog.arrived.notify_waiters();
            }
            Ok(())
        })
        .await
    }

    /// Moves messages that were taken out of one backlog into another, whole or not at all. `source_arn` is what they
    /// are dead letters of from now on, if they are. In FIFO queues, and when they are no longer dead letters, they
    /// begin to age anew.
    pub(crate) async fn transfer(
        self: &Arc<Self>,
        from: u64,
        to: u64,
        taken: Vec<Taken>,
        change: Transfer,
        now: Timestamp,
    ) -> Result<()> {
        let messages = Arc::clone(self);
        by_itself(async move {
            let moved = messages.write_transfer(from, to, &taken, &change, now).await;
            let backlog = messages.backlog(if moved.is_ok() { to } else { from });
            match moved {
                Ok(moved) => {
                    for Taken { number, message } in moved {
                        backlog.queue().insert(number, message, now.0);
                    }
                }
                Err(error) => {
                    for Taken { number, message } in taken {
                        backlog.queue().insert(number, message, now.0);
                    }
                    return Err(error);
                }
            }
            backlog.arrived.notify_waiters();
            Ok(())
        })
        .await
    }

    async fn write_transfer(
        &self,
        from: u64,
        to: u64,
        taken: &[Taken],
        change: &Transfer,
        now: Timestamp,
    ) -> Result<Vec<Taken>> {
        let mut batch = Batch::default();
        let mut moved = Vec::new();
        for Taken { number, message } in taken {
            let Some(mut record) = self.read(from, *number)? else {
                self.count.fetch_sub(1, Ordering::Relaxed);
                continue;
            };
            // What is taken back begins as a message of its own.
            if change.source_arn.is_none() {
                record.id = roadstead_base::random_uuid();
            }
            record.source_arn = change.source_arn.clone();
            if change.source_arn.is_none() || message.group.is_some() {
                record.sent = now.0;
            }
            let fresh = self.numbers.take(1).await?;
            let message = waiting(&record, now.0);
            batch.put(
                &self.contents,
                key(to, fresh),
                self.content(to, fresh, &record, change.sealed)?,
            );
            batch.put(&self.states, key(to, fresh), state::write(&message));
            batch.delete(&self.contents, key(from, *number));
            batch.delete(&self.states, key(from, *number));
            moved.push(Taken {
                number: fresh,
                message,
            });
        }
        self.volume.write(batch).await?;
        Ok(moved)
    }

    /// Everything of a queue that is no more.
    pub(crate) async fn forget(self: &Arc<Self>, queue: u64) -> Result<()> {
        let backlog = {
            let mut all = self.backlogs.write().unwrap_or_else(PoisonError::into_inner);
            all.remove(&queue)
        };
        if let Some(backlog) = &backlog {
            self.count.fetch_sub(backlog.queue().len(), Ordering::Relaxed);
            backlog.arrived.notify_waiters();
        }
        let messages = Arc::clone(self);
        by_itself(async move {
            for space in [&messages.contents, &messages.states, &messages.sent] {
                loop {
                    let mut batch = Batch::default();
                    for pair in space.prefix(queue.to_be_bytes()).take(AT_ONCE) {
                        batch.delete(space, pair?.0);
                    }
                    if batch.is_empty() {
                        break;
                    }
                    messages.volume.write(batch).await?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Forgets what was sent so long ago that another like it is another.
    pub(crate) async fn forget_sent(&self, queue: u64, now: Timestamp) -> Result<()> {
        let old = self.backlog(queue).forget_known(now.0);
        let mut batch = Batch::default();
        for known in old {
            batch.delete(&self.sent, [&queue.to_be_bytes(), known.as_slice()].concat());
        }
        Ok(self.volume.write(batch).await?)
    }
}

/// How messages change by a move between queues.
#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    pub source_arn: Option<String>,
    pub sealed: bool,
}

fn waiting(record: &MessageRecord, visible: i64) -> Message {
    Message::new(record.sent, visible, record.group.as_deref().map(Arc::from))
}
