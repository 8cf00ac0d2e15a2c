//! What goes: executions that ended long ago, and machines that were deleted with all that is of them. A transaction
//! removes a bounded number of records, so histories go page by page, each before what names it.

use std::collections::HashSet;
use std::time::Duration;

use roadstead_base::{Partition, Timestamp};
use roadstead_reconcile::Action;
use roadstead_states_language::Input;
use roadstead_store::{Entry, Key, Listing, Outcome, Transaction};

use crate::error::Result;
use crate::records::{self, ExecutionRecord, MachineRecord};
use crate::{States, ending, run};

/// How long an execution, and its name, is kept after its end.
pub(crate) const KEPT_MILLIS: i64 = 90 * 86_400_000;
/// Events that go in one transaction: at most this many are left when the last of them goes with the execution.
const PAGE: u64 = 5_000;
/// Executions of a deleted machine before others have their turn.
const EXECUTIONS: usize = 50;
/// How long a definition stays at least that was replaced: calls that read the machine before seldom have to read it again, and
/// of updates that follow closely all are cleared together.
const REPLACED_MILLIS: i64 = 60_000;
/// Between looks whether the last Express execution of a machine has ended.
const AGAIN: Duration = Duration::from_secs(1);
/// Definitions that are read at a time.
const DEFINITIONS: usize = 4;

/// Whether an execution ended so long ago that it is kept no longer.
pub(crate) fn is_old(record: &ExecutionRecord, now: Timestamp) -> bool {
    record
        .stopped
        .is_some_and(|stopped| now.0 - stopped.0 >= KEPT_MILLIS)
}

/// An execution that ended long ago goes, and its name can be used again.
pub(crate) async fn expired(states: &States, entry: &Entry<ExecutionRecord>) -> Result<Action> {
    if is_old(&entry.value, states.clock.now()) {
        execution(states, entry).await?;
    }
    Ok(Action::Done)
}

/// Removes an execution that is over. Killed between two pages, it is there with the rest of its history.
async fn execution(states: &States, entry: &Entry<ExecutionRecord>) -> Result<()> {
    let mut left = entry.value.execution.last_event();
    while left > PAGE {
        let first = left - PAGE + 1;
        let (first, end) = (
            states.event_key(&entry.key, first),
            states.event_key(&entry.key, left + 1),
        );
        let transaction = Transaction::new(&states.store).compare_unmodified(entry);
        if transaction.delete_between(&first, &end).commit().await? == Outcome::Conflict {
            return Ok(());
        }
        left -= PAGE;
    }
    // With them what was written for a step that was never taken.
    let events = above(&states.event_key(&entry.key, 0));
    let _gone = Transaction::new(&states.store)
        .compare_unmodified(entry)
        .delete(&entry.key)
        .delete_below(&events)
        .commit()
        .await?;
    // Its definition may be named by nobody any more.
    if let Some(partition) = records::partition_of(&entry.key) {
        states
            .work
            .changed(&states.machine_key(&partition, &entry.value.machine));
    }
    Ok(())
}

/// A state machine that is being deleted: its executions are aborted, and go with it.
pub(crate) async fn machine(states: &States, partition: &Partition, key: &Key) -> Result<Action> {
    let Some(entry) = records::machines(&states.store).get(key).await? else {
        return Ok(Action::Done);
    };
    if !entry.value.deleting {
        return definitions(states, partition, &entry).await;
    }
    let name = &entry.value.name;
    let table = records::executions(&states.store);
    let executions = table.key(partition, name);
    let listing = Listing {
        limit: Some(EXECUTIONS),
        ..Listing::default()
    };
    let page = table.list(&executions, listing).await?.entries;
    let some = !page.is_empty();
    for mut found in page {
        if found.value.stopped.is_none() {
            let parsed = states.parsed(&found, partition, name, &found.value.definition);
            let Some(parsed) = parsed.await? else {
                continue;
            };
            let stop = Input::Stop {
                error: None,
                cause: Some("The state machine was deleted.".to_owned()),
            };
            run::advance(states, &found, &parsed, vec![stop.into()]).await?;
            match table.get(&found.key).await? {
                Some(stopped) => found = stopped,
                None => continue,
            }
        }
        if found.value.stopped.is_some() {
            states.work.forget(&found.key);
            ending::of(states, partition, &found.value).await;
            execution(states, &found).await?;
        }
    }
    if some {
        return Ok(Action::Again(Duration::ZERO));
    }
    // Express ones go on to their end, in five minutes at most.
    let express = records::express(&states.store).key(partition, name);
    let gone = Transaction::new(&states.store)
        .compare_unmodified(&entry)
        .compare_none_below(&executions)
        .compare_none_below(&express)
        .delete(key)
        .delete_below(&records::histories(&states.store).key(partition, name))
        .delete_below(&records::definitions(&states.store).key(partition, name))
        .delete_below(&records::versions(&states.store).key(partition, name))
        .delete_below(&records::aliases(&states.store).key(partition, name))
        .commit()
        .await?;
    if gone == Outcome::Conflict {
        return Ok(Action::Again(AGAIN));
    }
    states.work.changed(key);
    Ok(Action::Done)
}

