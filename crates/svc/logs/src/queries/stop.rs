//! StopQuery: ends a query that has not ended.

use std::sync::atomic::Ordering;

use roadstead_api_logs::{StopQueryRequest, StopQueryResponse};
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Error, Result};
use crate::queries::key;

pub(crate) fn stop_query(logs: &Logs, ctx: &Ctx, input: StopQueryRequest) -> Result<StopQueryResponse> {
    let StopQueryRequest { query_id } = input;
    logs.query(ctx, &query_id)?;
    let live = logs
        .queries
        .live()
        .get(&key(&ctx.partition(), &query_id))
        .cloned();
    let running = live.filter(|live| !live.cancelled.swap(true, Ordering::AcqRel));
    let running = running.ok_or_else(|| Error::invalid("The specified query is not running."))?;
    running.stopped.notify_one();
    Ok(StopQueryResponse { success: Some(true) })
}
