//! What needs a service's own role: asked of the service itself, in each region that the account has anything in. Another
//! service joins with a function here and its name in the table of services.

use std::sync::Arc;

use roadstead_api_ecs::ListClustersRequest;
use roadstead_base::Ctx;
use roadstead_dispatch::Dispatcher;
use roadstead_protocol::{ApiError, BoxFuture};

use crate::error::{Result, unanswered};
use crate::records::RoleUse;
use crate::service::Iam;

/// Who asks.
const PRINCIPAL: &str = "iam.amazonaws.com";
/// Resources of a region that are named.
const MAX_NAMED: usize = 100;

/// ARNs, as many as are named at least if there are more.
pub(super) type Ask =
    for<'a> fn(&'a Arc<Dispatcher>, &'a Ctx) -> BoxFuture<'a, std::result::Result<Vec<String>, ApiError>>;

/// By region; none: nothing needs the role.
pub(super) async fn everywhere(iam: &Iam, ctx: &Ctx, ask: Ask) -> Result<Vec<RoleUse>> {
    let Some(dispatcher) = iam.dispatcher() else {
        return Ok(Vec::new());
    };
    let mut uses = Vec::new();
    for region in iam.regions(&ctx.account).await? {
        let there = dispatcher.internal_ctx(PRINCIPAL, ctx.account.clone(), region.clone());
        let mut resources = ask(dispatcher, &there)
            .await
            .map_err(|error| unanswered(&error))?;
        resources.truncate(MAX_NAMED);
        if !resources.is_empty() {
            uses.push(RoleUse {
                region: region.to_string(),
                resources,
            });
        }
    }
    Ok(uses)
}

/// Of the container service, as documented: its role can go once all clusters of all regions have gone.
pub(super) async fn clusters(
    dispatcher: &Arc<Dispatcher>,
    ctx: &Ctx,
) -> std::result::Result<Vec<String>, ApiError> {
    let client = roadstead_api_ecs::Client(dispatcher.clone());
    let mut found = Vec::new();
    let mut next_token = None;
    loop {
        let request = ListClustersRequest {
            max_results: None,
            next_token,
        };
        let page = client.list_clusters(ctx, request).await?;
        found.extend(page.cluster_arns.unwrap_or_default());
        next_token = page.next_token;
        if next_token.is_none() || found.len() >= MAX_NAMED {
            return Ok(found);
        }
    }
}
