//! StartMessageMoveTask, ListMessageMoveTasks and CancelMessageMoveTask: what was a dead letter goes back to its queue,
//! or to another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roadstead_api_sqs::{
    CancelMessageMoveTaskRequest, CancelMessageMoveTaskResult, ListMessageMoveTasksRequest,
    ListMessageMoveTasksResult, ListMessageMoveTasksResultEntry, StartMessageMoveTaskRequest,
    StartMessageMoveTaskResult,
};
use roadstead_base::{Ctx, random_uuid};
use roadstead_store::{Change, Entry, Key};

use crate::Sqs;
use crate::error::{Error, Result};
use crate::names;
use crate::records::{self, MoveRecord, MoveStatus, QueueRecord};

const MAX_PER_SECOND: i32 = 500;
/// Tasks of a queue that are remembered.
const REMEMBERED: usize = 10;

/// The queue that an ARN names.
fn of_arn(sqs: &Sqs, ctx: &Ctx, arn: &str) -> Result<std::sync::Arc<Entry<QueueRecord>>> {
    names::of_arn(&ctx.partition(), arn)
        .and_then(|name| sqs.named(ctx, &name))
        .ok_or_else(|| {
            Error::NotFound(
                "The resource that you specified for the SourceArn parameter doesn't exist.".into(),
            )
        })
}

impl Sqs {
    /// The tasks of a queue, the latest first.
    async fn moves_of(&self, ctx: &Ctx, source: &str) -> Result<Vec<Entry<MoveRecord>>> {
        let table = records::moves(&self.store);
        let (mut all, _) = table.all(&table.key(&ctx.partition(), source)).await?;
        all.sort_by_key(|entry| std::cmp::Reverse(entry.value.started_at));
        Ok(all)
    }

    fn move_key(&self, ctx: &Ctx, source: &str, handle: &str) -> Key {
        records::moves(&self.store)
            .key(&ctx.partition(), source)
            .child(handle)
    }
}

pub(crate) async fn start_message_move_task(
    sqs: &Sqs,
    ctx: &Ctx,
    input: StartMessageMoveTaskRequest,
) -> Result<StartMessageMoveTaskResult> {
    let StartMessageMoveTaskRequest {
        source_arn,
        destination_arn,
        max_number_of_messages_per_second,
    } = input;
    let source = of_arn(sqs, ctx, &source_arn)?;
    let name = source.value.name.clone();
    if sqs.sources_of(ctx, &name).is_empty() {
        return Err(Error::Value(
            "Source queue must be configured as a Dead Letter Queue.".into(),
        ));
    }
    if let Some(rate) = max_number_of_messages_per_second.filter(|rate| !(1..=MAX_PER_SECOND).contains(rate))
    {
        return Err(Error::value(
            "MaxNumberOfMessagesPerSecond",
            rate,
            "It is from 1 to 500.",
        ));
    }
    if let Some(destination) = &destination_arn {
        let found = of_arn(sqs, ctx, destination)?;
        if found.value.name == name {
            return Err(Error::Value(
                "Source queue arn and destination queue arn cannot be the same.".into(),
            ));
        }
        if found.value.fifo != source.value.fifo {
            return Err(Error::Value(
                "Source and destination queues must be of the same type.".into(),
            ));
        }
    }
    // Until it is written: others that begin at once see it run.
    let _alone = sqs.messages.starting.lock().await;
    let before = sqs.moves_of(ctx, &name).await?;
    if before
        .iter()
        .any(|entry| entry.value.status == MoveStatus::Running)
    {
        return Err(Error::Unsupported(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
                .into(),
        ));
    }
    let now = sqs.clock.now();
    let counts = sqs.messages.backlog(source.value.id).queue().counts(now.0);
    let record = MoveRecord {
        handle: random_uuid(),
        source: name.clone(),
        destination_arn,
        per_second: max_number_of_messages_per_second,
        status: MoveStatus::Running,
        started_at: now,
        moved: 0,
        to_move: i64::try_from(counts.visible).unwrap_or(i64::MAX),
        failure: None,
    };
    let table = records::moves(&sqs.store);
    table
        .insert(&sqs.move_key(ctx, &name, &record.handle), &record)
        .await?;
    for old in before.iter().skip(REMEMBERED - 1) {
        table.update(&old.key, |_| Ok::<_, Error>(Change::Delete)).await?;
    }
    sqs.messages.moving.notify_waiters();
    Ok(StartMessageMoveTaskResult {
        task_handle: Some(handle(&source_arn, &record)),
    })
}

