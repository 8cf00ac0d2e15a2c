//! Paths: the dialect of JSONPath that the service speaks, which is that of Jayway's library. A path without wildcards,
//! slices, filters and `..` names one value and fails when it is not there; any other gives an array of what it finds.
//!
//! What the documentation leaves open is decided so: before the first step that may find several values a missing member
//! is an error, after it the candidate is passed over.

mod evaluate;
mod filter;
mod function;
mod parser;
mod place;

use serde_json::{Map, Value};

use crate::budget::Budget;
pub(crate) use filter::equal;
pub use place::{Place, PlaceFault};

/// Where a path starts.
#[derive(Debug, Clone, PartialEq)]
pub enum Root {
    /// `$`: the input, or the result where a field says so.
    Input,
    /// `$$`: the context object.
    Context,
    /// `$name`: a variable.
    Variable(String),
}

/// A path that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    text: String,
    root: Root,
    steps: Vec<Selector>,
    function: Option<function::Function>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
enum Selector {
    Names(Vec<String>),
    Wildcard,
    Indices(Vec<i64>),
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        step: i64,
    },
    Filter(filter::Filter),
    /// `..` and the step after it.
    Descend(Box<Selector>),
}

/// What a path that could not be read is refused with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {offset}")]
pub struct PathFault {
    /// Characters before the fault.
    pub offset: usize,
    /// What was expected.
    pub message: String,
}

/// The variables that a state sees: its own scope first, then those around it.
#[derive(Debug, Clone, Default)]
pub struct Variables<'a>(pub Vec<&'a Map<String, Value>>);

impl<'a> Variables<'a> {
    /// The nearest variable of that name.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.iter().find_map(|scope| scope.get(name))
    }
}

/// What paths are evaluated against.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// `$`
    pub input: &'a Value,
    /// `$$`
    pub context: &'a Value,
    /// `$name`
    pub variables: Variables<'a>,
}

impl Path {
    /// Reads a path.
    pub fn parse(text: &str) -> Result<Path, PathFault> {
        parser::parse(text)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it starts.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Whether it names at most one value.
    pub fn is_definite(&self) -> bool {
        self.steps.iter().all(Selector::is_definite)
    }

    /// Whether it can only name one value and calls no function, as a Reference Path does.
    pub fn is_reference(&self) -> bool {
        self.is_definite() && self.function.is_none()
    }

    /// The value that the path names, or an array of those it finds; nothing if there is none.
    pub fn find(&self, view: &View<'_>) -> Option<Value> {
        self.find_within(view, &Budget::default())
    }

    /// The same, as long as there are steps left.
    pub(crate) fn find_within(&self, view: &View<'_>, budget: &Budget) -> Option<Value> {
        let root = match &self.root {
            Root::Input => view.input,
            Root::Context => view.context,
            Root::Variable(name) => view.variables.get(name)?,
        };
        let found = evaluate::select(root, view.input, &self.steps, budget)?;
        let value = match (self.is_definite(), found.as_slice()) {
            (true, [one]) => (*one).clone(),
            (true, _) => return None,
            (false, many) => Value::Array(many.iter().map(|one| (*one).clone()).collect()),
        };
        match &self.function {
            Some(function) => function.apply(&value),
            None => Some(value),
        }
    }
}

impl Path {
    /// Where a path that names one place is lost: the name or the index of the step that leads nowhere, and how far it is
    /// from the start. Nothing if it leads somewhere.
    fn lost_at(&self, view: &View<'_>) -> Option<(String, usize)> {
        let mut at = match &self.root {
            Root::Input => view.input,
            Root::Context => view.context,
            Root::Variable(name) => match view.variables.get(name) {
                Some(value) => value,
                None => return Some((name.clone(), 0)),
            },
        };
        for (far, step) in self.steps.iter().enumerate() {
            let next = match step {
                Selector::Names(names) => names.first().and_then(|name| at.get(name)),
                Selector::Indices(indices) => {
                    let index = indices.first().and_then(|index| usize::try_from(*index).ok());
                    index.and_then(|index| at.get(index))
                }
                _ => None,
            };
            at = match next {
                Some(next) => next,
                None => return Some((step.word(), far)),
            };
        }
        None
    }

    /// The step of a path that names one place at which it leads nowhere.
    pub(crate) fn lost(&self, view: &View<'_>) -> Option<String> {
        self.lost_at(view).map(|(step, _)| step)
    }

    /// Why a path that names one place finds nothing, in the words of Jayway's library.
    pub(crate) fn fault(&self, view: &View<'_>) -> String {
        let written = |steps: &[Selector]| steps.iter().map(Selector::written).collect::<String>();
        match self.lost_at(view) {
            Some((_, far)) if far + 1 < self.steps.len() => {
                format!("Missing property in path ${}", written(&self.steps[..=far]))
            }
            _ => format!("No results for path: ${}", written(&self.steps)),
        }
    }
}

impl Selector {
    /// Of a step that names one value: its name or its index.
    fn word(&self) -> String {
        match self {
            Selector::Names(names) => names.concat(),
            Selector::Indices(indices) => indices.iter().map(i64::to_string).collect(),
            Selector::Wildcard | Selector::Slice { .. } | Selector::Filter(_) | Selector::Descend(_) => {
                String::new()
            }
        }
    }

    /// The same as it stands in a normal path.
    fn written(&self) -> String {
        match self {
            Selector::Names(_) => format!("['{}']", self.word()),
            _ => format!("[{}]", self.word()),
        }
    }

    fn is_definite(&self) -> bool {
        match self {
            Selector::Names(names) => names.len() == 1,
            Selector::Indices(indices) => indices.len() == 1,
            Selector::Wildcard | Selector::Slice { .. } | Selector::Filter(_) | Selector::Descend(_) => false,
        }
    }
}
