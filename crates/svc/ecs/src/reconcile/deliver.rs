//! Telling an agent what to do with a task: the network first, then the interface, then the task, one right
//! behind the other, since agents wait inside and every round trip is time until the task runs.

use roadstead_acs::{AttachTaskNetworkInterfaces, Payload, ToAgent};
use roadstead_base::random_uuid;

use crate::acs::{Delivery, Order, Session, Stage, network_map};
use crate::compile;
use crate::definitions::Definition;
use crate::error::{Error, Result};
use crate::reconcile::{Worker, images};
use crate::tables::definition_key;
use crate::tasks::{TaskRecord, definition_with, roles};

/// Milliseconds an agent waits for a task's interface to show up.
const WAIT_FOR_INTERFACE: i64 = 180_000;

pub(super) async fn tell(worker: &Worker, task: &TaskRecord, stage: Stage) -> Result<Delivery> {
    let Some(session) = worker.agents.find(&task.host.arn()) else {
        return Ok(Delivery::Away);
    };
    let arn = task.arn();
    if let Some(standing) = session.standing(&arn, stage, worker.options.resend) {
        return Ok(standing);
    }
    let definition = definition_of(worker, task).await?;
    let known = match stage {
        Stage::Start => images::known(worker, task, &definition).await?,
        // It is told of the containers that it has.
        Stage::Stop => Ok(images::Known::default()),
    };
    let known = match known {
        Ok(known) => known,
        Err(waiting) => return Ok(Delivery::Behind(waiting)),
    };
    let order = order(worker, task, stage, &session, (&definition, &known)).await?;
    Ok(session.send(&arn, stage, order))
}

/// With the task's overrides in it.
async fn definition_of(worker: &Worker, task: &TaskRecord) -> Result<Definition> {
    let key = definition_key(&task.partition, &task.definition);
    let Some(definition) = worker.definitions().get(&key).await? else {
        return Err(Error::client(format!(
            "The definition {} of the task {} is gone.",
            task.definition,
            task.arn()
        )));
    };
    definition_with(&definition.value.definition, task)
}

async fn order(
    worker: &Worker,
    task: &TaskRecord,
    stage: Stage,
    session: &Session,
    (definition, known): (&Definition, &images::Known<'_>),
) -> Result<Order> {
    let mut compiled = compile::compile(definition, task)?;
    known.pin(&mut compiled);
    if stage == Stage::Start {
        roles::give(&worker.dispatcher, definition, task, &mut compiled);
    }
    let mut frames = Vec::new();
    if stage == Stage::Start && task.attachment.is_some() {
        if let Some(machine) = session.maps_for() {
            let map = network_map(&worker.maps.subscribe(machine));
            if session.claim_maps(map.generation, &map.message_id) {
                frames.push(ToAgent::NetworkMap(Box::new(map)));
            }
        }
        frames.push(attach(worker, task, session));
    }
    let message = random_uuid();
    frames.push(ToAgent::Payload(Box::new(Payload {
        message_id: message.clone(),
        cluster_arn: session.cluster().to_owned(),
        container_instance_arn: session.instance().to_owned(),
        generated_at: worker.clock.now().0,
        // Agents drop a manifest that is not newer than the newest payload: each connection's is.
        seq_num: session.timeline(),
        tasks: vec![compiled],
    })));
    Ok(Order { message, frames })
}

fn attach(worker: &Worker, task: &TaskRecord, session: &Session) -> ToAgent {
    let interfaces = task
        .attachment
        .iter()
        .filter_map(|attachment| compile::interface(task, attachment));
    ToAgent::AttachTaskNetworkInterfaces(Box::new(AttachTaskNetworkInterfaces {
        message_id: random_uuid(),
        cluster_arn: session.cluster().to_owned(),
        container_instance_arn: session.instance().to_owned(),
        generated_at: worker.clock.now().0,
        task_arn: task.arn(),
        task_cluster_arn: task.cluster.arn(&task.partition),
        wait_timeout_ms: WAIT_FOR_INTERFACE,
        elastic_network_interfaces: interfaces.collect(),
    }))
}
