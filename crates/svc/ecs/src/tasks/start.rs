//! StartTask: the user says where.

use roadstead_api_ecs::{Failure, StartTaskRequest, StartTaskResponse};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::error::{Error, Result, refuse};
use crate::instances::InstanceRef;
use crate::names::ContainerInstanceId;
use crate::tasks::Launch;
use crate::tasks::launch::{self, Choice};
use crate::tasks::placement::Placement;
use crate::tasks::request::{self, Asked};
use crate::tasks::show::{Include, show};

const MAX_INSTANCES: usize = 10;

pub(crate) async fn start_task(ecs: &Ecs, ctx: &Ctx, input: StartTaskRequest) -> Result<StartTaskResponse> {
    let StartTaskRequest {
        container_instances,
        task_definition,
        cluster,
        enable_ecs_managed_tags,
        enable_execute_command,
        group,
        network_configuration,
        overrides,
        propagate_tags,
        reference_id,
        started_by,
        tags,
        volume_configurations,
    } = input;
    refuse("enableExecuteCommand", enable_execute_command)?;
    refuse("referenceId", reference_id)?;
    refuse("volumeConfigurations", volume_configurations)?;
    if container_instances.is_empty() {
        return Err(Error::invalid("Container instances cannot be empty."));
    }
    if container_instances.len() > MAX_INSTANCES {
        return Err(Error::invalid(format!(
            "containerInstances can have at most {MAX_INSTANCES} items."
        )));
    }
    let asked = Asked {
        cluster,
        task_definition,
        launch: Launch::Ec2,
        enable_ecs_managed_tags,
        group,
        network_configuration,
        overrides,
        placement: Placement::default(),
        propagate_tags,
        started_by,
        started_by_max: 36,
        tags,
        owner: None,
    };
    let mut wanted = request::check(ecs, ctx, asked).await?;
    let cluster = &wanted.cluster.value.name;
    let mut places = Vec::new();
    for text in &container_instances {
        let id = ContainerInstanceId::of(ctx, cluster, text)?;
        places.push(InstanceRef {
            partition: ctx.partition(),
            cluster: cluster.clone(),
            id,
        });
    }
    let launched = launch::launch(ecs, ctx, &mut wanted, &Choice::On(places), None, None)
        .await?
        .ok_or(Error::Contended)?;
    let failures: Vec<Failure> = launched.failures;
    Ok(StartTaskResponse {
        tasks: Some(
            launched
                .tasks
                .iter()
                .map(|task| show(ecs, task, Include { tags: true }))
                .collect(),
        ),
        failures: Some(failures),
    })
}
