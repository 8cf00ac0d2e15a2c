//! Reference paths: paths that name one place, and writing there (`ResultPath`).

use serde_json::{Map, Value};

use super::{Path, PathFault, Root, Selector};

/// A place in a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
}

/// The input has no such place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Unable to apply Reference Path {0} to input")]
pub struct PlaceFault(pub String);

impl Place {
    /// Reads a reference path below `$`. Filters, wildcards, slices, `..`, `@`, commas and functions have no place in one.
    pub fn parse(text: &str) -> Result<Place, PathFault> {
        let path = Path::parse(text)?;
        let refuse = |message: &str| {
            Err(PathFault {
                offset: 0,
                message: message.to_owned(),
            })
        };
        if path.root != Root::Input {
            return refuse("a Reference Path starts with '$'");
        }
        if path.function.is_some() {
            return refuse("a Reference Path calls no function");
        }
        let mut steps = Vec::new();
        for step in &path.steps {
            match step {
                Selector::Names(names) if names.len() == 1 => steps.push(Step::Name(names[0].clone())),
                Selector::Indices(indices) if indices.len() == 1 && indices[0] >= 0 => {
                    steps.push(Step::Index(indices[0] as usize));
                }
                _ => return refuse("a Reference Path names exactly one place"),
            }
        }
        Ok(Place {
            text: text.to_owned(),
            steps,
        })
    }

    /// `input` with `value` at the place. Objects on the way are made; items of arrays must be there.
    pub fn put(&self, mut input: Value, value: Value) -> Result<Value, PlaceFault> {
        let mut at = &mut input;
        for step in &self.steps {
            at = match step {
                Step::Name(name) => {
                    if at.is_null() {
                        *at = Value::Object(Map::new());
                    }
                    let Value::Object(map) = at else {
                        return Err(PlaceFault(self.text.clone()));
                    };
                    map.entry(name.clone()).or_insert(Value::Null)
                }
                Step::Index(index) => at
                    .as_array_mut()
                    .and_then(|items| items.get_mut(*index))
                    .ok_or_else(|| PlaceFault(self.text.clone()))?,
            };
        }
        *at = value;
        Ok(input)
    }
}
