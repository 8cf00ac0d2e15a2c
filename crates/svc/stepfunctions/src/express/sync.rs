//! `StartSyncExecution`: an Express execution whose end is the answer.

use std::sync::Arc;

use roadstead_api_stepfunctions::{
    CloudWatchEventsExecutionDataDetails, IncludedData, StartSyncExecutionInput, StartSyncExecutionOutput,
    SyncExecutionStatus,
};
use roadstead_base::{Ctx, random_uuid};
use roadstead_states_language::{Execution, Failure, Machine, Status};

use crate::States;
use crate::asked::Asked;
use crate::call::Acting;
use crate::error::{Error, Result};
use crate::executions::{MAX_CAUSE, MAX_ERROR, TRIES, shown};
use crate::express::{Course, Ended, LONGEST_MILLIS};
use crate::names::express_arn;
use crate::records::{MachineRecord, Origin, Workflow};
use crate::report::{Log, Subject};

/// The machine that is to be executed, how it came to that, and its definition.
async fn chosen(states: &States, ctx: &Ctx, asked: &Asked) -> Result<(MachineRecord, Origin, Arc<Machine>)> {
    let partition = ctx.partition();
    for _ in 0..TRIES {
        let current = states.machine_entry(ctx, &asked.machine).await?;
        if current.value.workflow != Workflow::Express {
            return Err(Error::WrongType);
        }
        let (machine, origin) = states
            .origin(&partition, &current.value, &asked.qualifier)
            .await?;
        let parsed = states.parsed(&current, &partition, &asked.machine, &machine.definition);
        if let Some(parsed) = parsed.await? {
            return Ok((machine, origin, parsed));
        }
    }
    Err(Error::Contended)
}

/// The end is answered however it came about; an error says that nothing was executed. A client that goes away ends
/// nothing.
pub(crate) async fn start_sync_execution(
    states: &States,
    ctx: &Ctx,
    input: StartSyncExecutionInput,
) -> Result<StartSyncExecutionOutput> {
    let StartSyncExecutionInput {
        state_machine_arn,
        included_data,
        input,
        name,
        trace_header,
    } = input;
    let asked = Asked::read(ctx, &state_machine_arn, name, input, trace_header)?;
    let place = states.express.enter()?;
    let partition = ctx.partition();
    let (machine, origin, parsed) = chosen(states, ctx, &asked).await?;
    let execution_arn = express_arn(&partition, &asked.machine, &asked.name, &random_uuid());
    let started = states.clock.now();
    let about = asked.about(&partition, &machine, &execution_arn);
    let deadline = started.0.saturating_add(LONGEST_MILLIS);
    let course = Course {
        subject: Subject {
            partition: partition.clone(),
            machine: asked.machine.clone(),
            origin,
            started,
            redrives: 0,
            execution_arn: execution_arn.clone(),
            role_arn: machine.role_arn.clone(),
            log: Log::of(&partition, &asked.machine, &machine.logging),
        },
        partition,
        acting: Arc::new(Acting {
            machine: asked.machine,
            name: asked.name.clone(),
            execution_arn: execution_arn.clone(),
            started,
            role_arn: machine.role_arn,
        }),
        execution: Execution::new(&parsed, about, started.0, Some(deadline), None),
        machine: parsed,
    };
    let states = states.me.upgrade().ok_or(Error::Stopping)?;
    let running = tokio::spawn(async move { course.run(&states, place).await });
    let Ended { status, at, bill } = running
        .await
        .map_err(|error| Error::Store(format!("an execution broke off: {error}")))??;
    let all = included_data != Some(IncludedData::MetadataOnly);
    let included = || all.then_some(CloudWatchEventsExecutionDataDetails { included: Some(true) });
    let mut answer = StartSyncExecutionOutput {
        execution_arn,
        start_date: started,
        status: SyncExecutionStatus::Failed,
        stop_date: at,
        billing_details: Some(bill.shown()),
        cause: None,
        error: None,
        input: all.then_some(asked.text),
        input_details: included(),
        name: Some(asked.name),
        output: None,
        output_details: None,
        state_machine_arn: Some(state_machine_arn),
        trace_header: None,
    };
    match status {
        Status::Succeeded { output } => {
            answer.status = SyncExecutionStatus::Succeeded;
            answer.output = all.then(|| output.to_string());
            answer.output_details = included();
        }
        Status::TimedOut => answer.status = SyncExecutionStatus::TimedOut,
        Status::Failed {
            failure: Failure { error, cause, .. },
        } if all => {
            answer.error = shown(&error, MAX_ERROR);
            answer.cause = shown(&cause, MAX_CAUSE);
        }
        Status::Failed { .. } | Status::Aborted { .. } | Status::Running => {}
    }
    Ok(answer)
}
