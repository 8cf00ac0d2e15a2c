//! Forgets queries and what they found, after seven days, or sooner if there is too much of it.

use roadstead_store::Key;

use crate::Logs;
use crate::error::Result;
use crate::queries::table;
use crate::records::QueryRecord;

/// Of the whole service; the oldest go first.
const MAX_KEPT: usize = 20_000;
const MAX_BYTES: u64 = 4 << 30;

/// How many queries were forgotten.
pub(crate) async fn sweep(logs: &Logs) -> Result<usize> {
    let now = logs.clock.now();
    let mut ended: Vec<(Key, QueryRecord)> = {
        let live = logs.queries.live();
        let snapshot = logs.queries.records.snapshot();
        let ended = snapshot.iter().filter(|entry| !live.contains_key(&entry.key));
        ended
            .map(|entry| (entry.key.clone(), entry.value.clone()))
            .collect()
    };
    ended.sort_by_key(|(_, query)| std::cmp::Reverse(query.created_at));
    let (mut kept, mut bytes, mut gone) = (0, 0, 0);
    for (key, query) in ended {
        bytes += query.bytes;
        if kept < MAX_KEPT && bytes <= MAX_BYTES && !logs.is_stale(&query, now) {
            kept += 1;
            continue;
        }
        logs.queries.found.clear(query.number).await?;
        let forget = |_: Option<&QueryRecord>| Ok::<_, crate::Error>(roadstead_store::Change::Delete);
        let forgotten = table(&logs.store).update(&key, forget).await?;
        logs.queries.records.wait_for(forgotten.revision).await?;
        gone += 1;
    }
    Ok(gone)
}
