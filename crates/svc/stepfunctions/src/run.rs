//! Executions go on: one reconciler over those that are under way. What happened to an execution waits in memory until a
//! step took it and was written; tasks run beside, and those of an execution that the store knows as ordered are called
//! again after a restart.

mod step;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use roadstead_base::{Partition, Timestamp};
use roadstead_reconcile::{Action, Driver, Handle, Reconciler};
use roadstead_states_language::Machine;
use roadstead_store::{Entry, Key, Mirror, Revision};
use tokio::task::AbortHandle;

use crate::activities::{self, Offers};
use crate::call::Acting;
use crate::error::Result;
use crate::jobs::Happened;
use crate::records::{self, ExecutionRecord, MachineRecord, partition_of};
use crate::remove;
use crate::{States, call, ending, jobs, sync};

pub(crate) use step::{advance, dice, write};

/// Executions that make a step at a time.
const WORKERS: usize = 16;
/// Steps of one execution before others have their turn.
const STEPS: usize = 8;
/// Definitions that are kept parsed.
const PARSED: usize = 256;

/// What is under way, and what is known beside the store.
#[derive(Default)]
pub(crate) struct Work {
    /// What happened to executions and was not taken yet.
    inbox: Mutex<HashMap<Key, Vec<Happened>>>,
    flights: Mutex<HashMap<(Key, u64), Flight>>,
    pub(crate) endings: Mutex<HashMap<(Key, u64), AbortHandle>>,
    /// Tasks of activities that wait for a worker.
    pub(crate) offers: Arc<Offers>,
    /// When this service began to execute.
    pub(crate) began: OnceLock<Timestamp>,
    parsed: Mutex<HashMap<Key, Arc<Machine>>>,
    /// Machines without definitions that nobody names, and the revisions that they were seen so at.
    cleared: Mutex<HashMap<Key, Revision>>,
    driver: OnceLock<Handle<Key>>,
}

/// A call that is under way.
struct Flight {
    abort: AbortHandle,
    /// Whoever was called has a token, and may have answered before its call was: it is left to end by itself.
    has_token: bool,
}

