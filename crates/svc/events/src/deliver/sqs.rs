//! To a queue: what the target gets is the message. A FIFO queue gets it in the target's message group, and finds
//! duplicates by the content, as documented. The queue's policy must let the service send for the rule.

use roadstead_base::{Arn, Ctx};
use serde_json::{Value as Json, json};

use crate::deliver::kinds::{Given, invalid_arn, must_have, none_of};
use crate::deliver::{Delivery, Failed};

pub(super) fn check(_ctx: &Ctx, arn: &Arn, given: &Given<'_>) -> Result<(), String> {
    none_of("EcsParameters", given.ecs.is_some(), "cluster")?;
    let name = arn.resource.as_str();
    if name.is_empty() || name.contains([':', '/']) {
        return Err(invalid_arn("it is no queue."));
    }
    let group = given
        .sqs
        .and_then(|parameters| parameters.message_group_id.as_ref());
    match (name.ends_with(".fifo"), group) {
        (true, None) => Err(must_have("SqsParameters", given)),
        (false, _) => none_of("SqsParameters", given.sqs.is_some(), "FIFO queue"),
        (true, Some(_)) => Ok(()),
    }
}

pub(super) async fn send(delivery: &Delivery<'_>) -> Result<(), Failed> {
    let target = &delivery.record.target;
    let mut message = json!({"MessageBody": delivery.input});
    if let Some(group) = &target.message_group {
        message["MessageGroupId"] = json!(group);
    }
    put(delivery, &delivery.guest()?, &target.arn, message).await
}

/// Sends a message to the queue of an ARN.
pub(super) async fn put(
    delivery: &Delivery<'_>,
    caller: &Ctx,
    arn: &str,
    mut message: Json,
) -> Result<(), Failed> {
    let no_queue = |_| Failed::for_good("INVALID_PARAMETER", format!("{arn} is no queue"));
    let parsed: Arn = arn.parse().map_err(no_queue)?;
    let url = format!(
        "https://sqs.{}.amazonaws.com/{}/{}",
        parsed.region, parsed.account, parsed.resource
    );
    message["QueueUrl"] = json!(url);
    delivery
        .events
        .dispatcher
        .call_json("sqs", "SendMessage", caller, message)
        .await?;
    Ok(())
}
