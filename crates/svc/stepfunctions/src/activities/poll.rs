//! `GetActivityTask`: a worker waits for a task of its activity. That it has the task is written before it is told, so that
//! nobody else gets it, also after a restart; and the clocks of the task begin then.

use std::time::Duration;

use roadstead_api_stepfunctions::{GetActivityTaskInput, GetActivityTaskOutput};
use roadstead_base::{Ctx, Partition};
use roadstead_states_language::{Input, Resource};

use crate::activities::offers::Claim;
use crate::error::{Error, Result};
use crate::executions::TRIES;
use crate::records::{self, ExecutionRecord};
use crate::{States, names, run};

/// How long an answer is held back at most (API reference, `GetActivityTask`).
const LONGEST_MILLIS: i64 = 60_000;
/// The longest sleep of who waits; the clock may be set.
const NAP: Duration = Duration::from_secs(1);

/// Without a task in time, the answer has no token. A caller that goes away while it waits takes nothing.
pub(crate) async fn get_activity_task(
    states: &States,
    ctx: &Ctx,
    input: GetActivityTaskInput,
) -> Result<GetActivityTaskOutput> {
    let GetActivityTaskInput {
        activity_arn,
        worker_name,
    } = input;
    let name = names::activity(ctx, &activity_arn)?;
    let partition = ctx.partition();
    let _there = states.activity(ctx, &name)?;
    let offers = &states.work.offers;
    let poll = offers.poll(&states.activity_key(&partition, &name), states.options.max_polls)?;
    let deadline = states.clock.now().plus_millis(LONGEST_MILLIS);
    loop {
        let arrived = poll.arrived.notified();
        tokio::pin!(arrived);
        // From here on, whatever arrives wakes.
        arrived.as_mut().enable();
        // It may have been deleted while this waited.
        let _there = states.activity(ctx, &name)?;
        let now = states.clock.now();
        if offers.is_closing() || now >= deadline {
            return Ok(GetActivityTaskOutput::default());
        }
        while let Some(claim) = poll.claim() {
            if let Some(handed) = hand_over(states, &partition, claim, worker_name.as_ref()).await? {
                return Ok(handed);
            }
        }
        let left = u64::try_from(deadline.0.saturating_sub(now.0)).unwrap_or_default();
        tokio::select! {
            () = &mut arrived => {}
            () = tokio::time::sleep(Duration::from_millis(left).min(NAP)) => {}
        }
    }
}

/// Writes down that the worker has the task. Nothing if it waits for a worker no more.
async fn hand_over(
    states: &States,
    partition: &Partition,
    claim: Claim,
    worker: Option<&String>,
) -> Result<Option<GetActivityTaskOutput>> {
    let task = claim.offer.task;
    for _ in 0..TRIES {
        let found = records::executions(&states.store)
            .get(&claim.offer.execution)
            .await?;
        let waiting = found.as_ref().and_then(|entry| {
            let record = &entry.value;
            let order = record
                .orders
                .iter()
                .find(|order| order.task == task && matches!(order.resource, Resource::Activity { .. }))?;
            let awaited = record.execution.awaits(task, states.clock.now().0);
            awaited.then_some((entry, order))
        });
        let Some((entry, order)) = waiting else {
            claim.settle();
            return Ok(None);
        };
        let answer = GetActivityTaskOutput {
            input: Some(order.parameters.to_string()),
            task_token: order.token.clone(),
        };
        let ExecutionRecord {
            machine, definition, ..
        } = &entry.value;
        let Some(machine) = states.parsed(entry, partition, machine, definition).await? else {
            continue;
        };
        let started = Input::TaskStarted {
            task,
            worker: worker.cloned(),
        };
        if run::advance(states, entry, &machine, vec![started.into()])
            .await?
            .is_some()
        {
            claim.settle();
            return Ok(Some(answer));
        }
    }
    Err(Error::Contended)
}
