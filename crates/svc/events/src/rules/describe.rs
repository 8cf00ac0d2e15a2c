//! DescribeRule.

use roadstead_api_events::{DescribeRuleRequest, DescribeRuleResponse};
use roadstead_base::Ctx;

use crate::Events;
use crate::error::Result;
use crate::names::{self, rule_arn};

pub(crate) async fn describe_rule(
    events: &Events,
    ctx: &Ctx,
    input: DescribeRuleRequest,
) -> Result<DescribeRuleResponse> {
    let DescribeRuleRequest { name, event_bus_name } = input;
    let bus = names::bus(ctx, event_bus_name.as_deref())?;
    let rule = events.rule(ctx, &bus, &name).await?.value;
    Ok(DescribeRuleResponse {
        arn: Some(rule_arn(&ctx.partition(), &rule.bus, &rule.name)),
        created_by: Some(ctx.account.to_string()),
        state: Some(rule.state()),
        description: rule.description,
        event_bus_name: Some(rule.bus),
        event_pattern: rule.pattern,
        managed_by: None,
        name: Some(rule.name),
        role_arn: rule.role_arn,
        schedule_expression: rule.schedule,
    })
}
