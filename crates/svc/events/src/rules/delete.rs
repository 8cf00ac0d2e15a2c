//! DeleteRule. A rule with targets stays; one that is not there is as good as deleted.

use roadstead_api_events::DeleteRuleRequest;
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use crate::Events;
use crate::error::{Error, Result};
use crate::names;
use crate::tables::{self, cursor_key, rule_key};

/// How often it is tried while others change the rule.
const MAX_TRIES: usize = 32;

pub(crate) async fn delete_rule(events: &Events, ctx: &Ctx, input: DeleteRuleRequest) -> Result<()> {
    let DeleteRuleRequest {
        name,
        event_bus_name,
        // It is for rules that services made for themselves; there are none here, so it forces nothing.
        force: _force,
    } = input;
    let bus = names::bus(ctx, event_bus_name.as_deref())?;
    events.bus(ctx, &bus).await?;
    let partition = ctx.partition();
    let key = rule_key(&partition, &bus, &name);
    for _ in 0..MAX_TRIES {
        let Some(entry) = tables::rules(&events.store).get(&key).await? else {
            return Ok(());
        };
        if !entry.value.targets.is_empty() {
            return Err(Error::invalid("Rule can't be deleted since it has targets."));
        }
        let deleted = Transaction::new(&events.store)
            .compare_unmodified(&entry)
            .delete(&key)
            .delete(&cursor_key(&partition, &bus, &name))
            .commit()
            .await?;
        if let Outcome::Committed(revision) = deleted {
            events.rules.wait_for(revision).await?;
            return Ok(());
        }
    }
    Err(Error::Contended)
}
