//! The order of a FIFO queue: within a group one after the other, and none while one of the group is with somebody.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

#[derive(Debug, Default)]
struct Group {
    /// Not with anybody, by number, with the time from which each can be taken.
    waiting: BTreeMap<u64, i64>,
    flying: usize,
}

impl Group {
    /// The first message and from when it can be taken, unless the group waits for what somebody has.
    fn head(&self) -> Option<(u64, i64)> {
        let (number, from) = self.waiting.first_key_value()?;
        (self.flying == 0).then_some((*number, *from))
    }
}

/// Groups, and which of them can be taken from.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: HashMap<Arc<str>, Group>,
    /// By the number of their first message, of groups whose turn it is.
    open: BTreeSet<(u64, Arc<str>)>,
    /// By the time from which they will be, of groups whose first message is delayed.
    delayed: BTreeSet<(i64, u64, Arc<str>)>,
}

impl Groups {
    /// Changes a group and files it anew.
    fn change<R>(&mut self, name: &Arc<str>, now: i64, change: impl FnOnce(&mut Group) -> R) -> R {
        let group = self.groups.entry(Arc::clone(name)).or_default();
        if let Some((number, from)) = group.head() {
            self.open.remove(&(number, Arc::clone(name)));
            self.delayed.remove(&(from, number, Arc::clone(name)));
        }
        let result = change(group);
        match group.head() {
            Some((number, from)) if from <= now => {
                self.open.insert((number, Arc::clone(name)));
            }
            Some((number, from)) => {
                self.delayed.insert((from, number, Arc::clone(name)));
            }
            None if group.flying == 0 => {
                self.groups.remove(name);
            }
            None => {}
        }
        result
    }

    pub(crate) fn wait(&mut self, name: &Arc<str>, number: u64, from: i64, now: i64) {
        self.change(name, now, |group| group.waiting.insert(number, from));
    }

    /// A message that waited is gone.
    pub(crate) fn gone(&mut self, name: &Arc<str>, number: u64, now: i64) {
        self.change(name, now, |group| group.waiting.remove(&number));
    }

    /// A message is with somebody, from before.
    pub(crate) fn fly(&mut self, name: &Arc<str>, now: i64) {
        self.change(name, now, |group| group.flying += 1);
    }

    /// Somebody has a message no more.
    pub(crate) fn land(&mut self, name: &Arc<str>, now: i64) {
        self.change(name, now, |group| group.flying = group.flying.saturating_sub(1));
    }

    /// Up to so many messages that can be taken, in order; as many as possible of the group whose turn it is.
    pub(crate) fn next(&mut self, most: usize, now: i64) -> Vec<u64> {
        while let Some((from, number, name)) = self.delayed.first().cloned()
            && from <= now
        {
            self.delayed.remove(&(from, number, Arc::clone(&name)));
            self.open.insert((number, name));
        }
        let mut found = Vec::new();
        for (_, name) in &self.open {
            let waiting = self.groups.get(name).map(|group| &group.waiting);
            let ready = waiting
                .into_iter()
                .flatten()
                .take_while(|(_, from)| **from <= now);
            found.extend(ready.map(|(number, _)| *number).take(most - found.len()));
            if found.len() >= most {
                break;
            }
        }
        found
    }

    /// From when the next group can be taken from that cannot be now.
    pub(crate) fn next_at(&self) -> Option<i64> {
        self.delayed.first().map(|(from, _, _)| *from)
    }
}
