//! Tags. Keys of users and roles are one whatever their case, and keep the case of the last who set them; keys of
//! other resources differ by their case.

use roadstead_api_iam::{
    ListInstanceProfileTagsRequest, ListInstanceProfileTagsResponse, ListOpenIDConnectProviderTagsRequest,
    ListOpenIDConnectProviderTagsResponse, ListPolicyTagsRequest, ListPolicyTagsResponse,
    ListRoleTagsRequest, ListRoleTagsResponse, ListUserTagsRequest, ListUserTagsResponse, Tag,
    TagInstanceProfileRequest, TagOpenIDConnectProviderRequest, TagPolicyRequest, TagRoleRequest,
    TagUserRequest, UntagInstanceProfileRequest, UntagOpenIDConnectProviderRequest, UntagPolicyRequest,
    UntagRoleRequest, UntagUserRequest,
};
use roadstead_base::Ctx;

use crate::error::{Result, input as invalid, limit};
use crate::limits;
use crate::ops::policies::to_change;
use crate::ops::providers::found as found_provider;
use crate::ops::roles::refuse_linked;
use crate::page::{Page, page};
use crate::realm::{Kind, Realm};
use crate::records::{Record, Tags};
use crate::service::Iam;
use crate::show::all_tags;

/// Whether two keys are one: whatever their case for users and roles, only as they are for other resources.
fn same_key(kind: Kind, a: &str, b: &str) -> bool {
    match kind {
        Kind::User | Kind::Role => a.eq_ignore_ascii_case(b),
        _ => a == b,
    }
}

