//! Executions: started, stopped, shown, listed.

use roadstead_api_stepfunctions::{
    CloudWatchEventsExecutionDataDetails, DescribeExecutionInput, DescribeExecutionOutput, ExecutionListItem,
    ExecutionRedriveFilter, ExecutionRedriveStatus, ExecutionStatus, IncludedData, ListExecutionsInput,
    ListExecutionsOutput, StartExecutionInput, StartExecutionOutput, StopExecutionInput, StopExecutionOutput,
};
use roadstead_base::{Ctx, Partition};
use roadstead_states_language::{EVENT_LIMIT, Execution, Failure, Input, Status};
use roadstead_store::{Entry, Key, Outcome, Transaction};

use crate::asked::Asked;
use crate::error::{Error, Result};
use crate::names::{self, execution_arn, machine_arn};
use crate::published;
use crate::records::{self, ExecutionRecord, Workflow};
use crate::redrive::{self, OPEN_MILLIS};
use crate::{States, express, page, run};

/// How often a change is tried again that met another one.
pub(crate) const TRIES: usize = 64;

impl States {
    pub(crate) fn execution_key(&self, partition: &Partition, machine: &str, name: &str) -> Key {
        records::executions(&self.store)
            .key(partition, machine)
            .child(name)
    }

    pub(crate) async fn execution(&self, ctx: &Ctx, arn: &str) -> Result<Entry<ExecutionRecord>> {
        let (machine, name) = names::execution(ctx, arn)?;
        let key = self.execution_key(&ctx.partition(), &machine, &name);
        let found = records::executions(&self.store).get(&key).await?;
        found.ok_or_else(|| Error::NoSuchExecution(arn.to_owned()))
    }
}

/// Of a Standard state machine, the same name with the same input is the same execution while that is under way, and refused
/// for 90 days otherwise.
pub(crate) async fn start_execution(
    states: &States,
    ctx: &Ctx,
    input: StartExecutionInput,
) -> Result<StartExecutionOutput> {
    let StartExecutionInput {
        state_machine_arn,
        input,
        name,
        trace_header,
    } = input;
    let asked = Asked::read(ctx, &state_machine_arn, name, input, trace_header)?;
    let partition = ctx.partition();
    let key = states.execution_key(&partition, &asked.machine, &asked.name);
    let arn = execution_arn(&partition, &asked.machine, &asked.name);
    let table = records::executions(&states.store);
    for _ in 0..TRIES {
        let machines = records::machines(&states.store);
        let machine = machines
            .get(&states.machine_key(&partition, &asked.machine))
            .await?;
        let machine = machine.ok_or_else(|| Error::NoSuchMachine(state_machine_arn.clone()))?;
        if machine.value.deleting {
            return Err(Error::Deleting(state_machine_arn));
        }
        if machine.value.workflow == Workflow::Express {
            match express::start(states, &partition, &machine, &asked).await? {
                Some(started) => return Ok(started),
                None => continue,
            }
        }
        if let Some(found) = table.get(&key).await? {
            let ExecutionRecord { input, started, .. } = &found.value;
            if !found.value.is_running() || *input != asked.text {
                return Err(Error::ExecutionExists(arn));
            }
            return Ok(StartExecutionOutput {
                execution_arn: arn,
                start_date: *started,
            });
        }
        let within = records::executions(&states.store).within(&partition);
        let most = states.options.max_running;
        if !states.work.has_room(&states.executions, &within, most) {
            return Err(Error::TooManyRunning(most));
        }
        let now = states.clock.now();
        let (chosen, origin) = states
            .origin(&partition, &machine.value, &asked.qualifier)
            .await?;
        let parsed = states
            .parsed(&machine, &partition, &asked.machine, &chosen.definition)
            .await?;
        let Some(parsed) = parsed else {
            continue;
        };
        let about = asked.about(&partition, &chosen, &arn);
        let record = ExecutionRecord {
            machine: asked.machine.clone(),
            name: asked.name.clone(),
            definition: chosen.definition,
            role_arn: chosen.role_arn,
            started: now,
            stopped: None,
            input: asked.text.clone(),
            execution: Execution::new(
                &parsed,
                about,
                now.0,
                Some(now.0 + OPEN_MILLIS),
                Some(EVENT_LIMIT),
            ),
            orders: Vec::new(),
            jobs: Vec::new(),
            origin,
            ending: Vec::new(),
            redrives: Vec::new(),
            logging: chosen.logging,
        };
        let began = published::status_change(&partition, &record, now);
        let transaction = Transaction::new(&states.store)
            .compare_unmodified(&machine)
            .insert(&table, &key, &record);
        let written = roadstead_outbox::add(transaction, &states.store, &began)
            .commit()
            .await?;
        if let Outcome::Committed(revision) = written {
            states.executions.wait_for(revision).await?;
            return Ok(StartExecutionOutput {
                execution_arn: arn,
                start_date: now,
            });
        }
    }
    Err(Error::Contended)
}

