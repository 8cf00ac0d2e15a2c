//! Clusters: names under which tasks and container instances stand together.

mod counts;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod list;
mod lookup;
pub(crate) mod providers;
mod record;
mod show;
pub(crate) mod update;

pub(crate) use counts::TaskCounts;
pub(crate) use lookup::{active_cluster, get_cluster};
pub use record::{ClusterRecord, ClusterStatus};
