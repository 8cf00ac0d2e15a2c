//! ListTasks.

use roadstead_api_ecs::{DesiredStatus, LaunchType, ListTasksRequest, ListTasksResponse};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::clusters::get_cluster;
use crate::error::{Error, Result, refuse};
use crate::names::{ContainerInstanceId, ServiceName};
use crate::paging::Paging;
use crate::tables::{service_key, tasks_of};
use crate::tasks::{Desired, Launch, TaskRecord};

/// What a listing is cut down to.
struct Filter {
    instance: Option<ContainerInstanceId>,
    desired: Option<Desired>,
    family: Option<String>,
    launch: Option<Launch>,
    started_by: Option<String>,
    /// Of a service.
    group: Option<String>,
    /// Nothing can match.
    nothing: bool,
}

pub(crate) async fn list_tasks(ecs: &Ecs, ctx: &Ctx, input: ListTasksRequest) -> Result<ListTasksResponse> {
    let ListTasksRequest {
        cluster,
        container_instance,
        daemon_name,
        desired_status,
        family,
        launch_type,
        max_results,
        next_token,
        service_name,
        started_by,
    } = input;
    refuse("daemonName", daemon_name.filter(|name| !name.is_empty()))?;
    let cluster = get_cluster(ecs, ctx, cluster.as_deref()).await?.value.name;
    let others =
        container_instance.is_some() || family.is_some() || service_name.is_some() || launch_type.is_some();
    if started_by.is_some() && others {
        return Err(Error::invalid("startedBy cannot be combined with other filters."));
    }
    let instance = container_instance
        .as_deref()
        .map(|text| ContainerInstanceId::of(ctx, &cluster, text))
        .transpose()?;
    let service = service_name
        .as_deref()
        .map(|text| ServiceName::of(ctx, &cluster, text))
        .transpose()?;
    if let Some(service) = &service {
        // One that was deleted is listed as long as it is described.
        let key = service_key(&ctx.partition(), &cluster, service);
        ecs.services().get(&key).await?.ok_or(Error::ServiceNotFound)?;
    }
    let shown = |text: &Option<String>| text.clone().unwrap_or_default();
    let scope = [
        "ListTasks",
        cluster.as_str(),
        instance.as_ref().map_or("", ContainerInstanceId::as_str),
        desired_status.map_or("", DesiredStatus::as_str),
        &shown(&family),
        launch_type.map_or("", LaunchType::as_str),
        &shown(&service_name),
        &shown(&started_by),
    ];
    let paging = Paging::of(ctx, &scope, max_results, next_token.as_deref())?;
    let filter = Filter {
        instance,
        desired: match desired_status {
            None | Some(DesiredStatus::Running) => Some(Desired::Running),
            Some(DesiredStatus::Stopped) => Some(Desired::Stopped),
            // No task is ever meant to be PENDING.
            Some(DesiredStatus::Pending) => None,
        },
        launch: match launch_type {
            Some(LaunchType::Ec2) => Some(Launch::Ec2),
            Some(LaunchType::Fargate) => Some(Launch::Fargate),
            None | Some(LaunchType::External | LaunchType::ManagedInstances) => None,
        },
        family,
        started_by,
        nothing: desired_status == Some(DesiredStatus::Pending)
            || matches!(
                launch_type,
                Some(LaunchType::External | LaunchType::ManagedInstances)
            ),
        group: service.as_ref().map(|service| format!("service:{service}")),
    };
    let below = tasks_of(&ctx.partition(), &cluster);
    let snapshot = ecs.present().await?.tasks.snapshot();
    let ids: Vec<_> = snapshot
        .below(&below)
        .filter(|entry| filter.lets(&entry.value))
        .map(|entry| entry.value.id.clone())
        .collect();
    let page = paging.cut(ctx, ids, |id| id.to_string(), false);
    Ok(ListTasksResponse {
        task_arns: Some(
            page.items
                .iter()
                .map(|id| id.arn(&ctx.partition(), &cluster))
                .collect(),
        ),
        next_token: page.next_token,
    })
}

impl Filter {
    fn lets(&self, task: &TaskRecord) -> bool {
        let instance = |id: &ContainerInstanceId| *id == task.host.id && task.launch == Launch::Ec2;
        !self.nothing
            && self.desired.is_none_or(|desired| desired == task.desired)
            && self.instance.as_ref().is_none_or(instance)
            && self
                .family
                .as_ref()
                .is_none_or(|family| task.definition.family.as_str() == family)
            && self.group.as_ref().is_none_or(|group| task.group == *group)
            && self.launch.is_none_or(|launch| launch == task.launch)
            && self
                .started_by
                .as_ref()
                .is_none_or(|by| task.started_by.as_ref() == Some(by))
    }
}
