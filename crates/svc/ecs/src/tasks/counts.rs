//! How many tasks a cluster has.

use crate::clusters::TaskCounts;
use crate::tasks::{LastStatus, Launch, TaskRecord};

/// Counts the tasks of one cluster.
pub(crate) fn count<'a>(tasks: impl Iterator<Item = &'a TaskRecord>) -> TaskCounts {
    let mut counts = TaskCounts::default();
    for task in tasks.filter(|task| task.last != LastStatus::Stopped) {
        let count = match (task.last < LastStatus::Running, task.launch) {
            (true, Launch::Ec2) => &mut counts.pending_ec2,
            (true, Launch::Fargate) => &mut counts.pending_fargate,
            (false, Launch::Ec2) => &mut counts.running_ec2,
            (false, Launch::Fargate) => &mut counts.running_fargate,
        };
        *count += 1;
    }
    counts
}
