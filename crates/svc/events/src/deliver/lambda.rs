//! To a function: invoked asynchronously. The function's policy must let the service invoke it for the rule.

use roadstead_base::{Arn, Ctx};
use roadstead_dispatch::invocation;

use crate::deliver::kinds::{Given, invalid_arn, none_of};
use crate::deliver::{Delivery, Failed};

pub(super) fn check(_ctx: &Ctx, arn: &Arn, given: &Given<'_>) -> Result<(), String> {
    none_of("EcsParameters", given.ecs.is_some(), "cluster")?;
    none_of("SqsParameters", given.sqs.is_some(), "queue")?;
    let mut parts = arn.resource.split(':');
    let function = parts.next() == Some("function") && parts.next().is_some_and(|name| !name.is_empty());
    // A version or an alias may follow.
    match function && parts.count() <= 1 {
        true => Ok(()),
        false => Err(invalid_arn("it is no function.")),
    }
}

pub(super) async fn invoke(delivery: &Delivery<'_>) -> Result<(), Failed> {
    let call = invocation(&delivery.record.target.arn, delivery.input.as_bytes());
    delivery
        .events
        .dispatcher
        .call_json("lambda", "Invoke", &delivery.guest()?, call)
        .await?;
    Ok(())
}
