//! How many of what a cluster holds: what DescribeClusters shows and DeleteCluster asks. Tasks and container
//! instances count themselves; this says what is to be counted.

/// Tasks of a cluster that have not stopped, by launch type. Pending is everything before RUNNING; running is
/// RUNNING up to STOPPED.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TaskCounts {
    pub(crate) running_ec2: i32,
    pub(crate) running_fargate: i32,
    pub(crate) pending_ec2: i32,
    pub(crate) pending_fargate: i32,
}

impl TaskCounts {
    pub(crate) fn running(self) -> i32 {
        self.running_ec2 + self.running_fargate
    }

    pub(crate) fn pending(self) -> i32 {
        self.pending_ec2 + self.pending_fargate
    }
}
