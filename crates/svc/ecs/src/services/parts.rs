//! What CreateService and UpdateService have in common: members checked, and refused by name where they have no effect.

use roadstead_api_ecs as api;
use roadstead_base::derived_hex;
use roadstead_protocol::Wire;

use crate::error::{Error, Result, refuse};
use crate::services::ServiceRecord;
use crate::services::record::{AlarmRule, BreakerRule, Propagate, Rolling, Scheduling};
use crate::stored::Stored;
use crate::tasks::Launch;

/// Tasks of one service. Source: "Amazon ECS service quotas".
const MAX_DESIRED: i32 = 5000;
/// Alarms of one deployment: as many as one call describes.
const MAX_ALARMS: usize = 100;

/// Of a request without its token: the same for the same request.
pub(super) fn fingerprint<R: Wire>(request: R, purpose: &str) -> String {
    derived_hex(&format!("{:?}", request.into_value()), purpose, 64)
}

pub(super) fn default_rolling(scheduling: Scheduling) -> Rolling {
    let (minimum_healthy_percent, maximum_percent) = match scheduling {
        Scheduling::Replica => (100, 200),
        Scheduling::Daemon => (0, 100),
    };
    Rolling {
        minimum_healthy_percent,
        maximum_percent,
        breaker: None,
        alarms: None,
    }
}

/// `deploymentConfiguration`, over what was there.
pub(super) fn rolling(asked: Option<api::DeploymentConfiguration>, before: Rolling) -> Result<Rolling> {
    let Some(api::DeploymentConfiguration {
        alarms,
        bake_time_in_minutes,
        canary_configuration,
        deployment_circuit_breaker,
        lifecycle_hooks,
        linear_configuration,
        maximum_percent,
        minimum_healthy_percent,
        strategy,
    }) = asked
    else {
        return Ok(before);
    };
    refuse("deploymentConfiguration.bakeTimeInMinutes", bake_time_in_minutes)?;
    refuse(
        "deploymentConfiguration.canaryConfiguration",
        canary_configuration,
    )?;
    refuse("deploymentConfiguration.lifecycleHooks", lifecycle_hooks)?;
    refuse(
        "deploymentConfiguration.linearConfiguration",
        linear_configuration,
    )?;
    match strategy {
        None | Some(api::DeploymentStrategy::Rolling) => {}
        Some(other) => {
            return Err(Error::unsupported(format!(
                "deploymentConfiguration.strategy {other}"
            )));
        }
    }
    let breaker = deployment_circuit_breaker
        .map(|api::DeploymentCircuitBreaker { enable, rollback }| BreakerRule { enable, rollback });
    let after = Rolling {
        minimum_healthy_percent: minimum_healthy_percent.unwrap_or(before.minimum_healthy_percent),
        maximum_percent: maximum_percent.unwrap_or(before.maximum_percent),
        breaker: breaker.or(before.breaker),
        alarms: alarms.map(alarm_rule).transpose()?.or(before.alarms),
    };
    if !(0..=100).contains(&after.minimum_healthy_percent) {
        return Err(Error::invalid(
            "deploymentConfiguration.minimumHealthyPercent must be between 0 and 100.",
        ));
    }
    if !(100..=1000).contains(&after.maximum_percent) {
        return Err(Error::invalid(
            "deploymentConfiguration.maximumPercent must be between 100 and 1000.",
        ));
    }
    if after.minimum_healthy_percent == 100 && after.maximum_percent == 100 {
        return Err(Error::invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ));
    }
    Ok(after)
}

/// `deploymentConfiguration.alarms`. Alarms need not be there yet: what is not there does not ring.
fn alarm_rule(asked: api::DeploymentAlarms) -> Result<AlarmRule> {
    let api::DeploymentAlarms {
        alarm_names: names,
        enable,
        rollback,
    } = asked;
    let wrong = |what: String| {
        Err(Error::invalid(format!(
            "deploymentConfiguration.alarms.alarmNames {what}"
        )))
    };
    if enable && names.is_empty() {
        return wrong("cannot be empty when enable is true.".to_owned());
    }
    if names.len() > MAX_ALARMS {
        return wrong(format!("can have at most {MAX_ALARMS} items."));
    }
    if names
        .iter()
        .any(|name| !(1..=255).contains(&name.chars().count()))
    {
        return wrong("must have between 1 and 255 characters each.".to_owned());
    }
    Ok(AlarmRule {
        names,
        enable,
        rollback,
    })
}

/// `desiredCount` of a service that is there or to be.
pub(super) fn desired(scheduling: Scheduling, asked: Option<i32>, before: Option<i32>) -> Result<i32> {
    match (scheduling, asked, before) {
        (Scheduling::Daemon, Some(_), _) => Err(Error::invalid(
            "The daemon scheduling strategy does not support a desired count for services. Remove the desired count \
             value and try again.",
        )),
        (Scheduling::Daemon, None, _) => Ok(0),
        (Scheduling::Replica, None, None) => Err(Error::invalid("desiredCount must be given.")),
        (Scheduling::Replica, None, Some(before)) => Ok(before),
        (Scheduling::Replica, Some(desired), _) if (0..=MAX_DESIRED).contains(&desired) => Ok(desired),
        (Scheduling::Replica, Some(_), _) => Err(Error::invalid(format!(
            "desiredCount must be between 0 and {MAX_DESIRED}."
        ))),
    }
}

