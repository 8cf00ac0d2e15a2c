//! DescribeEventBus.

use roadstead_api_events::{DescribeEventBusRequest, DescribeEventBusResponse};
use roadstead_base::{Ctx, Timestamp};

use crate::Events;
use crate::error::Result;
use crate::names::{self, bus_arn};

pub(crate) async fn describe_event_bus(
    events: &Events,
    ctx: &Ctx,
    input: DescribeEventBusRequest,
) -> Result<DescribeEventBusResponse> {
    let DescribeEventBusRequest { name } = input;
    let name = names::bus(ctx, name.as_deref())?;
    let bus = events.bus(ctx, &name).await?;
    let known = |time: Timestamp| Some(time).filter(|time| *time != Timestamp(0));
    Ok(DescribeEventBusResponse {
        arn: Some(bus_arn(&ctx.partition(), &bus.name)),
        creation_time: known(bus.created_at),
        description: bus.description,
        last_modified_time: known(bus.modified_at),
        name: Some(bus.name),
        policy: bus.policy,
        ..Default::default()
    })
}
