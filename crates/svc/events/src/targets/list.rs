//! ListTargetsByRule, in order of ids.

use roadstead_api_events::{ListTargetsByRuleRequest, ListTargetsByRuleResponse};
use roadstead_base::Ctx;

use crate::Events;
use crate::error::Result;
use crate::names;
use crate::page;
use crate::targets::show::show;

pub(crate) async fn list_targets_by_rule(
    events: &Events,
    ctx: &Ctx,
    input: ListTargetsByRuleRequest,
) -> Result<ListTargetsByRuleResponse> {
    let ListTargetsByRuleRequest {
        rule,
        event_bus_name,
        limit,
        next_token,
    } = input;
    let bus = names::bus(ctx, event_bus_name.as_deref())?;
    let mut targets = events.rule(ctx, &bus, &rule).await?.value.targets;
    targets.sort_by(|a, b| a.id.cmp(&b.id));
    let scope = ["ListTargetsByRule", &bus, &rule];
    let (targets, next_token) = page::cut(
        ctx,
        &scope,
        targets,
        |target| &target.id,
        limit,
        next_token.as_deref(),
    )?;
    Ok(ListTargetsByRuleResponse {
        next_token,
        targets: Some(targets.into_iter().map(show).collect::<Result<_>>()?),
    })
}
