//! Parallel and Map: threads below a thread, and what becomes of the whole when one of them ends.

use serde_json::Value;

use super::context::Seen;
use super::stepper::Stepper;
use super::{CONCURRENCY, Doing, Item, Thread};
use crate::definition::{Flow, Kind, Map, QueryLanguage, State};
use crate::failure::Failure;
use crate::history::History;
use crate::template::Template;

impl Stepper<'_> {
    /// Starts every branch.
    pub(super) fn fork(&mut self, id: u64, branches: &[Flow], input: &Value) {
        let previous = self.tell_of(
            id,
            History::StateStarted {
                kind: "Parallel".to_owned(),
                length: None,
            },
        );
        self.set(
            id,
            Doing::Parallel {
                results: vec![None; branches.len()],
            },
        );
        for (index, branch) in branches.iter().enumerate() {
            self.spawn(id, index, index, branch, input.clone(), None, previous);
        }
    }

    #[allow(clippy::too_many_arguments)] // one for each field of a thread that differs
    fn spawn(
        &mut self,
        parent: u64,
        index: usize,
        branch: usize,
        flow: &Flow,
        input: Value,
        item: Option<Item>,
        previous: u64,
    ) {
        let Some(above) = self.execution.threads.get(&parent) else {
            return;
        };
        let mut place = above.place.clone();
        place.push((above.state.clone(), branch));
        let number = self.number();
        let thread = Thread {
            parent: Some((parent, index)),
            place,
            item,
            previous,
            ..Thread::new(flow.start.clone(), input)
        };
        self.execution.threads.insert(number, thread);
    }

    /// Starts as many iterations as may run at once.
    pub(super) fn spread(&mut self, id: u64, map: &Map, effective: Value) -> Result<(), Failure> {
        let items = self.items(id, map, &effective)?;
        let wanted = self.concurrency(id, map, &effective)?;
        let concurrency = if wanted == 0 {
            CONCURRENCY
        } else {
            wanted.min(CONCURRENCY)
        };
        self.tell_of(
            id,
            History::StateStarted {
                kind: "Map".to_owned(),
                length: Some(items.len() as u64),
            },
        );
        let results = vec![None; items.len()];
        self.set(
            id,
            Doing::Map {
                input: effective,
                items,
                concurrency,
                next: 0,
                results,
            },
        );
        let started = self.iterate(id);
        if started.is_err() {
            self.collapse(id);
        }
        started
    }

    /// How many iterations the definition wants at once; 0 is as many as there are.
    pub(super) fn concurrency(&self, id: u64, map: &Map, effective: &Value) -> Result<u64, Failure> {
        let seen = Seen {
            input: Some(effective),
            ..Seen::default()
        };
        let wanted = self.integer(id, map.max_concurrency.as_ref(), 0, seen)?;
        Ok(wanted.unwrap_or(0))
    }

    /// The items of a Map.
    pub(super) fn items(&self, id: u64, map: &Map, effective: &Value) -> Result<Vec<Item>, Failure> {
        let seen = Seen {
            input: Some(effective),
            ..Seen::default()
        };
        let found = match &map.items {
            Some(items) => self.fill(id, items, seen)?,
            None => effective.clone(),
        };
        let jsonata = self
            .state(id)
            .is_some_and(|state| state.language == QueryLanguage::Jsonata);
        let item = |index: usize, key: Option<String>, value: Value| Item {
            index: index as u64,
            key,
            value,
        };
        match found {
            Value::Array(values) => values
                .into_iter()
                .enumerate()
                .map(|(index, value)| Ok(item(index, None, value)))
                .collect(),
            Value::Object(members) if jsonata => members
                .into_iter()
                .enumerate()
                .map(|(index, (key, value))| Ok(item(index, Some(key), value)))
                .collect(),
            other => Err(no_items(map.items.as_ref(), &other)),
        }
    }

    /// What an iteration is given.
    pub(super) fn iteration(
        &self,
        id: u64,
        selector: Option<&Template>,
        input: &Value,
        item: &Item,
    ) -> Result<Value, Failure> {
        let input = match selector {
            Some(selector) => self.fill(
                id,
                selector,
                Seen {
                    input: Some(input),
                    item: Some(item),
                    ..Seen::default()
                },
            )?,
            None => item.value.clone(),
        };
        self.limit(id, &input)?;
        Ok(input)
    }

    /// Starts iterations until as many run as may, or ends the Map when all are done.
    fn iterate(&mut self, id: u64) -> Result<(), Failure> {
        let Some(State {
            kind: Kind::Map(map),
            io,
            ..
        }) = self.state(id)
        else {
            return Ok(());
        };
        loop {
            let running = self.children(id).len() as u64;
            let Some(thread) = self.execution.threads.get_mut(&id) else {
                return Ok(());
            };
            let (name, previous) = (thread.state.clone(), thread.previous);
            let Doing::Map {
                input,
                items,
                concurrency,
                next,
                results,
            } = &mut thread.doing
            else {
                return Ok(());
            };
            if *next >= items.len() {
                if results.iter().all(Option::is_some) {
                    let results = results.iter_mut().filter_map(Option::take).collect();
                    self.tell_of(
                        id,
                        History::StateSucceeded {
                            kind: "Map".to_owned(),
                        },
                    );
                    self.spend_anew();
                    self.complete(id, Value::Array(results));
                }
                return Ok(());
            }
            if running >= *concurrency {
                return Ok(());
            }
            let (index, item, input) = (*next, items[*next].clone(), input.clone());
            *next += 1;
            let event = self.tell(
                previous,
                History::IterationStarted {
                    name,
                    index: index as u64,
                },
            );
            self.spend_anew();
            let input = self.iteration(id, io.parameters.as_ref(), &input, &item)?;
            self.spawn(id, index, 0, &map.processor, input, Some(item), event);
        }
    }

    /// A thread below has come to its end.
    pub(super) fn joined(&mut self, id: u64, parent: u64, index: usize, output: Value) {
        let Some(child) = self.execution.threads.remove(&id) else {
            return;
        };
        let Some(above) = self.execution.threads.get_mut(&parent) else {
            return;
        };
        let (Doing::Parallel { results } | Doing::Map { results, .. }) = &mut above.doing else {
            return;
        };
        if let Some(result) = results.get_mut(index) {
            *result = Some(output);
        }
        above.previous = child.previous;
        if let Some(item) = child.item {
            let name = above.state.clone();
            self.tell_of(
                parent,
                History::IterationSucceeded {
                    name,
                    index: item.index,
                },
            );
            self.go_on(parent);
            return;
        }
        if results.iter().all(Option::is_some) {
            let results = results.iter_mut().filter_map(Option::take).collect();
            self.tell_of(
                parent,
                History::StateSucceeded {
                    kind: "Parallel".to_owned(),
                },
            );
            self.spend_anew();
            self.complete(parent, Value::Array(results));
        }
    }

    /// Begins what is left of a Map that nothing of is under way, or ends it.
    pub(super) fn go_on(&mut self, id: u64) {
        if let Err(failure) = self.iterate(id) {
            self.collapse(id);
            self.blame(id, failure);
        }
    }

    /// A thread below failed for good: so does the whole, and the other threads are stopped.
    pub(super) fn broken(&mut self, id: u64, parent: u64, failure: Failure) {
        let Some(child) = self.execution.threads.remove(&id) else {
            return;
        };
        self.execution.halt(id, child.clone());
        let Some(above) = self.execution.threads.get_mut(&parent) else {
            return;
        };
        above.previous = child.previous;
        let name = above.state.clone();
        if let Some(item) = child.item {
            self.tell_of(
                parent,
                History::IterationFailed {
                    name,
                    index: item.index,
                },
            );
        }
        self.collapse(parent);
        let failure = Failure {
            location: None,
            ..failure
        };
        self.fail(parent, failure);
    }

    /// Stops what is below, and tells of the failure.
    fn collapse(&mut self, id: u64) {
        for child in self.children(id) {
            self.abort(child);
        }
        if let Some(kind) = self.state(id).map(State::type_name) {
            self.tell_of(
                id,
                History::StateFailed {
                    kind: kind.to_owned(),
                },
            );
        }
    }
}

fn no_items(items: Option<&Template>, found: &Value) -> Failure {
    match items {
        Some(template @ Template::Query(..)) => template.mismatch("array", found),
        Some(Template::Path(path, _)) => {
            Failure::runtime(format!("Reference path \"{}\" must point to array.", path.text()))
        }
        _ => Failure::runtime("Reference path \"$\" must point to array."),
    }
}
