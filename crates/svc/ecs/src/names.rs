//! The names of things: parsed once at the edge, where a client may give a short name or a whole ARN, so that no
//! two bare strings ever stand side by side.

use std::fmt;

use roadstead_base::{Arn, Ctx, Partition};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::services::TaskSetId;

const SERVICE: &str = "ecs";
/// The cluster meant when none is named.
pub(crate) const DEFAULT_CLUSTER: &str = "default";
/// Characters of a cluster's name and of a family's.
const NAME_MAX: usize = 255;

/// Up to 255 letters, digits, underscores and hyphens.
fn is_name(text: &str) -> bool {
    (1..=NAME_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// The short name of a cluster.
    ClusterName
);
name!(
    /// The family of a task definition.
    Family
);
name!(
    /// The name of a service, unique in its cluster.
    ServiceName
);
name!(
    /// 32 hexadecimal digits; unique over all clusters.
    TaskId
);
name!(
    /// 32 hexadecimal digits; unique over all clusters.
    ContainerInstanceId
);

/// An ARN of this service in the caller's account and region, as its resource's text.
pub(crate) fn own_arn(ctx: &Ctx, text: &str) -> Result<Option<String>> {
    if !text.starts_with("arn:") {
        return Ok(None);
    }
    let arn: Arn = text
        .parse()
        .map_err(|error| Error::invalid(format!("Invalid identifier: {error}")))?;
    if arn.service != SERVICE {
        return Err(Error::invalid(format!(
            "Invalid identifier: Identifier is for service {}.",
            arn.service
        )));
    }
    if arn.region != ctx.region.as_str() {
        return Err(Error::invalid(format!(
            "Invalid identifier: Identifier is for region {}. Your region is {}",
            arn.region, ctx.region
        )));
    }
    if arn.account != ctx.account.as_str() {
        return Err(Error::invalid(format!(
            "Invalid identifier: Identifier is for account {}. Your account is {}",
            arn.account, ctx.account
        )));
    }
    Ok(Some(arn.resource))
}

impl ClusterName {
    /// A new cluster's name, which is never an ARN.
    pub fn new(text: &str) -> Result<Self> {
        if is_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid("Invalid cluster name."))
        }
    }

    /// The cluster that a request names by name or ARN; `default` when it names none.
    pub fn of(ctx: &Ctx, cluster: Option<&str>) -> Result<Self> {
        let Some(text) = cluster else {
            return Ok(Self(DEFAULT_CLUSTER.to_owned()));
        };
        if text.is_empty() {
            return Err(Error::invalid("Cluster can not be blank."));
        }
        match own_arn(ctx, text)? {
            Some(resource) => match resource.split_once('/') {
                Some(("cluster", name)) => Self::short(name),
                _ => Err(unsupported_type(&resource)),
            },
            None => Self::short(text),
        }
    }

    /// A name that no cluster can have is the name of none.
    fn short(text: &str) -> Result<Self> {
        if is_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(format!(
                "Invalid identifier: {:?} is neither a cluster's name nor its ARN.",
                text.chars().take(64).collect::<String>()
            )))
        }
    }

    pub fn arn(&self, partition: &Partition) -> String {
        arn(partition, format!("cluster/{self}"))
    }
}

pub(crate) fn unsupported_type(resource: &str) -> Error {
    let kind: String = resource
        .split(['/', ':'])
        .next()
        .unwrap_or_default()
        .chars()
        .take(64)
        .collect();
    Error::invalid(format!("Unsupported resource type: {kind}"))
}

pub(crate) fn arn(partition: &Partition, resource: String) -> String {
    Arn::new(SERVICE, &partition.region, &partition.account, resource).to_string()
}

fn is_id(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}

/// Whether it has one of the two lengths that ids have had, a UUID's being the older one.
fn has_length_of_id(text: &str) -> bool {
    matches!(text.chars().count(), 32 | 36)
}

