//! The whole definition, its branches and what is done with items: which states there are, and whether each is led to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::handlers::MOST;
use super::json::below;
use super::reader::{Reader, Report};
use super::{Flow, Kind, Machine, Next, QueryLanguage, State, json, state};
use crate::diagnostic::{Code, Diagnostic};

/// What every state of a machine needs to know.
#[derive(Debug)]
pub(super) struct Nesting<'a> {
    pub(super) report: &'a Report,
    pub(super) language: QueryLanguage,
    /// Names of states are unique in the whole machine.
    names: RefCell<BTreeSet<String>>,
}

pub(super) fn machine(text: &str) -> (Option<Machine>, Vec<Diagnostic>) {
    let report = Report::default();
    let machine = read(text, &report);
    if let Some(machine) = &machine {
        scopes(&machine.flow, "", &BTreeSet::new(), &report);
    }
    (machine, report.into_all())
}

/// A machine of one state that a definition describes by itself. Where it leads to is not looked at.
pub(super) fn single(text: &str, name: &str) -> (Option<Machine>, Vec<Diagnostic>) {
    let report = Report::default();
    let state = value(text, &report).and_then(|value| {
        let nesting = Nesting {
            report: &report,
            language: QueryLanguage::JsonPath,
            names: RefCell::default(),
        };
        state::read(&value, "", &nesting)
    });
    let machine = state.map(|state| Machine {
        size: text.len(),
        ..Machine::of_one(name, state)
    });
    if let Some(machine) = &machine {
        scopes(&machine.flow, "", &BTreeSet::new(), &report);
    }
    (machine, report.into_all())
}

/// The JSON of a definition.
fn value(text: &str, report: &Report) -> Option<Value> {
    if text.trim().is_empty() {
        report.add_nowhere(Code::MissingDescription, "The definition is empty");
        return None;
    }
    let (value, twice) = match json::parse(text) {
        Ok(parsed) => parsed,
        Err(fault) => {
            let deep = fault.to_string().starts_with("recursion limit");
            report.add_nowhere(
                if deep {
                    Code::TooDeeplyNested
                } else {
                    Code::InvalidJsonDescription
                },
                fault.to_string(),
            );
            return None;
        }
    };
    for at in twice {
        let of_states = at.rsplit('/').nth(1) == Some("States");
        let code = if of_states {
            Code::DuplicateStateName
        } else {
            Code::InvalidJsonDescription
        };
        report.add(code, "The field appears more than once", &at);
    }
    Some(value)
}

fn read(text: &str, report: &Report) -> Option<Machine> {
    let value = value(text, report)?;
    let reader = Reader::of(&value, "", report)?;
    let language = match reader.string("QueryLanguage") {
        None | Some("JSONPath") => QueryLanguage::JsonPath,
        Some("JSONata") => QueryLanguage::Jsonata,
        Some(_) => {
            reader.schema(
                "QueryLanguage",
                "Value is not one of the supported values: [JSONPath, JSONata]",
            );
            QueryLanguage::JsonPath
        }
    };
    if reader.string("Version").is_some_and(|version| version != "1.0") {
        reader.schema("Version", "Value is not one of the supported values: [1.0]");
    }
    let timeout = reader.integer("TimeoutSeconds", 1, MOST);
    let nesting = Nesting {
        report,
        language,
        names: RefCell::default(),
    };
    let flow = states(&reader, &nesting);
    reader.finish(language);
    let size = text.len();
    flow.map(|flow| Machine { flow, timeout, size })
}

/// A branch, or what is done with each item. `processor`: whether `ProcessorConfig` may stand in it.
pub(super) fn inner(value: &Value, at: &str, nesting: &Nesting<'_>, processor: bool) -> Option<Flow> {
    let reader = Reader::of(value, at, nesting.report)?;
    if processor && let Some(value) = reader.get("ProcessorConfig") {
        config(value, &reader.below("ProcessorConfig"), nesting);
    }
    let flow = states(&reader, nesting);
    reader.finish(nesting.language);
    flow
}

fn config(value: &Value, at: &str, nesting: &Nesting<'_>) {
    let Some(reader) = Reader::of(value, at, nesting.report) else {
        return;
    };
    match reader.string("Mode") {
        None | Some("INLINE") => {}
        Some("DISTRIBUTED") => {
            reader.string("ExecutionType");
            reader.schema(
                "Mode",
                "A Map in 'DISTRIBUTED' mode is not supported; only 'INLINE' is",
            );
        }
        Some(_) => reader.schema("Mode", "Value is not one of the supported values: [INLINE]"),
    }
    reader.finish(nesting.language);
}

