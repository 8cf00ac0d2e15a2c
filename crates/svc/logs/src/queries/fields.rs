//! GetLogGroupFields: which fields the events of some minutes have, and how many of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roadstead_api_logs::{GetLogGroupFieldsRequest, GetLogGroupFieldsResponse, LogGroupField};
use roadstead_base::Ctx;
use roadstead_log_insights::{Event, discovered};

use crate::Logs;
use crate::error::{Error, Result};
use crate::lines::merge::Merged;
use crate::names::group;
use crate::records::GroupRecord;

const MINUTE: i64 = 60_000;
/// Events that are looked at, the latest ones.
const MAX_EVENTS: usize = 10_000;
/// Fields that are counted.
const MAX_FIELDS: usize = 1000;

pub(crate) async fn get_log_group_fields(
    logs: &Arc<Logs>,
    ctx: &Ctx,
    input: GetLogGroupFieldsRequest,
) -> Result<GetLogGroupFieldsResponse> {
    let GetLogGroupFieldsRequest {
        log_group_identifier,
        log_group_name,
        time,
    } = input;
    let name = group(ctx, log_group_name, log_group_identifier)?;
    let group = logs.group(ctx, &name).await?;
    let now = logs.clock.now().0;
    let (from, to) = match time {
        Some(seconds) => {
            let centre = seconds.saturating_mul(1000);
            (
                centre.saturating_sub(8 * MINUTE),
                centre.saturating_add(8 * MINUTE),
            )
        }
        None => (now - 15 * MINUTE, now),
    };
    let logs = Arc::clone(logs);
    let counted = tokio::task::spawn_blocking(move || count(&logs, &group, from, to));
    let (events, fields) = counted
        .await
        .map_err(|failed| Error::Broken(format!("looking at log lines failed: {failed}")))??;
    let mut fields: Vec<(i32, String)> = fields
        .into_iter()
        .map(|(name, count)| (percent(count, events), name))
        .collect();
    fields.sort_by(|(a, left), (b, right)| b.cmp(a).then_with(|| left.cmp(right)));
    let show = |(percent, name)| LogGroupField {
        name: Some(name),
        percent: Some(percent),
    };
    Ok(GetLogGroupFieldsResponse {
        log_group_fields: Some(fields.into_iter().map(show).collect()),
    })
}

fn percent(count: usize, of: usize) -> i32 {
    i32::try_from(count * 100 / of.max(1)).unwrap_or(100)
}

fn count(logs: &Logs, group: &GroupRecord, from: i64, to: i64) -> Result<(usize, BTreeMap<String, usize>)> {
    let from = from.max(group.kept_from(logs.clock.now()));
    let streams = logs.lines.streams(group.id, "")?;
    let read = |(_, stream): &(String, crate::records::StreamRecord)| {
        logs.lines
            .read(group.id, stream.id, (from, 0), (to.saturating_add(1), 0), true)
    };
    let merged = Merged::backward(streams.iter().map(read).collect())?;
    let (mut events, mut fields) = (0, BTreeMap::new());
    for line in merged.take(MAX_EVENTS) {
        let (_, line) = line?;
        events += 1;
        let event = Event {
            timestamp: line.time,
            ingestion_time: line.ingested,
            message: line.message,
            stream: "".into(),
            log: "".into(),
            pointer: String::new(),
        };
        let names: BTreeSet<String> = discovered(&event).into_iter().map(|(name, _)| name).collect();
        for name in names.into_iter().filter(|name| name != "@ptr") {
            if fields.len() < MAX_FIELDS || fields.contains_key(&name) {
                *fields.entry(name).or_default() += 1;
            }
        }
    }
    Ok((events, fields))
}
