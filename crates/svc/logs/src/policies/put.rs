//! PutResourcePolicy: a policy of the account by its name, or that of a group by the revision that it replaces.

use roadstead_api_logs::{PutResourcePolicyRequest, PutResourcePolicyResponse};
use roadstead_base::Ctx;
use roadstead_store::Change;

use super::{
    GroupPolicyRecord, MAX_DOCUMENT, MAX_POLICIES, PoliciesRecord, PolicyRecord, account_key, check,
    group_of, named, no_revision, show, show_of_group, table,
};
use crate::Logs;
use crate::error::{Error, Result};

pub(crate) async fn put_resource_policy(
    logs: &Logs,
    ctx: &Ctx,
    input: PutResourcePolicyRequest,
) -> Result<PutResourcePolicyResponse> {
    let PutResourcePolicyRequest {
        expected_revision_id,
        policy_document,
        policy_name,
        resource_arn,
    } = input;
    let document = policy_document.ok_or_else(|| Error::invalid("policyDocument is required."))?;
    let policy = PolicyRecord {
        document,
        updated_at: logs.clock.now(),
    };
    match resource_arn {
        Some(arn) => {
            check(&policy.document)?;
            let group = group_of(ctx, &arn)?;
            let record = GroupPolicyRecord {
                name: policy_name,
                policy,
                revision: roadstead_base::random_uuid(),
            };
            of_group(logs, ctx, &group, expected_revision_id.as_deref(), record).await
        }
        None => {
            no_revision(expected_revision_id.as_ref())?;
            of_account(logs, ctx, &named(policy_name)?, policy).await
        }
    }
}

async fn of_account(
    logs: &Logs,
    ctx: &Ctx,
    name: &str,
    policy: PolicyRecord,
) -> Result<PutResourcePolicyResponse> {
    let characters = policy.document.chars().count();
    if characters > MAX_DOCUMENT {
        return Err(Error::invalid(format!(
            "The policy document has {characters} characters; that of a policy of the account has at most {MAX_DOCUMENT}."
        )));
    }
    check(&policy.document)?;
    let put = |found: Option<&PoliciesRecord>| {
        let mut record = found.cloned().unwrap_or_default();
        record.policies.insert(name.to_owned(), policy.clone());
        match record.policies.len() > MAX_POLICIES {
            true => Err(Error::Limit("Resource limit exceeded.".into())),
            false => Ok(Change::Put(record)),
        }
    };
    let updated = table(&logs.store)
        .update(&account_key(&ctx.partition()), put)
        .await?;
    logs.policies.wait_for(updated.revision).await?;
    Ok(PutResourcePolicyResponse {
        resource_policy: Some(show(name, &policy)),
        revision_id: None,
    })
}

async fn of_group(
    logs: &Logs,
    ctx: &Ctx,
    group: &str,
    expected: Option<&str>,
    record: GroupPolicyRecord,
) -> Result<PutResourcePolicyResponse> {
    logs.change_group(ctx, group, |found| {
        let revision = found.policy.as_ref().map(|policy| policy.revision.as_str());
        if revision != expected {
            return Err(Error::Contended);
        }
        found.policy = Some(record.clone());
        Ok(())
    })
    .await?;
    Ok(PutResourcePolicyResponse {
        resource_policy: Some(show_of_group(&ctx.partition(), group, &record)),
        revision_id: Some(record.revision),
    })
}
