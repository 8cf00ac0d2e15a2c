//! Express executions that were started asynchronously: in the store until they have ended, and in memory only whose turn is
//! next. So many run at a time; after a restart those that had not ended run from their beginning, as documented: at least once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadstead_states_language::{About, Execution};
use roadstead_store::{Key, Mirror, Store, Transaction};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::States;
use crate::call::Acting;
use crate::error::{Error, Result};
use crate::express::{Course, LONGEST_MILLIS};
use crate::names::{express_arn, machine_arn};
use crate::records::{self, ExpressRecord, partition_of};
use crate::report::{Log, Subject};
use crate::run::lock;

/// How often what the store or the machine is in the way of is tried, and how long after; after that, at the next start.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<Key>>,
    /// How many there are, those that run included.
    count: AtomicUsize,
    woken: Notify,
}

/// A place among those that wait, given back if nothing comes of it.
pub(crate) struct Ticket<'a>(Option<&'a Queue>);

impl Ticket<'_> {
    /// It is written.
    pub(crate) fn wait(mut self, key: Key) {
        if let Some(queue) = self.0.take() {
            lock(&queue.waiting).push_back(key);
            queue.woken.notify_one();
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.count.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Queue {
    /// Those that were started before and have not ended, the oldest first.
    pub(crate) async fn of(store: &Arc<dyn Store>) -> Result<Self> {
        let all = Mirror::of(&records::express(store)).await?;
        let snapshot = all.snapshot();
        let mut found: Vec<_> = snapshot
            .iter()
            .map(|entry| (entry.value.asked, entry.key.clone()))
            .collect();
        found.sort();
        Ok(Self {
            count: AtomicUsize::new(found.len()),
            waiting: Mutex::new(found.into_iter().map(|(_, key)| key).collect()),
            woken: Notify::new(),
        })
    }

    /// Nothing if there are as many as there may be.
    pub(crate) fn ticket(&self, most: usize) -> Option<Ticket<'_>> {
        let ticket = Ticket(Some(self));
        (self.count.fetch_add(1, Ordering::AcqRel) < most).then_some(ticket)
    }

    fn next(&self) -> Option<Key> {
        lock(&self.waiting).pop_front()
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}

/// Executes what waits until the service ends.
pub(crate) async fn keep(states: Arc<States>) {
    let mut stop = states.express.stopping();
    let mut running = JoinSet::new();
    while !*stop.borrow_and_update() {
        while running.len() < states.options.max_express_running
            && let Some(key) = states.queue.next()
        {
            running.spawn(run(Arc::clone(&states), key));
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = states.queue.woken.notified() => {}
            Some(_) = running.join_next() => {}
        }
    }
    while running.join_next().await.is_some() {}
}

/// Executes one to its end, and lets its record go then.
async fn run(states: Arc<States>, key: Key) {
    for _ in 0..TRIES {
        match executed(&states, &key).await {
            Ok(()) => {
                states.queue.count.fetch_sub(1, Ordering::AcqRel);
                return;
            }
            // It is executed again after the next start.
            Err(Error::Stopping) => return,
            Err(error) => {
                tracing::warn!(%error, %key, "an Express execution could not be executed");
                let mut stop = states.express.stopping();
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    _ = stop.wait_for(|stop| *stop) => return,
                }
            }
        }
    }
}

async fn executed(states: &Arc<States>, key: &Key) -> Result<()> {
    let table = records::express(&states.store);
    let (Some(entry), Some(partition)) = (table.get(key).await?, partition_of(key)) else {
        return Ok(());
    };
    let input_key = states.express_input_key(&partition, &entry.value.machine, &entry.value.id);
    let Some(input) = records::express_inputs(&states.store).get(&input_key).await? else {
        return Ok(());
    };
    let place = states.express.enter_anyway()?;
    let ExpressRecord {
        machine, definition, ..
    } = &entry.value;
    let Some(parsed) = states.parsed(&entry, &partition, machine, definition).await? else {
        return Ok(());
    };
    let ExpressRecord {
        machine,
        name,
        id,
        definition: _parsed,
        role_arn,
        // From now on, not from then: what waited has its five minutes too.
        asked: _asked,
        origin,
        logging,
    } = entry.value;
    let started = states.clock.now();
    let execution_arn = express_arn(&partition, &machine, &name, &id);
    let about = About {
        execution_arn: execution_arn.clone(),
        execution_name: name.clone(),
        role_arn: role_arn.clone(),
        state_machine_arn: machine_arn(&partition, &machine),
        state_machine_name: machine.clone(),
        input: serde_json::from_str(&input.value.text).map_err(|error| Error::Store(error.to_string()))?,
    };
    let deadline = started.0.saturating_add(LONGEST_MILLIS);
    let course = Course {
        subject: Subject {
            partition: partition.clone(),
            machine: machine.clone(),
            origin,
            started,
            redrives: 0,
            execution_arn: execution_arn.clone(),
            role_arn: role_arn.clone(),
            log: Log::of(&partition, &machine, &logging),
        },
        partition,
        execution: Execution::new(&parsed, about, started.0, Some(deadline), None),
        acting: Arc::new(Acting {
            machine,
            name,
            execution_arn,
            started,
            role_arn,
        }),
        machine: parsed,
    };
    course.run(states, place).await?;
    for _ in 0..TRIES {
        let ended = Transaction::new(&states.store).delete(key).delete(&input_key);
        match ended.commit().await {
            Ok(_) => return Ok(()),
            Err(error) => {
                tracing::warn!(%error, %key, "the end of an Express execution could not be written")
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    // It is executed again after the next start.
    Ok(())
}
