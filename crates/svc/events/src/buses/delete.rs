//! DeleteEventBus. A bus with rules stays; one that is not there is as good as deleted.

use roadstead_api_events::DeleteEventBusRequest;
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use crate::Events;
use crate::error::{Error, Result};
use crate::names::{self, DEFAULT_BUS};
use crate::tables::{self, bus_key, rules_of};

pub(crate) async fn delete_event_bus(events: &Events, ctx: &Ctx, input: DeleteEventBusRequest) -> Result<()> {
    let DeleteEventBusRequest { name } = input;
    let name = names::bus(ctx, Some(&name))?;
    if name == DEFAULT_BUS {
        return Err(Error::invalid("Cannot delete event bus default."));
    }
    let partition = ctx.partition();
    let key = bus_key(&partition, &name);
    if tables::buses(&events.store).get(&key).await?.is_none() {
        return Ok(());
    }
    let deleted = Transaction::new(&events.store)
        .compare_none_below(&rules_of(&partition, &name))
        .delete(&key)
        .commit()
        .await?;
    match deleted {
        Outcome::Committed(revision) => Ok(events.buses.wait_for(revision).await?),
        Outcome::Conflict => Err(Error::invalid(format!(
            "Event bus {name} can't be deleted since it has rules."
        ))),
    }
}