/// The id in `text`, which is the id itself or an ARN `<kind>/<cluster>/<id>` of that cluster. `what` names the
/// kind in messages.
fn id_within(ctx: &Ctx, cluster: &ClusterName, kind: &str, what: &str, text: &str) -> Result<String> {
    if text.is_empty() {
        return Err(Error::invalid(format!("{what} can not be blank.")));
    }
    let id = match own_arn(ctx, text)? {
        None => text.to_owned(),
        Some(resource) => {
            let Some(rest) = resource
                .strip_prefix(kind)
                .and_then(|rest| rest.strip_prefix('/'))
            else {
                return Err(unsupported_type(&resource));
            };
            match rest.split_once('/') {
                Some((named, _)) if named != cluster.as_str() => {
                    return Err(Error::invalid(format!(
                        "Invalid identifier: Identifier is for cluster {named}. Your cluster is {cluster}"
                    )));
                }
                Some((_, id)) => id.to_owned(),
                None => rest.to_owned(),
            }
        }
    };
    let name = if kind == "task" {
        "taskId"
    } else {
        "containerInstanceId"
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !has_length_of_id(&id) {
        let length = id.chars().count();
        Err(Error::invalid(format!(
            "{name} length should be one of [32,36], got {length}"
        )))
    } else if id.chars().all(fits) {
        // One that is none of here, a UUID for instance, is the id of nothing.
        Ok(id)
    } else {
        Err(Error::invalid(format!(
            "Invalid identifier: a {name} has letters, digits and hyphens alone."
        )))
    }
}

macro_rules! id {
    ($name:ident, $kind:literal, $what:literal) => {
        impl $name {
            /// A new one.
            pub fn random() -> Self {
                Self(roadstead_base::random_hex(32))
            }

            /// One that a retry makes again: from its owner's id and its purpose.
            pub fn derived(owner: &str, purpose: &str) -> Self {
                Self(roadstead_base::derived_hex(owner, purpose, 32))
            }

            /// The id that a request names, by id or ARN, in a cluster.
            pub fn of(ctx: &Ctx, cluster: &ClusterName, text: &str) -> Result<Self> {
                id_within(ctx, cluster, $kind, $what, text).map(Self)
            }

            pub fn arn(&self, partition: &Partition, cluster: &ClusterName) -> String {
                arn(partition, format!(concat!($kind, "/{}/{}"), cluster, self))
            }
        }
    };
}

impl TaskId {
    /// An id as it stands in an ARN, if it can be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        is_id(text).then(|| Self(text.to_owned()))
    }
}

impl ContainerInstanceId {
    /// An id as it stands in an ARN, if it can be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        is_id(text).then(|| Self(text.to_owned()))
    }
}

id!(TaskId, "task", "Task");
id!(ContainerInstanceId, "container-instance", "Container instance");

impl ServiceName {
    /// A new service's name, which is never an ARN.
    pub fn new(text: &str) -> Result<Self> {
        if is_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid("Invalid service name."))
        }
    }

    /// The service that a request names by name or ARN, in a cluster. The ARN may be of the old form, without the
    /// cluster.
    pub fn of(ctx: &Ctx, cluster: &ClusterName, text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::invalid("Service can not be blank."));
        }
        let name = match own_arn(ctx, text)? {
            None => text.to_owned(),
            Some(resource) => match resource.split('/').collect::<Vec<_>>().as_slice() {
                ["service", name] => (*name).to_owned(),
                ["service", named, name] if *named == cluster.as_str() => (*name).to_owned(),
                ["service", named, _] => {
                    return Err(Error::invalid(format!(
                        "Invalid identifier: Identifier is for cluster {named}. Your cluster is {cluster}"
                    )));
                }
                _ => return Err(unsupported_type(&resource)),
            },
        };
        Self::new(&name)
    }

    pub fn arn(&self, partition: &Partition, cluster: &ClusterName) -> String {
        arn(partition, format!("service/{cluster}/{self}"))
    }
}

