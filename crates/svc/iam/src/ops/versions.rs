//! Versions of managed policies: five at most, one of them the default, numbers never used again.

use roadstead_api_iam::{
    CreatePolicyVersionRequest, CreatePolicyVersionResponse, DeletePolicyVersionRequest,
    GetPolicyVersionRequest, GetPolicyVersionResponse, ListPolicyVersionsRequest, ListPolicyVersionsResponse,
    PolicyVersion, SetDefaultPolicyVersionRequest,
};
use roadstead_base::Ctx;

use crate::error::{Result, conflict, limit, no_policy, no_version};
use crate::limits;
use crate::managed::{CREATED, Managed};
use crate::ops::policies::{checked_document, to_change};
use crate::page::page;
use crate::realm::{AnyPolicy, Kind};
use crate::records::{Record, VersionRecord};
use crate::service::Iam;
use crate::show;

/// `v3` is 3. Ids may have a suffix in the model, which none here has.
fn number(id: &str) -> Option<u32> {
    id.strip_prefix('v')?.parse().ok()
}

pub(crate) fn only_version(managed: &Managed, whole: bool) -> PolicyVersion {
    let record = VersionRecord {
        number: 1,
        document: managed.document.clone(),
        created: CREATED,
    };
    show::version(&record, 1, whole)
}

pub(crate) async fn create(
    iam: &Iam,
    ctx: &Ctx,
    input: CreatePolicyVersionRequest,
) -> Result<CreatePolicyVersionResponse> {
    let CreatePolicyVersionRequest {
        policy_arn,
        policy_document,
        set_as_default,
    } = input;
    checked_document(&policy_document)?;
    let now = iam.clock.now();
    iam.change(ctx, |realm, plan| {
        let mut policy = to_change(realm, &policy_arn)?.clone();
        if policy.versions.len() >= limits::VERSIONS {
            return Err(limit(
                "A managed policy can have up to 5 versions. Before you create a new version, you must delete an \
                 existing version.",
            ));
        }
        policy.last += 1;
        let version = VersionRecord {
            number: policy.last,
            document: policy_document.clone(),
            created: now,
        };
        policy.versions.push(version.clone());
        policy.updated = now;
        if set_as_default == Some(true) {
            policy.default = version.number;
        }
        let shown = show::version(&version, policy.default, false);
        plan.put(Kind::Policy, &policy.name.clone(), Record::Policy(policy));
        Ok(CreatePolicyVersionResponse {
            policy_version: Some(shown),
        })
    })
    .await
}

pub(crate) async fn get(
    iam: &Iam,
    ctx: &Ctx,
    input: GetPolicyVersionRequest,
) -> Result<GetPolicyVersionResponse> {
    let GetPolicyVersionRequest {
        policy_arn,
        version_id,
    } = input;
    iam.read(ctx, |realm| {
        let found = realm.policy(&policy_arn).ok_or_else(|| no_policy(&policy_arn))?;
        let missing = || no_version(&policy_arn, &version_id);
        let number = number(&version_id).ok_or_else(missing)?;
        let version = match &found {
            AnyPolicy::Everybodys(managed) if number == 1 => only_version(managed, true),
            AnyPolicy::Everybodys(_) => return Err(missing()),
            AnyPolicy::Own(_) => {
                let policy = found.own().ok_or_else(missing)?;
                show::version(policy.version(number).ok_or_else(missing)?, policy.default, true)
            }
        };
        Ok(GetPolicyVersionResponse {
            policy_version: Some(version),
        })
    })
    .await
}

/// Newest first.
pub(crate) async fn list(
    iam: &Iam,
    ctx: &Ctx,
    input: ListPolicyVersionsRequest,
) -> Result<ListPolicyVersionsResponse> {
    let ListPolicyVersionsRequest {
        policy_arn,
        marker,
        max_items,
    } = input;
    iam.read(ctx, |realm| {
        let found = realm.policy(&policy_arn).ok_or_else(|| no_policy(&policy_arn))?;
        let versions = match &found {
            AnyPolicy::Everybodys(managed) => vec![(String::new(), only_version(managed, false))],
            AnyPolicy::Own(_) => {
                let policy = found.own().ok_or_else(|| no_policy(&policy_arn))?;
                let mut versions: Vec<_> = policy.versions.iter().collect();
                versions.sort_by_key(|version| std::cmp::Reverse(version.number));
                let cursor = |number: u32| format!("{:010}", u32::MAX - number);
                versions
                    .iter()
                    .map(|version| {
                        (
                            cursor(version.number),
                            show::version(version, policy.default, false),
                        )
                    })
                    .collect()
            }
        };
        let scope = format!("ListPolicyVersions/{policy_arn}");
        let page = page(ctx, &scope, versions, marker, max_items)?;
        Ok(ListPolicyVersionsResponse {
            versions: Some(page.items),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}

pub(crate) async fn set_default(iam: &Iam, ctx: &Ctx, input: SetDefaultPolicyVersionRequest) -> Result<()> {
    let SetDefaultPolicyVersionRequest {
        policy_arn,
        version_id,
    } = input;
    let now = iam.clock.now();
    iam.change(ctx, |realm, plan| {
        let mut policy = to_change(realm, &policy_arn)?.clone();
        let known = number(&version_id).and_then(|number| policy.version(number));
        let known = known.ok_or_else(|| no_version(&policy_arn, &version_id))?.number;
        if policy.default != known {
            policy.default = known;
            policy.updated = now;
            plan.put(Kind::Policy, &policy.name.clone(), Record::Policy(policy));
        }
        Ok(())
    })
    .await
}

pub(crate) async fn delete(iam: &Iam, ctx: &Ctx, input: DeletePolicyVersionRequest) -> Result<()> {
    let DeletePolicyVersionRequest {
        policy_arn,
        version_id: id,
    } = input;
    iam.change(ctx, |realm, plan| {
        let mut policy = to_change(realm, &policy_arn)?.clone();
        let known = number(&id).and_then(|number| policy.version(number));
        let known = known.ok_or_else(|| no_version(&policy_arn, &id))?.number;
        if policy.default == known {
            return Err(conflict("Cannot delete the default version of a policy."));
        }
        policy.versions.retain(|version| version.number != known);
        plan.put(Kind::Policy, &policy.name.clone(), Record::Policy(policy));
        Ok(())
    })
    .await
}
