//! Steps of executions: what comes of what happened, written down before anything of it happens.

use std::collections::HashSet;
use std::sync::Arc;

use roadstead_base::{Timestamp, random_bytes};
use roadstead_states_language::{
    Dice, Failure, History, HistoryEvent, Input, Machine, Order, Resource, Step, names as errors,
};
use roadstead_store::{Entry, Outcome, Revision, Transaction};

use crate::activities::Registered;
use crate::error::{Error, Result};
use crate::jobs::Happened;
use crate::records::{self, ExecutionRecord, partition_of};
use crate::{States, published, report};

/// Events written in one transaction beside the execution, or before it if there are more.
const EVENTS: usize = 100;
const EVENT_BYTES: usize = 512 * 1024;

/// Takes what happened, and what is due, and writes what comes of it. Nothing if somebody else wrote meanwhile.
pub(crate) async fn advance(
    states: &States,
    entry: &Entry<ExecutionRecord>,
    machine: &Arc<Machine>,
    inputs: Vec<Happened>,
) -> Result<Option<Revision>> {
    let now = states.clock.now();
    let (record, of_it) = (entry.value.clone(), Arc::clone(machine));
    let registered = partition_of(&entry.key).map(|partition| states.registered(partition));
    // Users' expressions may compute for long: not where everybody's calls are served.
    let computed =
        tokio::task::spawn_blocking(move || take_all(record, &of_it, now, inputs, registered.as_ref())).await;
    let (record, told) = computed.map_err(|error| Error::Store(error.to_string()))??;
    match write(states, entry, &record, told).await {
        Err(Error::TooLarge(_)) => {}
        written => return written,
    }
    // What does not fit into the store cannot go on: it ends as it was before the step.
    let mut record = entry.value.clone();
    let failure = Failure::new(
        errors::DATA_LIMIT,
        "The data of the execution are too large to be kept.",
    );
    let step = record
        .execution
        .step(machine, Input::Fail { failure }, now.0, &dice()?);
    record.cancel(&step.cancelled);
    record.stopped = Some(now);
    // It may have been just what fits, which an end and what it was doing do not together.
    record.execution.settle();
    write(states, entry, &record, step.history).await
}

/// What comes of all that happened: the execution as it is then, and what there is to tell of it.
fn take_all(
    mut record: ExecutionRecord,
    machine: &Machine,
    now: Timestamp,
    inputs: Vec<Happened>,
    registered: Option<&Registered>,
) -> Result<(ExecutionRecord, Vec<HistoryEvent>)> {
    let mut told = Vec::new();
    let inputs = if inputs.is_empty() {
        vec![Input::Proceed.into()]
    } else {
        inputs
    };
    for happened in inputs {
        record.follow(&happened);
        let step = record.execution.step(machine, happened.into(), now.0, &dice()?);
        take(&mut record, machine, now, step, registered, &mut told)?;
    }
    if !record.is_running() {
        record.stopped = Some(now);
    }
    Ok((record, told))
}

pub(crate) fn dice() -> Result<Dice> {
    let bytes = random_bytes::<16>().map_err(|error| Error::Store(error.to_string()))?;
    Ok(Dice::new(u128::from_be_bytes(bytes)))
}

/// Takes a step and all that follows at once: what can be called is started, and what nobody could do is refused, which may
/// order more.
fn take(
    record: &mut ExecutionRecord,
    machine: &Machine,
    now: Timestamp,
    step: Step,
    registered: Option<&Registered>,
    told: &mut Vec<HistoryEvent>,
) -> Result<()> {
    // The next one last. What is refused may end those beside it before it is their turn.
    let mut orders: Vec<Order> = Vec::new();
    let mut next = Some(step);
    loop {
        if let Some(step) = next.take() {
            told.extend(step.history);
            record.cancel(&step.cancelled);
            if !step.cancelled.is_empty() {
                let cancelled: HashSet<u64> = step.cancelled.into_iter().collect();
                orders.retain(|order| !cancelled.contains(&order.task));
            }
            orders.extend(step.orders.into_iter().rev());
        }
        let Some(order) = orders.pop() else {
            return Ok(());
        };
        let task = order.task;
        let input = match &order.resource {
            Resource::Activity { arn } if registered.is_some_and(|all| all.has(arn)) => {
                // Started when a worker takes it.
                record.orders.push(order);
                continue;
            }
            Resource::Activity { arn } => {
                let cause = format!("The activity '{arn}' does not exist in this account and region.");
                let failure = Failure::new(errors::RUNTIME, cause);
                Input::TaskRefused { task, failure }
            }
            // They are called as soon as this is written.
            Resource::Function { .. } | Resource::Integration { .. } => {
                record.orders.push(order);
                Input::TaskStarted { task, worker: None }
            }
        };
        next = Some(record.execution.step(machine, input, now.0, &dice()?));
    }
}

/// Events go with the execution if they are few; otherwise before it, where they count for nothing until it says so.
pub(crate) async fn write(
    states: &States,
    entry: &Entry<ExecutionRecord>,
    record: &ExecutionRecord,
    told: Vec<HistoryEvent>,
) -> Result<Option<Revision>> {
    let table = records::histories(&states.store);
    let mut transaction = Transaction::new(&states.store);
    let (mut count, mut bytes) = (0, 0);
    for event in &told {
        let size = serde_json::to_vec(event)
            .map_err(|error| Error::Store(error.to_string()))?
            .len();
        if count > 0 && (count >= EVENTS || bytes + size > EVENT_BYTES) {
            if transaction.compare_unmodified(entry).commit().await? == Outcome::Conflict {
                return Ok(None);
            }
            transaction = Transaction::new(&states.store);
            (count, bytes) = (0, 0);
        }
        transaction = transaction.put(&table, &states.event_key(&entry.key, event.id), event);
        count += 1;
        bytes += size;
    }
    transaction = transaction.replace(&records::executions(&states.store), entry, record);
    let redriven = told
        .iter()
        .find(|event| matches!(event.what, History::ExecutionRedriven { .. }));
    if let (Some(event), Some(partition)) = (redriven, partition_of(&entry.key)) {
        let running = ExecutionRecord {
            stopped: None,
            ..record.clone()
        };
        let began = published::status_change(&partition, &running, Timestamp(event.at));
        transaction = roadstead_outbox::add(transaction, &states.store, &began);
    }
    if let (Some(at), None, Some(partition)) = (record.stopped, entry.value.stopped, partition_of(&entry.key))
    {
        let ended = published::status_change(&partition, record, at);
        transaction = roadstead_outbox::add(transaction, &states.store, &ended);
    }
    match transaction.commit().await? {
        Outcome::Committed(revision) => {
            report::written(states, &entry.key, record, &told).await;
            Ok(Some(revision))
        }
        Outcome::Conflict => Ok(None),
    }
}