/// One that has ended stays as it ended.
pub(crate) async fn stop_execution(
    states: &States,
    ctx: &Ctx,
    input: StopExecutionInput,
) -> Result<StopExecutionOutput> {
    let StopExecutionInput {
        execution_arn,
        cause,
        error,
    } = input;
    for _ in 0..TRIES {
        let entry = states.execution(ctx, &execution_arn).await?;
        if let Some(stopped) = entry.value.stopped {
            return Ok(StopExecutionOutput { stop_date: stopped });
        }
        let ExecutionRecord {
            machine, definition, ..
        } = &entry.value;
        let Some(parsed) = states
            .parsed(&entry, &ctx.partition(), machine, definition)
            .await?
        else {
            continue;
        };
        let stop = Input::Stop {
            error: error.clone(),
            cause: cause.clone(),
        };
        let now = states.clock.now();
        if let Some(revision) = run::advance(states, &entry, &parsed, vec![stop.into()]).await? {
            states.executions.wait_for(revision).await?;
            return Ok(StopExecutionOutput { stop_date: now });
        }
    }
    Err(Error::Contended)
}

pub(crate) fn status(status: &Status) -> ExecutionStatus {
    match status {
        Status::Running => ExecutionStatus::Running,
        Status::Succeeded { .. } => ExecutionStatus::Succeeded,
        Status::Failed { .. } => ExecutionStatus::Failed,
        Status::Aborted { .. } => ExecutionStatus::Aborted,
        Status::TimedOut => ExecutionStatus::TimedOut,
    }
}

/// What is empty is not shown.
pub(crate) fn shown(text: &str, most: usize) -> Option<String> {
    (!text.is_empty()).then(|| text.chars().take(most).collect())
}

pub(crate) const MAX_ERROR: usize = 256;
pub(crate) const MAX_CAUSE: usize = 32_768;

pub(crate) async fn describe_execution(
    states: &States,
    ctx: &Ctx,
    input: DescribeExecutionInput,
) -> Result<DescribeExecutionOutput> {
    let DescribeExecutionInput {
        execution_arn,
        included_data,
    } = input;
    let record = states.execution(ctx, &execution_arn).await?.value;
    let all = included_data != Some(IncludedData::MetadataOnly);
    let included = || Some(CloudWatchEventsExecutionDataDetails { included: Some(true) });
    let deleting = states
        .machine(ctx, &record.machine)
        .is_ok_and(|machine| machine.deleting);
    let unfit = redrive::unfit(&record, deleting, states.clock.now());
    let partition = ctx.partition();
    let mut answer = DescribeExecutionOutput {
        execution_arn,
        state_machine_alias_arn: record.alias_arn(&partition),
        state_machine_version_arn: record.version_arn(&partition),
        start_date: record.started,
        state_machine_arn: machine_arn(&partition, &record.machine),
        status: status(record.execution.status()),
        name: Some(record.name.clone()),
        redrive_count: Some(record.redrive_count()),
        redrive_date: record.redriven(),
        redrive_status: Some(match unfit {
            None => ExecutionRedriveStatus::Redrivable,
            Some(_) => ExecutionRedriveStatus::NotRedrivable,
        }),
        redrive_status_reason: unfit.filter(|_| all).map(str::to_owned),
        stop_date: record.stopped,
        ..DescribeExecutionOutput::default()
    };
    if all {
        answer.input = Some(record.input);
        answer.input_details = included();
    }
    match record.execution.status() {
        Status::Succeeded { output } if all => {
            answer.output = Some(output.to_string());
            answer.output_details = included();
        }
        Status::Failed {
            failure: Failure { error, cause, .. },
        } if all => {
            answer.error = shown(error, MAX_ERROR);
            answer.cause = shown(cause, MAX_CAUSE);
        }
        Status::Aborted { error, cause } if all => {
            answer.error.clone_from(error);
            answer.cause.clone_from(cause);
        }
        _ => {}
    }
    Ok(answer)
}

