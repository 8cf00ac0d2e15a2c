//! What FARGATE tasks were given and for how long: written down in the commit that stops them, since a stopped task can
//! be described for an hour and is asked about in the next month. What that costs is the asker's to compute.

mod server;
#[cfg(test)]
mod tests;

use roadstead_base::Timestamp;
use roadstead_store::{Key, Listing, Table, Transaction};
use serde::{Deserialize, Serialize};

use crate::Ecs;
use crate::error::Result;
use crate::tasks::{LastStatus, Launch, TaskRecord};

pub(crate) use server::Meter;

/// Where the records are read.
pub const PATH: &str = "/_roadstead/usage";

const USAGE: &str = "ecs-usage";
/// GiB that every FARGATE task has.
const STORAGE: i32 = 20;
/// Thirteen months: a year can be compared with the one before.
pub(crate) const KEEP_MILLIS: i64 = 396 * 86_400_000;
/// Records that are removed in one go.
const SWEEP: usize = 500;

/// One task's use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsageRecord {
    pub task_arn: String,
    pub cluster: String,
    pub group: String,
    pub task_definition: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// CPU units.
    pub cpu: i64,
    /// MiB.
    pub memory: i64,
    /// GiB.
    pub storage: i32,
    /// Milliseconds since 1970, both; none: it runs.
    pub pull_started_at: i64,
    pub stopped_at: Option<i64>,
}

impl UsageRecord {
    /// Of a FARGATE task whose pull has begun; others are not metered.
    fn of(task: &TaskRecord) -> Option<Self> {
        let pull_started = task
            .times
            .pull_started
            .filter(|_| task.launch == Launch::Fargate)?;
        Some(Self {
            task_arn: task.arn(),
            cluster: task.cluster.as_str().to_owned(),
            group: task.group.clone(),
            task_definition: task.definition.arn(&task.partition),
            architecture: task.architecture.clone(),
            cpu: task.cpu.unwrap_or_default(),
            memory: task.memory.unwrap_or_default(),
            storage: task.ephemeral_storage.unwrap_or(STORAGE),
            pull_started_at: pull_started.0,
            stopped_at: task
                .times
                .stopped
                .filter(|_| task.last == LastStatus::Stopped)
                .map(|at| at.0),
        })
    }
}

/// In order of time also as text.
fn time(at: i64) -> String {
    format!("{:016}", at.max(0))
}

/// Adds the use of a task that is stopped now to the commit that stops it.
pub(crate) fn metered(ecs: &Ecs, transaction: Transaction, task: &TaskRecord) -> Transaction {
    let Some((usage, stopped)) =
        UsageRecord::of(task).and_then(|usage| Some((usage.clone(), usage.stopped_at?)))
    else {
        return transaction;
    };
    let table = ecs.usage();
    let key = table
        .within(&task.partition)
        .child(time(stopped))
        .child(task.id.as_str());
    transaction.put(&table, &key, &usage)
}

impl Ecs {
    /// `ecs-usage/<when it stopped, in milliseconds>/<task id>`
    pub(crate) fn usage(&self) -> Table<UsageRecord> {
        Table::new(self.store.clone(), USAGE)
    }

    /// Removes records that have been kept for long enough.
    pub(crate) async fn forget_old_usage(&self, now: Timestamp) -> Result<()> {
        let table = self.usage();
        for partition in table.partitions().await? {
            let below: Key = partition.child(USAGE);
            loop {
                let listing = Listing {
                    limit: Some(SWEEP),
                    ..Listing::default()
                };
                let page = table.list(&below, listing).await?;
                let old = |stopped: Option<i64>| stopped.is_none_or(|at| at + KEEP_MILLIS < now.0);
                let gone: Vec<Key> = page
                    .entries
                    .iter()
                    .take_while(|entry| old(entry.value.stopped_at))
                    .map(|entry| entry.key.clone())
                    .collect();
                let more = gone.len() == SWEEP;
                if gone.is_empty() {
                    break;
                }
                let delete = |transaction: Transaction, key: &Key| transaction.delete(key);
                let _ = gone
                    .iter()
                    .fold(Transaction::new(&self.store), delete)
                    .commit()
                    .await?;
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }
}
