//! ListLogGroupsForQuery: the groups that a query looks at, in order of names.

use roadstead_api_logs::{ListLogGroupsForQueryRequest, ListLogGroupsForQueryResponse};
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::Result;
use crate::page;

pub(crate) fn list_log_groups_for_query(
    logs: &Logs,
    ctx: &Ctx,
    input: ListLogGroupsForQueryRequest,
) -> Result<ListLogGroupsForQueryResponse> {
    let ListLogGroupsForQueryRequest {
        query_id,
        max_results,
        next_token,
    } = input;
    // By name: they are the caller's own. They were ordered when the query was asked.
    let groups = logs.query(ctx, &query_id)?.groups;
    let scope = ["ListLogGroupsForQuery", &query_id];
    let (groups, next_token) = page::cut(
        ctx,
        &scope,
        groups,
        |name: &String| name.clone(),
        false,
        max_results,
        next_token.as_deref(),
    )?;
    Ok(ListLogGroupsForQueryResponse {
        log_group_identifiers: Some(groups),
        next_token,
    })
}
