//! To a cluster: RunTask as the target's role, once for each delivery, whose id is the client token.

use roadstead_api_ecs as ecs;
use roadstead_api_events::{AwsVpcConfiguration, EcsParameters, NetworkConfiguration, Tag};
use roadstead_base::{Arn, Ctx};
use roadstead_protocol::{ShapeId, Wire, json};
use serde_json::Value as Json;

use crate::deliver::kinds::{Given, invalid_arn, must_have, none_of};
use crate::deliver::{Delivery, Failed};
use crate::records::{DeliveryRecord, InputRecord};
use crate::targets::accept::ecs_parameters;

pub(super) fn check(_ctx: &Ctx, arn: &Arn, given: &Given<'_>) -> Result<(), String> {
    none_of("SqsParameters", given.sqs.is_some(), "queue")?;
    if arn.resource_of("cluster").is_none() {
        return Err(invalid_arn("it is no cluster."));
    }
    match given.ecs {
        Some(_) => Ok(()),
        None => Err(must_have("EcsParameters", given)),
    }
}

pub(super) async fn run(delivery: &Delivery<'_>) -> Result<(), Failed> {
    let record = delivery.record;
    let for_good = |error: String| Failed::for_good("INVALID_PARAMETER", error);
    let kept = record
        .target
        .ecs
        .as_ref()
        .ok_or_else(|| for_good("the target has no EcsParameters".into()))?;
    let parameters = ecs_parameters(kept).map_err(|error| for_good(error.to_string()))?;
    let overrides = match record.target.input {
        InputRecord::Event => None,
        _ => Some(overrides(delivery.input).map_err(for_good)?),
    };
    let request = request(record, parameters, overrides).map_err(for_good)?;
    let client = ecs::Client(delivery.events.dispatcher.clone());
    let answer = client.run_task(&delivery.caller()?, request).await?;
    let failures = answer.failures.unwrap_or_default();
    match failures.first() {
        None => Ok(()),
        // There may be room later.
        Some(failure) => Err(Failed::for_now(
            "RESOURCE_LIMIT_EXCEEDED",
            format!(
                "RunTask: {} {}",
                failure.reason.as_deref().unwrap_or("failed"),
                failure.arn.as_deref().unwrap_or_default()
            ),
        )),
    }
}

/// The input of a target that is a cluster is what overrides the task definition.
fn overrides(input: &str) -> Result<ecs::TaskOverride, String> {
    let wrong = |why: String| format!("the target's input is no task override: {why}");
    let json: Json = serde_json::from_str(input).map_err(|error| wrong(error.to_string()))?;
    let model = &ecs::MODEL;
    let shape = model.shapes.iter().position(|shape| shape.name == "TaskOverride");
    let shape = shape
        .and_then(|at| ShapeId::try_from(at).ok())
        .unwrap_or_default();
    let value = json::from_json(model, shape, json, "").map_err(|error| wrong(error.to_string()))?;
    ecs::TaskOverride::from_value(value).map_err(|error| wrong(error.to_string()))
}

fn request(
    record: &DeliveryRecord,
    parameters: EcsParameters,
    overrides: Option<ecs::TaskOverride>,
) -> Result<ecs::RunTaskRequest, String> {
    let EcsParameters {
        task_definition_arn,
        capacity_provider_strategy,
        enable_ecs_managed_tags,
        enable_execute_command,
        group,
        launch_type,
        network_configuration,
        placement_constraints,
        placement_strategy,
        platform_version,
        propagate_tags,
        reference_id,
        tags,
        task_count,
    } = parameters;
    Ok(ecs::RunTaskRequest {
        task_definition: task_definition_arn,
        capacity_provider_strategy: same(capacity_provider_strategy)?,
        client_token: Some(record.id.clone()),
        cluster: Some(record.target.arn.clone()),
        count: task_count,
        enable_ecs_managed_tags,
        enable_execute_command,
        group,
        launch_type: same(launch_type)?,
        network_configuration: network_configuration.map(network),
        overrides,
        placement_constraints: same(placement_constraints)?,
        placement_strategy: same(placement_strategy)?,
        platform_version,
        propagate_tags: same(propagate_tags)?,
        reference_id,
        started_by: Some(format!("events-rule/{}", record.rule).chars().take(128).collect()),
        tags: tags.map(|tags| {
            let tag = |Tag { key, value }| ecs::Tag {
                key: Some(key),
                value: Some(value),
            };
            tags.into_iter().map(tag).collect()
        }),
        volume_configurations: None,
    })
}

/// What has the same members under the same names in both services.
fn same<A: Wire, B: Wire>(value: Option<A>) -> Result<Option<B>, String> {
    let convert = |value: A| B::from_value(value.into_value()).map_err(|error| error.to_string());
    value.map(convert).transpose()
}

fn network(configuration: NetworkConfiguration) -> ecs::NetworkConfiguration {
    let NetworkConfiguration { awsvpc_configuration } = configuration;
    let awsvpc = |configuration: AwsVpcConfiguration| {
        let AwsVpcConfiguration {
            subnets,
            assign_public_ip,
            security_groups,
        } = configuration;
        ecs::AwsVpcConfiguration {
            subnets,
            assign_public_ip: assign_public_ip.and_then(|assign| ecs::AssignPublicIp::parse(assign.as_str())),
            security_groups,
        }
    };
    ecs::NetworkConfiguration {
        awsvpc_configuration: awsvpc_configuration.map(awsvpc),
    }
}
