//! A definition that was read and found valid: what an execution goes by.

mod choice;
mod fields;
mod flow;
mod handlers;
mod json;
mod kinds;
mod reader;
mod resource;
mod state;
mod templates;
mod variables;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, Severity};
use crate::path::{Path, Place};
use crate::template::Template;

pub(crate) use choice::timestamp;
pub use choice::{Comparison, Condition, Literal, Ordered, Rule};
pub use resource::{Pattern, Resource};

/// In which language a state says what it takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryLanguage {
    /// Paths and intrinsic functions.
    JsonPath,
    /// `{% … %}`
    Jsonata,
}

/// A state machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Its states.
    pub flow: Flow,
    /// Seconds that an execution may take.
    pub timeout: Option<u64>,
    /// Bytes of its definition's text.
    pub size: usize,
}

/// States that lead to one another: of the machine, of a branch, of what is done with each item.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// The first state.
    pub start: String,
    /// By name.
    pub states: BTreeMap<String, State>,
}

/// A state.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Its language.
    pub language: QueryLanguage,
    /// What it does.
    pub kind: Kind,
    /// What it takes and gives.
    pub io: Io,
    /// What comes after it.
    pub next: Next,
    /// What is tried again.
    pub retry: Vec<Retrier>,
    /// What is caught.
    pub catch: Vec<Catcher>,
}

/// What comes after a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// That state.
    State(String),
    /// Nothing: the flow has come to its end.
    End,
}

/// What a state takes and gives. `None` of a path means `$`, an inner `None` that it is `null`.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)] // the names are those of the language
pub struct Io {
    pub input_path: Option<Option<Path>>,
    /// `Parameters`, `Arguments`, and of a Map `ItemSelector`.
    pub parameters: Option<Template>,
    pub result_selector: Option<Template>,
    pub result_path: Option<Option<Place>>,
    pub output_path: Option<Option<Path>>,
    pub output: Option<Template>,
    pub assign: Vec<(String, Template)>,
}

/// What a state does.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the names are those of the language
pub enum Kind {
    Task(Box<Task>),
    Pass {
        result: Option<Value>,
    },
    Choice {
        rules: Vec<Rule>,
        default: Option<String>,
    },
    Wait(Wait),
    Succeed,
    Fail {
        error: Option<Template>,
        cause: Option<Template>,
    },
    Parallel {
        branches: Vec<Flow>,
    },
    Map(Box<Map>),
}

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// What is called.
    pub resource: Resource,
    /// Seconds it may take.
    pub timeout: Option<Template>,
    /// Seconds that may go by between heartbeats.
    pub heartbeat: Option<Template>,
    /// Whose rights it has, if not those of the machine's role.
    pub credentials: Option<Template>,
}

/// How long to wait.
#[derive(Debug, Clone, PartialEq)]
pub enum Wait {
    /// So many seconds.
    Seconds(Template),
    /// Until then.
    Timestamp(Template),
}

/// A loop over items.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// Where the items are: `ItemsPath` or `Items`.
    pub items: Option<Template>,
    /// How many at once; 0 is as many as there are.
    pub max_concurrency: Option<Template>,
    /// What is done with each.
    pub processor: Flow,
}

/// Tries again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retrier {
    /// Which errors.
    pub errors: Vec<String>,
    /// Seconds before the first time.
    pub interval: u64,
    /// How often at most.
    pub attempts: u64,
    /// What the interval grows by.
    pub backoff: f64,
    /// Seconds that the interval may grow to.
    pub max_delay: Option<u64>,
    /// Whether anything between no time and the interval is waited.
    pub jitter: bool,
}

/// Goes on elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Catcher {
    /// Which errors.
    pub errors: Vec<String>,
    /// Where to.
    pub next: String,
    /// Where in the input the error is put; an inner `None` drops it.
    pub result_path: Option<Option<Place>>,
    /// JSONata: what goes on.
    pub output: Option<Template>,
    /// Variables.
    pub assign: Vec<(String, Template)>,
}

impl Machine {
    /// Reads a definition. With the machine come warnings, without it there is at least one error.
    pub fn parse(text: &str) -> (Option<Machine>, Vec<Diagnostic>) {
        let (machine, diagnostics) = flow::machine(text);
        let refused = diagnostics.iter().any(|one| one.severity() == Severity::Error);
        (machine.filter(|_| !refused), diagnostics)
    }

    /// Reads the definition of a state by itself, which gets that name.
    pub fn parse_state(text: &str, name: &str) -> (Option<Machine>, Vec<Diagnostic>) {
        let (machine, diagnostics) = flow::single(text, name);
        let refused = diagnostics.iter().any(|one| one.severity() == Severity::Error);
        (machine.filter(|_| !refused), diagnostics)
    }

    /// A machine of that state alone.
    pub fn of_one(name: &str, state: State) -> Machine {
        Machine {
            flow: Flow {
                start: name.to_owned(),
                states: BTreeMap::from([(name.to_owned(), state)]),
            },
            timeout: None,
            size: 0,
        }
    }

    /// The state of that name, wherever it stands.
    pub fn state(&self, name: &str) -> Option<&State> {
        self.flow.state(name)
    }

    /// Whether that state is one of those that a Map does with each item.
    pub fn is_of_map(&self, name: &str) -> bool {
        self.flow.states.values().any(|state| state.maps(name))
    }
}

impl Flow {
    fn state(&self, name: &str) -> Option<&State> {
        self.states
            .get(name)
            .or_else(|| self.states.values().find_map(|state| state.below(name)))
    }
}

impl State {
    /// The flows of a Parallel or a Map.
    fn flows(&self) -> &[Flow] {
        match &self.kind {
            Kind::Parallel { branches } => branches,
            Kind::Map(map) => std::slice::from_ref(&map.processor),
            _ => &[],
        }
    }

    /// The state of that name in the branches of a Parallel or in what a Map does, wherever it stands there.
    pub fn below(&self, name: &str) -> Option<&State> {
        self.flows().iter().find_map(|flow| flow.state(name))
    }

    fn maps(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Map(_) => self.below(name).is_some(),
            _ => {
                let mut inner = self.flows().iter().flat_map(|flow| flow.states.values());
                inner.any(|state| state.maps(name))
            }
        }
    }
}

impl State {
    /// As `Type` says it.
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Task(_) => "Task",
            Kind::Pass { .. } => "Pass",
            Kind::Choice { .. } => "Choice",
            Kind::Wait(_) => "Wait",
            Kind::Succeed => "Succeed",
            Kind::Fail { .. } => "Fail",
            Kind::Parallel { .. } => "Parallel",
            Kind::Map(_) => "Map",
        }
    }
}
