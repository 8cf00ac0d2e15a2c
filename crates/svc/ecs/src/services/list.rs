//! ListServices.

use roadstead_api_ecs::{
    LaunchType, ListServicesRequest, ListServicesResponse, ResourceManagementType, SchedulingStrategy,
};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::clusters::get_cluster;
use crate::error::Result;
use crate::paging::Paging;
use crate::services::ServiceRecord;
use crate::services::record::Scheduling;
use crate::tables::services_of;
use crate::tasks::Launch;

pub(crate) async fn list_services(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListServicesRequest,
) -> Result<ListServicesResponse> {
    let ListServicesRequest {
        cluster,
        launch_type,
        max_results,
        next_token,
        resource_management_type,
        scheduling_strategy,
    } = input;
    let cluster = get_cluster(ecs, ctx, cluster.as_deref()).await?.value.name;
    let scope = [
        "ListServices",
        cluster.as_str(),
        launch_type.map_or("", LaunchType::as_str),
        scheduling_strategy.map_or("", SchedulingStrategy::as_str),
        resource_management_type.map_or("", ResourceManagementType::as_str),
    ];
    let paging = Paging::of(ctx, &scope, max_results, next_token.as_deref())?;
    let lets = |service: &ServiceRecord| {
        let launch = service.spec().map(|spec| spec.launch);
        let launch = match launch_type {
            None => true,
            Some(LaunchType::Ec2) => launch == Some(Launch::Ec2),
            Some(LaunchType::Fargate) => launch == Some(Launch::Fargate),
            Some(LaunchType::External | LaunchType::ManagedInstances) => false,
        };
        let scheduling = match scheduling_strategy {
            None => true,
            Some(SchedulingStrategy::Replica) => service.scheduling == Scheduling::Replica,
            Some(SchedulingStrategy::Daemon) => service.scheduling == Scheduling::Daemon,
        };
        // What a service itself manages is of Express services, which there are none of.
        let customer = resource_management_type != Some(ResourceManagementType::Ecs);
        service.is_active() && launch && scheduling && customer
    };
    let partition = ctx.partition();
    let (services, _) = ecs.services().all(&services_of(&partition, &cluster)).await?;
    let names: Vec<_> = services
        .into_iter()
        .filter(|entry| lets(&entry.value))
        .map(|entry| entry.value.name)
        .collect();
    let page = paging.cut(ctx, names, |name| name.to_string(), false);
    let arns = page.items.iter().map(|name| name.arn(&partition, &cluster));
    Ok(ListServicesResponse {
        service_arns: Some(arns.collect()),
        next_token: page.next_token,
    })
}
