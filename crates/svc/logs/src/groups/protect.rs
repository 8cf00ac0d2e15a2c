//! PutLogGroupDeletionProtection: whether a group and its streams can be deleted.

use roadstead_api_logs::PutLogGroupDeletionProtectionRequest;
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::Result;
use crate::names::from_identifier;

pub(crate) async fn put_log_group_deletion_protection(
    logs: &Logs,
    ctx: &Ctx,
    input: PutLogGroupDeletionProtectionRequest,
) -> Result<()> {
    let PutLogGroupDeletionProtectionRequest {
        deletion_protection_enabled,
        log_group_identifier,
    } = input;
    let change = |group: &mut crate::records::GroupRecord| {
        group.protected = deletion_protection_enabled;
        Ok(())
    };
    logs.change_group(ctx, &from_identifier(ctx, &log_group_identifier)?, change)
        .await
}
