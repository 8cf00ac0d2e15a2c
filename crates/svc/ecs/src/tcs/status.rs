//! How an instance says it does, as the API shows it.

use roadstead_acs::telemetry::{CONTAINER_RUNTIME, InstanceStatus};
use roadstead_api_ecs::{
    ContainerInstanceHealthStatus, InstanceHealthCheckResult, InstanceHealthCheckState,
    InstanceHealthCheckType,
};
use roadstead_base::Timestamp;

/// `None` before the agent said anything. Overall it does as its worst check.
pub(crate) fn shown(statuses: &[InstanceStatus]) -> Option<ContainerInstanceHealthStatus> {
    let details: Vec<_> = statuses.iter().filter_map(one).collect();
    let worst = details
        .iter()
        .filter_map(|result| result.status)
        .max_by_key(badness)?;
    Some(ContainerInstanceHealthStatus {
        overall_status: Some(worst),
        details: Some(details),
    })
}

fn badness(state: &InstanceHealthCheckState) -> u8 {
    match state {
        InstanceHealthCheckState::Ok => 0,
        InstanceHealthCheckState::Initializing => 1,
        InstanceHealthCheckState::InsufficientData => 2,
        InstanceHealthCheckState::Impaired => 3,
    }
}

/// `None` of a check that the API has no name for.
fn one(status: &InstanceStatus) -> Option<InstanceHealthCheckResult> {
    let InstanceStatus {
        kind,
        status,
        last_updated,
        last_status_change,
    } = status;
    let time = |seconds: f64| Timestamp((seconds * 1000.0) as i64);
    let state = match status.as_str() {
        "OK" => InstanceHealthCheckState::Ok,
        "IMPAIRED" => InstanceHealthCheckState::Impaired,
        "INITIALIZING" => InstanceHealthCheckState::Initializing,
        _ => InstanceHealthCheckState::InsufficientData,
    };
    (kind == CONTAINER_RUNTIME).then(|| InstanceHealthCheckResult {
        last_status_change: Some(time(*last_status_change)),
        last_updated: Some(time(*last_updated)),
        status: Some(state),
        status_reason: None,
        r#type: Some(InstanceHealthCheckType::ContainerRuntime),
    })
}