/// Clears definitions away that nobody names any more: neither the machine nor a version of it nor an execution.
async fn definitions(
    states: &States,
    partition: &Partition,
    machine: &Entry<MachineRecord>,
) -> Result<Action> {
    let now = states.clock.now();
    let wait = machine.value.updated().0.saturating_add(REPLACED_MILLIS) - now.0;
    if wait > 0 {
        return Ok(Action::Again(Duration::from_millis(wait.unsigned_abs())));
    }
    let name = &machine.value.name;
    let table = records::definitions(&states.store);
    let below = table.key(partition, name);
    let page = |after, limit| Listing {
        after,
        limit: Some(limit),
        ..Listing::default()
    };
    // Nearly every machine has one only.
    if table.list(&below, page(None, 2)).await?.entries.len() > 1 {
        // What executions begin with is named by the machine and its versions, as long as the machine is as it was read.
        states.executions.wait_for(machine.revision).await?;
        let versions = records::versions(&states.store).key(partition, name);
        let (versions, _) = records::versions(&states.store).all(&versions).await?;
        let executions = records::executions(&states.store).key(partition, name);
        let snapshot = states.executions.snapshot();
        let mut named: HashSet<&str> = snapshot
            .below(&executions)
            .map(|entry| entry.value.definition.as_str())
            .collect();
        named.extend(
            versions
                .iter()
                .map(|entry| entry.value.machine.definition.as_str()),
        );
        named.insert(&machine.value.definition);
        let express = express(states, partition, name).await?;
        named.extend(express.iter().map(String::as_str));
        let mut after = None;
        loop {
            let found = table.list(&below, page(after, DEFINITIONS)).await?;
            for entry in &found.entries {
                if entry
                    .key
                    .segments()
                    .last()
                    .is_some_and(|digest| named.contains(digest.as_str()))
                {
                    continue;
                }
                let transaction = Transaction::new(&states.store).compare_unmodified(machine);
                if transaction.delete(&entry.key).commit().await? == Outcome::Conflict {
                    return Ok(Action::Again(Duration::ZERO));
                }
            }
            after = found.next;
            if after.is_none() {
                break;
            }
        }
    }
    states.work.cleared(&machine.key, machine.revision);
    Ok(Action::Done)
}

/// The definitions of a machine's Express executions that have not ended.
async fn express(states: &States, partition: &Partition, machine: &str) -> Result<HashSet<String>> {
    let table = records::express(&states.store);
    let below = table.key(partition, machine);
    let (mut named, mut after) = (HashSet::new(), None);
    loop {
        let listing = Listing {
            after,
            limit: Some(EXECUTIONS),
            ..Listing::default()
        };
        let page = table.list(&below, listing).await?;
        named.extend(page.entries.into_iter().map(|entry| entry.value.definition));
        after = page.next;
        if after.is_none() {
            return Ok(named);
        }
    }
}

/// The key without its last segment.
fn above(key: &Key) -> Key {
    let segments: Vec<String> = key.segments().collect();
    let kept = segments.len().saturating_sub(1);
    segments
        .into_iter()
        .take(kept)
        .fold(Key::root(), |key, segment| key.child(segment))
}
