//! UpdateEventBus: the description, which is all that a bus has here.

use roadstead_api_events::{UpdateEventBusRequest, UpdateEventBusResponse};
use roadstead_base::Ctx;
use roadstead_store::Change;

use crate::Events;
use crate::buses::{refuse_extras, untouched_default};
use crate::error::{Error, Result};
use crate::names::{self, DEFAULT_BUS, bus_arn};
use crate::records::BusRecord;
use crate::tables::{self, bus_key};

pub(crate) async fn update_event_bus(
    events: &Events,
    ctx: &Ctx,
    input: UpdateEventBusRequest,
) -> Result<UpdateEventBusResponse> {
    let UpdateEventBusRequest {
        dead_letter_config,
        description,
        kms_key_identifier,
        log_config,
        name,
    } = input;
    refuse_extras(
        dead_letter_config.as_ref(),
        kms_key_identifier.as_ref(),
        log_config.as_ref(),
    )?;
    let name = names::bus(ctx, name.as_deref())?;
    let partition = ctx.partition();
    let now = events.clock.now();
    let update = |found: Option<&BusRecord>| {
        let mut record = match found {
            Some(record) => record.clone(),
            None if name == DEFAULT_BUS => untouched_default(),
            None => return Err(Error::NoSuchBus(name.clone())),
        };
        record.description = description.clone();
        record.modified_at = now;
        Ok(Change::Put(record))
    };
    let key = bus_key(&partition, &name);
    let updated = tables::buses(&events.store).update(&key, update).await?;
    events.buses.wait_for(updated.revision).await?;
    Ok(UpdateEventBusResponse {
        arn: Some(bus_arn(&partition, &name)),
        description,
        name: Some(name),
        ..Default::default()
    })
}
