//! ListEventBuses, in order of names.

use roadstead_api_events::{EventBus, ListEventBusesRequest, ListEventBusesResponse};
use roadstead_base::{Ctx, Timestamp};

use crate::Events;
use crate::buses::untouched_default;
use crate::error::Result;
use crate::names::{DEFAULT_BUS, bus_arn};
use crate::page;
use crate::records::BusRecord;
use crate::tables::{self, all_buses};

pub(crate) async fn list_event_buses(
    events: &Events,
    ctx: &Ctx,
    input: ListEventBusesRequest,
) -> Result<ListEventBusesResponse> {
    let ListEventBusesRequest {
        limit,
        name_prefix,
        next_token,
    } = input;
    let partition = ctx.partition();
    let prefix = name_prefix.unwrap_or_default();
    let (entries, _) = tables::buses(&events.store).all(&all_buses(&partition)).await?;
    let mut buses: Vec<BusRecord> = entries.into_iter().map(|entry| entry.value).collect();
    if !buses.iter().any(|bus| bus.name == DEFAULT_BUS) {
        buses.push(untouched_default());
    }
    buses.retain(|bus| bus.name.starts_with(&prefix));
    buses.sort_by(|a, b| a.name.cmp(&b.name));
    let scope = ["ListEventBuses", &prefix];
    let (buses, next_token) = page::cut(ctx, &scope, buses, |bus| &bus.name, limit, next_token.as_deref())?;
    let known = |time: Timestamp| Some(time).filter(|time| *time != Timestamp(0));
    let show = |bus: BusRecord| EventBus {
        arn: Some(bus_arn(&partition, &bus.name)),
        creation_time: known(bus.created_at),
        description: bus.description,
        last_modified_time: known(bus.modified_at),
        name: Some(bus.name),
        policy: bus.policy,
    };
    Ok(ListEventBusesResponse {
        event_buses: Some(buses.into_iter().map(show).collect()),
        next_token,
    })
}
