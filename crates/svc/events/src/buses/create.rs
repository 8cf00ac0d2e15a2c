//! CreateEventBus. A second one of the same name is refused.

use roadstead_api_events::{CreateEventBusRequest, CreateEventBusResponse};
use roadstead_base::Ctx;

use crate::Events;
use crate::buses::refuse_extras;
use crate::error::{Error, Result, refuse};
use crate::names::{DEFAULT_BUS, bus_arn};
use crate::records::BusRecord;
use crate::tables::{self, all_buses, bus_key};
use crate::tags;

pub(crate) async fn create_event_bus(
    events: &Events,
    ctx: &Ctx,
    input: CreateEventBusRequest,
) -> Result<CreateEventBusResponse> {
    let CreateEventBusRequest {
        name,
        dead_letter_config,
        description,
        event_source_name,
        kms_key_identifier,
        log_config,
        tags,
    } = input;
    refuse("EventSourceName", event_source_name.as_ref())?;
    refuse_extras(
        dead_letter_config.as_ref(),
        kms_key_identifier.as_ref(),
        log_config.as_ref(),
    )?;
    if name.starts_with("aws.") {
        return Err(Error::invalid("EventBus name starting with 'aws.' is not valid."));
    }
    if name.contains('/') {
        return Err(Error::invalid("Event bus name must not contain '/'."));
    }
    if name == DEFAULT_BUS {
        return Err(Error::BusExists(name));
    }
    let partition = ctx.partition();
    let table = tables::buses(&events.store);
    let (all, _) = table.all(&all_buses(&partition)).await?;
    if all.iter().filter(|bus| bus.value.name != DEFAULT_BUS).count() >= events.options.max_buses {
        return Err(Error::Limit(format!(
            "The account has {} event buses in this region, which is as many as it can have.",
            events.options.max_buses
        )));
    }
    let now = events.clock.now();
    let record = BusRecord {
        name: name.clone(),
        description: description.clone(),
        tags: tags::of(tags)?,
        policy: None,
        created_at: now,
        modified_at: now,
    };
    if table
        .insert(&bus_key(&partition, &name), &record)
        .await?
        .is_none()
    {
        return Err(Error::BusExists(name));
    }
    Ok(CreateEventBusResponse {
        description,
        event_bus_arn: Some(bus_arn(&partition, &name)),
        ..Default::default()
    })
}
