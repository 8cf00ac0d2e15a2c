//! DescribeContainerInstances.

use roadstead_api_ecs::{
    ContainerInstanceField, DescribeContainerInstancesRequest, DescribeContainerInstancesResponse, Failure,
};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::error::{Error, Result};
use crate::instances::show::show;
use crate::instances::{InstanceRef, named_cluster};
use crate::names::ContainerInstanceId;

/// Instances of one call.
const MAX: usize = 100;

pub(crate) async fn describe_container_instances(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DescribeContainerInstancesRequest,
) -> Result<DescribeContainerInstancesResponse> {
    let DescribeContainerInstancesRequest {
        container_instances: named,
        cluster,
        include,
    } = input;
    let cluster = named_cluster(ecs, ctx, cluster.as_deref()).await?;
    if named.is_empty() {
        return Err(Error::invalid("Container instances cannot be empty."));
    }
    if named.len() > MAX {
        return Err(Error::invalid(format!(
            "containerInstances can have at most {MAX} items."
        )));
    }
    let (mut tags, mut health) = (false, false);
    for field in include.unwrap_or_default() {
        match field {
            ContainerInstanceField::Tags => tags = true,
            ContainerInstanceField::ContainerInstanceHealth => health = true,
        }
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for text in &named {
        let id = ContainerInstanceId::of(ctx, &cluster, text)?;
        let name = InstanceRef {
            partition: ctx.partition(),
            cluster: cluster.clone(),
            id,
        };
        match ecs.instances().get(&name.key()).await? {
            Some(entry) => {
                let mut instance = show(ecs, &entry.value).await?;
                if tags {
                    instance.tags = Some(entry.value.tags.to_api());
                }
                if health {
                    let statuses = ecs.telemetry.statuses_of(&name.arn());
                    instance.health_status = crate::tcs::shown(&statuses);
                }
                found.push(instance);
            }
            None => failures.push(Failure {
                arn: Some(name.arn()),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    Ok(DescribeContainerInstancesResponse {
        container_instances: Some(found),
        failures: Some(failures),
    })
}
