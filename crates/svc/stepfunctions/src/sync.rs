//! `.sync`: a job that was started is looked at until it is done. What it was started as is kept with the execution, so
//! after a restart the same job is looked at. Source: the developer guide, "Run a Job (.sync)".

use std::time::Duration;

use roadstead_base::{Ctx, Partition};
use roadstead_states_language::{Failure, Input, Order, Pattern, Resource, names as errors};
use serde_json::{Value as Json, json};

use crate::call::{self, Acting, failure};
use crate::jobs::{Happened, Reference};
use crate::{PRINCIPAL, States, names, sdk};

/// Between two looks, at first and at most.
pub(crate) const FIRST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(2);

/// Why a look did not show a result.
enum Look {
    Again,
    /// The job has ended, and so.
    Failed(Failure),
    /// Nothing is known of the job, nor will another look show it.
    Blind(Failure),
}

impl Look {
    /// Of a job that is known to have ended.
    fn of_ended(self) -> Self {
        match self {
            Self::Blind(failure) => Self::Failed(failure),
            look => look,
        }
    }
}

/// Waits for the end of the job; what there is to tell the execution then.
pub(crate) async fn watch(
    states: &States,
    partition: &Partition,
    acting: &Acting,
    order: &Order,
    reference: &Reference,
) -> Happened {
    let task = order.task;
    let mut pause = FIRST;
    loop {
        let seen = match call::as_role(states, partition, acting) {
            Err(failure) => Err(Look::Blind(failure)),
            Ok(ctx) => match reference {
                Reference::Task { cluster, arn } => task_end(states, partition, &ctx, cluster, arn).await,
                Reference::Execution { arn } => execution_end(states, &ctx, order, arn).await,
            },
        };
        match seen {
            Ok(output) => return Input::TaskSucceeded { task, output }.into(),
            Err(Look::Failed(failure)) => return Input::TaskFailed { task, failure }.into(),
            Err(Look::Blind(failure)) => return Happened::OutOfSight { task, failure },
            Err(Look::Again) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(MOST);
    }
}

async fn described(
    states: &States,
    ctx: &Ctx,
    (service, operation): (&str, &str),
    prefix: &str,
    input: Json,
) -> Result<Json, Look> {
    let gone = || {
        Look::Blind(Failure::new(
            errors::TASK_FAILED,
            format!("{service} is not running here"),
        ))
    };
    let known = sdk::Operation::named(states, service, operation).ok_or_else(gone)?;
    let called = states.dispatcher.call_json(service, operation, ctx, input).await;
    match called {
        Ok(output) => Ok(known.output(output, sdk::Times::Millis)),
        Err(error) if error.is_transient() => Err(Look::Again),
        Err(error) => Err(Look::Blind(failure(prefix, &error))),
    }
}

/// The stopped task. It failed unless each of its essential containers ended with 0.
async fn task_end(
    states: &States,
    partition: &Partition,
    ctx: &Ctx,
    cluster: &str,
    arn: &str,
) -> Result<Json, Look> {
    let input = json!({"cluster": cluster, "tasks": [arn]});
    let mut output = described(states, ctx, ("ecs", "DescribeTasks"), "ECS", input).await?;
    let task = output["Tasks"][0].take();
    if task.is_null() {
        return Err(Look::Failed(Failure::new(
            errors::TASK_FAILED,
            output.to_string(),
        )));
    }
    if task["LastStatus"] != "STOPPED" {
        return Err(Look::Again);
    }
    let containers = task["Containers"].as_array().cloned().unwrap_or_default();
    let failed: Vec<&Json> = containers
        .iter()
        .filter(|container| container["ExitCode"] != json!(0))
        .collect();
    let essential = match (failed.is_empty(), containers.len(), task["StopCode"].as_str()) {
        (true, _, _) => false,
        (false, 2.., Some("EssentialContainerExited")) => {
            let optional = optional(states, partition, &task).await.map_err(Look::of_ended)?;
            failed
                .iter()
                .any(|container| !optional.iter().any(|name| container["Name"] == **name))
        }
        _ => true,
    };
    if essential || containers.is_empty() {
        return Err(Look::Failed(Failure::new(errors::TASK_FAILED, task.to_string())));
    }
    Ok(task)
}

/// The names of containers whose end is not the task's. A role need not be allowed to read the definition for that, so the
/// service reads it itself.
async fn optional(states: &States, partition: &Partition, task: &Json) -> Result<Vec<String>, Look> {
    let ctx = states
        .dispatcher
        .internal_ctx(PRINCIPAL, partition.account.clone(), partition.region.clone());
    let input = json!({"taskDefinition": task["TaskDefinitionArn"]});
    let shown = described(states, &ctx, ("ecs", "DescribeTaskDefinition"), "ECS", input).await?;
    let containers = shown["TaskDefinition"]["ContainerDefinitions"].as_array();
    Ok(containers
        .into_iter()
        .flatten()
        .filter(|container| container["Essential"] == json!(false))
        .filter_map(|container| container["Name"].as_str().map(str::to_owned))
        .collect())
}

/// The ended execution, with what it was given and gave as texts or as JSON.
async fn execution_end(states: &States, ctx: &Ctx, order: &Order, arn: &str) -> Result<Json, Look> {
    // While it runs, the mirror says so at no cost.
    if let Ok((machine, name)) = names::execution(ctx, arn) {
        let key = states.execution_key(&ctx.partition(), &machine, &name);
        if states
            .executions
            .get(&key)
            .is_some_and(|entry| entry.value.is_running())
        {
            return Err(Look::Again);
        }
    }
    let input = json!({"executionArn": arn});
    let call = ("stepfunctions", "DescribeExecution");
    let mut shown = described(states, ctx, call, "StepFunctions", input).await?;
    match shown["Status"].as_str() {
        Some("RUNNING") => return Err(Look::Again),
        Some("SUCCEEDED") => {}
        _ => return Err(Look::Failed(Failure::new(errors::TASK_FAILED, shown.to_string()))),
    }
    let as_json =
        matches!(&order.resource, Resource::Integration { pattern, .. } if *pattern == Pattern::SyncAsJson);
    for name in ["Input", "Output"].into_iter().filter(|_| as_json) {
        if let Some(value) = shown[name]
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok())
        {
            shown[name] = value;
        }
    }
    Ok(shown)
}
