//! FilterLogEvents: the lines of a group's streams in one order, those that a pattern matches.

use std::sync::Arc;

use roadstead_api_logs::{FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent};
use roadstead_base::Ctx;
use roadstead_log_patterns::Pattern;

use crate::Logs;
use crate::error::{Error, Result, refuse_set};
use crate::lines::merge::Merged;
use crate::lines::{LINE_BYTES, Place, event_id};
use crate::names::group;
use crate::page;

/// Of a page.
const MAX_LINES: usize = 10_000;
const MAX_BYTES: usize = 1_048_576;
/// Lines looked at for one page; what is left is for the next.
const MAX_LOOKED_AT: usize = 500_000;

pub(crate) async fn filter_log_events(
    logs: &Arc<Logs>,
    ctx: &Ctx,
    input: FilterLogEventsRequest,
) -> Result<FilterLogEventsResponse> {
    let FilterLogEventsRequest {
        end_time,
        filter_pattern,
        // Ignored as documented: "the value is assumed to be true".
        interleaved: _ignored,
        limit,
        log_group_identifier,
        log_group_name,
        log_stream_name_prefix,
        log_stream_names,
        next_token,
        start_time,
        unmask,
    } = input;
    refuse_set("unmask", unmask)?;
    if log_stream_names.is_some() && log_stream_name_prefix.is_some() {
        return Err(Error::invalid(
            "logStreamNames and logStreamNamePrefix cannot both be given.",
        ));
    }
    let text = filter_pattern.unwrap_or_default();
    let pattern: Pattern = text
        .parse()
        .map_err(|fault| Error::invalid(format!("Invalid filter pattern: {fault}")))?;
    let name = group(ctx, log_group_name, log_group_identifier)?;
    let group = logs.group(ctx, &name).await?;
    let prefix = log_stream_name_prefix.unwrap_or_default();
    let mut streams = logs.lines.streams(group.id, &prefix)?;
    if let Some(names) = &log_stream_names {
        if names
            .iter()
            .any(|name| !streams.iter().any(|(stream, _)| stream == name))
        {
            return Err(Error::NoSuchStream);
        }
        streams.retain(|(stream, _)| names.contains(stream));
    }
    let wanted = log_stream_names.unwrap_or_default().join(",");
    let scope = ["FilterLogEvents", &name, &prefix, &wanted, &text];
    let after = match page::cursor(ctx, &scope, next_token.as_deref())? {
        Some(cursor) => place(&cursor)?,
        None => (i64::MIN, 0),
    };
    let first = (
        start_time
            .unwrap_or(i64::MIN)
            .max(group.kept_from(logs.clock.now())),
        0,
    );
    let from = first.max(after);
    // Events of the end time itself are returned.
    let to = (end_time.map_or(i64::MAX, |end| end.saturating_add(1)), 0);
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(MAX_LINES)
        .min(MAX_LINES);
    let search = Search {
        logs: Arc::clone(logs),
        group: group.id,
        streams: streams
            .into_iter()
            .map(|(name, stream)| (name, stream.id))
            .collect(),
        pattern,
        from,
        to,
        limit,
    };
    let found = tokio::task::spawn_blocking(move || search.run())
        .await
        .map_err(|failed| Error::Broken(format!("searching log lines failed: {failed}")))??;
    let token = |(time, number): Place| page::token(ctx, &scope, &format!("{time}/{number}"));
    Ok(FilterLogEventsResponse {
        events: Some(found.events),
        next_token: found.rest.map(token),
        // As documented, no longer told.
        searched_log_streams: Some(Vec::new()),
    })
}

fn place(cursor: &str) -> Result<Place> {
    let invalid = || Error::invalid("The specified nextToken is invalid.");
    let (time, number) = cursor.split_once('/').ok_or_else(invalid)?;
    Ok((
        time.parse().map_err(|_| invalid())?,
        number.parse().map_err(|_| invalid())?,
    ))
}

struct Search {
    logs: Arc<Logs>,
    group: u64,
    streams: Vec<(String, u64)>,
    pattern: Pattern,
    from: Place,
    to: Place,
    limit: usize,
}

struct Found {
    events: Vec<FilteredLogEvent>,
    /// Where the next page begins.
    rest: Option<Place>,
}

impl Search {
    fn run(&self) -> Result<Found> {
        let read = |(_, stream): &(String, u64)| {
            self.logs
                .lines
                .read(self.group, *stream, self.from, self.to, false)
        };
        let merged = Merged::of(self.streams.iter().map(read).collect())?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        for (looked_at, line) in merged.enumerate() {
            let (index, line) = line?;
            let here = (line.time, line.number);
            let size = line.message.len() + LINE_BYTES;
            let full = events.len() == self.limit || (bytes + size > MAX_BYTES && !events.is_empty());
            if full || looked_at == MAX_LOOKED_AT {
                return Ok(Found {
                    events,
                    rest: Some(here),
                });
            }
            if self.pattern.matches(&line.message) {
                bytes += size;
                events.push(FilteredLogEvent {
                    event_id: Some(event_id(here)),
                    ingestion_time: Some(line.ingested),
                    log_stream_name: self.streams.get(index).map(|(name, _)| name.clone()),
                    message: Some(line.message),
                    timestamp: Some(line.time),
                });
            }
        }
        Ok(Found { events, rest: None })
    }
}
