//! DeleteLogStream: the stream with its lines.

use roadstead_api_logs::DeleteLogStreamRequest;
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Error, Result};

pub(crate) async fn delete_log_stream(logs: &Logs, ctx: &Ctx, input: DeleteLogStreamRequest) -> Result<()> {
    let DeleteLogStreamRequest {
        log_group_name,
        log_stream_name,
    } = input;
    let group = logs.group(ctx, &log_group_name).await?;
    if group.protected {
        return Err(Error::Protected);
    }
    let _locked = logs.lines.lock(group.id, &log_stream_name).await;
    let stream = logs
        .lines
        .stream(group.id, &log_stream_name)?
        .ok_or(Error::NoSuchStream)?;
    logs.lines
        .drop_stream(group.id, &log_stream_name, stream.id)
        .await
}
