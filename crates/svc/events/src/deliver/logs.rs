//! To a log group: a stream of the rule's own, one line. A resource policy of the account's, or the group's, must let
//! the service write for the rule.

use roadstead_base::{Arn, Ctx};
use serde_json::json;

use crate::deliver::kinds::{Given, invalid_arn, none_of};
use crate::deliver::{Delivery, Failed};

fn group(arn: &Arn) -> Option<&str> {
    let group = arn.resource_of("log-group")?;
    Some(group.strip_suffix(":*").unwrap_or(group))
}

pub(super) fn check(_ctx: &Ctx, arn: &Arn, given: &Given<'_>) -> Result<(), String> {
    none_of("EcsParameters", given.ecs.is_some(), "cluster")?;
    none_of("SqsParameters", given.sqs.is_some(), "queue")?;
    match group(arn) {
        Some(_) => Ok(()),
        None => Err(invalid_arn("it is no log group.")),
    }
}

pub(super) async fn log(delivery: &Delivery<'_>) -> Result<(), Failed> {
    let record = delivery.record;
    let arn: Arn = delivery.arn()?;
    let group = group(&arn).unwrap_or_default();
    let stream = format!("{}/{}", record.rule, record.target.id);
    let caller = delivery.guest()?;
    let name = json!({"logGroupName": group, "logStreamName": stream});
    let dispatcher = &delivery.events.dispatcher;
    let created = dispatcher
        .call_json("logs", "CreateLogStream", &caller, name.clone())
        .await;
    match created {
        Ok(_) => {}
        Err(error) if error.code == "ResourceAlreadyExistsException" => {}
        Err(error) => return Err(error.into()),
    }
    let mut line = name;
    line["logEvents"] = json!([{"timestamp": record.created_at.0, "message": delivery.input}]);
    dispatcher
        .call_json("logs", "PutLogEvents", &caller, line)
        .await?;
    Ok(())
}
