//! A cluster as the API shows it. What it holds is counted from the records at the time, so that no counter can
//! go wrong.

use roadstead_api_ecs::{Cluster, ClusterSetting, ClusterSettingName, KeyValuePair};
use roadstead_base::Ctx;

use crate::capacity::show_strategy;
use crate::clusters::{ClusterRecord, TaskCounts};
use crate::error::Result;
use crate::services::counts::ServiceCounts;
use crate::tables::{instances_of, services_of, tasks_of};
use crate::{Ecs, instances, services, tasks};

/// What is shown only when it is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Include {
    pub(crate) settings: bool,
    pub(crate) statistics: bool,
    pub(crate) tags: bool,
}

pub(crate) async fn show(ecs: &Ecs, ctx: &Ctx, record: &ClusterRecord, include: Include) -> Result<Cluster> {
    let ClusterRecord {
        name,
        status,
        tags,
        created_at: _,
        capacity_providers,
        default_strategy,
    } = record;
    let partition = ctx.partition();
    let (tasks, _) = ecs.tasks().all(&tasks_of(&partition, name)).await?;
    let counts = tasks::counts::count(tasks.iter().map(|entry| &entry.value));
    let (instances, _) = ecs.instances().all(&instances_of(&partition, name)).await?;
    let instances = instances::counts::count(instances.iter().map(|entry| &entry.value));
    let (services, _) = ecs.services().all(&services_of(&partition, name)).await?;
    let services = services::counts::count(services.iter().map(|entry| &entry.value));
    Ok(Cluster {
        active_services_count: Some(services.active()),
        attachments: None,
        attachments_status: None,
        capacity_providers: Some(capacity_providers.clone()),
        cluster_arn: Some(name.arn(&partition)),
        cluster_name: Some(name.to_string()),
        configuration: None,
        default_capacity_provider_strategy: Some(show_strategy(default_strategy)),
        pending_tasks_count: Some(counts.pending()),
        registered_container_instances_count: Some(instances),
        running_tasks_count: Some(counts.running()),
        service_connect_defaults: None,
        settings: Some(if include.settings {
            vec![insights()]
        } else {
            vec![]
        }),
        statistics: Some(if include.statistics {
            statistics(counts, services)
        } else {
            vec![]
        }),
        status: Some(status.as_str().to_owned()),
        tags: Some(if include.tags { tags.to_api() } else { vec![] }),
    })
}

fn insights() -> ClusterSetting {
    ClusterSetting {
        name: Some(ClusterSettingName::ContainerInsights),
        value: Some("disabled".to_owned()),
    }
}

/// Counts by launch type.
fn statistics(counts: TaskCounts, services: ServiceCounts) -> Vec<KeyValuePair> {
    [
        ("runningEC2TasksCount", counts.running_ec2),
        ("runningFargateTasksCount", counts.running_fargate),
        ("pendingEC2TasksCount", counts.pending_ec2),
        ("pendingFargateTasksCount", counts.pending_fargate),
        ("activeEC2ServiceCount", services.active_ec2),
        ("activeFargateServiceCount", services.active_fargate),
        ("drainingEC2ServiceCount", services.draining_ec2),
        ("drainingFargateServiceCount", services.draining_fargate),
    ]
    .into_iter()
    .map(|(name, count)| KeyValuePair {
        name: Some(name.to_owned()),
        value: Some(count.to_string()),
    })
    .collect()
}
