//! Which key is next. A state machine without clock or tasks, so that what it promises can be tried with any
//! order of events: a key is worked on by one at a time, and once after it was last told.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use crate::{Action, Backoff};

/// How many keys are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// To be worked on now.
    pub ready: usize,
    /// Being worked on.
    pub running: usize,
    /// To be worked on later.
    pub waiting: usize,
    /// Of all these, those whose last attempt failed.
    pub failing: usize,
}

pub(crate) struct Queue<K> {
    keys: HashMap<K, Known>,
    ready: VecDeque<K>,
    waiting: BTreeMap<(Instant, u64), K>,
    sequence: u64,
    running: usize,
    max_keys: usize,
    backoff: Backoff,
    overflowed: bool,
}

struct Known {
    place: Place,
    failures: u32,
}

enum Place {
    Ready,
    Running { told: bool },
    Waiting { at: (Instant, u64) },
}

impl<K: Clone + Eq + Hash> Queue<K> {
    pub(crate) fn new(max_keys: usize, backoff: Backoff) -> Self {
        Self {
            keys: HashMap::new(),
            ready: VecDeque::new(),
            waiting: BTreeMap::new(),
            sequence: 0,
            running: 0,
            max_keys: max_keys.max(1),
            backoff,
            overflowed: false,
        }
    }

    /// The key is to be looked at (again). False: there is no room, and `overflowed` remembers that.
    pub(crate) fn tell(&mut self, key: K, now: Instant) -> bool {
        let Some(known) = self.keys.get_mut(&key) else {
            let room = self.room();
            if room {
                self.make_ready(key, 0);
            }
            self.overflowed |= !room;
            return room;
        };
        match &mut known.place {
            Place::Ready => {}
            Place::Running { told } => *told = true,
            Place::Waiting { at } => {
                let at = *at;
                if known.failures == 0 {
                    self.waiting.remove(&at);
                    self.make_ready(key, 0);
                } else if at.0 > now + self.backoff.first {
                    let failures = known.failures;
                    self.waiting.remove(&at);
                    self.wait(key, now + self.backoff.first, failures);
                }
            }
        }
        true
    }

    /// The key is to be looked at some time: nothing new if it is known. False: there is no room.
    pub(crate) fn refresh(&mut self, key: &K) -> bool {
        if self.keys.contains_key(key) {
            return true;
        }
        let room = self.room();
        if room {
            self.make_ready(key.clone(), 0);
        }
        room
    }

    pub(crate) fn room(&self) -> bool {
        self.keys.len() < self.max_keys
    }

    /// Whether a told key found no room since this was last asked.
    pub(crate) fn take_overflowed(&mut self) -> bool {
        std::mem::take(&mut self.overflowed)
    }

    /// The next key to work on; `done` must follow.
    pub(crate) fn take(&mut self, now: Instant) -> Option<K> {
        while let Some(first) = self.waiting.first_entry().filter(|first| first.key().0 <= now) {
            let key = first.remove();
            let failures = self.keys.get(&key).map_or(0, |known| known.failures);
            self.make_ready(key, failures);
        }
        let key = self.ready.pop_front()?;
        if let Some(known) = self.keys.get_mut(&key) {
            known.place = Place::Running { told: false };
        }
        self.running += 1;
        Some(key)
    }

    /// What came of a key that was taken: an action, or a failure. Returns how long it waits now, if it does.
    pub(crate) fn done(&mut self, key: K, outcome: Option<Action>, now: Instant) -> Option<Duration> {
        let known = self.keys.get_mut(&key)?;
        let told = matches!(known.place, Place::Running { told: true });
        let failures = known.failures.saturating_add(1);
        self.running -= 1;
        match outcome {
            Some(_) if told => self.make_ready(key, 0),
            Some(Action::Done) => _ = self.keys.remove(&key),
            Some(Action::Again(after)) => {
                self.wait(key, now + after, 0);
                return Some(after);
            }
            None => {
                let full = self.backoff.after(failures);
                let after = if told { full.min(self.backoff.first) } else { full };
                self.wait(key, now + after, failures);
                return Some(after);
            }
        }
        None
    }

