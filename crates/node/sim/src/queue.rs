//! What is to happen, in the order of time; what is due at the same time happens in the order in which it was put in.

use std::collections::BTreeMap;

use crate::Millis;

#[derive(Debug)]
pub(crate) struct Queue<T> {
    events: BTreeMap<(Millis, u64), T>,
    next: u64,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            events: BTreeMap::new(),
            next: 0,
        }
    }

    pub(crate) fn put(&mut self, at: Millis, event: T) {
        self.events.insert((at, self.next), event);
        self.next += 1;
    }

    /// The next one, if it is due by then.
    pub(crate) fn take(&mut self, until: Millis) -> Option<(Millis, T)> {
        let entry = self.events.first_entry()?;
        if entry.key().0 > until {
            return None;
        }
        let ((at, _), event) = entry.remove_entry();
        Some((at, event))
    }
}
