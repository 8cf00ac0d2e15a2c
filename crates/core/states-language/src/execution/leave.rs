//! Leaving a state: what it gives, which variables it sets, and where it leads.

use serde_json::{Map, Value};

use super::context::Seen;
use super::stepper::{Stepper, size};
use super::{DATA_LIMIT, Doing, Status, VARIABLES_LIMIT};
use crate::definition::{Kind, Next, QueryLanguage, State};
use crate::failure::{Failure, names};
use crate::history::History;
use crate::template::{Scope, Template};

impl Stepper<'_> {
    /// The work of the state is done, with that result.
    pub(super) fn complete(&mut self, id: u64, result: Value) {
        let Some(state) = self.state(id) else {
            return;
        };
        let done = self.output(id, state, &result).and_then(|output| {
            let seen = Seen {
                input: Some(&result),
                ..finished(state, &result)
            };
            let assigned = self.assigned(id, &state.io.assign, seen)?;
            self.exit(id, output, assigned, &state.next)
        });
        if let Err(failure) = done {
            self.blame(id, failure);
        }
    }

    fn output(&self, id: u64, state: &State, result: &Value) -> Result<Value, Failure> {
        self.limit(id, result)?;
        let passes = matches!(state.kind, Kind::Pass { .. });
        if !passes || state.language == QueryLanguage::JsonPath {
            self.inspect(|seen| seen.result = Some(result.clone()));
        }
        if state.language == QueryLanguage::Jsonata {
            let seen = finished(state, result);
            return match &state.io.output {
                Some(output) => self.fill(id, output, seen),
                None => Ok(result.clone()),
            };
        }
        let selected = match &state.io.result_selector {
            Some(selector) => self.fill(
                id,
                selector,
                Seen {
                    input: Some(result),
                    ..Seen::default()
                },
            )?,
            None => result.clone(),
        };
        if !passes {
            self.inspect(|seen| seen.after_result_selector = Some(selected.clone()));
        }
        let raw = || {
            self.execution
                .threads
                .get(&id)
                .map_or(Value::Null, |thread| thread.input.clone())
        };
        let placed = match &state.io.result_path {
            None => selected,
            Some(None) => raw(),
            Some(Some(place)) => place
                .put(raw(), selected)
                .map_err(|fault| Failure::new(names::RESULT_PATH, fault.to_string()))?,
        };
        self.inspect(|seen| seen.after_result_path = Some(placed.clone()));
        self.output_path(id, state, placed)
    }

    fn output_path(&self, id: u64, state: &State, value: Value) -> Result<Value, Failure> {
        match &state.io.output_path {
            None => Ok(value),
            Some(None) => Ok(Value::Object(Map::new())),
            Some(Some(path)) => {
                let template = Template::Path(path.clone(), "OutputPath".to_owned());
                self.fill(
                    id,
                    &template,
                    Seen {
                        input: Some(&value),
                        ..Seen::default()
                    },
                )
            }
        }
    }

    /// Leaves a state that gives what it took.
    pub(super) fn pass_on(
        &mut self,
        id: u64,
        input: Value,
        assign: &[(String, Template)],
        output: Option<&Template>,
        next: &Next,
    ) -> Result<(), Failure> {
        let Some(state) = self.state(id) else {
            return Ok(());
        };
        let seen = Seen {
            input: Some(&input),
            ..Seen::default()
        };
        let assigned = self.assigned(id, assign, seen)?;
        let output = match output {
            Some(output) => self.fill(id, output, Seen::default())?,
            None => self.output_path(id, state, input.clone())?,
        };
        self.exit(id, output, assigned, next)
    }

    /// The variables that are set. All of them see the values from before.
    pub(super) fn assigned(
        &self,
        id: u64,
        assign: &[(String, Template)],
        seen: Seen<'_>,
    ) -> Result<Map<String, Value>, Failure> {
        let filled = |scope: &Scope<'_>| {
            let values = assign
                .iter()
                .map(|(name, template)| Ok((name.clone(), template.fill(scope)?)));
            values.collect::<Result<Map<String, Value>, Failure>>()
        };
        let assigned = match assign {
            [] => Map::new(),
            _ => self.with_scope(id, seen, filled)?,
        };
        let exceeded = |what: &str| {
            Err(Failure::new(
                names::DATA_LIMIT,
                format!("The variables assigned exceed {what}."),
            ))
        };
        let total: usize = assigned.values().map(size).sum();
        if total > DATA_LIMIT {
            return exceeded("256 KiB in one state");
        }
        if !assigned.is_empty() {
            let held = self
                .execution
                .threads
                .values()
                .flat_map(|thread| thread.variables.values());
            if held.map(size).sum::<usize>() + total > VARIABLES_LIMIT {
                return exceeded("10 MiB in one execution");
            }
        }
        Ok(assigned)
    }

    /// Fails what is too large to be handed on.
    pub(super) fn limit(&self, id: u64, value: &Value) -> Result<(), Failure> {
        if size(value) <= DATA_LIMIT {
            return Ok(());
        }
        let state = self
            .execution
            .threads
            .get(&id)
            .map_or("", |thread| thread.state.as_str());
        let cause = format!(
            "The state/task '{state}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        Err(Failure::new(names::DATA_LIMIT, cause))
    }

    /// Leaves the state and goes where it leads.
    pub(super) fn exit(
        &mut self,
        id: u64,
        output: Value,
        assigned: Map<String, Value>,
        next: &Next,
    ) -> Result<(), Failure> {
        self.limit(id, &output)?;
        let Some(kind) = self.state(id).map(State::type_name) else {
            return Ok(());
        };
        let name = self
            .execution
            .threads
            .get(&id)
            .map_or_else(String::new, |thread| thread.state.clone());
        let told = History::StateExited {
            kind: kind.to_owned(),
            name,
            output: output.clone(),
            assigned: assigned.clone(),
        };
        self.tell_of(id, told);
        let Some(thread) = self.thread(id) else {
            return Ok(());
        };
        thread.variables.extend(assigned);
        thread.entered = None;
        thread.tries.clear();
        self.inspect_exit(id, &output, next);
        let Some(thread) = self.thread(id) else {
            return Ok(());
        };
        match next {
            Next::State(name) => {
                thread.state.clone_from(name);
                thread.input = output;
                thread.doing = Doing::Ready;
            }
            Next::End => match thread.parent {
                Some((parent, index)) => self.joined(id, parent, index, output),
                None => {
                    let previous = thread.previous;
                    self.end(previous, Status::Succeeded { output });
                }
            },
        }
        Ok(())
    }
}

/// A Pass has no result of its own: `$states.result` is not there for it.
fn finished<'v>(state: &State, result: &'v Value) -> Seen<'v> {
    Seen {
        result: Some(result).filter(|_| !matches!(state.kind, Kind::Pass { .. })),
        ..Seen::default()
    }
}
