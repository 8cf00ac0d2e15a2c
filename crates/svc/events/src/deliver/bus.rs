//! To another bus of the same account and region: the event as it is, under the same id, which its rules' deliveries
//! are known by. The bus's policy sees the event's source and detail type, as it does of one that is published.

use roadstead_base::{Arn, Ctx};
use roadstead_dispatch::Because;

use crate::deliver::kinds::{Given, invalid_arn, none_of};
use crate::deliver::{Delivery, Failed};
use crate::names::{Named, resource};
use crate::publish::put::keys;

pub(super) fn check(ctx: &Ctx, arn: &Arn, given: &Given<'_>) -> Result<(), String> {
    none_of("EcsParameters", given.ecs.is_some(), "cluster")?;
    none_of("SqsParameters", given.sqs.is_some(), "queue")?;
    match resource(ctx, &arn.to_string()) {
        Ok(Named::Bus(_)) => Ok(()),
        Ok(Named::Rule { .. }) => Err(invalid_arn("a rule is no target.")),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) async fn forward(delivery: &Delivery<'_>) -> Result<(), Failed> {
    let Delivery {
        events,
        own,
        record,
        rule_arn,
        event,
        ..
    } = delivery;
    let arn = &record.target.arn;
    let Ok(Named::Bus(bus)) = resource(own, arn) else {
        return Err(Failed::for_good("INVALID_PARAMETER", format!("{arn} is no bus")));
    };
    let caller = delivery.guest()?;
    let policy = events.policy_of(own, arn);
    let keys = keys(event["source"].as_str(), event["detail-type"].as_str());
    let decided = events
        .dispatcher
        .decide(&caller, "events:PutEvents", arn, &keys, policy.as_deref());
    match decided {
        Ok(()) => {}
        // Without a role a rule needs no leave on a bus of its own account, but the bus may deny it.
        Err(denial)
            if record.target.role_arn.is_none() && denial.because != Because::ExplicitResourceDeny => {}
        Err(denial) => return Err(Failed::for_good("NO_PERMISSIONS", denial.to_string())),
    }
    events.bus(own, &bus).await.map_err(|error| match error {
        crate::Error::Store(_) => Failed::for_now("INTERNAL_ERROR", error.to_string()),
        other => Failed::for_good("NO_RESOURCE", other.to_string()),
    })?;
    let id = event["id"].as_str().unwrap_or(&record.id);
    let mut through = record.through.clone();
    through.push((*rule_arn).to_owned());
    let routed = events.route(&own.partition(), &bus, id, event, &through);
    events
        .owe(&own.partition(), routed)
        .await
        .map_err(|error| Failed::for_now("INTERNAL_ERROR", error.to_string()))
}
