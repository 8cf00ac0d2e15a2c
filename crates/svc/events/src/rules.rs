//! Rules: a pattern, a schedule or both, on a bus; switched on and off; with targets.

pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod list;
pub(crate) mod list_by_target;
pub(crate) mod put;
pub(crate) mod switch;

use roadstead_api_events::RuleState;
use roadstead_base::Ctx;
use roadstead_store::Entry;

use crate::Events;
use crate::error::{Error, Result};
use crate::records::RuleRecord;
use crate::tables::{self, rule_key, rules_of};

impl Events {
    /// A rule that is there, on a bus that is there.
    pub(crate) async fn rule(&self, ctx: &Ctx, bus: &str, rule: &str) -> Result<Entry<RuleRecord>> {
        let key = rule_key(&ctx.partition(), bus, rule);
        match tables::rules(&self.store).get(&key).await? {
            Some(entry) => Ok(entry),
            None => {
                self.bus(ctx, bus).await?;
                Err(Error::NoSuchRule {
                    rule: rule.to_owned(),
                    bus: bus.to_owned(),
                })
            }
        }
    }

    /// Every rule of a bus, in order of names.
    pub(crate) async fn rules_on(&self, ctx: &Ctx, bus: &str) -> Result<Vec<RuleRecord>> {
        self.bus(ctx, bus).await?;
        let (entries, _) = tables::rules(&self.store)
            .all(&rules_of(&ctx.partition(), bus))
            .await?;
        Ok(entries.into_iter().map(|entry| entry.value).collect())
    }
}

impl RuleRecord {
    pub(crate) fn state(&self) -> RuleState {
        match (self.enabled, self.reads) {
            (false, _) => RuleState::Disabled,
            (true, false) => RuleState::Enabled,
            (true, true) => RuleState::EnabledWithAllCloudtrailManagementEvents,
        }
    }
}
