//! Managed policies of users, groups and roles. Attaching twice and detaching what is there no more differ, as
//! documented: the first is nothing, the second an error.

use roadstead_api_iam::{
    AttachGroupPolicyRequest, AttachRolePolicyRequest, AttachUserPolicyRequest, AttachedPolicy,
    DetachGroupPolicyRequest, DetachRolePolicyRequest, DetachUserPolicyRequest,
    ListAttachedGroupPoliciesRequest, ListAttachedGroupPoliciesResponse, ListAttachedRolePoliciesRequest,
    ListAttachedRolePoliciesResponse, ListAttachedUserPoliciesRequest, ListAttachedUserPoliciesResponse,
};
use roadstead_base::{Arn, Ctx};

use crate::error::{Result, no_policy, none, not_attachable, quota};
use crate::limits;
use crate::ops::policies::bad_arn;
use crate::ops::roles::refuse_linked;
use crate::ops::users::NO_PATH;
use crate::page::{Page, page};
use crate::realm::{Kind, Realm};
use crate::records::{Grants, Record};
use crate::service::Iam;

/// The record of a user, group or role, to change it.
pub(crate) fn holder(realm: &Realm<'_>, kind: Kind, name: &str) -> Result<Record> {
    let entry = realm.entry(kind, name).ok_or_else(|| none(kind.word(), name))?;
    Ok(entry.value.clone())
}

/// Its name as it was given when it was made.
pub(crate) fn name_of(record: &Record) -> &str {
    match record {
        Record::User(user) => &user.name,
        Record::Group(group) => &group.name,
        Record::Role(role) => &role.name,
        Record::Policy(policy) => &policy.name,
        Record::Profile(profile) => &profile.name,
        Record::Provider(provider) => &provider.url,
        Record::Key(key) => &key.id,
        Record::Account(_) => "",
    }
}

