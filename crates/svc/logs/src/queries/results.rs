//! GetQueryResults: how a query stands and what it found. There are no rows before it is complete.

use roadstead_api_logs::{
    GetQueryResultsRequest, GetQueryResultsResponse, QueryLanguage, QueryStatistics, ResultField,
};
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Error, Result};
use crate::page;
use crate::queries::shown;
use crate::records::{QueryStatus, Statistics};

/// Rows of a page.
const MAX_ROWS: usize = 10_000;

pub(crate) fn get_query_results(
    logs: &Logs,
    ctx: &Ctx,
    input: GetQueryResultsRequest,
) -> Result<GetQueryResultsResponse> {
    let GetQueryResultsRequest {
        query_id,
        max_items,
        next_token,
    } = input;
    let query = logs.query(ctx, &query_id)?;
    let scope = ["GetQueryResults", &query_id];
    let invalid = |_| Error::invalid("The specified nextToken is invalid.");
    let from: usize = match page::cursor(ctx, &scope, next_token.as_deref())? {
        Some(cursor) => cursor.parse().map_err(invalid)?,
        None => 0,
    };
    let count = max_items
        .and_then(|items| usize::try_from(items).ok())
        .unwrap_or(MAX_ROWS);
    let rows = match query.status {
        QueryStatus::Complete => logs.queries.found.read(query.number, from, count)?,
        _ => Vec::new(),
    };
    let next = from + rows.len();
    let more = query.status == QueryStatus::Complete && next < query.rows;
    let fields = |row: Vec<(String, String)>| {
        let field = |(field, value)| ResultField {
            field: Some(field),
            value: Some(value),
        };
        row.into_iter().map(field).collect()
    };
    Ok(GetQueryResultsResponse {
        encryption_key: None,
        next_token: more.then(|| page::token(ctx, &scope, &next.to_string())),
        query_language: Some(QueryLanguage::Cwli),
        results: Some(rows.into_iter().map(fields).collect()),
        statistics: Some(statistics(query.statistics)),
        status: Some(shown(query.status)),
    })
}

fn statistics(statistics: Statistics) -> QueryStatistics {
    let Statistics {
        scanned,
        matched,
        bytes,
        groups,
    } = statistics;
    QueryStatistics {
        bytes_scanned: Some(bytes as f64),
        // There are no indexes that would let events be skipped.
        estimated_bytes_skipped: Some(0.0),
        estimated_records_skipped: Some(0.0),
        log_groups_scanned: Some(groups as f64),
        records_matched: Some(matched as f64),
        records_scanned: Some(scanned as f64),
    }
}
