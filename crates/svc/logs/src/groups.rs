//! Log groups: made, kept for so long, described, deleted.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod list;
pub(crate) mod protect;
pub(crate) mod retention;

use std::sync::Arc;

use roadstead_base::{Ctx, Partition};
use roadstead_log_patterns::Pattern;
use roadstead_store::{Change, Key, Store, Table};

use crate::Logs;
use crate::error::{Error, Result};
use crate::records::GroupRecord;

const GROUPS: &str = "logs-group";
/// Of all filters of a group.
const MAX_REGEXES: usize = 5;

pub(crate) fn table(store: &Arc<dyn Store>) -> Table<GroupRecord> {
    Table::new(Arc::clone(store), GROUPS)
}

/// Above every group.
pub(crate) fn all_groups(partition: &Partition) -> Key {
    Key::of(partition).child(GROUPS)
}

pub(crate) fn group_key(partition: &Partition, group: &str) -> Key {
    all_groups(partition).child(group)
}

impl Logs {
    /// A group that is there. Memory answers where it can: every line that is written asks.
    pub(crate) async fn group(&self, ctx: &Ctx, name: &str) -> Result<GroupRecord> {
        let key = group_key(&ctx.partition(), name);
        if let Some(entry) = self.groups.get(&key) {
            return Ok(entry.value.clone());
        }
        let found = table(&self.store).get(&key).await?;
        found.map(|entry| entry.value).ok_or(Error::NoSuchGroup)
    }

    /// Changes a group that is there; every later call sees it.
    pub(crate) async fn change_group(
        &self,
        ctx: &Ctx,
        name: &str,
        mut change: impl FnMut(&mut GroupRecord) -> Result<()>,
    ) -> Result<()> {
        let update = |found: Option<&GroupRecord>| {
            let mut record = found.ok_or(Error::NoSuchGroup)?.clone();
            change(&mut record)?;
            Ok::<_, Error>(Change::Put(record))
        };
        let key = group_key(&ctx.partition(), name);
        let updated = table(&self.store).update(&key, update).await?;
        self.groups.wait_for(updated.revision).await?;
        Ok(())
    }
}

impl GroupRecord {
    /// Refuses more regular expressions in the patterns of both kinds of filters than are documented.
    pub(crate) fn check_regexes(&self) -> Result<()> {
        let metrics = self.filters.values().map(|filter| &filter.pattern);
        let patterns = metrics.chain(self.subscriptions.values().map(|filter| &filter.pattern));
        let regexes = |pattern: &String| pattern.parse().map_or(0, |pattern: Pattern| pattern.regexes());
        match patterns.map(regexes).sum::<usize>() > MAX_REGEXES {
            true => Err(Error::Limit("Resource limit exceeded.".into())),
            false => Ok(()),
        }
    }

    /// Lines from before are as good as gone.
    pub(crate) fn kept_from(&self, now: roadstead_base::Timestamp) -> i64 {
        match self.retention_days {
            Some(days) => now.0 - i64::from(days) * 86_400_000,
            None => i64::MIN,
        }
    }
}