/// Changes the policies of a user, group or role.
pub(crate) async fn edit_grants(
    iam: &Iam,
    ctx: &Ctx,
    kind: Kind,
    name: &str,
    edit: impl Fn(&Realm<'_>, &mut Grants) -> Result<()> + Send + Sync,
) -> Result<()> {
    iam.change(ctx, |realm, plan| {
        let mut record = holder(realm, kind, name)?;
        if let Record::Role(role) = &record {
            refuse_linked(role)?;
        }
        let name = name_of(&record).to_owned();
        let grants = record.grants_mut().ok_or_else(|| none(kind.word(), &name))?;
        let before = grants.clone();
        edit(realm, grants)?;
        if *grants != before {
            plan.put(kind, &name, record);
        }
        Ok(())
    })
    .await
}

async fn attach(iam: &Iam, ctx: &Ctx, kind: Kind, name: &str, arn: &str) -> Result<()> {
    edit_grants(iam, ctx, kind, name, |realm, grants| {
        arn.parse::<Arn>().map_err(|_| bad_arn(arn))?;
        if realm.policy(arn).is_none() {
            return Err(not_attachable(arn));
        }
        if grants.attached.iter().any(|attached| attached == arn) {
            return Ok(());
        }
        if grants.attached.len() >= limits::ATTACHED {
            let whose = match kind {
                Kind::User => "PoliciesPerUser",
                Kind::Group => "PoliciesPerGroup",
                _ => "PoliciesPerRole",
            };
            return Err(quota(whose, limits::ATTACHED));
        }
        grants.attached.push(arn.to_owned());
        Ok(())
    })
    .await
}

async fn detach(iam: &Iam, ctx: &Ctx, kind: Kind, name: &str, arn: &str) -> Result<()> {
    edit_grants(iam, ctx, kind, name, |_, grants| {
        if !grants.attached.iter().any(|attached| attached == arn) {
            return Err(no_policy(arn));
        }
        grants.attached.retain(|attached| attached != arn);
        Ok(())
    })
    .await
}

/// What a listing asks for.
struct Asked {
    kind: Kind,
    name: String,
    marker: Option<String>,
    max_items: Option<i32>,
    path_prefix: Option<String>,
}

async fn list(iam: &Iam, ctx: &Ctx, asked: Asked) -> Result<Page<AttachedPolicy>> {
    let Asked {
        kind,
        name,
        marker,
        max_items,
        path_prefix,
    } = asked;
    iam.read(ctx, |realm| {
        let record = holder(realm, kind, &name)?;
        let attached = record
            .grants()
            .map(|grants| grants.attached.clone())
            .unwrap_or_default();
        let prefix = path_prefix.as_deref().unwrap_or(NO_PATH);
        let mut items: Vec<(String, AttachedPolicy)> = attached
            .into_iter()
            .filter(|arn| path_of(arn).starts_with(prefix))
            .map(|arn| {
                let policy = AttachedPolicy {
                    policy_name: arn.rsplit('/').next().map(str::to_owned),
                    policy_arn: Some(arn.clone()),
                };
                (arn, policy)
            })
            .collect();
        items.sort_by(|a, b| a.0.cmp(&b.0));
        let scope = format!("ListAttached/{}/{}/{prefix}", kind.word(), name.to_lowercase());
        page(ctx, &scope, items, marker, max_items)
    })
    .await
}

/// `/service-role/` of `arn:aws:iam::aws:policy/service-role/Name`
pub(crate) fn path_of(arn: &str) -> &str {
    let rest = arn.split_once(":policy").map_or("/", |(_, rest)| rest);
    rest.rfind('/').map_or("/", |end| &rest[..=end])
}

pub(crate) async fn user(iam: &Iam, ctx: &Ctx, input: AttachUserPolicyRequest) -> Result<()> {
    let AttachUserPolicyRequest {
        user_name,
        policy_arn,
    } = input;
    attach(iam, ctx, Kind::User, &user_name, &policy_arn).await
}

pub(crate) async fn detach_user(iam: &Iam, ctx: &Ctx, input: DetachUserPolicyRequest) -> Result<()> {
    let DetachUserPolicyRequest {
        user_name,
        policy_arn,
    } = input;
    detach(iam, ctx, Kind::User, &user_name, &policy_arn).await
}

pub(crate) async fn list_of_user(
    iam: &Iam,
    ctx: &Ctx,
    input: ListAttachedUserPoliciesRequest,
) -> Result<ListAttachedUserPoliciesResponse> {
    let ListAttachedUserPoliciesRequest {
        user_name,
        marker,
        max_items,
        path_prefix,
    } = input;
    let asked = Asked {
        kind: Kind::User,
        name: user_name,
        marker,
        max_items,
        path_prefix,
    };
    let page = list(iam, ctx, asked).await?;
    Ok(ListAttachedUserPoliciesResponse {
        attached_policies: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub(crate) async fn group(iam: &Iam, ctx: &Ctx, input: AttachGroupPolicyRequest) -> Result<()> {
    let AttachGroupPolicyRequest {
        group_name,
        policy_arn,
    } = input;
    attach(iam, ctx, Kind::Group, &group_name, &policy_arn).await
}

pub(crate) async fn detach_group(iam: &Iam, ctx: &Ctx, input: DetachGroupPolicyRequest) -> Result<()> {
    let DetachGroupPolicyRequest {
        group_name,
        policy_arn,
    } = input;
    detach(iam, ctx, Kind::Group, &group_name, &policy_arn).await
}

pub(crate) async fn list_of_group(
    iam: &Iam,
    ctx: &Ctx,
    input: ListAttachedGroupPoliciesRequest,
) -> Result<ListAttachedGroupPoliciesResponse> {
    let ListAttachedGroupPoliciesRequest {
        group_name,
        marker,
        max_items,
        path_prefix,
    } = input;
    let asked = Asked {
        kind: Kind::Group,
        name: group_name,
        marker,
        max_items,
        path_prefix,
    };
    let page = list(iam, ctx, asked).await?;
    Ok(ListAttachedGroupPoliciesResponse {
        attached_policies: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub(crate) async fn role(iam: &Iam, ctx: &Ctx, input: AttachRolePolicyRequest) -> Result<()> {
    let AttachRolePolicyRequest {
        role_name,
        policy_arn,
    } = input;
    attach(iam, ctx, Kind::Role, &role_name, &policy_arn).await
}

pub(crate) async fn detach_role(iam: &Iam, ctx: &Ctx, input: DetachRolePolicyRequest) -> Result<()> {
    let DetachRolePolicyRequest {
        role_name,
        policy_arn,
    } = input;
    detach(iam, ctx, Kind::Role, &role_name, &policy_arn).await
}

pub(crate) async fn list_of_role(
    iam: &Iam,
    ctx: &Ctx,
    input: ListAttachedRolePoliciesRequest,
) -> Result<ListAttachedRolePoliciesResponse> {
    let ListAttachedRolePoliciesRequest {
        role_name,
        marker,
        max_items,
        path_prefix,
    } = input;
    let asked = Asked {
        kind: Kind::Role,
        name: role_name,
        marker,
        max_items,
        path_prefix,
    };
    let page = list(iam, ctx, asked).await?;
    Ok(ListAttachedRolePoliciesResponse {
        attached_policies: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}
