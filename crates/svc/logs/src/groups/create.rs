//! CreateLogGroup. A second one of the same name is refused.

use roadstead_api_logs::{CreateLogGroupRequest, LogGroupClass};
use roadstead_base::{Ctx, random_bytes};

use crate::Logs;
use crate::error::{Error, Result, refuse};
use crate::groups::{all_groups, group_key, table};
use crate::records::GroupRecord;
use crate::tags;

pub(crate) async fn create_log_group(logs: &Logs, ctx: &Ctx, input: CreateLogGroupRequest) -> Result<()> {
    let CreateLogGroupRequest {
        log_group_name,
        deletion_protection_enabled,
        kms_key_id,
        log_group_class,
        tags,
    } = input;
    refuse("kmsKeyId", kms_key_id.as_ref())?;
    match log_group_class {
        None | Some(LogGroupClass::Standard) => {}
        Some(other) => return Err(Error::unsupported(format!("logGroupClass {other}"))),
    }
    if log_group_name.starts_with("aws/") {
        return Err(Error::invalid(
            "Log groups starting with AWS/ are reserved for AWS.",
        ));
    }
    let tags = tags.unwrap_or_default();
    tags::check(&tags)?;
    let partition = ctx.partition();
    let groups = table(&logs.store);
    let held = logs.groups.snapshot();
    if held.below(&all_groups(&partition)).count() >= logs.options.max_groups {
        return Err(Error::Limit("Resource limit exceeded.".into()));
    }
    let id = random_bytes::<8>().map_err(|error| Error::Broken(error.to_string()))?;
    let record = GroupRecord {
        name: log_group_name.clone(),
        id: u64::from_be_bytes(id),
        created_at: logs.clock.now(),
        retention_days: None,
        protected: deletion_protection_enabled.unwrap_or_default(),
        tags,
        filters: Default::default(),
        subscriptions: Default::default(),
        policy: None,
    };
    let key = group_key(&partition, &log_group_name);
    if let Some(revision) = groups.insert(&key, &record).await? {
        return Ok(logs.groups.wait_for(revision).await?);
    }
    // Whoever is told so finds it there.
    if let Some(found) = groups.get(&key).await? {
        logs.groups.wait_for(found.revision).await?;
    }
    Err(Error::GroupExists)
}
