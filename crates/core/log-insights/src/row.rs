//! Log events, and the fields that are found in them: those that every event has, and those of JSON.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::value::Value;

/// Levels of JSON that are looked into.
const MAX_DEPTH: usize = 32;

/// One log event. Times are in milliseconds since the epoch.
#[derive(Clone, Debug)]
pub struct Event {
    pub timestamp: i64,
    pub ingestion_time: i64,
    pub message: String,
    /// `@logStream`
    pub stream: Arc<str>,
    /// `@log`: the account and the group, `000000000000:/app`.
    pub log: Arc<str>,
    /// `@ptr`: by which the event is found again.
    pub pointer: String,
}

/// A name of a field, taken apart at its dots and brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// As results call it.
    pub name: String,
    pub segments: Vec<String>,
}

impl Field {
    pub(crate) fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            segments: vec![name.to_owned()],
        }
    }
}

/// A row on its way through a query.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What the query made, latest last.
    pub made: Vec<(Arc<str>, Value)>,
    /// The event it comes from; none behind `stats`.
    pub event: Option<Rc<Found>>,
}

/// An event, with its JSON once that was asked for.
#[derive(Debug)]
pub(crate) struct Found {
    event: Event,
    json: OnceCell<Option<Json>>,
}

impl Row {
    pub(crate) fn of(event: Event) -> Self {
        let json = OnceCell::new();
        Self {
            made: Vec::new(),
            event: Some(Rc::new(Found { event, json })),
        }
    }

    pub(crate) fn get(&self, field: &Field) -> Cow<'_, Value> {
        if let Some(value) = self.made(&field.name) {
            return Cow::Borrowed(value);
        }
        if let [first, rest @ ..] = field.segments.as_slice()
            && let Some(Value::Json(json)) = self.made(first)
        {
            return Cow::Owned(walk(json, rest));
        }
        Cow::Owned(self.event.as_ref().map_or(Value::Null, |found| found.get(field)))
    }

    fn made(&self, name: &str) -> Option<&Value> {
        let found = self.made.iter().rev().find(|(known, _)| **known == *name);
        found.map(|(_, value)| value)
    }

    pub(crate) fn set(&mut self, name: &Arc<str>, value: Value) {
        match self.made.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.made.push((Arc::clone(name), value)),
        }
    }

    pub(crate) fn event(&self) -> Option<&Event> {
        self.event.as_ref().map(|found| &found.event)
    }

    /// Bytes that it takes, about.
    pub(crate) fn size(&self) -> usize {
        let made: usize = self.made.iter().map(|(_, value)| 32 + value.size()).sum();
        let event = self.event.as_ref().map_or(0, |found| {
            let parsed = usize::from(found.json.get().is_some_and(Option::is_some));
            256 + found.event.pointer.len() + found.event.message.len() * (1 + 6 * parsed)
        });
        size_of::<Self>() + made + event
    }
}

impl Found {
    fn get(&self, field: &Field) -> Value {
        let Event {
            timestamp,
            ingestion_time,
            message,
            stream,
            log,
            pointer,
        } = &self.event;
        match field.name.as_str() {
            "@timestamp" => Value::Time(*timestamp),
            "@ingestionTime" => Value::Time(*ingestion_time),
            "@message" => Value::text_of(message.clone()),
            "@logStream" => Value::text_of(&**stream),
            "@log" => Value::text_of(&**log),
            "@ptr" => Value::text_of(pointer.clone()),
            _ => {
                let json = self.json.get_or_init(|| object(message));
                let Some(json) = json else { return Value::Null };
                match field.segments.as_slice() {
                    // As documented, fields of the log itself that begin with @ are shown with one more.
                    [first, rest @ ..] if first.starts_with("@@") => json
                        .get(&first[1..])
                        .map_or(Value::Null, |inner| walk(inner, rest)),
                    segments => walk(json, segments),
                }
            }
        }
    }
}

fn object(message: &str) -> Option<Json> {
    let text = message.trim_start();
    if !text.starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// By the keys of maps and the indexes of lists. A key may have dots of its own.
fn walk(json: &Json, path: &[String]) -> Value {
    let Some((first, rest)) = path.split_first() else {
        return Value::of_json(json);
    };
    match json {
        Json::Object(map) => {
            if let Some(inner) = map.get(first) {
                return walk(inner, rest);
            }
            for joined in 2..=path.len().min(MAX_DEPTH) {
                if let Some(inner) = map.get(&path[..joined].join(".")) {
                    return walk(inner, &path[joined..]);
                }
            }
            Value::Null
        }
        Json::Array(list) => {
            let index = first.parse::<usize>().ok();
            let inner = index.and_then(|index| list.get(index));
            inner.map_or(Value::Null, |inner| walk(inner, rest))
        }
        _ => Value::Null,
    }
}

/// Every field of an event and its text: `@message` and the like, and what is found in JSON, by names with dots
/// (`user.id`, `items.0.name`).
pub fn discovered(event: &Event) -> Vec<(String, String)> {
    let row = Row::of(event.clone());
    let system = [
        "@ingestionTime",
        "@log",
        "@logStream",
        "@message",
        "@ptr",
        "@timestamp",
    ];
    let mut fields: Vec<(String, String)> = system
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), plain(&row.get(&Field::plain(name)))?)))
        .collect();
    if let Some(json) = object(&event.message) {
        leaves(&json, String::new(), 0, &mut fields);
    }
    fields
}

/// Times as milliseconds.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Time(time) => Some(time.to_string()),
        other => other.shown(),
    }
}

fn leaves(json: &Json, path: String, depth: usize, found: &mut Vec<(String, String)>) {
    let below = |name: &str| match (path.is_empty(), name.strip_prefix('@')) {
        (true, Some(_)) => format!("@{name}"),
        (true, None) => name.to_owned(),
        (false, _) => format!("{path}.{name}"),
    };
    match json {
        Json::Object(map) if depth < MAX_DEPTH => {
            for (name, inner) in map {
                leaves(inner, below(name), depth + 1, found);
            }
        }
        Json::Array(list) if depth < MAX_DEPTH => {
            for (index, inner) in list.iter().enumerate() {
                leaves(inner, below(&index.to_string()), depth + 1, found);
            }
        }
        leaf => found.extend(Value::of_json(leaf).shown().map(|text| (path, text))),
    }
}
