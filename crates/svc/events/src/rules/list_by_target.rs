//! ListRuleNamesByTarget.

use roadstead_api_events::{ListRuleNamesByTargetRequest, ListRuleNamesByTargetResponse};
use roadstead_base::Ctx;

use crate::Events;
use crate::error::Result;
use crate::names;
use crate::page;

pub(crate) async fn list_rule_names_by_target(
    events: &Events,
    ctx: &Ctx,
    input: ListRuleNamesByTargetRequest,
) -> Result<ListRuleNamesByTargetResponse> {
    let ListRuleNamesByTargetRequest {
        target_arn,
        event_bus_name,
        limit,
        next_token,
    } = input;
    let bus = names::bus(ctx, event_bus_name.as_deref())?;
    let mut found: Vec<String> = events
        .rules_on(ctx, &bus)
        .await?
        .into_iter()
        .filter(|rule| rule.targets.iter().any(|target| target.arn == target_arn))
        .map(|rule| rule.name)
        .collect();
    found.sort();
    let scope = ["ListRuleNamesByTarget", &bus, &target_arn];
    let (names, next_token) = page::cut(ctx, &scope, found, |name| name, limit, next_token.as_deref())?;
    Ok(ListRuleNamesByTargetResponse {
        next_token,
        rule_names: Some(names),
    })
}
