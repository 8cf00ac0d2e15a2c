//! Jobs that nobody waits for any more are stopped: that they are to be is written with the step that gave them up, so a
//! crash in between leaves none of them running.

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::Partition;
use roadstead_states_language::Order;
use roadstead_store::{Entry, Key, Outcome, Transaction};
use serde_json::json;

use crate::call::{self, Acting, Fault};
use crate::jobs::{Job, Reference, reference};
use crate::records::{self, ExecutionRecord};
use crate::run::lock;
use crate::{States, sync};

/// Between two tries, at most.
const PAUSE: Duration = Duration::from_secs(30);

/// Stops what is to be stopped and is not being stopped yet.
pub(crate) fn launch(states: &Arc<States>, partition: &Partition, entry: &Entry<ExecutionRecord>) {
    let mut endings = lock(&states.work.endings);
    for job in &entry.value.ending {
        let ending = (entry.key.clone(), job.order.task);
        if endings.contains_key(&ending) {
            continue;
        }
        let (states, partition, job) = (Arc::clone(states), partition.clone(), job.clone());
        let acting = Acting::of(&partition, &entry.value);
        let of = ending.clone();
        let running = tokio::spawn(async move {
            let (key, task) = &of;
            stop(&states, &partition, &acting, &job).await;
            while let Err(error) = done(&states, key, *task).await {
                tracing::warn!(%error, execution = %acting.execution_arn, "a stopped job could not be written down");
                tokio::time::sleep(PAUSE).await;
            }
            lock(&states.work.endings).remove(&of);
        });
        endings.insert(ending, running.abort_handle());
    }
}

/// Stops every job of an execution that is about to go.
pub(crate) async fn of(states: &States, partition: &Partition, record: &ExecutionRecord) {
    let acting = Acting::of(partition, record);
    for job in &record.ending {
        stop(states, partition, &acting, job).await;
    }
}

/// The job has been stopped; the execution need not remember it.
async fn done(states: &States, key: &Key, task: u64) -> crate::Result<()> {
    let table = records::executions(&states.store);
    loop {
        let Some(entry) = table.get(key).await? else {
            return Ok(());
        };
        let mut record = entry.value.clone();
        record.ending.retain(|job| job.order.task != task);
        let written = Transaction::new(&states.store)
            .replace(&table, &entry, &record)
            .commit()
            .await?;
        if let Outcome::Committed(revision) = written {
            states.executions.wait_for(revision).await?;
            return Ok(());
        }
    }
}

/// Stops a job.
async fn stop(states: &States, partition: &Partition, acting: &Acting, job: &Job) {
    let reference = match &job.reference {
        Some(reference) => Some(reference.clone()),
        None => started(states, partition, acting, &job.order).await,
    };
    let Some(reference) = reference else {
        return;
    };
    let reason = format!(
        "The execution {} does not wait for it any more.",
        acting.execution_arn
    );
    let (service, operation, input) = match &reference {
        Reference::Task { cluster, arn } => (
            "ecs",
            "StopTask",
            json!({"cluster": cluster, "task": arn, "reason": reason.chars().take(1024).collect::<String>()}),
        ),
        Reference::Execution { arn } => (
            "stepfunctions",
            "StopExecution",
            json!({"executionArn": arn, "cause": reason}),
        ),
    };
    let mut pause = sync::FIRST;
    loop {
        let ctx = match call::as_role(states, partition, acting) {
            Ok(ctx) => ctx,
            Err(failure) => {
                tracing::warn!(cause = %failure.cause, ?reference, "a job is left running: its role cannot be acted as");
                return;
            }
        };
        let stopped = states
            .dispatcher
            .call_json(service, operation, &ctx, input.clone())
            .await;
        match stopped {
            Err(error) if error.is_transient() => {}
            Err(error) => {
                tracing::warn!(%error, ?reference, "a job could not be stopped");
                return;
            }
            Ok(_stopped) => return,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE);
    }
}

/// What a job is of which nobody knows whether it was started: it is started by the same call again, which starts nothing
/// twice, so that it can be named. Nothing if that is refused for good.
async fn started(
    states: &States,
    partition: &Partition,
    acting: &Acting,
    order: &Order,
) -> Option<Reference> {
    let mut pause = sync::FIRST;
    loop {
        match call::called(states, partition, acting, order.clone()).await {
            Ok(output) => return reference(order, &output),
            Err(Fault::Passing(_)) => {}
            Err(Fault::Refused(failure) | Fault::Failed(failure)) => {
                let (execution, state) = (&acting.execution_arn, &order.state);
                tracing::warn!(error = %failure.error, cause = %failure.cause, %execution, %state,
                    "a job may be left running if it was started: it cannot be named");
                return None;
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE);
    }
}
