//! DeleteResourcePolicy.

use roadstead_api_logs::DeleteResourcePolicyRequest;
use roadstead_base::Ctx;
use roadstead_store::Change;

use super::{PoliciesRecord, account_key, group_of, named, no_revision, table};
use crate::Logs;
use crate::error::{Error, Result};

pub(crate) async fn delete_resource_policy(
    logs: &Logs,
    ctx: &Ctx,
    input: DeleteResourcePolicyRequest,
) -> Result<()> {
    let DeleteResourcePolicyRequest {
        expected_revision_id,
        policy_name,
        resource_arn,
    } = input;
    match resource_arn {
        Some(arn) => {
            let group = group_of(ctx, &arn)?;
            let expected = expected_revision_id
                .ok_or_else(|| Error::invalid("expectedRevisionId is required with resourceArn."))?;
            of_group(logs, ctx, &group, policy_name.as_deref(), &expected).await
        }
        None => {
            no_revision(expected_revision_id.as_ref())?;
            of_account(logs, ctx, &named(policy_name)?).await
        }
    }
}

async fn of_account(logs: &Logs, ctx: &Ctx, name: &str) -> Result<()> {
    let delete = |found: Option<&PoliciesRecord>| {
        let mut record = found.cloned().unwrap_or_default();
        match record.policies.remove(name) {
            None => Err(Error::NoSuchPolicy),
            Some(_) if record.policies.is_empty() => Ok(Change::Delete),
            Some(_) => Ok(Change::Put(record)),
        }
    };
    let updated = table(&logs.store)
        .update(&account_key(&ctx.partition()), delete)
        .await?;
    logs.policies.wait_for(updated.revision).await?;
    Ok(())
}

async fn of_group(logs: &Logs, ctx: &Ctx, group: &str, name: Option<&str>, expected: &str) -> Result<()> {
    logs.change_group(ctx, group, |found| {
        let policy = found.policy.as_ref().ok_or(Error::NoSuchPolicy)?;
        if name.is_some() && policy.name.as_deref() != name {
            return Err(Error::NoSuchPolicy);
        }
        if policy.revision != expected {
            return Err(Error::Contended);
        }
        found.policy = None;
        Ok(())
    })
    .await
}
