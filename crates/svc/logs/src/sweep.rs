//! Clears away lines that are gone for every reader already: of groups and streams that were deleted, and from before
//! what their group keeps; and queries whose time is over.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::watch;

use crate::Logs;
use crate::error::Result;

/// Runs until told to stop; at once at first, for what a former process left.
pub(crate) async fn keep(logs: Arc<Logs>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        if let Err(error) = sweep(&logs).await {
            tracing::warn!(%error, "log lines could not be cleared away; trying again later");
        }
        tokio::select! {
            () = tokio::time::sleep(logs.options.sweep) => {}
            _ = stop.changed() => {}
        }
    }
}

/// One round. How many lines and streams are gone.
pub(crate) async fn sweep(logs: &Logs) -> Result<usize> {
    let with_lines = logs.lines.groups()?;
    // Lines come after their group is in the store, so one with lines that is not there after them was deleted.
    logs.groups.wait_for(logs.store.revision().await?).await?;
    let snapshot = logs.groups.snapshot();
    let known: HashSet<u64> = snapshot.iter().map(|entry| entry.value.id).collect();
    for group in with_lines {
        if !known.contains(&group) {
            logs.lines.drop_group(group).await?;
        }
    }
    let mut gone = logs.lines.clear_doomed().await?;
    let now = logs.clock.now();
    for entry in snapshot
        .iter()
        .filter(|entry| entry.value.retention_days.is_some())
    {
        let group = &entry.value;
        for (stream, _) in logs.lines.streams(group.id, "")? {
            gone += logs.lines.expire(group.id, &stream, group.kept_from(now)).await?;
        }
    }
    gone += crate::queries::sweep::sweep(logs).await?;
    Ok(gone)
}
