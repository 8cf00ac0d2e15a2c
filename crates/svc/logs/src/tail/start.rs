//! StartLiveTail: begins a session.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use roadstead_api_logs::{LiveTailSessionStart, StartLiveTailRequest, StartLiveTailResponse};
use roadstead_base::Ctx;
use roadstead_log_patterns::Pattern;
use roadstead_protocol::Event;

use crate::Logs;
use crate::error::{Error, Result};
use crate::names::from_identifier;
use crate::tail::{Streams, Tail, session};

pub(crate) async fn start_live_tail(
    logs: &Arc<Logs>,
    ctx: &Ctx,
    input: StartLiveTailRequest,
) -> Result<StartLiveTailResponse> {
    let StartLiveTailRequest {
        log_group_identifiers,
        log_event_filter_pattern,
        log_stream_name_prefixes,
        log_stream_names,
    } = input;
    let narrowed = log_stream_names.is_some() || log_stream_name_prefixes.is_some();
    if narrowed && log_group_identifiers.len() > 1 {
        return Err(Error::invalid(
            "logStreamNames and logStreamNamePrefixes can be given with one log group only.",
        ));
    }
    let streams = match (log_stream_names.clone(), log_stream_name_prefixes.clone()) {
        (None, None) => Streams::All,
        (Some(names), None) => Streams::Named(names),
        (None, Some(prefixes)) => Streams::Prefixed(prefixes),
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "logStreamNames and logStreamNamePrefixes cannot both be given.",
            ));
        }
    };
    let pattern: Pattern = log_event_filter_pattern
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(|fault| Error::invalid(format!("Invalid logEventFilterPattern: {fault}")))?;
    let mut groups = Vec::new();
    for identifier in &log_group_identifiers {
        if !identifier.starts_with("arn:") || identifier.ends_with('*') {
            return Err(Error::invalid(format!(
                "{identifier} in logGroupIdentifiers is not the ARN of a log group, which does not end in *."
            )));
        }
        let group = logs.group(ctx, &from_identifier(ctx, identifier)?).await?;
        groups.push((group.id, identifier.clone()));
    }
    let tail = Arc::new(Tail {
        partition: ctx.partition(),
        groups,
        streams,
        pattern,
        since: Default::default(),
        over: AtomicBool::new(false),
    });
    logs.tails.join(ctx, &tail)?;
    let start = LiveTailSessionStart {
        log_event_filter_pattern,
        log_group_identifiers: Some(log_group_identifiers),
        log_stream_name_prefixes,
        log_stream_names,
        request_id: Some(ctx.request_id.clone()),
        session_id: Some(roadstead_base::random_uuid()),
    };
    let stream = session::run(logs, tail, Event::new("sessionStart", start));
    Ok(StartLiveTailResponse {
        response_stream: Some(stream),
    })
}
