//! `GetActivityTask`: a worker waits for a task of its activity. That it has the task is written before it is told, so that
//! nobody else gets it, also after a restart; and the clocks of the task begin then.

use std::sync::Arc;
use std::time::Duration;

use roadstead_api_stepfunctions::{GetActivityTaskInput, GetActivityTaskOutput};
use roadstead_base::{Ctx, Partition};
use roadstead_states_language::{Input, Order, Resource};
use roadstead_store::{Key, Outcome, Transaction};
use tokio::runtime::Handle;

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
            let own = states.me.upgrade().ok_or(Error::Stopping)?;
            // By itself: if the caller goes away, what is being written is waited for and taken back.
            let handed = tokio::spawn(hand_over(own, partition.clone(), claim, worker_name.clone()));
            let handed = handed.await.map_err(|error| Error::Store(error.to_string()))?;
            if let Some(handed) = handed? {
                return Ok(handed.answer());
            }
        }
        let left = u64::try_from(deadline.0.saturating_sub(now.0)).unwrap_or_default();
        tokio::select! {
            () = &mut arrived => {}
            () = tokio::time::sleep(Duration::from_millis(left).min(NAP)) => {}
        }
    }
}

/// A task that is written down as its worker's. It is taken back if this is dropped before it is [answered](Handed::answer).
struct Handed {
    states: Arc<States>,
    answer: GetActivityTaskOutput,
    unanswered: Option<(Key, Order)>,
}

impl Handed {
    fn answer(mut self) -> GetActivityTaskOutput {
        self.unanswered = None;
        std::mem::take(&mut self.answer)
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        let (Some((key, order)), Ok(runtime)) = (self.unanswered.take(), Handle::try_current()) else {
            return;
        };
        let states = Arc::clone(&self.states);
        runtime.spawn(async move {
            if let Err(error) = take_back(&states, &key, &order).await {
                tracing::warn!(%error, %key, "a task whose worker went away could not be taken back");
            }
        });
    }
}

/// Lets a task wait for another worker whose own never learned of it. Its time goes on, its heartbeats begin with the next.
async fn take_back(states: &States, key: &Key, order: &Order) -> Result<()> {
    let table = records::executions(&states.store);
    for _ in 0..TRIES {
        let Some(entry) = table.get(key).await? else {
            return Ok(());
        };
        let mut record = entry.value.clone();
        if !record.take_back(order) {
            return Ok(());
        }
        let transaction = Transaction::new(&states.store).replace(&table, &entry, &record);
        if let Outcome::Committed(_) = transaction.commit().await? {
            return Ok(());
        }
    }
    Err(Error::Contended)
}

/// Writes down that the worker has the task. Nothing if it waits for a worker no more.
async fn hand_over(
    states: Arc<States>,
    partition: Partition,
    claim: Claim,
    worker: Option<String>,
) -> Result<Option<Handed>> {
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
        let ExecutionRecord {
            machine, definition, ..
        } = &entry.value;
        let Some(machine) = states.parsed(entry, &partition, machine, definition).await? else {
            continue;
        };
        let started = Input::TaskStarted {
            task,
            worker: worker.clone(),
        };
        // One that was taken back was started before: its worker has as long for the first heartbeat as any.
        let inputs = vec![started.into(), Input::Heartbeat { task }.into()];
        if run::advance(&states, entry, &machine, inputs).await?.is_some() {
            let handed = Handed {
                answer: GetActivityTaskOutput {
                    input: Some(order.parameters.to_string()),
                    task_token: order.token.clone(),
                },
                unanswered: Some((entry.key.clone(), order.clone())),
                states: Arc::clone(&states),
            };
            claim.settle();
            return Ok(Some(handed));
        }
    }
    Err(Error::Contended)
}