impl Flight {
    /// Nobody waits for it any more.
    fn end(&self) {
        if !self.has_token {
            self.abort.abort();
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Work {
    pub(crate) fn known(&self, key: &Key) -> Option<Arc<Machine>> {
        lock(&self.parsed).get(key).cloned()
    }

    pub(crate) fn learn(&self, key: Key, machine: Machine) -> Arc<Machine> {
        let machine = Arc::new(machine);
        let mut parsed = lock(&self.parsed);
        if parsed.len() >= PARSED {
            parsed.clear();
        }
        parsed.insert(key, Arc::clone(&machine));
        machine
    }

    /// Whether fewer than `most` executions are under way below a key.
    pub(crate) fn has_room(&self, executions: &Mirror<ExecutionRecord>, within: &Key, most: usize) -> bool {
        let snapshot = executions.snapshot();
        // Those that ended are kept for long: nothing needs to be counted until there are many of all.
        snapshot.len() < most
            || snapshot
                .below(within)
                .filter(|entry| entry.value.is_running())
                .nth(most.saturating_sub(1))
                .is_none()
    }

    /// A machine has no definition that nobody names.
    pub(crate) fn cleared(&self, machine: &Key, revision: Revision) {
        lock(&self.cleared).insert(machine.clone(), revision);
    }

    /// A machine may have such a definition.
    pub(crate) fn changed(&self, machine: &Key) {
        lock(&self.cleared).remove(machine);
    }

    /// Whether a machine was updated and is to be looked at for definitions that nobody names.
    pub(crate) fn is_uncleared(&self, machine: &Entry<MachineRecord>) -> bool {
        machine.value.updated.is_some()
            && lock(&self.cleared).get(&machine.key).copied() != Some(machine.revision)
    }

    /// Ends the calls that are under way; they are made again after the next start.
    pub(crate) fn abandon(&self) {
        self.offers.close();
        for (_, flight) in lock(&self.flights).drain() {
            flight.abort.abort();
        }
        for (_, ending) in lock(&self.endings).drain() {
            ending.abort();
        }
    }

    pub(crate) fn forget(&self, key: &Key) {
        lock(&self.inbox).remove(key);
        self.offers.set(key, Vec::new());
        lock(&self.flights).retain(|(of, _), flight| {
            if of == key {
                flight.end();
            }
            of != key
        });
    }
}

struct Executions(Arc<States>);

pub(crate) fn start(states: &Arc<States>) -> Driver<Key> {
    let options = roadstead_reconcile::Options {
        workers: WORKERS,
        max_keys: states.options.max_running.saturating_mul(2),
        resync: Duration::from_secs(60),
        ..Default::default()
    };
    let mut driver = Driver::new("executions", options, Arc::new(Executions(Arc::clone(states))));
    // A service is started once; a second start of the same would tell the first driver.
    let _first = states.work.driver.set(driver.handle());
    let _began = states.work.began.set(states.clock.now());
    driver.follow(states.executions.changes(), |changed| {
        let running = changed
            .after
            .as_ref()
            .is_some_and(|after| after.value.is_running() || !after.value.ending.is_empty());
        running.then(|| changed.key.clone())
    });
    driver.follow(states.machines.changes(), |changed| {
        let deleting = changed.after.as_ref().is_some_and(|after| after.value.deleting);
        deleting.then(|| changed.key.clone())
    });
    driver
}

impl Reconciler for Executions {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Action, roadstead_reconcile::Error> {
        let states = &self.0;
        let Some(partition) = partition_of(key) else {
            return Ok(Action::Done);
        };
        if records::machines(&states.store).owns(key) {
            return Ok(remove::machine(states, &partition, key).await?);
        }
        for _ in 0..STEPS {
            let Some(entry) = records::executions(&states.store).get(key).await? else {
                states.work.forget(key);
                return Ok(Action::Done);
            };
            ending::launch(states, &partition, &entry);
            if entry.value.stopped.is_some() {
                states.work.forget(key);
                return Ok(remove::expired(states, &entry).await?);
            }
            let ExecutionRecord {
                machine,
                definition,
                execution,
                ..
            } = &entry.value;
            let inputs = lock(&states.work.inbox).get(key).cloned().unwrap_or_default();
            let due = execution.due();
            let now = states.clock.now();
            if inputs.is_empty() && due.is_none_or(|due| due > now.0) {
                launch(states, &partition, &entry);
                return Ok(due.map_or(Action::Done, |due| Action::Again(until(now, due))));
            }
            let Some(machine) = states.parsed(&entry, &partition, machine, definition).await? else {
                continue;
            };
            let taken = inputs.len();
            if let Some(revision) = advance(states, &entry, &machine, inputs).await? {
                if let Some(waiting) = lock(&states.work.inbox).get_mut(key) {
                    waiting.drain(..taken.min(waiting.len()));
                }
                states.executions.wait_for(revision).await?;
            }
        }
        Ok(Action::Again(Duration::ZERO))
    }

    fn keys(&self) -> Vec<Key> {
        let now = self.0.clock.now();
        let executions = self.0.executions.snapshot();
        let machines = self.0.machines.snapshot();
        let wanted = executions.iter().filter(|entry| {
            entry.value.stopped.is_none()
                || !entry.value.ending.is_empty()
                || remove::is_old(&entry.value, now)
        });
        let work = &self.0.work;
        let uncleared = machines
            .iter()
            .filter(|entry| entry.value.deleting || work.is_uncleared(entry));
        wanted
            .map(|entry| entry.key.clone())
            .chain(uncleared.map(|entry| entry.key.clone()))
            .collect()
    }
}

fn until(now: Timestamp, due: i64) -> Duration {
    // A day at most: what is further off is looked at again then.
    let millis = due.saturating_sub(now.0).clamp(0, 86_400_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}

/// Calls what is ordered and not being called yet, offers what workers poll for, and ends calls that nobody waits for.
fn launch(states: &Arc<States>, partition: &Partition, entry: &Entry<ExecutionRecord>) {
    let ExecutionRecord { orders, jobs, .. } = &entry.value;
    activities::offer(states, partition, entry);
    let called = orders.iter().filter(|order| !jobs::is_polled(order));
    let calls = called.map(|order| (order, None));
    let watches = jobs
        .iter()
        .filter_map(|job| Some((&job.order, Some(job.reference.clone()?))));
    let work: Vec<_> = calls.chain(watches).collect();
    let wanted: HashSet<u64> = work.iter().map(|(order, _)| order.task).collect();
    // In this order: a call that ended is in the inbox before it is no flight any more, and so never in neither.
    let mut flights = lock(&states.work.flights);
    let waiting: HashSet<u64> = {
        let inbox = lock(&states.work.inbox);
        let of = inbox.get(&entry.key).into_iter().flatten();
        of.filter_map(jobs::settled).collect()
    };
    flights.retain(|(key, task), flight| {
        let keep = *key != entry.key || wanted.contains(task);
        if !keep {
            flight.end();
        }
        keep
    });
    for (order, reference) in work {
        let flight = (entry.key.clone(), order.task);
        if flights.contains_key(&flight) || waiting.contains(&order.task) {
            continue;
        }
        let (states, partition, acting, order) = (
            Arc::clone(states),
            partition.clone(),
            Acting::of(partition, &entry.value),
            order.clone(),
        );
        let key = flight.clone();
        let has_token = order.token.is_some();
        let running = tokio::spawn(async move {
            let happened = match reference {
                None => call::perform(&states, &partition, &acting, order).await.into(),
                Some(reference) => sync::watch(&states, &partition, &acting, &order, &reference).await,
            };
            let (execution, _) = &key;
            lock(&states.work.inbox)
                .entry(execution.clone())
                .or_default()
                .push(happened);
            lock(&states.work.flights).remove(&key);
            if let Some(driver) = states.work.driver.get() {
                driver.tell(execution.clone());
            }
        });
        let abort = running.abort_handle();
        flights.insert(flight, Flight { abort, has_token });
    }
}
