//! How many events an account has waiting, and how many bytes of them: all are in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use roadstead_base::AccountId;
use roadstead_store::{Entry, Key};

use crate::records::{EventRecord, partition_of};

#[derive(Debug, Default)]
pub(crate) struct Owed(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    events: HashMap<Key, u64>,
    accounts: HashMap<AccountId, Waiting>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    events: usize,
    bytes: u64,
}

impl Owed {
    pub(crate) fn of<'a>(entries: impl Iterator<Item = &'a std::sync::Arc<Entry<EventRecord>>>) -> Self {
        let owed = Self::default();
        for entry in entries {
            owed.set(&entry.key, Some(&entry.value));
        }
        owed
    }

    /// One more event, unless its account then has more than `most` events or `most_bytes` of them.
    pub(super) fn add(&self, key: &Key, event: &EventRecord, most: usize, most_bytes: u64) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(account) = partition_of(key).map(|partition| partition.account) else {
            return false;
        };
        let all = state.accounts.get(&account).copied().unwrap_or_default();
        let fits = all.events < most && all.bytes + size(event) <= most_bytes;
        if fits {
            state.set(key, Some(event));
        }
        fits
    }

    /// What an event is from now on; none: it is gone. The same twice is the same.
    pub(super) fn set(&self, key: &Key, event: Option<&EventRecord>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.set(key, event);
    }
}

impl State {
    fn set(&mut self, key: &Key, event: Option<&EventRecord>) {
        let Some(account) = partition_of(key).map(|partition| partition.account) else {
            return;
        };
        let before = match event {
            Some(event) => self.events.insert(key.clone(), size(event)),
            None => self.events.remove(key),
        };
        let all = self.accounts.entry(account.clone()).or_default();
        all.bytes = all.bytes.saturating_sub(before.unwrap_or_default()) + event.map_or(0, size);
        all.events = all.events.saturating_sub(usize::from(before.is_some())) + usize::from(event.is_some());
        if all.events == 0 {
            self.accounts.remove(&account);
        }
    }
}

fn size(event: &EventRecord) -> u64 {
    event.payload.len() as u64
}
