//! DeleteMetricFilter.

use roadstead_api_logs::DeleteMetricFilterRequest;
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Error, Result};
use crate::records::GroupRecord;

pub(crate) async fn delete_metric_filter(
    logs: &Logs,
    ctx: &Ctx,
    input: DeleteMetricFilterRequest,
) -> Result<()> {
    let DeleteMetricFilterRequest {
        filter_name,
        log_group_name,
    } = input;
    let change = |group: &mut GroupRecord| match group.filters.remove(&filter_name) {
        Some(_) => Ok(()),
        None => Err(Error::NoSuchFilter),
    };
    logs.change_group(ctx, &log_group_name, change).await
}
