//! The names of service deployments and revisions: ARNs that say which service they are of.

use roadstead_base::{Ctx, Partition};

use crate::error::{Error, Result};
use crate::names::{ClusterName, ServiceName, arn, own_arn};

/// `<kind>/<cluster>/<service>/<id>`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) cluster: ClusterName,
    pub(super) service: ServiceName,
    pub(super) id: String,
}

pub(super) const DEPLOYMENT: &str = "service-deployment";
pub(super) const REVISION: &str = "service-revision";

impl Named {
    /// # Errors
    /// The text is no ARN of such a thing in the caller's account and region: `InvalidParameterException`.
    pub(super) fn of(ctx: &Ctx, kind: &str, text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("Invalid identifier: {text} is no ARN of a {kind}."));
        let resource = own_arn(ctx, text)?.ok_or_else(wrong)?;
        match resource.split('/').collect::<Vec<_>>().as_slice() {
            [named, cluster, service, id] if *named == kind && is_id(id) => Ok(Self {
                cluster: ClusterName::new(cluster)?,
                service: ServiceName::new(service)?,
                id: (*id).to_owned(),
            }),
            _ => Err(wrong()),
        }
    }

    pub(super) fn arn(&self, kind: &str, partition: &Partition) -> String {
        arn(
            partition,
            format!("{kind}/{}/{}/{}", self.cluster, self.service, self.id),
        )
    }
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
