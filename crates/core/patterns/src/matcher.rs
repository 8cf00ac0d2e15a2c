//! Many patterns at once. Each pattern is filed under something that every event it matches must have (an anchor:
//! a value, a prefix, a suffix or just a field), chosen where the fewest others are filed. An event is walked once
//! along the fields that anchors name; only patterns found there are tried in full.

mod anchor;
mod path;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use serde_json::Value;

use self::anchor::Anchor;
use self::path::PathNode;
use crate::pattern::Pattern;

/// Patterns by the keys of their owners.
#[derive(Clone, Debug)]
pub struct Matcher<K> {
    slots: Vec<Option<Slot<K>>>,
    free: Vec<usize>,
    by_key: HashMap<K, usize>,
    root: PathNode,
    /// Patterns that also match events without any certain field.
    unanchored: Vec<usize>,
    /// Field names of all patterns.
    names: HashSet<Arc<str>>,
    /// At how many names those without a pattern are let go.
    most_names: usize,
}

/// Fewer names are not worth a look.
const FEW_NAMES: usize = 1024;

#[derive(Clone, Debug)]
struct Slot<K> {
    key: K,
    pattern: Pattern,
    anchors: Vec<Anchor>,
}

impl<K> Default for Matcher<K> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            root: PathNode::default(),
            unanchored: Vec::new(),
            names: HashSet::new(),
            most_names: FEW_NAMES,
        }
    }
}

impl<K: Clone + Eq + Hash> Matcher<K> {
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Takes a pattern in, in place of the key's former one.
    pub fn insert(&mut self, key: K, mut pattern: Pattern) {
        self.remove(&key);
        if self.names.len() >= self.most_names {
            self.names.retain(|name| Arc::strong_count(name) > 1);
            self.most_names = FEW_NAMES.max(2 * self.names.len());
        }
        pattern.fields.share(&mut self.names);
        let anchors = anchor::choose(&pattern.fields, &self.root);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        for anchor in &anchors {
            self.root.file(anchor, slot);
        }
        if anchors.is_empty() {
            self.unanchored.push(slot);
        }
        self.by_key.insert(key.clone(), slot);
        self.slots[slot] = Some(Slot {
            key,
            pattern,
            anchors,
        });
    }

    /// Whether there was one.
    pub fn remove(&mut self, key: &K) -> bool {
        let Some(slot) = self.by_key.remove(key) else {
            return false;
        };
        if let Some(Slot { anchors, .. }) = self.slots[slot].take() {
            for anchor in &anchors {
                self.root.unfile(anchor, slot);
            }
            if anchors.is_empty() {
                self.unanchored.retain(|other| *other != slot);
            }
        }
        self.free.push(slot);
        true
    }

    /// The keys of the patterns that match an event, each once, in no certain order.
    pub fn matching(&self, event: &Value) -> Vec<&K> {
        let mut candidates = Vec::with_capacity(self.unanchored.len() + 16);
        candidates.extend(&self.unanchored);
        if let Value::Object(event) = event {
            self.root.walk(event, &mut candidates);
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates
            .into_iter()
            .filter_map(|slot| self.slots[slot].as_ref())
            .filter(|slot| slot.pattern.matches(event))
            .map(|slot| &slot.key)
            .collect()
    }
}
