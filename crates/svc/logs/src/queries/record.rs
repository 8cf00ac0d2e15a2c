//! GetLogRecord: the whole of an event that a query pointed to.

use std::sync::Arc;

use roadstead_api_logs::{GetLogRecordRequest, GetLogRecordResponse};
use roadstead_base::Ctx;
use roadstead_log_insights::{Event, discovered};

use crate::Logs;
use crate::error::{Error, Result, refuse_set};
use crate::groups::all_groups;
use crate::queries::pointer::Pointer;

pub(crate) fn get_log_record(
    logs: &Logs,
    ctx: &Ctx,
    input: GetLogRecordRequest,
) -> Result<GetLogRecordResponse> {
    let GetLogRecordRequest {
        log_record_pointer,
        unmask,
    } = input;
    refuse_set("unmask", unmask)?;
    let invalid = || Error::invalid("The specified logRecordPointer is invalid.");
    let pointer = Pointer::read(&log_record_pointer).ok_or_else(invalid)?;
    let snapshot = logs.groups.snapshot();
    // Of the caller's own account and region only.
    let group = snapshot
        .below(&all_groups(&ctx.partition()))
        .find(|entry| entry.value.id == pointer.group)
        .map(|entry| entry.value.clone())
        .ok_or(Error::NoSuchRecord)?;
    let streams = logs.lines.streams(group.id, "")?;
    let stream = streams
        .into_iter()
        .find(|(_, stream)| stream.id == pointer.stream);
    let (stream, _) = stream.ok_or(Error::NoSuchRecord)?;
    let line = logs.lines.line(pointer.group, pointer.stream, pointer.place)?;
    let kept_from = group.kept_from(logs.clock.now());
    let line = line
        .filter(|line| line.time >= kept_from)
        .ok_or(Error::NoSuchRecord)?;
    let event = Event {
        timestamp: line.time,
        ingestion_time: line.ingested,
        message: line.message,
        stream: stream.into(),
        log: Arc::from(format!("{}:{}", ctx.account, group.name)),
        pointer: log_record_pointer,
    };
    Ok(GetLogRecordResponse {
        log_record: Some(discovered(&event).into_iter().collect()),
    })
}
