//! DescribeResourcePolicies: those of the account in order of their names, or those of groups in order of theirs.

use roadstead_api_logs::{
    DescribeResourcePoliciesRequest, DescribeResourcePoliciesResponse, PolicyScope, ResourcePolicy,
};
use roadstead_base::Ctx;

use super::{account_key, group_of, show, show_of_group};
use crate::Logs;
use crate::error::{Error, Result};
use crate::groups::all_groups;
use crate::page;

pub(crate) fn describe_resource_policies(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeResourcePoliciesRequest,
) -> Result<DescribeResourcePoliciesResponse> {
    let DescribeResourcePoliciesRequest {
        limit,
        next_token,
        policy_scope,
        resource_arn,
    } = input;
    let scope = policy_scope.unwrap_or(PolicyScope::Account);
    let group = resource_arn
        .as_deref()
        .map(|arn| group_of(ctx, arn))
        .transpose()?;
    let found = match (scope, &group) {
        (PolicyScope::Resource, group) => of_groups(logs, ctx, group.as_deref())?,
        (PolicyScope::Account, Some(_)) => {
            return Err(Error::invalid(
                "resourceArn goes with the policyScope RESOURCE: a policy of the account is of no resource.",
            ));
        }
        (PolicyScope::Account, None) => of_account(logs, ctx),
    };
    let filters = [
        "DescribeResourcePolicies",
        scope.as_str(),
        group.as_deref().unwrap_or_default(),
    ];
    let (found, next_token) = page::cut(
        ctx,
        &filters,
        found,
        |(place, _)| place.clone(),
        false,
        limit,
        next_token.as_deref(),
    )?;
    Ok(DescribeResourcePoliciesResponse {
        next_token,
        resource_policies: Some(found.into_iter().map(|(_, policy)| policy).collect()),
    })
}

fn of_account(logs: &Logs, ctx: &Ctx) -> Vec<(String, ResourcePolicy)> {
    let Some(entry) = logs.policies.get(&account_key(&ctx.partition())) else {
        return Vec::new();
    };
    let shown = entry.value.policies.iter();
    shown
        .map(|(name, policy)| (name.clone(), show(name, policy)))
        .collect()
}

/// Of one group, or of all that have one.
fn of_groups(logs: &Logs, ctx: &Ctx, only: Option<&str>) -> Result<Vec<(String, ResourcePolicy)>> {
    let partition = ctx.partition();
    let (snapshot, above) = (logs.groups.snapshot(), all_groups(&partition));
    let groups: Vec<_> = snapshot
        .below(&above)
        .map(|entry| &entry.value)
        .filter(|group| only.is_none_or(|only| group.name == only))
        .collect();
    if groups.is_empty() && only.is_some() {
        return Err(Error::NoSuchGroup);
    }
    let shown = groups.into_iter().filter_map(|group| {
        let policy = group.policy.as_ref()?;
        Some((group.name.clone(), show_of_group(&partition, &group.name, policy)))
    });
    let mut shown: Vec<_> = shown.collect();
    shown.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(shown)
}
