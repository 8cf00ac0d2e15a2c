//! To a topic: what the target gets is published. The topic's policy must let the service publish for the rule.

use roadstead_base::{Arn, Ctx};
use serde_json::json;

use crate::deliver::kinds::{Given, invalid_arn, none_of};
use crate::deliver::{Delivery, Failed};

pub(super) fn check(_ctx: &Ctx, arn: &Arn, given: &Given<'_>) -> Result<(), String> {
    none_of("EcsParameters", given.ecs.is_some(), "cluster")?;
    none_of("SqsParameters", given.sqs.is_some(), "queue")?;
    match arn.resource.is_empty() || arn.resource.contains([':', '/']) {
        true => Err(invalid_arn("it is no topic.")),
        false => Ok(()),
    }
}

pub(super) async fn publish(delivery: &Delivery<'_>) -> Result<(), Failed> {
    let message = json!({"TopicArn": delivery.record.target.arn, "Message": delivery.input});
    delivery
        .events
        .dispatcher
        .call_json("sns", "Publish", &delivery.guest()?, message)
        .await?;
    Ok(())
}
