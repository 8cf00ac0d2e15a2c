//! `SendTaskSuccess`, `SendTaskFailure`, `SendTaskHeartbeat`: whoever has a task's token says how it stands with the task.

use roadstead_api_stepfunctions::{
    SendTaskFailureInput, SendTaskFailureOutput, SendTaskHeartbeatInput, SendTaskHeartbeatOutput,
    SendTaskSuccessInput, SendTaskSuccessOutput,
};
use roadstead_base::Ctx;
use roadstead_states_language::{Failure, Input, TaskToken};

use crate::error::{Error, Result};
use crate::executions::TRIES;
use crate::{States, records, run};

/// Tells the token's execution what happened to the task. It is written when this returns.
async fn tell(states: &States, ctx: &Ctx, text: &str, happened: impl Fn(u64) -> Input) -> Result<()> {
    let invalid = || Error::InvalidToken("Invalid token".to_owned());
    let token: TaskToken = text.parse().map_err(|_| invalid())?;
    let partition = ctx.partition();
    let key = states.execution_key(&partition, &token.machine, &token.execution);
    for _ in 0..TRIES {
        let found = records::executions(&states.store).get(&key).await?;
        let entry = found.ok_or(Error::NoSuchTask)?;
        let record = &entry.value;
        let order = record.task(token.task).ok_or(Error::TaskTimedOut)?;
        if order.token.as_deref() != Some(text) {
            return Err(invalid());
        }
        // Late answers are none, even if nobody noticed yet that the time is over.
        if !record.execution.awaits(token.task, states.clock.now().0) {
            return Err(Error::TaskTimedOut);
        }
        let parsed = states.parsed(&entry, &partition, &record.machine, &record.definition);
        let Some(machine) = parsed.await? else {
            continue;
        };
        if let Some(revision) =
            run::advance(states, &entry, &machine, vec![happened(token.task).into()]).await?
        {
            states.executions.wait_for(revision).await?;
            return Ok(());
        }
    }
    Err(Error::Contended)
}

pub(crate) async fn send_task_success(
    states: &States,
    ctx: &Ctx,
    input: SendTaskSuccessInput,
) -> Result<SendTaskSuccessOutput> {
    let SendTaskSuccessInput { output, task_token } = input;
    let output: serde_json::Value =
        serde_json::from_str(&output).map_err(|fault| Error::InvalidOutput(fault.to_string()))?;
    let succeeded = |task| Input::TaskSucceeded {
        task,
        output: output.clone(),
    };
    tell(states, ctx, &task_token, succeeded).await?;
    Ok(SendTaskSuccessOutput {})
}

pub(crate) async fn send_task_failure(
    states: &States,
    ctx: &Ctx,
    input: SendTaskFailureInput,
) -> Result<SendTaskFailureOutput> {
    let SendTaskFailureInput {
        task_token,
        cause,
        error,
    } = input;
    let failure = Failure::new(error.unwrap_or_default(), cause.unwrap_or_default());
    let failed = |task| Input::TaskFailed {
        task,
        failure: failure.clone(),
    };
    tell(states, ctx, &task_token, failed).await?;
    Ok(SendTaskFailureOutput {})
}

pub(crate) async fn send_task_heartbeat(
    states: &States,
    ctx: &Ctx,
    input: SendTaskHeartbeatInput,
) -> Result<SendTaskHeartbeatOutput> {
    let SendTaskHeartbeatInput { task_token } = input;
    tell(states, ctx, &task_token, |task| Input::Heartbeat { task }).await?;
    Ok(SendTaskHeartbeatOutput {})
}
