//! GetLogEvents: a stream's lines, from either end, forward and backward by tokens that are never null.

use roadstead_api_logs::{GetLogEventsRequest, GetLogEventsResponse, OutputLogEvent};
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Error, Result, refuse_set};
use crate::lines::{LINE_BYTES, Line, Place};
use crate::names::group;
use crate::page;

/// Of a page.
const MAX_LINES: usize = 10_000;
const MAX_BYTES: usize = 1_048_576;

/// What a token says: go on behind a place, or before it.
enum Going {
    Forward(Place),
    Backward(Place),
}

pub(crate) async fn get_log_events(
    logs: &Logs,
    ctx: &Ctx,
    input: GetLogEventsRequest,
) -> Result<GetLogEventsResponse> {
    let GetLogEventsRequest {
        log_stream_name,
        end_time,
        limit,
        log_group_identifier,
        log_group_name,
        next_token,
        start_from_head,
        start_time,
        unmask,
    } = input;
    refuse_set("unmask", unmask)?;
    let name = group(ctx, log_group_name, log_group_identifier)?;
    let group = logs.group(ctx, &name).await?;
    let stream = logs
        .lines
        .stream(group.id, &log_stream_name)?
        .ok_or(Error::NoSuchStream)?;
    let scope = ["GetLogEvents", &name, &log_stream_name];
    let going = next_token
        .as_deref()
        .map(|token| going(ctx, &scope, token))
        .transpose()?;
    let kept_from = group.kept_from(logs.clock.now());
    let first = (start_time.unwrap_or(i64::MIN).max(kept_from), 0);
    let last = (end_time.unwrap_or(i64::MAX), 0);
    let (from, to, backward) = match &going {
        Some(Going::Forward((time, number))) => (first.max((*time, number + 1)), last, false),
        Some(Going::Backward(place)) => (first, last.min(*place), true),
        None => (first, last, !start_from_head.unwrap_or_default()),
    };
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(MAX_LINES)
        .min(MAX_LINES);
    let mut lines: Vec<Line> = Vec::new();
    let mut bytes = 0;
    for line in logs
        .lines
        .read(group.id, stream.id, from, to, backward)
        .take(limit)
    {
        let line = line?;
        bytes += line.message.len() + LINE_BYTES;
        if bytes > MAX_BYTES && !lines.is_empty() {
            break;
        }
        lines.push(line);
    }
    if backward {
        lines.reverse();
    }
    // Of an empty page the tokens stay where they were, or stand at the end that was looked at.
    let stay = match going {
        Some(Going::Forward(place) | Going::Backward(place)) => place,
        None if backward => to,
        None => (from.0, from.1.saturating_sub(1)),
    };
    let place = |line: &Line| (line.time, line.number);
    let (start, end) = match (lines.first(), lines.last()) {
        (Some(first), Some(last)) => (place(first), place(last)),
        _ => (stay, stay),
    };
    let token = |way: &str, (time, number): Place| {
        let cursor = format!("{way}/{time}/{number}");
        format!("{way}/{}", page::token(ctx, &scope, &cursor))
    };
    let show = |line: Line| OutputLogEvent {
        ingestion_time: Some(line.ingested),
        message: Some(line.message),
        timestamp: Some(line.time),
    };
    Ok(GetLogEventsResponse {
        next_backward_token: Some(token("b", start)),
        next_forward_token: Some(token("f", end)),
        events: Some(lines.into_iter().map(show).collect()),
    })
}

fn going(ctx: &Ctx, scope: &[&str], token: &str) -> Result<Going> {
    let invalid = || Error::invalid("The specified nextToken is invalid.");
    let (way, rest) = token.split_once('/').ok_or_else(invalid)?;
    let cursor = page::cursor(ctx, scope, Some(rest))?.ok_or_else(invalid)?;
    let mut parts = cursor.split('/');
    let known = parts.next();
    let time = parts
        .next()
        .and_then(|time| time.parse().ok())
        .ok_or_else(invalid)?;
    let number = parts
        .next()
        .and_then(|number| number.parse().ok())
        .ok_or_else(invalid)?;
    match way {
        "f" if known == Some("f") => Ok(Going::Forward((time, number))),
        "b" if known == Some("b") => Ok(Going::Backward((time, number))),
        _ => Err(invalid()),
    }
}
