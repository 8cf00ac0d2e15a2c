//! PutEvents. Each entry stands for itself: one that is not valid fails alone, with a code of its own.

use std::collections::BTreeMap;

use roadstead_api_events::{
    MODEL, PutEventsRequest, PutEventsRequestEntry, PutEventsResponse, PutEventsResultEntry,
};
use roadstead_base::{Caller, Ctx, Partition, random_uuid};
use roadstead_dispatch::{Keys, denied};
use serde_json::Value as Json;

use crate::Events;
use crate::envelope::Event;
use crate::error::{Error, Result, refuse};
use crate::names;
use crate::publish::Routed;

/// Of all entries together.
const MAX_BYTES: usize = 1024 * 1024;
/// Characters. Source: PutEventsRequestEntry.
const MAX_DETAIL_TYPE: usize = 128;
/// What a time counts, as documented.
const TIME_BYTES: usize = 14;

/// Why an entry failed.
struct Failure {
    code: &'static str,
    message: String,
}

pub(crate) async fn put_events(
    events: &Events,
    ctx: &Ctx,
    input: PutEventsRequest,
) -> Result<PutEventsResponse> {
    let PutEventsRequest { entries, endpoint_id } = input;
    refuse("EndpointId", endpoint_id.as_ref())?;
    if entries.iter().map(size).sum::<usize>() > MAX_BYTES {
        return Err(Error::invalid(
            "Total size of the entries in the request is over the limit.",
        ));
    }
    for (index, entry) in entries.iter().enumerate() {
        refuse(
            &format!("Entries[{index}].TraceHeader"),
            entry.trace_header.as_ref(),
        )?;
        check_foreign(events, ctx, entry)?;
    }
    // An event is of whose call it is, also on another account's bus.
    let partition = ctx.partition();
    let mut results = Vec::with_capacity(entries.len());
    let mut routed: BTreeMap<Partition, Routed> = BTreeMap::new();
    for entry in entries {
        match take(events, ctx, entry).await? {
            Ok((whose, bus, event)) => {
                let found = events.route(&whose, &bus, &event.id, &event.to_json(&partition), &[]);
                routed.entry(whose).or_default().extend(found);
                results.push(PutEventsResultEntry {
                    event_id: Some(event.id),
                    ..Default::default()
                });
            }
            Err(Failure { code, message }) => results.push(PutEventsResultEntry {
                error_code: Some(code.into()),
                error_message: Some(message),
                event_id: None,
            }),
        }
    }
    for (whose, routed) in routed {
        events.owe(&whose, routed).await?;
    }
    let failed = results
        .iter()
        .filter(|result| result.error_code.is_some())
        .count();
    Ok(PutEventsResponse {
        failed_entry_count: i32::try_from(failed).ok(),
        entries: Some(results),
    })
}

async fn take(
    events: &Events,
    ctx: &Ctx,
    entry: PutEventsRequestEntry,
) -> Result<Result<(Partition, String, Event), Failure>> {
    let PutEventsRequestEntry {
        detail,
        detail_type,
        event_bus_name,
        resources,
        source,
        time,
        trace_header: _refused_before,
    } = entry;
    let missing = |member: &str| Failure {
        code: "InvalidArgument",
        message: format!("Parameter {member} is not valid. Reason: {member} is a required argument."),
    };
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let Some(source) = given(source) else {
        return Ok(Err(missing("Source")));
    };
    let Some(detail_type) = given(detail_type) else {
        return Ok(Err(missing("DetailType")));
    };
    let Some(detail) = given(detail) else {
        return Ok(Err(missing("Detail")));
    };
    if detail_type.chars().count() > MAX_DETAIL_TYPE {
        return Ok(Err(Failure {
            code: "InvalidArgument",
            message: format!(
                "Parameter DetailType is not valid. Reason: it is longer than {MAX_DETAIL_TYPE} characters."
            ),
        }));
    }
    if source.starts_with("aws.") && !matches!(ctx.caller, Caller::Service(_)) {
        return Ok(Err(Failure {
            code: "NotAuthorizedForSource",
            message: "Not authorized for the source.".into(),
        }));
    }
    let detail: Json = match serde_json::from_str(&detail) {
        Ok(detail @ Json::Object(_)) => detail,
        _ => {
            return Ok(Err(Failure {
                code: "MalformedDetail",
                message: "Detail is malformed.".into(),
            }));
        }
    };
    let (whose, bus) = names::bus_anywhere(ctx, event_bus_name.as_deref())?;
    if !events.has_bus(&whose, &bus).await? {
        return Ok(Err(Failure {
            code: "ResourceNotFoundException",
            message: Error::NoSuchBus(bus).to_string(),
        }));
    }
    let event = Event {
        id: random_uuid(),
        source,
        detail_type,
        time: time.unwrap_or_else(|| events.clock.now()),
        resources: resources.unwrap_or_default(),
        detail,
    };
    Ok(Ok((whose, bus, event)))
}

/// Whether a bus of another account lets the caller in: the account's root too, whom no policy of its own binds.
fn check_foreign(events: &Events, ctx: &Ctx, entry: &PutEventsRequestEntry) -> Result<()> {
    let given = entry.event_bus_name.as_deref();
    let (whose, bus) = names::bus_anywhere(ctx, given)?;
    if whose == ctx.partition() {
        return Ok(());
    }
    let arn = names::bus_arn(&whose, &bus);
    let keys = keys(entry.source.as_deref(), entry.detail_type.as_deref());
    let policy = events.policy_of(ctx, &arn);
    let decided = events
        .dispatcher
        .decide_across(ctx, "events:PutEvents", &arn, &keys, policy.as_deref());
    decided.map_err(|denial| Error::Other(denied(&MODEL, &denial)))
}

/// What an event says of itself to the conditions of policies.
pub(crate) fn keys(source: Option<&str>, detail_type: Option<&str>) -> Keys {
    let mut keys = Keys::default();
    for (key, value) in [("events:source", source), ("events:detail-type", detail_type)] {
        if let Some(value) = value {
            keys.add(key, value);
        }
    }
    keys
}

/// As documented under "Calculating PutEvents event entry size".
fn size(entry: &PutEventsRequestEntry) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let resources = entry.resources.iter().flatten().map(String::len).sum::<usize>();
    let time = if entry.time.is_some() { TIME_BYTES } else { 0 };
    time + text(&entry.source) + text(&entry.detail_type) + text(&entry.detail) + resources
}
