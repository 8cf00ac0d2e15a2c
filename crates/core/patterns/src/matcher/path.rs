//! Where patterns are filed: a tree of fields, and below each field what is filed under its values.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;
use serde_json::{Map, Value};

use crate::matcher::anchor::{Anchor, Like, bits};

type Filed = Vec<usize>;
type Texts = HashMap<Box<str>, Filed>;

#[derive(Clone, Debug, Default)]
pub(crate) struct PathNode {
    fields: HashMap<Arc<str>, PathNode>,
    texts: Texts,
    any_case: Texts,
    numbers: HashMap<u64, Filed>,
    /// By how long they are, so that a value is looked up once for each length in use.
    prefixes: BTreeMap<usize, Texts>,
    suffixes: BTreeMap<usize, Texts>,
    present: Filed,
}

impl PathNode {
    /// How many are filed there already.
    pub(crate) fn filed(&self, anchor: &Anchor) -> usize {
        let mut node = self;
        for name in &anchor.path {
            match node.fields.get(name) {
                Some(next) => node = next,
                None => return 0,
            }
        }
        let filed = match &anchor.like {
            Like::Text(text) => node.texts.get(text),
            Like::AnyCase(text) => node.any_case.get(text),
            Like::Number(bits) => node.numbers.get(bits),
            Like::Prefix(text) => node.prefixes.get(&text.len()).and_then(|texts| texts.get(text)),
            Like::Suffix(text) => node.suffixes.get(&text.len()).and_then(|texts| texts.get(text)),
            Like::Present => Some(&node.present),
        };
        filed.map_or(0, Vec::len)
    }

    pub(crate) fn file(&mut self, anchor: &Anchor, slot: usize) {
        let mut node = self;
        for name in &anchor.path {
            node = node.fields.entry(name.clone()).or_default();
        }
        let filed = match &anchor.like {
            Like::Text(text) => node.texts.entry(text.clone()).or_default(),
            Like::AnyCase(text) => node.any_case.entry(text.clone()).or_default(),
            Like::Number(bits) => node.numbers.entry(*bits).or_default(),
            Like::Prefix(text) => in_length(&mut node.prefixes, text),
            Like::Suffix(text) => in_length(&mut node.suffixes, text),
            Like::Present => &mut node.present,
        };
        filed.push(slot);
    }

    /// Takes a pattern out, and what is empty without it.
    pub(crate) fn unfile(&mut self, anchor: &Anchor, slot: usize) {
        self.unfile_below(&anchor.path, &anchor.like, slot);
    }

    fn unfile_below(&mut self, path: &[Arc<str>], like: &Like, slot: usize) {
        if let [name, rest @ ..] = path {
            if let Some(next) = self.fields.get_mut(name) {
                next.unfile_below(rest, like, slot);
                if next.is_empty() {
                    self.fields.remove(name);
                }
            }
            return;
        }
        match like {
            Like::Text(text) => take(&mut self.texts, text, slot),
            Like::AnyCase(text) => take(&mut self.any_case, text, slot),
            Like::Number(bits) => take(&mut self.numbers, bits, slot),
            Like::Prefix(text) => take_in_length(&mut self.prefixes, text, slot),
            Like::Suffix(text) => take_in_length(&mut self.suffixes, text, slot),
            Like::Present => self.present.retain(|other| *other != slot),
        }
    }

    fn is_empty(&self) -> bool {
        let Self {
            fields,
            texts,
            any_case,
            numbers,
            prefixes,
            suffixes,
            present,
        } = self;
        fields.is_empty()
            && texts.is_empty()
            && any_case.is_empty()
            && numbers.is_empty()
            && prefixes.is_empty()
            && suffixes.is_empty()
            && present.is_empty()
    }

    /// Adds what the fields of an object find; some may come twice.
    pub(crate) fn walk(&self, object: &Map<String, Value>, found: &mut Filed) {
        // Whichever is smaller names the fields to look at.
        if self.fields.len() < object.len() {
            for (name, node) in &self.fields {
                if let Some(value) = object.get(name.as_ref()) {
                    node.value(value, found);
                }
            }
        } else {
            for (name, value) in object {
                if let Some(node) = self.fields.get(name.as_str()) {
                    node.value(value, found);
                }
            }
        }
    }

    fn value(&self, value: &Value, found: &mut Filed) {
        match value {
            Value::Object(object) => return self.walk(object, found),
            Value::Array(members) => return members.iter().for_each(|member| self.value(member, found)),
            Value::String(text) => self.text(text, found),
            Value::Number(number) => {
                let filed = number.as_f64().and_then(|number| self.numbers.get(&bits(number)));
                found.extend(filed.into_iter().flatten());
            }
            Value::Null | Value::Bool(_) => {}
        }
        found.extend(&self.present);
    }

    fn text(&self, text: &str, found: &mut Filed) {
        found.extend(self.texts.get(text).into_iter().flatten());
        if !self.any_case.is_empty() {
            let lower = text.to_lowercase();
            found.extend(self.any_case.get(lower.as_str()).into_iter().flatten());
        }
        for (length, texts) in self.prefixes.range(..=text.len()) {
            let part = text.get(..*length).and_then(|part| texts.get(part));
            found.extend(part.into_iter().flatten());
        }
        for (length, texts) in self.suffixes.range(..=text.len()) {
            let part = text.get(text.len() - length..).and_then(|part| texts.get(part));
            found.extend(part.into_iter().flatten());
        }
    }
}

fn in_length<'t>(lengths: &'t mut BTreeMap<usize, Texts>, text: &str) -> &'t mut Filed {
    lengths
        .entry(text.len())
        .or_default()
        .entry(text.into())
        .or_default()
}

fn take<Q: ?Sized + std::hash::Hash + Eq, T: std::hash::Hash + Eq + std::borrow::Borrow<Q>>(
    map: &mut HashMap<T, Filed>,
    under: &Q,
    slot: usize,
) {
    if let Some(filed) = map.get_mut(under) {
        filed.retain(|other| *other != slot);
        if filed.is_empty() {
            map.remove(under);
        }
    }
}

fn take_in_length(lengths: &mut BTreeMap<usize, Texts>, text: &str, slot: usize) {
    if let Some(texts) = lengths.get_mut(&text.len()) {
        take(texts, text, slot);
        if texts.is_empty() {
            lengths.remove(&text.len());
        }
    }
}
