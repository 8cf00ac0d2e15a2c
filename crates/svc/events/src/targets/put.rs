//! PutTargets: adds targets to a rule, or replaces those of the same ids.

use roadstead_api_events::{PutTargetsRequest, PutTargetsResponse};
use roadstead_base::Ctx;
use roadstead_store::Change;

use crate::Events;
use crate::error::{Error, Result};
use crate::names;
use crate::records::RuleRecord;
use crate::tables::{self, rule_key};
use crate::targets::MAX_TARGETS;
use crate::targets::accept::accept;

pub(crate) async fn put_targets(
    events: &Events,
    ctx: &Ctx,
    input: PutTargetsRequest,
) -> Result<PutTargetsResponse> {
    let PutTargetsRequest {
        rule,
        targets,
        event_bus_name,
    } = input;
    let bus = names::bus(ctx, event_bus_name.as_deref())?;
    let role = events.rule(ctx, &bus, &rule).await?.value.role_arn;
    let accepted = targets
        .into_iter()
        .map(|target| accept(ctx, target, role.as_deref()))
        .collect::<Result<Vec<_>>>()?;
    for (index, target) in accepted.iter().enumerate() {
        if accepted[..index].iter().any(|other| other.id == target.id) {
            return Err(Error::invalid(format!(
                "The target id {} is there twice.",
                target.id
            )));
        }
    }
    let update = |found: Option<&RuleRecord>| {
        let mut record = found
            .ok_or_else(|| Error::NoSuchRule {
                rule: rule.clone(),
                bus: bus.clone(),
            })?
            .clone();
        for target in &accepted {
            match record.targets.iter_mut().find(|present| present.id == target.id) {
                Some(present) => *present = target.clone(),
                None => record.targets.push(target.clone()),
            }
        }
        if record.targets.len() > MAX_TARGETS {
            return Err(Error::Limit(
                "The requested resource exceeds the maximum number allowed.".into(),
            ));
        }
        Ok(Change::Put(record))
    };
    let key = rule_key(&ctx.partition(), &bus, &rule);
    let updated = tables::rules(&events.store).update(&key, update).await?;
    events.rules.wait_for(updated.revision).await?;
    Ok(PutTargetsResponse {
        failed_entries: Some(Vec::new()),
        failed_entry_count: Some(0),
    })
}
