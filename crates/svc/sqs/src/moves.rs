//! Carries out the tasks that move messages, a lot at a time, with what was moved written down after each. A crash in
//! between leaves every message in one queue or the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use roadstead_base::Partition;
use roadstead_queue::Taken;
use roadstead_store::{Change, Key};
use tokio::sync::watch;

use crate::Sqs;
use crate::error::{Error, Result};
use crate::messages::Transfer;
use crate::names;
use crate::records::{self, MoveRecord, MoveStatus, QueueRecord};

/// Between lots of a task with a rate.
const BEAT: Duration = Duration::from_millis(1000);
/// Without a rate.
const LOT: usize = 200;

pub(crate) async fn keep(sqs: Arc<Sqs>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        let started = sqs.messages.moving.notified();
        tokio::pin!(started);
        started.as_mut().enable();
        let more = match round(&sqs).await {
            Ok(more) => more,
            Err(error) => {
                tracing::warn!(%error, "messages could not be moved; trying again");
                true
            }
        };
        tokio::select! {
            () = &mut started => {}
            () = tokio::time::sleep(BEAT), if more => {}
            _ = stop.changed() => {}
        }
    }
}

/// One lot of every task that runs. Whether any still does.
pub(crate) async fn round(sqs: &Sqs) -> Result<bool> {
    let mut more = false;
    let partitions: std::collections::HashSet<Partition> = sqs
        .queues
        .snapshot()
        .iter()
        .filter_map(|entry| partition_of(&entry.key))
        .collect();
    for partition in partitions {
        let table = records::moves(&sqs.store);
        let (all, _) = table.all(&table.within(&partition)).await?;
        for entry in all {
            if entry.value.status == MoveStatus::Running {
                more |= lot(sqs, &partition, &entry.key, &entry.value).await?;
            }
        }
    }
    Ok(more)
}

pub(crate) fn partition_of(key: &Key) -> Option<Partition> {
    let mut segments = key.segments();
    Some(Partition {
        account: segments.next()?.parse().ok()?,
        region: segments.next()?.parse().ok()?,
    })
}

/// Whether the task goes on.
async fn lot(sqs: &Sqs, partition: &Partition, key: &Key, task: &MoveRecord) -> Result<bool> {
    let table = records::queues(&sqs.store);
    let find = |name: &str| sqs.queues.get(&table.key(partition, name));
    let Some(source) = find(&task.source) else {
        return end(
            sqs,
            key,
            0,
            MoveStatus::Failed,
            Some("AWS.SimpleQueueService.NonExistentQueue"),
        )
        .await;
    };
    let rate = task.per_second.and_then(|rate| usize::try_from(rate).ok());
    let left = usize::try_from(task.to_move - task.moved).unwrap_or_default();
    let most = rate.unwrap_or(LOT).min(left);
    let now = sqs.clock.now();
    let taken = sqs
        .messages
        .backlog(source.value.id)
        .queue()
        .take_out(most, now.0);
    if taken.is_empty() {
        return end(sqs, key, 0, MoveStatus::Completed, None).await;
    }
    let mut moved = 0;
    let mut lots: HashMap<Option<String>, Vec<Taken>> = HashMap::new();
    for one in taken {
        let target = task.destination_arn.clone().or_else(|| {
            // What cannot be read comes from nowhere that is known.
            let record = sqs.messages.read(source.value.id, one.number).ok().flatten();
            record.and_then(|record| record.source_arn)
        });
        lots.entry(target).or_default().push(one);
    }
    let mut failure = None;
    for (arn, lot) in lots {
        let target = arn
            .and_then(|arn| names::of_arn(partition, &arn))
            .and_then(|name| find(&name));
        let count = lot.len();
        match target {
            Some(target) => {
                let change = Transfer {
                    source_arn: None,
                    sealed: target.value.settings.sealed,
                };
                sqs.messages
                    .transfer(source.value.id, target.value.id, lot, change, now)
                    .await?;
                moved += i64::try_from(count).unwrap_or_default();
            }
            None => {
                give_back(sqs, &source.value, lot);
                failure = Some("CouldNotDetermineMessageSource");
            }
        }
    }
    match failure {
        Some(failure) => end(sqs, key, moved, MoveStatus::Failed, Some(failure)).await,
        None if task.moved + moved >= task.to_move => end(sqs, key, moved, MoveStatus::Completed, None).await,
        None => end(sqs, key, moved, MoveStatus::Running, None).await,
    }
}

fn give_back(sqs: &Sqs, source: &QueueRecord, lot: Vec<Taken>) {
    let backlog = sqs.messages.backlog(source.id);
    for Taken { number, message } in lot {
        backlog.queue().insert(number, message, sqs.clock.now().0);
    }
    backlog.arrived.notify_waiters();
}

/// Writes down how far a task came; one that was cancelled meanwhile stays so. Whether it goes on.
async fn end(sqs: &Sqs, key: &Key, moved: i64, status: MoveStatus, failure: Option<&str>) -> Result<bool> {
    let update = |found: Option<&MoveRecord>| {
        Ok::<_, Error>(match found {
            None => Change::Keep,
            Some(found) => Change::Put(MoveRecord {
                moved: found.moved + moved,
                status: match found.status {
                    MoveStatus::Running => status,
                    other => other,
                },
                failure: failure.map(str::to_owned),
                ..found.clone()
            }),
        })
    };
    let updated = records::moves(&sqs.store).update(key, update).await?;
    Ok(updated
        .value
        .is_some_and(|task| task.status == MoveStatus::Running))
}
