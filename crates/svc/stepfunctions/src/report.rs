//! What is told of executions as they go. It waits in memory for the services that keep it, bounded, and no execution
//! waits for it; all of it is best effort, as documented, and a crash loses what waits.

mod calls;
mod counts;
mod executions;
mod journal;
mod line;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use roadstead_base::{Partition, Timestamp};
use roadstead_states_language::HistoryEvent;
use roadstead_store::Key;
use tokio::sync::watch;

use crate::States;
use crate::logging::{Level, Logging};
use crate::names::execution_arn;
use crate::records::{self, ExecutionRecord, Origin, partition_of};
use crate::report::journal::{Journal, Place};
use crate::run::lock;

pub(crate) use calls::Calls;
pub(crate) use counts::Counts;
#[cfg(test)]
pub(crate) use counts::hand_over;
pub(crate) use executions::billed;

/// Executions whose calls are remembered. When there are more, those of all are read again as they end.
const REMEMBERED: usize = 50_000;

/// The execution that events are of.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub partition: Partition,
    pub machine: String,
    pub origin: Origin,
    pub started: Timestamp,
    /// How often it was redriven.
    pub redrives: u64,
    pub execution_arn: String,
    pub role_arn: String,
    pub log: Option<Log>,
}

/// What is logged of an execution, and where.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    level: Level,
    data: bool,
    place: Arc<Place>,
}

impl Log {
    /// Nothing if nothing is logged.
    pub(crate) fn of(partition: &Partition, machine: &str, logging: &Logging) -> Option<Self> {
        let place = Place {
            partition: partition.clone(),
            group: logging.group()?.to_owned(),
            machine: machine.to_owned(),
        };
        Some(Self {
            level: logging.level,
            data: logging.data,
            place: Arc::new(place),
        })
    }
}

impl Subject {
    fn of(partition: Partition, record: &ExecutionRecord) -> Self {
        Self {
            execution_arn: execution_arn(&partition, &record.machine, &record.name),
            role_arn: record.role_arn.clone(),
            log: Log::of(&partition, &record.machine, &record.logging),
            partition,
            machine: record.machine.clone(),
            origin: record.origin.clone(),
            started: record.started,
            redrives: record.execution.redrives(),
        }
    }
}

/// What is kept until it is handed over.
#[derive(Default)]
pub(crate) struct Reports {
    counts: Counts,
    journal: Journal,
    /// Calls of Standard executions that are under way.
    calls: Mutex<HashMap<Key, Calls>>,
}

impl Reports {
    /// Tells of events of an Express execution, whose calls are its own.
    pub(crate) fn tell(&self, subject: &Subject, calls: &mut Calls, events: &[HistoryEvent]) {
        for event in events {
            executions::count(&self.counts, subject, event);
            calls.follow(event, |dimension, metric, value| {
                calls::count(&self.counts, subject, event.at, dimension, metric, value);
            });
            if let Some(line) = line::of(subject, event) {
                self.journal.put(line);
            }
        }
    }
}

/// Tells of events of a Standard execution that are written.
pub(crate) async fn written(states: &States, key: &Key, record: &ExecutionRecord, events: &[HistoryEvent]) {
    let Some(partition) = partition_of(key) else {
        return;
    };
    if events.is_empty() {
        return;
    }
    let subject = Subject::of(partition, record);
    let mut calls = lock(&states.reports.calls).remove(key).unwrap_or_default();
    for event in events {
        if calls.misses(event) {
            recall(states, key, event.previous, &mut calls).await;
        }
        states
            .reports
            .tell(&subject, &mut calls, std::slice::from_ref(event));
    }
    if record.is_running() && !calls.is_empty() {
        let mut all = lock(&states.reports.calls);
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(key.clone(), calls);
    }
}

/// Learns of a call that was made before this service began: its events are kept, back to the one that scheduled it.
async fn recall(states: &States, key: &Key, last: u64, calls: &mut Calls) {
    let table = records::histories(&states.store);
    let (mut events, mut id) = (Vec::new(), last);
    loop {
        match table.get(&states.event_key(key, id)).await {
            Ok(Some(found)) => {
                id = found.value.previous;
                let more = Calls::continues(&found.value.what);
                events.push(found.value);
                if !more {
                    break;
                }
            }
            // What cannot be read now is not counted.
            Ok(None) | Err(_) => return,
        }
    }
    for event in events.iter().rev() {
        calls.follow(event, |_, _, _| {});
    }
}

/// Hands over until told to stop, and then all that waits.
pub(crate) async fn keep(states: Arc<States>, stop: watch::Receiver<bool>) {
    tokio::join!(counts::keep(&states, stop.clone()), journal::keep(&states, stop));
}
