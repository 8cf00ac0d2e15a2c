//! PutLogEvents. Lines that are too old, too new or past what the group keeps are left out and told by their indexes;
//! the rest is durable when it is answered.

use roadstead_api_logs::{InputLogEvent, PutLogEventsRequest, PutLogEventsResponse, RejectedLogEventsInfo};
use roadstead_base::{Ctx, Timestamp};

use crate::Logs;
use crate::error::{Error, Result, refuse};
use crate::lines::{Arrived, LINE_BYTES};
use crate::records::GroupRecord;
use crate::streams::describe::put_token;
use crate::{filters, subscriptions};

/// Of a request, each line counted with 26 bytes more.
const MAX_BYTES: usize = 1_048_576;
const DAY: i64 = 86_400_000;
const TOO_OLD: i64 = 14 * DAY;
const TOO_NEW: i64 = 2 * 3_600_000;

pub(crate) async fn put_log_events(
    logs: &Logs,
    ctx: &Ctx,
    input: PutLogEventsRequest,
) -> Result<PutLogEventsResponse> {
    let PutLogEventsRequest {
        log_events,
        log_group_name,
        log_stream_name,
        entity,
        // Ignored as documented: "The sequence token is now ignored in PutLogEvents actions."
        sequence_token: _ignored,
    } = input;
    refuse("entity", entity.as_ref())?;
    check(&log_events)?;
    let group = logs.group(ctx, &log_group_name).await?;
    let now = logs.clock.now();
    let _locked = logs.lines.lock(group.id, &log_stream_name).await;
    let stream = logs
        .lines
        .stream(group.id, &log_stream_name)?
        .ok_or(Error::NoSuchStream)?;
    let (rejected, taken) = sort(&log_events, &group, now);
    check_span(&taken)?;
    if !taken.is_empty() {
        let arrived = Arrived {
            group: group.id,
            stream: &log_stream_name,
            record: &stream,
            lines: &taken,
            first: logs.lines.numbers(taken.len() as u64).await?,
            now,
        };
        let owed = subscriptions::owed(ctx, &group, arrived);
        logs.lines.append(arrived, &owed).await?;
        subscriptions::deliver::tell(logs, &owed);
        logs.tails.offer(&group, &log_stream_name, &taken, now);
        filters::publish(logs, ctx, &group, &taken).await;
    }
    Ok(PutLogEventsResponse {
        next_sequence_token: Some(put_token(stream.id, now.0)),
        rejected_entity_info: None,
        rejected_log_events_info: rejected,
    })
}

/// What must hold of a batch as a whole.
fn check(events: &[InputLogEvent]) -> Result<()> {
    let bytes: usize = events.iter().map(|event| event.message.len() + LINE_BYTES).sum();
    if bytes > MAX_BYTES {
        return Err(Error::invalid(format!(
            "Upload too large: {bytes} bytes exceeds limit of {MAX_BYTES}"
        )));
    }
    if events
        .windows(2)
        .any(|pair| pair[0].timestamp > pair[1].timestamp)
    {
        return Err(Error::invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    Ok(())
}

/// As documented, only events that are not too old and not too new count for the time that a batch spans.
fn check_span(taken: &[(i64, &str)]) -> Result<()> {
    match taken {
        [(first, _), .., (last, _)] if last - first > DAY => Err(Error::invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        )),
        _ => Ok(()),
    }
}

/// Those that are taken, in order; and which are not, by the documented indexes into the request.
fn sort<'e>(
    events: &'e [InputLogEvent],
    group: &GroupRecord,
    now: Timestamp,
) -> (Option<RejectedLogEventsInfo>, Vec<(i64, &'e str)>) {
    let index = |count: usize| i32::try_from(count).ok().filter(|count| *count > 0);
    let kept_from = group.kept_from(now);
    let expired = events
        .iter()
        .take_while(|event| event.timestamp < kept_from)
        .count();
    let oldest = now.0 - TOO_OLD;
    let too_old = events.iter().take_while(|event| event.timestamp < oldest).count();
    let newest = now.0 + TOO_NEW;
    let good = events
        .iter()
        .take_while(|event| event.timestamp <= newest)
        .count();
    let taken = events
        .iter()
        .take(good)
        .skip(expired.max(too_old))
        .map(|event| (event.timestamp, event.message.as_str()))
        .collect();
    let rejected = RejectedLogEventsInfo {
        expired_log_event_end_index: index(expired),
        too_new_log_event_start_index: i32::try_from(good).ok().filter(|_| good < events.len()),
        too_old_log_event_end_index: index(too_old),
    };
    (
        Some(rejected).filter(|rejected| *rejected != RejectedLogEventsInfo::default()),
        taken,
    )
}
