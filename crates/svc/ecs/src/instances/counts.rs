//! How many container instances a cluster has.

use crate::instances::ContainerInstanceRecord;

/// Counts the container instances of one cluster that are ACTIVE or DRAINING.
pub(crate) fn count<'a>(instances: impl Iterator<Item = &'a ContainerInstanceRecord>) -> i32 {
    let here = instances.filter(|instance| !instance.is_inactive()).count();
    i32::try_from(here).unwrap_or(i32::MAX)
}
