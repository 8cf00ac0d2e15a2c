//! DeleteSubscriptionFilter: with what was owed to it.

use roadstead_api_logs::DeleteSubscriptionFilterRequest;
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Error, Result};
use crate::lines::FilterKey;
use crate::records::GroupRecord;

pub(crate) async fn delete_subscription_filter(
    logs: &Logs,
    ctx: &Ctx,
    input: DeleteSubscriptionFilterRequest,
) -> Result<()> {
    let DeleteSubscriptionFilterRequest {
        filter_name,
        log_group_name,
    } = input;
    let mut gone = None;
    let change = |group: &mut GroupRecord| {
        let removed = group.subscriptions.remove(&filter_name);
        let removed = removed.ok_or(Error::NoSuchSubscription)?;
        gone = Some(FilterKey {
            group: group.id,
            filter: removed.id,
        });
        Ok(())
    };
    logs.change_group(ctx, &log_group_name, change).await?;
    match gone {
        Some(gone) => logs.lines.forget_owed(gone).await,
        None => Ok(()),
    }
}