/// Source: the API reference, `schedulingStrategy`.
pub(super) fn check_launch(scheduling: Scheduling, launch: Launch) -> Result<()> {
    match (scheduling, launch) {
        (Scheduling::Daemon, Launch::Fargate) => Err(Error::invalid(
            "The daemon scheduling strategy does not support tasks that use the Fargate launch type or a capacity \
             provider strategy.",
        )),
        (Scheduling::Daemon, Launch::Ec2) | (Scheduling::Replica, Launch::Ec2 | Launch::Fargate) => Ok(()),
    }
}

/// `availabilityZoneRebalancing` of a service that is otherwise as it is to be. It needs room for one more task, and tasks
/// that can be elsewhere. Source: "Balancing an Amazon ECS service across Availability Zones".
pub(super) fn rebalancing(
    asked: Option<api::AvailabilityZoneRebalancing>,
    before: bool,
    service: &ServiceRecord,
) -> Result<bool> {
    let obstacle = obstacle(service);
    match asked {
        None => Ok(before && obstacle.is_none()),
        Some(api::AvailabilityZoneRebalancing::Disabled) => Ok(false),
        Some(api::AvailabilityZoneRebalancing::Enabled) => match obstacle {
            None => Ok(true),
            Some(obstacle) => Err(Error::invalid(format!(
                "availabilityZoneRebalancing ENABLED is not possible with {obstacle}."
            ))),
        },
    }
}

/// What keeps a service from being balanced over zones.
fn obstacle(service: &ServiceRecord) -> Option<&'static str> {
    const ZONE: &str = "attribute:ecs.availability-zone";
    let spread = |strategy: &api::PlacementStrategy| {
        strategy.r#type == Some(api::PlacementStrategyType::Spread) && strategy.field.as_deref() == Some(ZONE)
    };
    let fixed = |constraint: &Stored<api::PlacementConstraint>| {
        let expression = constraint.0.expression.as_deref();
        expression.is_some_and(|expression| expression.contains(ZONE))
    };
    if service.scheduling == Scheduling::Daemon {
        return Some("the DAEMON scheduling strategy");
    }
    if service.rolling.maximum_percent <= 100 {
        return Some("a maximumPercent of 100");
    }
    if service.strategy.first().is_some_and(|first| !spread(&first.0)) {
        return Some("a first placement strategy other than spread over attribute:ecs.availability-zone");
    }
    if service.constraints.iter().any(fixed) {
        return Some("a placement constraint on attribute:ecs.availability-zone");
    }
    None
}

pub(super) fn grace(asked: Option<i32>) -> Result<Option<i32>> {
    match asked {
        Some(seconds) if seconds < 0 => Err(Error::invalid(
            "healthCheckGracePeriodSeconds must be between 0 and 2147483647.",
        )),
        other => Ok(other),
    }
}

pub(super) fn propagate(asked: Option<api::PropagateTags>, before: Propagate) -> Propagate {
    match asked {
        None => before,
        Some(api::PropagateTags::None) => Propagate::None,
        Some(api::PropagateTags::TaskDefinition) => Propagate::TaskDefinition,
        Some(api::PropagateTags::Service) => Propagate::Service,
    }
}

/// `loadBalancers` and the like: what nothing here could bring about.
pub(super) struct Around {
    pub(super) load_balancers: Option<Vec<api::LoadBalancer>>,
    pub(super) service_registries: Option<Vec<api::ServiceRegistry>>,
    pub(super) service_connect: Option<api::ServiceConnectConfiguration>,
    pub(super) volumes: Option<Vec<api::ServiceVolumeConfiguration>>,
    pub(super) lattice: Option<Vec<api::VpcLatticeConfiguration>>,
    pub(super) execute_command: Option<bool>,
}

impl Around {
    pub(super) fn refuse(self) -> Result<()> {
        let Self {
            load_balancers,
            service_registries,
            service_connect,
            volumes,
            lattice,
            execute_command,
        } = self;
        refuse("loadBalancers", load_balancers)?;
        refuse("serviceRegistries", service_registries)?;
        if service_connect.is_some_and(|connect| connect.enabled) {
            return Err(Error::unsupported("serviceConnectConfiguration"));
        }
        refuse("volumeConfigurations", volumes)?;
        refuse("vpcLatticeConfigurations", lattice)?;
        refuse("enableExecuteCommand", execute_command)
    }
}

/// `placementConstraints`, kept as they came; what starts tasks reads them.
pub(super) fn constraints(
    scheduling: Scheduling,
    asked: Option<Vec<api::PlacementConstraint>>,
) -> Result<Vec<Stored<api::PlacementConstraint>>> {
    let asked = asked.unwrap_or_default();
    let distinct =
        |it: &api::PlacementConstraint| it.r#type == Some(api::PlacementConstraintType::DistinctInstance);
    if scheduling == Scheduling::Daemon && asked.iter().any(distinct) {
        return Err(Error::invalid(
            "The daemon scheduling strategy does not support the placement constraint distinctInstance.",
        ));
    }
    Ok(asked.into_iter().map(Stored).collect())
}

pub(super) fn strategy(
    scheduling: Scheduling,
    asked: Option<Vec<api::PlacementStrategy>>,
) -> Result<Vec<Stored<api::PlacementStrategy>>> {
    let asked = asked.unwrap_or_default();
    if scheduling == Scheduling::Daemon && !asked.is_empty() {
        return Err(Error::invalid(
            "The daemon scheduling strategy does not support placement strategies.",
        ));
    }
    Ok(asked.into_iter().map(Stored).collect())
}