    /// When the next waiting key is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn failures(&self, key: &K) -> u32 {
        self.keys.get(key).map_or(0, |known| known.failures)
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            ready: self.ready.len(),
            running: self.running,
            waiting: self.waiting.len(),
            failing: self.keys.values().filter(|known| known.failures > 0).count(),
        }
    }

    fn make_ready(&mut self, key: K, failures: u32) {
        self.ready.push_back(key.clone());
        self.keys.insert(
            key,
            Known {
                place: Place::Ready,
                failures,
            },
        );
    }

    fn wait(&mut self, key: K, until: Instant, failures: u32) {
        self.sequence += 1;
        let at = (until, self.sequence);
        self.waiting.insert(at, key.clone());
        self.keys.insert(
            key,
            Known {
                place: Place::Waiting { at },
                failures,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn queue(max_keys: usize) -> Queue<u8> {
        Queue::new(
            max_keys,
            Backoff {
                first: SECOND,
                max: 8 * SECOND,
            },
        )
    }

    #[test]
    fn a_key_told_often_is_taken_once() {
        let (mut q, now) = (queue(9), Instant::now());
        assert!(q.tell(1, now) && q.tell(2, now) && q.tell(1, now));
        assert_eq!((q.take(now), q.take(now), q.take(now)), (Some(1), Some(2), None));
        assert!(q.tell(1, now) && q.tell(1, now), "told while it is worked on");
        assert_eq!(q.take(now), None, "one at a time");
        q.done(1, Some(Action::Done), now);
        assert_eq!((q.take(now), q.take(now)), (Some(1), None), "once more after");
        q.done(1, Some(Action::Done), now);
        q.done(2, Some(Action::Done), now);
        assert_eq!((q.stats(), q.take(now)), (Stats::default(), None));
    }

    #[test]
    fn waits_end_by_time_or_by_being_told() {
        let (mut q, now) = (queue(9), Instant::now());
        q.tell(1, now);
        q.take(now);
        assert_eq!(q.done(1, Some(Action::Again(5 * SECOND)), now), Some(5 * SECOND));
        assert_eq!(
            (q.take(now + 4 * SECOND), q.next_due()),
            (None, Some(now + 5 * SECOND))
        );
        assert!(q.refresh(&1));
        assert_eq!(q.take(now + 4 * SECOND), None, "a resync hurries nobody");
        assert_eq!(q.take(now + 5 * SECOND), Some(1));
        q.done(1, Some(Action::Again(5 * SECOND)), now);
        q.tell(1, now);
        assert_eq!((q.take(now), q.next_due()), (Some(1), None));
    }

    #[test]
    fn failures_wait_longer_until_one_success() {
        let (mut q, mut now) = (queue(9), Instant::now());
        q.tell(1, now);
        for (failures, wait) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8)] {
            assert_eq!(q.take(now), Some(1));
            assert_eq!(q.done(1, None, now), Some(wait * SECOND));
            assert_eq!((q.failures(&1), q.stats().failing), (failures, 1));
            now += wait * SECOND;
        }
        assert_eq!(q.take(now), Some(1));
        assert_eq!(q.done(1, Some(Action::Again(SECOND)), now), Some(SECOND));
        assert_eq!(q.failures(&1), 0);
        now += SECOND;
        assert_eq!(q.take(now), Some(1));
        assert_eq!(q.done(1, None, now), Some(SECOND), "anew");
    }

    #[test]
    fn a_failing_key_that_is_told_comes_soon_but_does_not_spin() {
        let (mut q, mut now) = (queue(9), Instant::now());
        q.tell(1, now);
        for _ in 0..5 {
            q.take(now);
            q.done(1, None, now);
            now = q.next_due().unwrap();
        }
        assert_eq!(q.take(now), Some(1));
        assert_eq!(q.done(1, None, now), Some(8 * SECOND));
        q.tell(1, now);
        assert_eq!((q.take(now), q.next_due()), (None, Some(now + SECOND)));
        assert_eq!(q.take(now + SECOND), Some(1));
        q.tell(1, now);
        assert_eq!(q.done(1, None, now), Some(SECOND), "told while failing");
    }

    #[test]
    fn what_finds_no_room_is_remembered_as_overflow() {
        let (mut q, now) = (queue(2), Instant::now());
        assert!(q.tell(1, now) && q.tell(2, now) && q.tell(1, now));
        assert!(!q.take_overflowed() && !q.refresh(&3) && !q.take_overflowed());
        assert!(!q.tell(3, now) && q.take_overflowed() && !q.take_overflowed());
        q.take(now);
        q.done(1, Some(Action::Done), now);
        assert!(q.room() && q.refresh(&3));
    }

    #[derive(Debug, Clone)]
    enum Event {
        Tell(u8),
        Refresh(u8),
        Take,
        Done { which: usize, outcome: Option<Action> },
        Pass(u32),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let outcome = prop_oneof![
            Just(None),
            Just(Some(Action::Done)),
            (0u32..4).prop_map(|seconds| Some(Action::Again(seconds * SECOND)))
        ];
        let event = prop_oneof![
            4 => (0u8..8).prop_map(Event::Tell),
            1 => (0u8..8).prop_map(Event::Refresh),
            4 => Just(Event::Take),
            4 => (0usize..4, outcome).prop_map(|(which, outcome)| Event::Done { which, outcome }),
            2 => (0u32..5).prop_map(Event::Pass),
        ];
        prop::collection::vec(event, 0..200)
    }

    proptest! {
        #[test]
        fn every_told_key_is_taken_afterwards_and_by_one_at_a_time(events in events(), max_keys in 1usize..9) {
            let (mut q, mut now) = (queue(max_keys), Instant::now());
            // Keys whose last telling no taking has followed yet.
            let (mut owed, mut running) = (HashSet::new(), Vec::new());
            for event in events {
                match event {
                    Event::Tell(key) => {
                        if q.tell(key, now) {
                            owed.insert(key);
                        }
                    }
                    Event::Refresh(key) => _ = q.refresh(&key),
                    Event::Take => {
                        if let Some(key) = q.take(now) {
                            prop_assert!(!running.contains(&key));
                            owed.remove(&key);
                            running.push(key);
                        }
                    }
                    Event::Done { which, outcome } if which < running.len() => {
                        q.done(running.remove(which), outcome, now);
                    }
                    Event::Done { .. } => {}
                    Event::Pass(seconds) => now += seconds * SECOND,
                }
                let stats = q.stats();
                prop_assert!(stats.ready + stats.running + stats.waiting <= max_keys);
                prop_assert_eq!(stats.running, running.len());
            }
            // Once everything succeeds, nothing stays owed, and nothing is left.
            for _ in 0..100 {
                for key in running.drain(..) {
                    q.done(key, Some(Action::Done), now);
                }
                now += 8 * SECOND;
                while let Some(key) = q.take(now) {
                    owed.remove(&key);
                    running.push(key);
                }
                if running.is_empty() {
                    break;
                }
            }
            prop_assert!(owed.is_empty());
            prop_assert_eq!(q.stats(), Stats::default());
        }
    }
}
