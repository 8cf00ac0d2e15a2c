//! CreateLogStream. A second one of the same name is refused.

use roadstead_api_logs::CreateLogStreamRequest;
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Error, Result};
use crate::records::StreamRecord;

pub(crate) async fn create_log_stream(logs: &Logs, ctx: &Ctx, input: CreateLogStreamRequest) -> Result<()> {
    let CreateLogStreamRequest {
        log_group_name,
        log_stream_name,
    } = input;
    let group = logs.group(ctx, &log_group_name).await?;
    let _locked = logs.lines.lock(group.id, &log_stream_name).await;
    if logs.lines.stream(group.id, &log_stream_name)?.is_some() {
        return Err(Error::StreamExists);
    }
    let record = StreamRecord {
        id: logs.lines.numbers(1).await?,
        created_at: logs.clock.now(),
        first_event: None,
        last_event: None,
        last_ingestion: None,
        bytes: 0,
    };
    logs.lines.put_stream(group.id, &log_stream_name, &record).await
}