/// The latest first.
pub(crate) async fn list_executions(
    states: &States,
    ctx: &Ctx,
    input: ListExecutionsInput,
) -> Result<ListExecutionsOutput> {
    let ListExecutionsInput {
        map_run_arn,
        max_results,
        next_token,
        redrive_filter,
        state_machine_arn,
        status_filter,
    } = input;
    if map_run_arn.is_some() {
        return Err(Error::Unsupported("mapRunArn".to_owned()));
    }
    if status_filter == Some(ExecutionStatus::PendingRedrive) {
        return Err(Error::Validation(
            "The status PENDING_REDRIVE is only valid with a mapRunArn".to_owned(),
        ));
    }
    let arn = state_machine_arn
        .ok_or_else(|| Error::Validation("Must provide a StateMachine ARN or MapRun ARN".to_owned()))?;
    let (machine, qualifier) = names::qualified(ctx, &arn)?;
    if states.machine(ctx, &machine)?.workflow == Workflow::Express {
        return Err(Error::WrongType);
    }
    let partition = ctx.partition();
    states.there(&partition, &machine, &qualifier).await?;
    let below = records::executions(&states.store).key(&partition, &machine);
    // What others were shown of executions comes from the store.
    let revision = states.store.revision().await?;
    states.executions.wait_for(revision).await?;
    let snapshot = states.executions.snapshot();
    let wanted = |record: &&ExecutionRecord| {
        let status = status(record.execution.status());
        let redriven = match record.redrive_count() {
            0 => ExecutionRedriveFilter::NotRedriven,
            _ => ExecutionRedriveFilter::Redriven,
        };
        status_filter.is_none_or(|wanted| wanted == status)
            && record.is_of(&qualifier)
            && redrive_filter.is_none_or(|wanted| wanted == redriven)
    };
    let mut all: Vec<(String, &ExecutionRecord)> = snapshot
        .below(&below)
        .map(|entry| &entry.value)
        .filter(wanted)
        .map(|record| {
            (
                format!("{:020}/{}", i64::MAX - record.started.0, record.name),
                record,
            )
        })
        .collect();
    all.sort_by(|(left, _), (right, _)| left.cmp(right));
    let scope = format!(
        "ListExecutions/{arn}/{}/{}",
        status_filter.map_or("", |status| status.as_str()),
        redrive_filter.map_or("", |filter| filter.as_str()),
    );
    let (page, next_token) = page::cut(ctx, &scope, all.into_iter(), max_results, next_token.as_deref())?;
    let show = |record: &ExecutionRecord| ExecutionListItem {
        execution_arn: execution_arn(&partition, &record.machine, &record.name),
        name: record.name.clone(),
        start_date: record.started,
        state_machine_arn: machine_arn(&partition, &record.machine),
        state_machine_alias_arn: record.alias_arn(&partition),
        state_machine_version_arn: record.version_arn(&partition),
        status: status(record.execution.status()),
        redrive_count: Some(record.redrive_count()),
        redrive_date: record.redriven(),
        stop_date: record.stopped,
        ..ExecutionListItem::default()
    };
    Ok(ListExecutionsOutput {
        executions: page.into_iter().map(show).collect(),
        next_token,
    })
}
