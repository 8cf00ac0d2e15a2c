//! Which rules an event reaches. The matchers of the buses are built from the mirror of rules and kept level with it
//! as events come, so that a rule matches from the moment its `PutRule` was answered.

mod calls;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use roadstead_patterns::{Matcher, Pattern};
use roadstead_store::{Entry, Key, Revision, Snapshot};
use serde_json::Value as Json;

use self::calls::Head;
use crate::records::RuleRecord;
use crate::trail;

#[derive(Default)]
pub(crate) struct Router(Mutex<State>);

#[derive(Default)]
struct State {
    /// As of which the matchers are.
    revision: Option<Revision>,
    /// By the key above the rules of a bus.
    buses: HashMap<Key, Matcher<Key>>,
    /// Rules of each bus that could want events of API calls.
    heads: HashMap<Key, HashMap<Key, Head>>,
    /// The rules that are in, with the revision that last wrote each and its bus.
    known: BTreeMap<Key, (Revision, Key)>,
}

impl Router {
    /// The enabled rules of a bus that match an event, as of a snapshot.
    pub(crate) fn matching(
        &self,
        rules: &Snapshot<RuleRecord>,
        bus: &Key,
        event: &Json,
    ) -> Vec<Arc<Entry<RuleRecord>>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.level_with(rules);
        let Some(matcher) = state.buses.get(bus) else {
            return Vec::new();
        };
        let mut found: Vec<_> = matcher
            .matching(event)
            .into_iter()
            .filter_map(|key| rules.get(key).cloned())
            .filter(|rule| rule.value.reads || !trail::is_read(event))
            .collect();
        found.sort_by(|a, b| a.key.cmp(&b.key));
        found
    }

    /// Whether a rule of the bus could want the event of an API call from that source; mostly none does.
    pub(crate) fn wants_call(
        &self,
        rules: &Snapshot<RuleRecord>,
        bus: &Key,
        source: &str,
        reads: bool,
    ) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.level_with(rules);
        let heads = state.heads.get(bus);
        heads.is_some_and(|heads| heads.values().any(|head| head.wants(source, reads)))
    }
}

impl State {
    fn level_with(&mut self, rules: &Snapshot<RuleRecord>) {
        if self.revision.is_some_and(|revision| revision >= rules.revision()) {
            return;
        }
        let gone: Vec<Key> = self
            .known
            .keys()
            .filter(|key| rules.get(key).is_none())
            .cloned()
            .collect();
        for key in gone {
            self.forget(&key);
        }
        for entry in rules.iter() {
            if self
                .known
                .get(&entry.key)
                .is_some_and(|(revision, _)| *revision == entry.revision)
            {
                continue;
            }
            self.forget(&entry.key);
            let Some(bus) = above(&entry.key) else { continue };
            let pattern = entry.value.pattern.as_deref().filter(|_| entry.value.enabled);
            if let Some(head) = pattern.and_then(|pattern| Head::of(pattern, entry.value.reads)) {
                self.heads
                    .entry(bus.clone())
                    .or_default()
                    .insert(entry.key.clone(), head);
            }
            match pattern.map(str::parse::<Pattern>) {
                Some(Ok(pattern)) => {
                    self.buses
                        .entry(bus.clone())
                        .or_default()
                        .insert(entry.key.clone(), pattern);
                }
                Some(Err(fault)) => {
                    tracing::error!(rule = %entry.key, %fault, "a pattern that was kept cannot be read");
                }
                None => {}
            }
            self.known.insert(entry.key.clone(), (entry.revision, bus));
        }
        self.revision = Some(rules.revision());
    }

    fn forget(&mut self, key: &Key) {
        let Some((_, bus)) = self.known.remove(key) else {
            return;
        };
        if let Some(matcher) = self.buses.get_mut(&bus) {
            matcher.remove(key);
            if matcher.is_empty() {
                self.buses.remove(&bus);
            }
        }
        if let Some(heads) = self.heads.get_mut(&bus) {
            heads.remove(key);
            if heads.is_empty() {
                self.heads.remove(&bus);
            }
        }
    }
}

/// The key above a rule's: its bus.
fn above(key: &Key) -> Option<Key> {
    let mut segments: Vec<String> = key.segments().collect();
    segments.pop()?;
    Some(
        segments
            .iter()
            .fold(Key::root(), |key, segment| key.child(segment)),
    )
}
