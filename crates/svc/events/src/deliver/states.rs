//! To a state machine: an execution is started as the target's role, once for each delivery, whose id is its name.

use roadstead_base::{Arn, Ctx};
use serde_json::json;

use crate::deliver::kinds::{Given, invalid_arn, none_of};
use crate::deliver::{Delivery, Failed};

pub(super) fn check(_ctx: &Ctx, arn: &Arn, given: &Given<'_>) -> Result<(), String> {
    none_of("EcsParameters", given.ecs.is_some(), "cluster")?;
    none_of("SqsParameters", given.sqs.is_some(), "queue")?;
    match arn.resource_of("stateMachine") {
        Some(_) => Ok(()),
        None => Err(invalid_arn("it is no state machine.")),
    }
}

pub(super) async fn start(delivery: &Delivery<'_>) -> Result<(), Failed> {
    let Delivery {
        events,
        record,
        input,
        ..
    } = delivery;
    let execution = json!({"stateMachineArn": record.target.arn, "name": record.id, "input": input});
    let started = events
        .dispatcher
        .call_json("stepfunctions", "StartExecution", &delivery.caller()?, execution)
        .await;
    match started {
        // By this very delivery, before a crash: nobody else knows its id.
        Err(error) if error.code == "ExecutionAlreadyExists" => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}
