//! What a service asks of the code that starts tasks: the same as RunTask would, with what is the service's own.

use roadstead_api_ecs as api;
use roadstead_api_ecs::{PlacementStrategy, PlacementStrategyType};

use crate::error::Result;
use crate::services::record::Scheduling;
use crate::services::{Owner, ServiceRecord};
use crate::stored::Stored;
use crate::tasks::Launch;
use crate::tasks::placement::Placement;
use crate::tasks::request::Asked;

/// What its tasks are made of.
pub(super) struct Of {
    pub(super) task_definition: String,
    pub(super) launch: Launch,
    pub(super) network: Option<api::NetworkConfiguration>,
}

pub(super) fn ask(
    service: &ServiceRecord,
    of: Of,
    owner: Owner,
    started_by: Option<String>,
) -> Result<Asked> {
    Ok(Asked {
        cluster: Some(service.cluster.to_string()),
        task_definition: of.task_definition,
        launch: of.launch,
        enable_ecs_managed_tags: Some(service.managed_tags),
        group: None,
        network_configuration: of.network,
        overrides: None,
        placement: placement(service, of.launch)?,
        propagate_tags: Some(service.propagate.to_api()),
        started_by,
        started_by_max: 128,
        tags: None,
        owner: Some(owner),
    })
}

pub(super) fn placement(service: &ServiceRecord, launch: Launch) -> Result<Placement> {
    let bare =
        |stored: &[Stored<PlacementStrategy>]| stored.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
    let mut strategies = bare(&service.strategy);
    if strategies.is_empty() && launch == Launch::Ec2 && service.scheduling == Scheduling::Replica {
        // As documented for services: over the zones, and in each over its instances.
        strategies = ["attribute:ecs.availability-zone", "instanceId"]
            .map(spread)
            .into();
    }
    let constraints = service.constraints.iter().map(|it| it.0.clone()).collect();
    Placement::of(launch, Some(constraints), Some(strategies))
}

fn spread(field: &str) -> PlacementStrategy {
    PlacementStrategy {
        field: Some(field.to_owned()),
        r#type: Some(PlacementStrategyType::Spread),
    }
}