/// A handle names its task whole, so that a task can be cancelled by it alone.
fn handle(source_arn: &str, record: &MoveRecord) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}@{source_arn}", record.handle))
}

/// The task and the source's ARN of a handle.
pub(crate) fn read_handle(handle: &str) -> Option<(String, String)> {
    let bytes = URL_SAFE_NO_PAD.decode(handle).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (task, source_arn) = text.split_once('@')?;
    Some((task.to_owned(), source_arn.to_owned()))
}

pub(crate) async fn list_message_move_tasks(
    sqs: &Sqs,
    ctx: &Ctx,
    input: ListMessageMoveTasksRequest,
) -> Result<ListMessageMoveTasksResult> {
    let ListMessageMoveTasksRequest {
        source_arn,
        max_results,
    } = input;
    let source = of_arn(sqs, ctx, &source_arn)?;
    let most = match max_results {
        None => 1,
        Some(most @ 1..=10) => usize::try_from(most).unwrap_or(1),
        Some(most) => return Err(Error::value("MaxResults", most, "It is from 1 to 10.")),
    };
    let all = sqs.moves_of(ctx, &source.value.name).await?;
    let show = |entry: Entry<MoveRecord>| {
        let running = entry.value.status == MoveStatus::Running;
        let task_handle = running.then(|| handle(&source_arn, &entry.value));
        let MoveRecord {
            handle: _shown,
            source: _known,
            destination_arn,
            per_second,
            status,
            started_at,
            moved,
            to_move,
            failure,
        } = entry.value;
        ListMessageMoveTasksResultEntry {
            approximate_number_of_messages_moved: Some(moved),
            approximate_number_of_messages_to_move: Some(to_move),
            destination_arn,
            failure_reason: failure,
            max_number_of_messages_per_second: per_second,
            source_arn: Some(source_arn.clone()),
            started_timestamp: Some(started_at.0),
            status: Some(
                match status {
                    MoveStatus::Running => "RUNNING",
                    MoveStatus::Completed => "COMPLETED",
                    MoveStatus::Cancelled => "CANCELLED",
                    MoveStatus::Failed => "FAILED",
                }
                .to_owned(),
            ),
            task_handle,
        }
    };
    Ok(ListMessageMoveTasksResult {
        results: Some(all.into_iter().take(most).map(show).collect()),
    })
}

pub(crate) async fn cancel_message_move_task(
    sqs: &Sqs,
    ctx: &Ctx,
    input: CancelMessageMoveTaskRequest,
) -> Result<CancelMessageMoveTaskResult> {
    let CancelMessageMoveTaskRequest { task_handle } = input;
    let missing =
        || Error::NotFound("The task that you specified for the TaskHandle parameter doesn't exist.".into());
    let (task, source_arn) = read_handle(&task_handle)
        .ok_or_else(|| Error::value("TaskHandle", &task_handle, "It is no handle of a task."))?;
    let source = names::of_arn(&ctx.partition(), &source_arn).ok_or_else(missing)?;
    let key = sqs.move_key(ctx, &source, &task);
    let cancel = |found: Option<&MoveRecord>| {
        let found = found.ok_or_else(missing)?;
        if found.status != MoveStatus::Running {
            return Err(Error::Unsupported("Only active tasks can be cancelled.".into()));
        }
        Ok(Change::Put(MoveRecord {
            status: MoveStatus::Cancelled,
            ..found.clone()
        }))
    };
    let updated = records::moves(&sqs.store).update(&key, cancel).await?;
    Ok(CancelMessageMoveTaskResult {
        approximate_number_of_messages_moved: updated.value.map(|record| record.moved),
    })
}