fn states(reader: &Reader<'_>, nesting: &Nesting<'_>) -> Option<Flow> {
    reader.string("Comment");
    reader.require(&["StartAt", "States"]);
    let start = reader.string("StartAt");
    let map = reader.object("States")?;
    let at = reader.below("States");
    if map.is_empty() {
        reader.schema("States", "The value of 'States' must not be empty");
    }
    let mut states = BTreeMap::new();
    for (name, value) in map {
        let at = below(&at, name);
        if name.chars().count() > 80 || name.is_empty() {
            nesting.report.add(
                Code::InvalidStateName,
                "The name of a state has 1 to 80 characters",
                &at,
            );
        }
        if !nesting.names.borrow_mut().insert(name.clone()) {
            nesting.report.add(
                Code::DuplicateStateName,
                format!("The state name '{name}' appears more than once"),
                &at,
            );
        }
        if let Some(state) = state::read(value, &at, nesting) {
            states.insert(name.clone(), state);
        }
    }
    let whole = states.len() == map.len();
    let flow = Flow {
        start: start?.to_owned(),
        states,
    };
    if whole {
        transitions(&flow, reader, &at);
    }
    whole.then_some(flow)
}

/// Whether every transition leads somewhere, every state is led to, and there is an end.
fn transitions(flow: &Flow, reader: &Reader<'_>, at: &str) {
    let missing = |field: &str, target: &str, at: &str| {
        let message = format!("Missing '{field}' target: {target}");
        reader.report.add(Code::MissingTransitionTarget, message, at);
    };
    if !flow.states.contains_key(&flow.start) {
        missing("StartAt", &flow.start, &reader.below("StartAt"));
        return;
    }
    for (name, state) in &flow.states {
        for (field, target, place) in targets(state) {
            if !flow.states.contains_key(target) {
                missing(field, target, &format!("{}{place}", below(at, name)));
            }
        }
    }
    let mut reached = BTreeSet::new();
    let mut ahead = vec![flow.start.as_str()];
    while let Some(name) = ahead.pop() {
        if let Some(state) = flow.states.get(name)
            && reached.insert(name)
        {
            ahead.extend(targets(state).into_iter().map(|(_, target, _)| target));
        }
    }
    for name in flow.states.keys().filter(|name| !reached.contains(name.as_str())) {
        let message = format!("State \"{name}\" is not reachable.");
        reader
            .report
            .add(Code::MissingTransitionTarget, message, &below(at, name));
    }
    let ends = |state: &State| match state.kind {
        Kind::Succeed | Kind::Fail { .. } => true,
        Kind::Choice { .. } => false,
        _ => state.next == Next::End,
    };
    if !flow.states.values().any(ends) {
        reader
            .report
            .add_nowhere(Code::MissingEndState, "Workflow has no terminal state");
    }
}

/// Where a state leads, by which field, and where that stands below the state.
fn targets(state: &State) -> Vec<(&'static str, &str, String)> {
    let mut targets = Vec::new();
    if let Next::State(name) = &state.next {
        targets.push(("Next", name.as_str(), "/Next".to_owned()));
    }
    if let Kind::Choice { rules, default } = &state.kind {
        let nexts = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| !rule.next.is_empty())
            .map(|(index, rule)| ("Next", rule.next.as_str(), format!("/Choices/{index}/Next")));
        targets.extend(nexts);
        targets.extend(
            default
                .iter()
                .map(|name| ("Default", name.as_str(), "/Default".to_owned())),
        );
    }
    let caught = state
        .catch
        .iter()
        .enumerate()
        .filter(|(_, one)| !one.next.is_empty())
        .map(|(index, one)| ("Next", one.next.as_str(), format!("/Catch/{index}/Next")));
    targets.extend(caught);
    targets
}

/// A variable of an outer scope cannot be assigned in an inner one.
fn scopes(flow: &Flow, at: &str, outer: &BTreeSet<&str>, report: &Report) {
    let mut here = BTreeSet::new();
    for (name, state) in &flow.states {
        for variable in assigned(state) {
            if outer.contains(variable) {
                let message = format!(
                    "The variable '{variable}' is assigned in an outer scope and cannot be assigned here"
                );
                report.schema(message, &below(&format!("{at}/States"), name));
            }
            here.insert(variable);
        }
    }
    here.extend(outer);
    for (name, state) in &flow.states {
        let at = below(&format!("{at}/States"), name);
        match &state.kind {
            Kind::Parallel { branches } => {
                for (index, branch) in branches.iter().enumerate() {
                    scopes(branch, &format!("{at}/Branches/{index}"), &here, report);
                }
            }
            Kind::Map(map) => scopes(&map.processor, &format!("{at}/ItemProcessor"), &here, report),
            _ => {}
        }
    }
}

/// The variables that a state assigns.
pub(super) fn assigned(state: &State) -> impl Iterator<Item = &str> {
    let rules = match &state.kind {
        Kind::Choice { rules, default: _ } => rules.as_slice(),
        _ => &[],
    };
    let of_rules = rules.iter().flat_map(|rule| &rule.assign);
    let of_catchers = state.catch.iter().flat_map(|catcher| &catcher.assign);
    state
        .io
        .assign
        .iter()
        .chain(of_rules)
        .chain(of_catchers)
        .map(|(name, _)| name.as_str())
}
