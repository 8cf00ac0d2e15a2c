//! What a task set is called.

use std::fmt;

use roadstead_base::{Ctx, Partition};

use crate::error::{Error, Result};
use crate::names::{ClusterName, ResourceName, ServiceName, arn, own_arn, unsupported_type};

/// `ecs-svc/<19 digits>`, unique in its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskSetId(String);

impl fmt::Display for TaskSetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TaskSetId {
    const PREFIX: &str = "ecs-svc/";

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// One that was made here.
    pub(crate) fn known(id: &str) -> Self {
        Self(id.to_owned())
    }

    /// The task set that a request names by id or ARN, in a service.
    pub(crate) fn of(ctx: &Ctx, cluster: &ClusterName, service: &ServiceName, text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::invalid("TaskSet can not be blank."));
        }
        let id = match own_arn(ctx, text)? {
            None => text.to_owned(),
            Some(resource) => match ResourceName::of(ctx, text)? {
                ResourceName::TaskSet(named, of, id) if named == *cluster && of == *service => id.0,
                ResourceName::TaskSet(named, of, _) => {
                    return Err(Error::invalid(format!(
                        "Invalid identifier: Identifier is for service {named}/{of}. Your service is \
                         {cluster}/{service}"
                    )));
                }
                _ => return Err(unsupported_type(&resource)),
            },
        };
        Self::parse(&id)
    }

    /// As it stands in an ARN.
    pub(crate) fn parse(id: &str) -> Result<Self> {
        let digits = id.strip_prefix(Self::PREFIX).unwrap_or_default();
        if (1..=32).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(id.to_owned()))
        } else {
            let shown: String = id.chars().take(64).collect();
            Err(Error::invalid(format!(
                "Invalid identifier: {shown:?} is neither a task set's id nor its ARN."
            )))
        }
    }

    pub(crate) fn arn(&self, partition: &Partition, cluster: &ClusterName, service: &ServiceName) -> String {
        arn(partition, format!("task-set/{cluster}/{service}/{self}"))
    }
}
