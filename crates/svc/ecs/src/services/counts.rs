//! How many services a cluster has.

use crate::services::{ServiceRecord, ServiceStatus};
use crate::tasks::Launch;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServiceCounts {
    pub(crate) active_ec2: i32,
    pub(crate) active_fargate: i32,
    pub(crate) draining_ec2: i32,
    pub(crate) draining_fargate: i32,
}

impl ServiceCounts {
    pub(crate) fn active(self) -> i32 {
        self.active_ec2 + self.active_fargate
    }
}

/// Counts the services of one cluster.
pub(crate) fn count<'s>(services: impl Iterator<Item = &'s ServiceRecord>) -> ServiceCounts {
    let mut counts = ServiceCounts::default();
    for service in services {
        let launch = service.spec().map_or(Launch::Ec2, |spec| spec.launch);
        let count = match (service.status, launch) {
            (ServiceStatus::Active, Launch::Ec2) => &mut counts.active_ec2,
            (ServiceStatus::Active, Launch::Fargate) => &mut counts.active_fargate,
            (ServiceStatus::Draining, Launch::Ec2) => &mut counts.draining_ec2,
            (ServiceStatus::Draining, Launch::Fargate) => &mut counts.draining_fargate,
            (ServiceStatus::Inactive { .. }, _) => continue,
        };
        *count += 1;
    }
    counts
}
