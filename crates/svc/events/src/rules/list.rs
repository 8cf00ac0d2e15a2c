//! ListRules of a bus, in order of names.

use roadstead_api_events::{ListRulesRequest, ListRulesResponse, Rule};
use roadstead_base::Ctx;

use crate::Events;
use crate::error::Result;
use crate::names::{self, rule_arn};
use crate::page;
use crate::records::RuleRecord;

pub(crate) async fn list_rules(
    events: &Events,
    ctx: &Ctx,
    input: ListRulesRequest,
) -> Result<ListRulesResponse> {
    let ListRulesRequest {
        event_bus_name,
        limit,
        name_prefix,
        next_token,
    } = input;
    let bus = names::bus(ctx, event_bus_name.as_deref())?;
    let prefix = name_prefix.unwrap_or_default();
    let mut rules = events.rules_on(ctx, &bus).await?;
    rules.retain(|rule| rule.name.starts_with(&prefix));
    rules.sort_by(|a, b| a.name.cmp(&b.name));
    let scope = ["ListRules", &bus, &prefix];
    let (rules, next_token) = page::cut(
        ctx,
        &scope,
        rules,
        |rule| &rule.name,
        limit,
        next_token.as_deref(),
    )?;
    let partition = ctx.partition();
    let show = |rule: RuleRecord| Rule {
        arn: Some(rule_arn(&partition, &rule.bus, &rule.name)),
        state: Some(rule.state()),
        description: rule.description,
        event_bus_name: Some(rule.bus),
        event_pattern: rule.pattern,
        managed_by: None,
        name: Some(rule.name),
        role_arn: rule.role_arn,
        schedule_expression: rule.schedule,
    };
    Ok(ListRulesResponse {
        next_token,
        rules: Some(rules.into_iter().map(show).collect()),
    })
}
