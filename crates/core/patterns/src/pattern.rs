//! One pattern and one event.
//!
//! A field given by a list matches if one of the event's values is one of the list's; lists of the event count by
//! their members. Fields of objects in a list must match within one and the same object. Only `exists: false` looks at
//! all of them: the field must be nowhere.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::compile::Compiler;
use crate::fault::Fault;
use crate::json;
use crate::leaf::Test;

/// What a rule asks of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    pub(crate) fields: Fields,
}

/// All of the fields, and of each group of alternatives one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fields {
    pub all_of: Vec<(Arc<str>, Field)>,
    pub any_of: Vec<Vec<Fields>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    Leaf(Vec<Test>),
    Nested(Fields),
}

type Object = Map<String, Value>;

impl FromStr for Pattern {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let node = json::parse(text)?;
        let fields = Compiler { text }.pattern(&node)?;
        Ok(Self { fields })
    }
}

impl Pattern {
    /// An event that is no object matches nothing.
    pub fn matches(&self, event: &Value) -> bool {
        event
            .as_object()
            .is_some_and(|event| self.fields.match_in(Some(event), &[event]))
    }
}

impl Fields {
    /// Takes names from one copy of each: what many patterns compare then lies in one place.
    pub(crate) fn share(&mut self, names: &mut HashSet<Arc<str>>) {
        for (name, field) in &mut self.all_of {
            match names.get(name) {
                Some(shared) => *name = Arc::clone(shared),
                None => {
                    names.insert(Arc::clone(name));
                }
            }
            if let Field::Nested(fields) = field {
                fields.share(names);
            }
        }
        self.any_of
            .iter_mut()
            .flatten()
            .for_each(|fields| fields.share(names));
    }

    /// `one` is the object that the fields must match in; `all` are the objects at the same path of the event.
    fn match_in(&self, one: Option<&Object>, all: &[&Object]) -> bool {
        self.all_of
            .iter()
            .all(|(name, field)| field.matches(name, one, all))
            && self
                .any_of
                .iter()
                .all(|group| group.iter().any(|fields| fields.match_in(one, all)))
    }
}

impl Field {
    fn matches(&self, name: &str, one: Option<&Object>, all: &[&Object]) -> bool {
        let value = one.and_then(|object| object.get(name));
        match self {
            Self::Leaf(tests) => {
                let found = value.is_some_and(|value| {
                    any_leaf(value, &mut |leaf| tests.iter().any(|test| test.matches(leaf)))
                });
                found || (tests.contains(&Test::Absent) && nowhere(name, all))
            }
            Self::Nested(fields) => {
                // Nearly always it is one object within one: no list is needed then.
                if let ([_], Some(Value::Object(object))) = (all, value) {
                    return fields.match_in(Some(object), &[object]);
                }
                let mut inner = Vec::new();
                for value in all.iter().filter_map(|object| object.get(name)) {
                    objects(value, &mut inner);
                }
                let mut within = Vec::new();
                if let Some(value) = value {
                    objects(value, &mut within);
                }
                if within.is_empty() {
                    return fields.match_in(None, &inner);
                }
                within.iter().any(|object| fields.match_in(Some(object), &inner))
            }
        }
    }
}

/// Whether no object has a value of that name that is not an object.
fn nowhere(name: &str, all: &[&Object]) -> bool {
    !all.iter()
        .filter_map(|object| object.get(name))
        .any(|value| any_leaf(value, &mut |_| true))
}

/// Whether a value, or a member of it if it is a list, passes; objects are no leaves.
fn any_leaf(value: &Value, passes: &mut dyn FnMut(&Value) -> bool) -> bool {
    match value {
        Value::Array(members) => members.iter().any(|member| any_leaf(member, passes)),
        Value::Object(_) => false,
        leaf => passes(leaf),
    }
}

/// The object that a value is, or those of a list.
pub(crate) fn objects<'v>(value: &'v Value, found: &mut Vec<&'v Object>) {
    match value {
        Value::Object(object) => found.push(object),
        Value::Array(members) => members.iter().for_each(|member| objects(member, found)),
        _ => {}
    }
}
