//! EnableRule and DisableRule. A schedule that is enabled begins anew: what it would have done while it was off is
//! not made up for.

use roadstead_api_events::{DisableRuleRequest, EnableRuleRequest};
use roadstead_base::Ctx;
use roadstead_store::Change;

use crate::Events;
use crate::error::{Error, Result};
use crate::names;
use crate::records::RuleRecord;
use crate::tables::{self, rule_key};

pub(crate) async fn enable_rule(events: &Events, ctx: &Ctx, input: EnableRuleRequest) -> Result<()> {
    let EnableRuleRequest { name, event_bus_name } = input;
    switch(events, ctx, event_bus_name.as_deref(), &name, true).await
}

pub(crate) async fn disable_rule(events: &Events, ctx: &Ctx, input: DisableRuleRequest) -> Result<()> {
    let DisableRuleRequest { name, event_bus_name } = input;
    switch(events, ctx, event_bus_name.as_deref(), &name, false).await
}

async fn switch(events: &Events, ctx: &Ctx, bus: Option<&str>, rule: &str, enabled: bool) -> Result<()> {
    let bus = names::bus(ctx, bus)?;
    events.rule(ctx, &bus, rule).await?;
    let now = events.clock.now();
    let update = |found: Option<&RuleRecord>| match found {
        None => Err(Error::NoSuchRule {
            rule: rule.to_owned(),
            bus: bus.clone(),
        }),
        Some(found) if found.enabled == enabled && !found.reads => Ok(Change::Keep),
        Some(found) if found.enabled == enabled => Ok(Change::Put(RuleRecord {
            reads: false,
            ..found.clone()
        })),
        Some(found) => Ok(Change::Put(RuleRecord {
            enabled,
            reads: false,
            anchor: now,
            ..found.clone()
        })),
    };
    let key = rule_key(&ctx.partition(), &bus, rule);
    let updated = tables::rules(&events.store).update(&key, update).await?;
    events.rules.wait_for(updated.revision).await?;
    Ok(())
}
