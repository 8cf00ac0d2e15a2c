//! `RedriveExecution`: an execution that ended without success goes on from the state that it ended in.

use roadstead_api_stepfunctions::{RedriveExecutionInput, RedriveExecutionOutput};
use roadstead_base::{Ctx, Timestamp};
use roadstead_states_language::{EVENT_LIMIT, Status};
use roadstead_store::Entry;

use crate::States;
use crate::error::{Error, Result};
use crate::records::{self, ExecutionRecord, Redrive};
use crate::run;
use crate::versions::TRIES;

const DAY_MILLIS: i64 = 86_400_000;
/// How long after its end an execution can be redriven.
const PERIOD_MILLIS: i64 = 14 * DAY_MILLIS;
/// How long an execution may be open.
pub(crate) const OPEN_MILLIS: i64 = 365 * DAY_MILLIS;
/// Events that must be left: that it was redriven, and its end.
const ROOM: u64 = 2;
/// The latest redrives are known by their tokens, and for so long.
const TOKENS: usize = 10;
const TOKEN_MILLIS: i64 = 15 * 60_000;

impl ExecutionRecord {
    pub(crate) fn redrive_count(&self) -> i32 {
        i32::try_from(self.execution.redrives()).unwrap_or(i32::MAX)
    }

    /// When it was redriven last.
    pub(crate) fn redriven(&self) -> Option<Timestamp> {
        self.redrives.last().map(|last| last.at)
    }
}

/// Why an execution cannot be redriven, in the words of `redriveStatusReason`.
pub(crate) fn unfit(record: &ExecutionRecord, deleting: bool, now: Timestamp) -> Option<&'static str> {
    let since = |at: Timestamp| now.0.saturating_sub(at.0);
    let over = |at: Option<Timestamp>, most: i64| at.is_some_and(|at| since(at) > most);
    match record.execution.status() {
        _ if deleting => Some("State machine is in DELETING status"),
        Status::Running => Some("Execution is RUNNING and cannot be redriven"),
        Status::Succeeded { .. } => Some("Execution is SUCCEEDED and cannot be redriven"),
        _ if record.execution.last_event() + ROOM > EVENT_LIMIT => {
            Some("Execution history event limit exceeded")
        }
        _ if over(Some(record.started), OPEN_MILLIS) => Some("Execution has exceeded the max execution time"),
        _ if over(record.stopped, PERIOD_MILLIS) => Some("Execution redrivable period exceeded"),
        // Nothing is known of what it was doing.
        _ if !record.execution.is_redrivable() => {
            Some("Execution was started before the launch of RedriveExecution")
        }
        _ => None,
    }
}

/// The same token, of the ten latest and for a quarter of an hour, is the same redrive.
pub(crate) async fn redrive_execution(
    states: &States,
    ctx: &Ctx,
    input: RedriveExecutionInput,
) -> Result<RedriveExecutionOutput> {
    let RedriveExecutionInput {
        execution_arn,
        client_token,
    } = input;
    let partition = ctx.partition();
    for _ in 0..TRIES {
        let entry = states.execution(ctx, &execution_arn).await?;
        let now = states.clock.now();
        let known = entry
            .value
            .redrives
            .iter()
            .find(|redrive| redrive.token.is_some() && redrive.token == client_token)
            .filter(|redrive| now.0.saturating_sub(redrive.at.0) <= TOKEN_MILLIS);
        if let Some(known) = known {
            return Ok(RedriveExecutionOutput {
                redrive_date: known.at,
            });
        }
        let deleting = states.machine(ctx, &entry.value.machine)?.deleting;
        if let Some(reason) = unfit(&entry.value, deleting, now) {
            return Err(Error::NotRedrivable(execution_arn, reason));
        }
        let within = records::executions(&states.store).within(&partition);
        let most = states.options.max_running;
        if !states.work.has_room(&states.executions, &within, most) {
            return Err(Error::TooManyRunning(most));
        }
        let ExecutionRecord {
            machine, definition, ..
        } = &entry.value;
        let Some(machine) = states.parsed(&entry, &partition, machine, definition).await? else {
            continue;
        };
        let mut record = entry.value.clone();
        let deadline = record.started.0.saturating_add(OPEN_MILLIS);
        let step = record
            .execution
            .redrive(&machine, now.0, Some(deadline), &run::dice()?);
        record.stopped = None;
        record.redrives.push(Redrive {
            token: client_token.clone(),
            at: now,
        });
        let surplus = record.redrives.len().saturating_sub(TOKENS);
        record.redrives.drain(..surplus);
        // It runs again, whether or not this step ends it.
        let before = Entry {
            value: ExecutionRecord {
                stopped: None,
                ..entry.value.clone()
            },
            ..entry
        };
        if !record.is_running() {
            record.stopped = Some(now);
        }
        if let Some(revision) = run::write(states, &before, &record, step.history).await? {
            states.executions.wait_for(revision).await?;
            return Ok(RedriveExecutionOutput { redrive_date: now });
        }
    }
    Err(Error::Contended)
}
