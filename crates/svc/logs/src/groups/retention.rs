//! PutRetentionPolicy and DeleteRetentionPolicy: for how many days lines are kept. What is older is not read from then
//! on, and cleared away afterwards.

use roadstead_api_logs::{DeleteRetentionPolicyRequest, PutRetentionPolicyRequest};
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Error, Result};

/// As documented.
const DAYS: [i32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

pub(crate) async fn put_retention_policy(
    logs: &Logs,
    ctx: &Ctx,
    input: PutRetentionPolicyRequest,
) -> Result<()> {
    let PutRetentionPolicyRequest {
        log_group_name,
        retention_in_days,
    } = input;
    if !DAYS.contains(&retention_in_days) {
        let days: Vec<String> = DAYS.iter().map(i32::to_string).collect();
        return Err(Error::invalid(format!(
            "1 validation error detected: Value '{retention_in_days}' at 'retentionInDays' failed to satisfy \
             constraint: Member must satisfy enum value set: [{}]",
            days.join(", ")
        )));
    }
    let change = |group: &mut crate::records::GroupRecord| {
        group.retention_days = Some(retention_in_days);
        Ok(())
    };
    logs.change_group(ctx, &log_group_name, change).await
}

pub(crate) async fn delete_retention_policy(
    logs: &Logs,
    ctx: &Ctx,
    input: DeleteRetentionPolicyRequest,
) -> Result<()> {
    let DeleteRetentionPolicyRequest { log_group_name } = input;
    let change = |group: &mut crate::records::GroupRecord| {
        group.retention_days = None;
        Ok(())
    };
    logs.change_group(ctx, &log_group_name, change).await
}
