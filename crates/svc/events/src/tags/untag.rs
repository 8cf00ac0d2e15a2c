//! UntagResource. Keys that are not there are no error.

use roadstead_api_events::{UntagResourceRequest, UntagResourceResponse};
use roadstead_base::{Ctx, Tags};
use roadstead_store::Change;

use crate::Events;
use crate::error::{Error, Result};
use crate::names::{DEFAULT_BUS, Named, resource};
use crate::tables::{self, bus_key, rule_key};

pub(crate) async fn untag_resource(
    events: &Events,
    ctx: &Ctx,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse> {
    let UntagResourceRequest {
        resource_arn,
        tag_keys,
    } = input;
    let remove = |all: &mut Tags| {
        all.remove(&tag_keys);
        Ok(())
    };
    events.retag(ctx, &resource_arn, remove).await?;
    Ok(UntagResourceResponse {})
}

impl Events {
    /// Changes the tags of a bus or rule.
    pub(crate) async fn retag(
        &self,
        ctx: &Ctx,
        arn: &str,
        mut change: impl FnMut(&mut Tags) -> Result<()>,
    ) -> Result<()> {
        let partition = ctx.partition();
        match resource(ctx, arn)? {
            Named::Bus(name) => {
                let present = self.bus(ctx, &name).await?;
                let key = bus_key(&partition, &name);
                let update = |found: Option<&crate::records::BusRecord>| {
                    let mut record = match found {
                        Some(found) => found.clone(),
                        // The default bus has no record of its own until something is said of it.
                        None if name == DEFAULT_BUS => present.clone(),
                        None => return Err(Error::NoSuchBus(name.clone())),
                    };
                    change(&mut record.tags)?;
                    Ok::<_, Error>(Change::Put(record))
                };
                tables::buses(&self.store).update(&key, update).await?;
            }
            Named::Rule { bus, rule } => {
                let key = rule_key(&partition, &bus, &rule);
                let update = |found: Option<&crate::records::RuleRecord>| {
                    let missing = || Error::NoSuchRule {
                        rule: rule.clone(),
                        bus: bus.clone(),
                    };
                    let mut record = found.ok_or_else(missing)?.clone();
                    change(&mut record.tags)?;
                    Ok::<_, Error>(Change::Put(record))
                };
                tables::rules(&self.store).update(&key, update).await?;
            }
        }
        Ok(())
    }
}
