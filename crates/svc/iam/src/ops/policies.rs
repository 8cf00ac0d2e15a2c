//! Managed policies: the account's own can be made and deleted, those that everybody has can be looked at.

use std::collections::HashMap;

use roadstead_api_iam::{
    CreatePolicyRequest, CreatePolicyResponse, DeletePolicyRequest, GetPolicyRequest, GetPolicyResponse,
    ListPoliciesRequest, ListPoliciesResponse, PolicyScopeType, PolicyUsageType,
};
use roadstead_base::{Arn, Ctx};
use roadstead_policy::{Kind as Document, parse};
use roadstead_protocol::ApiError;

use crate::error::{Result, already, conflict, input as invalid, limit, malformed, no_policy, quota};
use crate::ids::unique;
use crate::limits;
use crate::managed;
use crate::ops::tagging::checked_tags;
use crate::ops::users::NO_PATH;
use crate::page::page;
use crate::realm::{AnyPolicy, Kind, Realm};
use crate::records::{PolicyRecord, Record, VersionRecord};
use crate::service::Iam;
use crate::show::{self, Usage};

pub(crate) fn checked_document(document: &str) -> Result<()> {
    parse(document, Document::Identity).map_err(|error| malformed(&error))?;
    if limits::size(document) > limits::MANAGED {
        return Err(limit(format!(
            "Cannot exceed quota for PolicySize: {}",
            limits::MANAGED
        )));
    }
    Ok(())
}

/// A policy of the account's own, to change it.
pub(crate) fn to_change<'a>(realm: &Realm<'a>, arn: &str) -> Result<&'a PolicyRecord> {
    let parsed: Arn = arn.parse().map_err(|_| bad_arn(arn))?;
    if parsed.service != "iam" || parsed.resource_of("policy").is_none() {
        return Err(bad_arn(arn));
    }
    match realm.policy(arn) {
        Some(AnyPolicy::Own(_)) => {
            let name = arn.rsplit('/').next().unwrap_or_default();
            realm.own_policy(name).map_err(|_| no_policy(arn))
        }
        Some(AnyPolicy::Everybodys(_)) => Err(ApiError::new(
            "AccessDenied",
            403,
            format!("Policy {arn} is an AWS managed policy, which nobody but AWS can change."),
        )),
        None => Err(no_policy(arn)),
    }
}

pub(crate) fn bad_arn(arn: &str) -> ApiError {
    invalid(format!("ARN {arn} is not valid."))
}

/// How often every policy is used.
pub(crate) fn usages(realm: &Realm<'_>) -> HashMap<String, Usage> {
    let mut all: HashMap<String, Usage> = HashMap::new();
    let mut attached = |arns: &[String], boundary: Option<&String>| {
        for arn in arns {
            all.entry(arn.clone()).or_default().attached += 1;
        }
        if let Some(arn) = boundary {
            all.entry(arn.clone()).or_default().bounds += 1;
        }
    };
    for user in realm.users() {
        attached(&user.grants.attached, user.boundary.as_ref());
    }
    for group in realm.groups() {
        attached(&group.grants.attached, None);
    }
    for role in realm.roles() {
        attached(&role.grants.attached, role.boundary.as_ref());
    }
    all
}

pub(crate) async fn create(iam: &Iam, ctx: &Ctx, input: CreatePolicyRequest) -> Result<CreatePolicyResponse> {
    let CreatePolicyRequest {
        policy_document,
        policy_name,
        description,
        path,
        tags,
    } = input;
    checked_document(&policy_document)?;
    let now = iam.clock.now();
    let record = PolicyRecord {
        name: policy_name,
        path: path.unwrap_or_else(|| NO_PATH.to_owned()),
        id: unique("ANPA"),
        created: now,
        updated: now,
        description,
        tags: checked_tags(Kind::Policy, tags)?,
        versions: vec![VersionRecord {
            number: 1,
            document: policy_document,
            created: now,
        }],
        default: 1,
        last: 1,
    };
    iam.change(ctx, |realm, plan| {
        if realm.own_policy(&record.name).is_ok() {
            let name = &record.name;
            return Err(already(format!(
                "A policy called {name} already exists. Duplicate names are not allowed."
            )));
        }
        if realm.own_policies().len() >= limits::POLICIES {
            return Err(quota("PoliciesPerAccount", limits::POLICIES));
        }
        plan.put(Kind::Policy, &record.name, Record::Policy(record.clone()));
        // Unlike a list it says the tags, and unlike GetPolicy no description.
        let shown = show::own_policy(realm.keys, &record, Usage::default(), false);
        Ok(CreatePolicyResponse {
            policy: Some(roadstead_api_iam::Policy {
                tags: show::tags(&record.tags),
                ..shown
            }),
        })
    })
    .await
}

