//! Attempts under way of each function, and events that wait until one of them has ended: a slow function with many events
//! leaves room for the others.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use roadstead_reconcile::Handle;
use roadstead_store::Key;

/// Attempts of a function at a time.
pub(super) const MOST: usize = 100;

#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// By function, those that have any.
    functions: Mutex<HashMap<Key, Function>>,
    driver: OnceLock<Handle<Key>>,
}

#[derive(Default)]
struct Function {
    running: usize,
    /// Events, each once, the first first.
    waiting: VecDeque<Key>,
    known: HashSet<Key>,
}

/// An attempt of a function; with its end it is another's turn.
pub(super) struct Turn {
    turns: Turns,
    function: Key,
}

impl Turns {
    /// Who is told of events whose turn it is.
    pub(super) fn tell(&self, driver: Handle<Key>) {
        let _once = self.0.driver.set(driver);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Function>> {
        self.0.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None: the event waits, and is told of when it may be its turn.
    pub(super) fn begin(&self, function: &Key, event: &Key) -> Option<Turn> {
        let mut functions = self.lock();
        let state = functions.entry(function.clone()).or_default();
        if state.running >= MOST {
            if state.known.insert(event.clone()) {
                state.waiting.push_back(event.clone());
            }
            return None;
        }
        state.running += 1;
        Some(Turn {
            turns: self.clone(),
            function: function.clone(),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut functions = self.turns.lock();
        let Some(state) = functions.get_mut(&self.function) else {
            return;
        };
        state.running -= 1;
        // As many as there is room for: one of them may be gone by now.
        let room = (MOST - state.running).min(state.waiting.len());
        let next: Vec<Key> = state.waiting.drain(..room).collect();
        for event in &next {
            state.known.remove(event);
        }
        if state.running == 0 && state.waiting.is_empty() {
            functions.remove(&self.function);
        }
        drop(functions);
        if let Some(driver) = self.turns.0.driver.get() {
            next.into_iter().for_each(|event| driver.tell(event));
        }
    }
}
