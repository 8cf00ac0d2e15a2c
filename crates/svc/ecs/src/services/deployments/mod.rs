//! Service deployments and service revisions: what was rolled out when, from what to what, and how it ended. The one
//! under way is part of the service's own record, so that no decision is made on one without the other; each is also
//! kept by itself, to be listed and described for as long as the service is there, 90 days at most. Source: the
//! developer guide, "View service history using Amazon ECS service deployments", "Amazon ECS service revisions".

pub(crate) mod describe;
mod history;
pub(crate) mod list;
mod name;
pub(crate) mod proceed;
mod record;
pub(crate) mod revisions;
mod show;
pub(crate) mod stop;

pub(super) use history::{expire, keep};
pub(crate) use record::{RevisionRecord, ServiceDeploymentRecord};
pub(super) use record::{RollbackRecord, Share, Status, Watch};
pub(super) use show::current;
