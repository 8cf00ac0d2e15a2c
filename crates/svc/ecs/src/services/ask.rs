//! What a service asks of the code that starts tasks: the same as RunTask would, with what is the service's own.

use roadstead_api_ecs as api;
use roadstead_api_ecs::{PlacementStrategy, PlacementStrategyType};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::capacity::StrategyItem;
use crate::error::Result;
use crate::services::record::{Scheduling, Spec};
use crate::services::{Owner, ServiceRecord};
use crate::stored::Stored;
use crate::tasks::Launch;
use crate::tasks::placement::Placement;
use crate::tasks::request::{self, Asked, Wanted};

/// What its tasks are made of.
pub(super) struct Of {
    pub(super) task_definition: String,
    pub(super) launch: Launch,
    pub(super) network: Option<api::NetworkConfiguration>,
}

/// What its tasks are to be made of, as a first trial of starting one finds it.
pub(super) async fn first(
    ecs: &Ecs,
    ctx: &Ctx,
    service: &ServiceRecord,
    of: Of,
    providers: Vec<StrategyItem>,
    platform: Option<String>,
) -> Result<(Spec, Wanted)> {
    let (launch, network) = (of.launch, of.network.clone());
    let asked = ask(service, of, Owner::trial(service.clone()), None)?;
    let wanted = request::check(ecs, ctx, asked).await?;
    let spec = Spec {
        definition: wanted.id.clone(),
        launch,
        providers,
        platform,
        network: network.map(Stored),
    };
    Ok((spec, wanted))
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