/// Tags of a request about a resource of that kind.
pub(crate) fn checked_tags(kind: Kind, tags: Option<Vec<Tag>>) -> Result<Tags> {
    let mut all: Tags = Vec::new();
    for Tag { key, value } in tags.unwrap_or_default() {
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys that begin with aws: are reserved for AWS."));
        }
        if all.iter().any(|(other, _)| same_key(kind, other, &key)) {
            return Err(invalid(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        all.push((key, value));
    }
    too_many(&all)?;
    Ok(all)
}

fn too_many(tags: &Tags) -> Result<()> {
    match tags.len() > limits::TAGS {
        true => Err(limit("The number of tags has reached the maximum limit.")),
        false => Ok(()),
    }
}

fn merge(kind: Kind, tags: &mut Tags, new: &Tags) -> Result<()> {
    for (key, value) in new {
        tags.retain(|(other, _)| !same_key(kind, other, key));
        tags.push((key.clone(), value.clone()));
    }
    too_many(tags)
}

fn strip(kind: Kind, tags: &mut Tags, keys: &[String]) {
    tags.retain(|(key, _)| !keys.iter().any(|gone| same_key(kind, key, gone)));
}

/// The record that is tagged; of a policy or provider its ARN is the name.
fn tagged(realm: &Realm<'_>, kind: Kind, name: &str) -> Result<Record> {
    Ok(match kind {
        Kind::User => Record::User(realm.user(name)?.clone()),
        Kind::Role => {
            let role = realm.role(name)?;
            refuse_linked(role)?;
            Record::Role(role.clone())
        }
        Kind::Policy => Record::Policy(to_change(realm, name)?.clone()),
        Kind::Provider => Record::Provider(found_provider(realm, name)?.clone()),
        _ => Record::Profile(realm.profile(name)?.clone()),
    })
}

fn tags_of(record: &mut Record) -> Option<&mut Tags> {
    match record {
        Record::User(user) => Some(&mut user.tags),
        Record::Role(role) => Some(&mut role.tags),
        Record::Policy(policy) => Some(&mut policy.tags),
        Record::Profile(profile) => Some(&mut profile.tags),
        Record::Provider(provider) => Some(&mut provider.tags),
        _ => None,
    }
}

async fn edit(
    iam: &Iam,
    ctx: &Ctx,
    kind: Kind,
    name: &str,
    edit: impl Fn(&mut Tags) -> Result<()> + Send + Sync,
) -> Result<()> {
    iam.change(ctx, |realm, plan| {
        let mut record = tagged(realm, kind, name)?;
        let Some(tags) = tags_of(&mut record) else {
            return Ok(());
        };
        let before = tags.clone();
        edit(tags)?;
        if *tags != before {
            let name = crate::ops::attach::name_of(&record).to_owned();
            plan.put(kind, &name, record);
        }
        Ok(())
    })
    .await
}

async fn list(
    iam: &Iam,
    ctx: &Ctx,
    kind: Kind,
    name: &str,
    marker: Option<String>,
    max_items: Option<i32>,
) -> Result<Page<Tag>> {
    iam.read(ctx, |realm| {
        let tags = match kind {
            Kind::User => realm.user(name)?.tags.clone(),
            Kind::Role => realm.role(name)?.tags.clone(),
            Kind::Profile => realm.profile(name)?.tags.clone(),
            Kind::Provider => found_provider(realm, name)?.tags.clone(),
            _ => {
                let found = realm.policy(name);
                let found = found.ok_or_else(|| crate::error::no_policy(name))?;
                found.own().map(|policy| policy.tags.clone()).unwrap_or_default()
            }
        };
        let mut items: Vec<_> = all_tags(&tags)
            .into_iter()
            .map(|tag| (format!("{}\u{0}{}", tag.key.to_lowercase(), tag.key), tag))
            .collect();
        items.sort_by(|a, b| a.0.cmp(&b.0));
        let scope = format!("ListTags/{}/{}", kind.word(), name.to_lowercase());
        page(ctx, &scope, items, marker, max_items)
    })
    .await
}

pub(crate) async fn tag_user(iam: &Iam, ctx: &Ctx, input: TagUserRequest) -> Result<()> {
    let TagUserRequest { user_name, tags } = input;
    let new = checked_tags(Kind::User, Some(tags))?;
    edit(iam, ctx, Kind::User, &user_name, |tags| {
        merge(Kind::User, tags, &new)
    })
    .await
}

pub(crate) async fn untag_user(iam: &Iam, ctx: &Ctx, input: UntagUserRequest) -> Result<()> {
    let UntagUserRequest { user_name, tag_keys } = input;
    let change = |tags: &mut Tags| {
        strip(Kind::User, tags, &tag_keys);
        Ok(())
    };
    edit(iam, ctx, Kind::User, &user_name, change).await
}

pub(crate) async fn list_of_user(
    iam: &Iam,
    ctx: &Ctx,
    input: ListUserTagsRequest,
) -> Result<ListUserTagsResponse> {
    let ListUserTagsRequest {
        user_name,
        marker,
        max_items,
    } = input;
    let page = list(iam, ctx, Kind::User, &user_name, marker, max_items).await?;
    Ok(ListUserTagsResponse {
        tags: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub(crate) async fn tag_role(iam: &Iam, ctx: &Ctx, input: TagRoleRequest) -> Result<()> {
    let TagRoleRequest { role_name, tags } = input;
    let new = checked_tags(Kind::Role, Some(tags))?;
    edit(iam, ctx, Kind::Role, &role_name, |tags| {
        merge(Kind::Role, tags, &new)
    })
    .await
}

pub(crate) async fn untag_role(iam: &Iam, ctx: &Ctx, input: UntagRoleRequest) -> Result<()> {
    let UntagRoleRequest { role_name, tag_keys } = input;
    let change = |tags: &mut Tags| {
        strip(Kind::Role, tags, &tag_keys);
        Ok(())
    };
    edit(iam, ctx, Kind::Role, &role_name, change).await
}

pub(crate) async fn list_of_role(
    iam: &Iam,
    ctx: &Ctx,
    input: ListRoleTagsRequest,
) -> Result<ListRoleTagsResponse> {
    let ListRoleTagsRequest {
        role_name,
        marker,
        max_items,
    } = input;
    let page = list(iam, ctx, Kind::Role, &role_name, marker, max_items).await?;
    Ok(ListRoleTagsResponse {
        tags: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub(crate) async fn tag_policy(iam: &Iam, ctx: &Ctx, input: TagPolicyRequest) -> Result<()> {
    let TagPolicyRequest { policy_arn, tags } = input;
    let new = checked_tags(Kind::Policy, Some(tags))?;
    edit(iam, ctx, Kind::Policy, &policy_arn, |tags| {
        merge(Kind::Policy, tags, &new)
    })
    .await
}

pub(crate) async fn untag_policy(iam: &Iam, ctx: &Ctx, input: UntagPolicyRequest) -> Result<()> {
    let UntagPolicyRequest { policy_arn, tag_keys } = input;
    let change = |tags: &mut Tags| {
        strip(Kind::Policy, tags, &tag_keys);
        Ok(())
    };
    edit(iam, ctx, Kind::Policy, &policy_arn, change).await
}

pub(crate) async fn list_of_policy(
    iam: &Iam,
    ctx: &Ctx,
    input: ListPolicyTagsRequest,
) -> Result<ListPolicyTagsResponse> {
    let ListPolicyTagsRequest {
        policy_arn,
        marker,
        max_items,
    } = input;
    let page = list(iam, ctx, Kind::Policy, &policy_arn, marker, max_items).await?;
    Ok(ListPolicyTagsResponse {
        tags: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub(crate) async fn tag_profile(iam: &Iam, ctx: &Ctx, input: TagInstanceProfileRequest) -> Result<()> {
    let TagInstanceProfileRequest {
        instance_profile_name,
        tags,
    } = input;
    let new = checked_tags(Kind::Profile, Some(tags))?;
    edit(iam, ctx, Kind::Profile, &instance_profile_name, |tags| {
        merge(Kind::Profile, tags, &new)
    })
    .await
}

pub(crate) async fn untag_profile(iam: &Iam, ctx: &Ctx, input: UntagInstanceProfileRequest) -> Result<()> {
    let UntagInstanceProfileRequest {
        instance_profile_name,
        tag_keys,
    } = input;
    let change = |tags: &mut Tags| {
        strip(Kind::Profile, tags, &tag_keys);
        Ok(())
    };
    edit(iam, ctx, Kind::Profile, &instance_profile_name, change).await
}

pub(crate) async fn list_of_profile(
    iam: &Iam,
    ctx: &Ctx,
    input: ListInstanceProfileTagsRequest,
) -> Result<ListInstanceProfileTagsResponse> {
    let ListInstanceProfileTagsRequest {
        instance_profile_name,
        marker,
        max_items,
    } = input;
    let page = list(iam, ctx, Kind::Profile, &instance_profile_name, marker, max_items).await?;
    Ok(ListInstanceProfileTagsResponse {
        tags: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub(crate) async fn tag_provider(iam: &Iam, ctx: &Ctx, input: TagOpenIDConnectProviderRequest) -> Result<()> {
    let TagOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: arn,
        tags,
    } = input;
    let new = checked_tags(Kind::Provider, Some(tags))?;
    let change = |tags: &mut Tags| merge(Kind::Provider, tags, &new);
    edit(iam, ctx, Kind::Provider, &arn, change).await
}

pub(crate) async fn untag_provider(
    iam: &Iam,
    ctx: &Ctx,
    input: UntagOpenIDConnectProviderRequest,
) -> Result<()> {
    let UntagOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: arn,
        tag_keys,
    } = input;
    let change = |tags: &mut Tags| {
        strip(Kind::Provider, tags, &tag_keys);
        Ok(())
    };
    edit(iam, ctx, Kind::Provider, &arn, change).await
}

pub(crate) async fn list_of_provider(
    iam: &Iam,
    ctx: &Ctx,
    input: ListOpenIDConnectProviderTagsRequest,
) -> Result<ListOpenIDConnectProviderTagsResponse> {
    let ListOpenIDConnectProviderTagsRequest {
        open_id_connect_provider_arn: arn,
        marker,
        max_items,
    } = input;
    let page = list(iam, ctx, Kind::Provider, &arn, marker, max_items).await?;
    Ok(ListOpenIDConnectProviderTagsResponse {
        tags: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}
