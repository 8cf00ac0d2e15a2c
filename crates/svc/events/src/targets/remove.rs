//! RemoveTargets. An id that the rule has not is a failed entry.

use roadstead_api_events::{RemoveTargetsRequest, RemoveTargetsResponse, RemoveTargetsResultEntry};
use roadstead_base::Ctx;
use roadstead_store::Change;

use crate::Events;
use crate::error::{Error, Result};
use crate::names;
use crate::records::RuleRecord;
use crate::tables::{self, rule_key};

pub(crate) async fn remove_targets(
    events: &Events,
    ctx: &Ctx,
    input: RemoveTargetsRequest,
) -> Result<RemoveTargetsResponse> {
    let RemoveTargetsRequest {
        ids,
        rule,
        event_bus_name,
        // For rules that services made for themselves, of which there are none here.
        force: _force,
    } = input;
    let bus = names::bus(ctx, event_bus_name.as_deref())?;
    events.rule(ctx, &bus, &rule).await?;
    let mut missing = Vec::new();
    let update = |found: Option<&RuleRecord>| {
        let mut record = found
            .ok_or_else(|| Error::NoSuchRule {
                rule: rule.clone(),
                bus: bus.clone(),
            })?
            .clone();
        let has = |id: &&String| record.targets.iter().any(|target| target.id == **id);
        missing = ids.iter().filter(|id| !has(id)).cloned().collect();
        record.targets.retain(|target| !ids.contains(&target.id));
        Ok::<_, Error>(Change::Put(record))
    };
    let key = rule_key(&ctx.partition(), &bus, &rule);
    let updated = tables::rules(&events.store).update(&key, update).await?;
    events.rules.wait_for(updated.revision).await?;
    let failed: Vec<_> = missing
        .into_iter()
        .map(|id| RemoveTargetsResultEntry {
            error_code: Some("ResourceNotFoundException".into()),
            error_message: Some(format!("Rule {rule} has no target {id}.")),
            target_id: Some(id),
        })
        .collect();
    Ok(RemoveTargetsResponse {
        failed_entry_count: i32::try_from(failed.len()).ok(),
        failed_entries: Some(failed),
    })
}