impl Family {
    pub fn new(text: &str) -> Result<Self> {
        if is_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::client("Family contains invalid characters."))
        }
    }
}

/// A revision of a family.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskDefinitionId {
    pub family: Family,
    /// Counts from 1 and is never given twice.
    pub revision: i32,
}

impl TaskDefinitionId {
    pub fn arn(&self, partition: &Partition) -> String {
        arn(partition, format!("task-definition/{self}"))
    }
}

impl fmt::Display for TaskDefinitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.family, self.revision)
    }
}

/// How a request names a task definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskDefinitionRef {
    /// The latest ACTIVE revision of the family.
    Latest(Family),
    Revision(TaskDefinitionId),
}

impl TaskDefinitionRef {
    /// From `family`, `family:revision` or an ARN of either.
    pub fn of(ctx: &Ctx, text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::client("TaskDefinition can not be blank."));
        }
        let resource = own_arn(ctx, text).map_err(|error| match error {
            Error::InvalidParameter(message) => Error::Client(message),
            other => other,
        })?;
        let name = match &resource {
            None => text,
            Some(resource) => resource
                .strip_prefix("task-definition/")
                .ok_or_else(|| unsupported_type(resource))?,
        };
        let Some((family, revision)) = name.split_once(':') else {
            return Family::new(name).map(Self::Latest);
        };
        // In one way alone: policies name it by its text.
        let one_way = |number: &i32| *number > 0 && number.to_string() == revision;
        let number = revision.parse().ok().filter(one_way);
        let Some(revision) = number else {
            let shown: String = revision.chars().take(64).collect();
            return Err(Error::client(format!("Invalid revision number. Number: {shown}")));
        };
        Ok(Self::Revision(TaskDefinitionId {
            family: Family::new(family)?,
            revision,
        }))
    }
}

/// What an ARN given to the tagging operations names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResourceName {
    Cluster(ClusterName),
    TaskDefinition(TaskDefinitionId),
    Task(ClusterName, TaskId),
    ContainerInstance(ClusterName, ContainerInstanceId),
    Service(ClusterName, ServiceName),
    TaskSet(ClusterName, ServiceName, TaskSetId),
}

impl ResourceName {
    pub(crate) fn of(ctx: &Ctx, text: &str) -> Result<Self> {
        let Some(resource) = own_arn(ctx, text)? else {
            return Err(Error::invalid(
                "Invalid resource ARN: it must begin with \"arn:\".",
            ));
        };
        let parts: Vec<&str> = resource.split('/').collect();
        match parts.as_slice() {
            ["cluster", name] => ClusterName::short(name).map(Self::Cluster),
            ["task-definition", name] => match TaskDefinitionRef::of(ctx, name) {
                Ok(TaskDefinitionRef::Revision(id)) => Ok(Self::TaskDefinition(id)),
                Ok(TaskDefinitionRef::Latest(_)) => Err(Error::invalid(
                    "Invalid resource ARN: a task definition is named with its revision.",
                )),
                Err(error) => Err(Error::invalid(error.to_string())),
            },
            ["task", cluster, id] => {
                let cluster = ClusterName::short(cluster)?;
                let id = TaskId::of(ctx, &cluster, id)?;
                Ok(Self::Task(cluster, id))
            }
            ["container-instance", cluster, id] => {
                let cluster = ClusterName::short(cluster)?;
                let id = ContainerInstanceId::of(ctx, &cluster, id)?;
                Ok(Self::ContainerInstance(cluster, id))
            }
            ["service", cluster, name] => Ok(Self::Service(
                ClusterName::short(cluster)?,
                ServiceName::new(name)?,
            )),
            ["task-set", cluster, service, prefix, digits] => Ok(Self::TaskSet(
                ClusterName::short(cluster)?,
                ServiceName::new(service)?,
                TaskSetId::parse(&format!("{prefix}/{digits}"))?,
            )),
            _ => Err(unsupported_type(&resource)),
        }
    }
}
