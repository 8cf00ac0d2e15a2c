//! DescribeQueries: queries that run or ran in the last days, latest first.

use roadstead_api_logs::{DescribeQueriesRequest, DescribeQueriesResponse, QueryInfo, QueryLanguage};
use roadstead_base::Ctx;
use roadstead_store::Key;

use crate::Logs;
use crate::error::Result;
use crate::page;
use crate::queries::{QUERIES, Queries, shown, speaks};
use crate::records::QueryRecord;

pub(crate) fn describe_queries(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeQueriesRequest,
) -> Result<DescribeQueriesResponse> {
    let DescribeQueriesRequest {
        log_group_name,
        max_results,
        next_token,
        query_language,
        status,
    } = input;
    speaks(query_language)?;
    let now = logs.clock.now();
    let all = Key::of(&ctx.partition()).child(QUERIES);
    let live = logs.queries.live();
    let snapshot = logs.queries.records.snapshot();
    let mut queries: Vec<QueryRecord> = snapshot
        .below(&all)
        .filter(|entry| !logs.is_stale(&entry.value, now))
        .map(|entry| Queries::now(&live, &entry.key, &entry.value))
        .filter(|query| status.is_none_or(|status| status == shown(query.status)))
        .filter(|query| {
            log_group_name
                .as_ref()
                .is_none_or(|name| query.groups.contains(name))
        })
        .collect();
    let place = |query: &QueryRecord| format!("{:020}/{}", query.created_at.0, query.id);
    queries.sort_by_cached_key(|query| std::cmp::Reverse(place(query)));
    let wanted = status.map(|status| status.as_str()).unwrap_or_default();
    let scope = ["DescribeQueries", &log_group_name.unwrap_or_default(), wanted];
    let (queries, next_token) = page::cut(
        ctx,
        &scope,
        queries,
        place,
        true,
        max_results,
        next_token.as_deref(),
    )?;
    Ok(DescribeQueriesResponse {
        next_token,
        queries: Some(queries.into_iter().map(show).collect()),
    })
}

fn show(query: QueryRecord) -> QueryInfo {
    let QueryRecord {
        id,
        number: _,
        text,
        groups,
        user,
        status,
        created_at,
        took,
        rows: _,
        bytes: _,
        statistics,
    } = query;
    let ended = !matches!(
        shown(status),
        roadstead_api_logs::QueryStatus::Scheduled | roadstead_api_logs::QueryStatus::Running
    );
    QueryInfo {
        bytes_scanned: Some(statistics.bytes as f64),
        create_time: Some(created_at.0),
        // A query of several groups has none that could be named alone.
        log_group_name: <[String; 1]>::try_from(groups).ok().map(|[name]| name),
        query_duration: Some(took).filter(|_| ended),
        query_id: Some(id),
        query_language: Some(QueryLanguage::Cwli),
        query_string: Some(text),
        status: Some(shown(status)),
        user_identity: Some(user),
    }
}
