//! DescribeLogStreams, in order of names or of the last event.

use roadstead_api_logs::{DescribeLogStreamsRequest, DescribeLogStreamsResponse, LogStream, OrderBy};
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Error, Result};
use crate::names::{group, stream_arn};
use crate::page;
use crate::records::StreamRecord;

pub(crate) async fn describe_log_streams(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse> {
    let DescribeLogStreamsRequest {
        descending,
        limit,
        log_group_identifier,
        log_group_name,
        log_stream_name_prefix,
        next_token,
        order_by,
    } = input;
    let by_time = order_by == Some(OrderBy::LastEventTime);
    if by_time && log_stream_name_prefix.is_some() {
        return Err(Error::invalid(
            "Cannot order by LastEventTime with a logStreamNamePrefix.",
        ));
    }
    let name = group(ctx, log_group_name, log_group_identifier)?;
    let group = logs.group(ctx, &name).await?;
    let prefix = log_stream_name_prefix.unwrap_or_default();
    let descending = descending.unwrap_or_default();
    // A stream without events is older than any other.
    let rank = move |(stream, record): &(String, StreamRecord)| {
        if by_time {
            format!(
                "{:020}/{stream}",
                record.last_event.map_or(0, |time| time.max(0) + 1)
            )
        } else {
            stream.clone()
        }
    };
    let mut streams = logs.lines.streams(group.id, &prefix)?;
    streams.sort_by_cached_key(&rank);
    if descending {
        streams.reverse();
    }
    let order = format!("{by_time}/{descending}");
    let scope = ["DescribeLogStreams", &name, &prefix, &order];
    let (streams, next_token) = page::cut(
        ctx,
        &scope,
        streams,
        rank,
        descending,
        limit,
        next_token.as_deref(),
    )?;
    let partition = ctx.partition();
    let show = |(stream, record): (String, StreamRecord)| LogStream {
        arn: Some(stream_arn(&partition, &name, &stream)),
        creation_time: Some(record.created_at.0),
        first_event_timestamp: record.first_event,
        last_event_timestamp: record.last_event,
        last_ingestion_time: record.last_ingestion.map(|time| time.0),
        log_stream_name: Some(stream),
        // As documented, of streams no longer told.
        stored_bytes: Some(0),
        upload_sequence_token: record.last_ingestion.map(|time| put_token(record.id, time.0)),
    };
    Ok(DescribeLogStreamsResponse {
        log_streams: Some(streams.into_iter().map(show).collect()),
        next_token,
    })
}

/// What PutLogEvents answers as the next sequence token. Nobody needs it any more, as documented.
pub(crate) fn put_token(stream: u64, time: i64) -> String {
    format!("{stream:020}{time:020}")
}
