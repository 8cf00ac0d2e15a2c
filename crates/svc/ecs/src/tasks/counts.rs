//! Placeholder.

use crate::clusters::TaskCounts;
use crate::tasks::TaskRecord;

/// Counts the tasks of one cluster.
pub(crate) fn count<'a>(_tasks: impl Iterator<Item = &'a TaskRecord>) -> TaskCounts {
    TaskCounts::default()
}
