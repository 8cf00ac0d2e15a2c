//! What is in memory of one queue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roadstead_queue::{Queue, Taken};
use tokio::sync::Notify;

use crate::records::SentRecord;

/// Attempts to receive that are remembered of a FIFO queue.
const MAX_ATTEMPTS: usize = 10_000;

/// What an attempt to receive from a FIFO queue got, for who tries it again. In memory alone: after a restart the
/// messages are had again when their timeout is over.
pub(crate) struct Attempt {
    pub until: i64,
    pub taken: Vec<Taken>,
}

pub(crate) struct Backlog {
    queue: Mutex<Queue>,
    /// What FIFO queues were sent, by what another like it is known by.
    known: Mutex<HashMap<Vec<u8>, SentRecord>>,
    attempts: Mutex<HashMap<String, Attempt>>,
    /// Held while messages are sent to a FIFO queue, so that they can be received in the order of their numbers.
    pub sending: Arc<tokio::sync::Mutex<()>>,
    /// Something may be there to be received.
    pub arrived: Notify,
}

impl Backlog {
    pub(super) fn new() -> Self {
        Self {
            queue: Mutex::default(),
            known: Mutex::default(),
            attempts: Mutex::default(),
            sending: Arc::default(),
            arrived: Notify::new(),
        }
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, HashMap<Vec<u8>, SentRecord>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out what is known no more.
    pub(super) fn forget_known(&self, now: i64) -> Vec<Vec<u8>> {
        let mut old = Vec::new();
        self.known().retain(|known, sent| {
            let keep = sent.until > now;
            if !keep {
                old.push(known.clone());
            }
            keep
        });
        old
    }

    /// What an attempt got, if it is remembered.
    pub(crate) fn attempt(&self, id: &str, now: i64) -> Option<Vec<Taken>> {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|_, attempt| attempt.until > now);
        attempts.get(id).map(|attempt| attempt.taken.clone())
    }

    pub(crate) fn remember(&self, id: String, attempt: Attempt) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.len() < MAX_ATTEMPTS {
            attempts.insert(id, attempt);
        }
    }
}
