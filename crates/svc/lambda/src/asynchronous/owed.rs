//! How many bytes of events an account has waiting: all of them are in memory.

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
    accounts: HashMap<AccountId, u64>,
}

impl Owed {
    pub(crate) fn of<'a>(entries: impl Iterator<Item = &'a std::sync::Arc<Entry<EventRecord>>>) -> Self {
        let owed = Self::default();
        for entry in entries {
            owed.set(&entry.key, Some(&entry.value));
        }
        owed
    }

    /// One more event, unless its account then has more than `most` bytes.
    pub(super) fn add(&self, key: &Key, event: &EventRecord, most: u64) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(account) = partition_of(key).map(|partition| partition.account) else {
            return false;
        };
        let all = state.accounts.get(&account).copied().unwrap_or_default();
        let fits = all + size(event) <= most;
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
        *all = all.saturating_sub(before.unwrap_or_default()) + event.map_or(0, size);
        if *all == 0 {
            self.accounts.remove(&account);
        }
    }
}

fn size(event: &EventRecord) -> u64 {
    event.payload.len() as u64
}