pub(crate) async fn get(iam: &Iam, ctx: &Ctx, input: GetPolicyRequest) -> Result<GetPolicyResponse> {
    let GetPolicyRequest { policy_arn } = input;
    iam.read(ctx, |realm| {
        let found = realm.policy(&policy_arn).ok_or_else(|| no_policy(&policy_arn))?;
        let usage = usages(realm).get(&policy_arn).copied().unwrap_or_default();
        let policy = match &found {
            AnyPolicy::Everybodys(managed) => show::everybodys_policy(managed, usage, true),
            AnyPolicy::Own(_) => {
                let record = found.own().ok_or_else(|| no_policy(&policy_arn))?;
                show::own_policy(realm.keys, record, usage, true)
            }
        };
        Ok(GetPolicyResponse { policy: Some(policy) })
    })
    .await
}

pub(crate) async fn list(iam: &Iam, ctx: &Ctx, input: ListPoliciesRequest) -> Result<ListPoliciesResponse> {
    let ListPoliciesRequest {
        marker,
        max_items,
        only_attached,
        path_prefix,
        policy_usage_filter,
        scope,
    } = input;
    iam.read(ctx, |realm| {
        let usages = usages(realm);
        let usage = |arn: &str| usages.get(arn).copied().unwrap_or_default();
        let prefix = path_prefix.as_deref().unwrap_or(NO_PATH);
        let scope = scope.unwrap_or(PolicyScopeType::All);
        let mut all = Vec::new();
        if scope != PolicyScopeType::Aws {
            for record in realm.own_policies() {
                let arn = realm.keys.arn(Kind::Policy, &record.path, &record.name);
                all.push((
                    usage(&arn),
                    show::own_policy(realm.keys, record, usage(&arn), false),
                ));
            }
        }
        if scope != PolicyScopeType::Local {
            for managed in managed::all() {
                let usage = usage(&managed.arn);
                all.push((usage, show::everybodys_policy(managed, usage, false)));
            }
        }
        let wanted = |usage: &Usage| match policy_usage_filter {
            None if only_attached == Some(true) => usage.attached > 0,
            None => true,
            Some(PolicyUsageType::PermissionsPolicy) => only_attached != Some(true) || usage.attached > 0,
            Some(PolicyUsageType::PermissionsBoundary) => usage.bounds > 0,
        };
        let mut items: Vec<_> = all
            .into_iter()
            .filter(|(usage, policy)| {
                wanted(usage) && policy.path.as_ref().is_some_and(|path| path.starts_with(prefix))
            })
            .map(|(_, policy)| (policy.arn.clone().unwrap_or_default(), policy))
            .collect();
        items.sort_by(|a, b| a.0.cmp(&b.0));
        let filters = format!("ListPolicies/{prefix}/{scope}/{only_attached:?}/{policy_usage_filter:?}");
        let page = page(ctx, &filters, items, marker, max_items)?;
        Ok(ListPoliciesResponse {
            policies: Some(page.items),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}

pub(crate) async fn delete(iam: &Iam, ctx: &Ctx, input: DeletePolicyRequest) -> Result<()> {
    let DeletePolicyRequest { policy_arn } = input;
    iam.change(ctx, |realm, plan| {
        let policy = to_change(realm, &policy_arn)?;
        let usage = usages(realm).get(&policy_arn).copied().unwrap_or_default();
        if usage.attached > 0 || usage.bounds > 0 {
            return Err(conflict("Cannot delete a policy attached to entities."));
        }
        if policy.versions.len() > 1 {
            return Err(conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                 versions. The default version is deleted with the policy.",
            ));
        }
        plan.delete(Kind::Policy, &policy.name);
        Ok(())
    })
    .await
}
