//! Inline policies of users, groups and roles.

use roadstead_api_iam::{
    DeleteGroupPolicyRequest, DeleteRolePolicyRequest, DeleteUserPolicyRequest, GetGroupPolicyRequest,
    GetGroupPolicyResponse, GetRolePolicyRequest, GetRolePolicyResponse, GetUserPolicyRequest,
    GetUserPolicyResponse, ListGroupPoliciesRequest, ListGroupPoliciesResponse, ListRolePoliciesRequest,
    ListRolePoliciesResponse, ListUserPoliciesRequest, ListUserPoliciesResponse, PutGroupPolicyRequest,
    PutRolePolicyRequest, PutUserPolicyRequest,
};
use roadstead_base::Ctx;
use roadstead_policy::{Kind as Document, parse};
use roadstead_protocol::ApiError;

use crate::error::{Result, limit, malformed, none};
use crate::limits;
use crate::ops::attach::{edit_grants, holder};
use crate::page::{Page, page};
use crate::realm::Kind;
use crate::service::Iam;
use crate::show;

fn no_inline(kind: Kind, name: &str) -> ApiError {
    none(&format!("{} policy", kind.word()), name)
}

async fn put(iam: &Iam, ctx: &Ctx, kind: Kind, name: &str, policy: &str, document: &str) -> Result<()> {
    parse(document, Document::Identity).map_err(|error| malformed(&error))?;
    let most = match kind {
        Kind::User => limits::USER_INLINE,
        Kind::Group => limits::GROUP_INLINE,
        _ => limits::ROLE_INLINE,
    };
    edit_grants(iam, ctx, kind, name, |_, grants| {
        grants.inline.insert(policy.to_owned(), document.to_owned());
        let size: usize = grants
            .inline
            .values()
            .map(|document| limits::size(document))
            .sum();
        if size > most {
            return Err(limit(format!(
                "Maximum policy size of {most} bytes exceeded for {} {name}",
                kind.word()
            )));
        }
        Ok(())
    })
    .await
}

async fn delete(iam: &Iam, ctx: &Ctx, kind: Kind, name: &str, policy: &str) -> Result<()> {
    edit_grants(iam, ctx, kind, name, |_, grants| {
        match grants.inline.remove(policy) {
            Some(_) => Ok(()),
            None => Err(no_inline(kind, policy)),
        }
    })
    .await
}

/// Name of the holder, and the document as it travels.
async fn get(iam: &Iam, ctx: &Ctx, kind: Kind, name: &str, policy: &str) -> Result<(String, String)> {
    iam.read(ctx, |realm| {
        let record = holder(realm, kind, name)?;
        let document = record.grants().and_then(|grants| grants.inline.get(policy));
        let document = document.ok_or_else(|| no_inline(kind, policy))?;
        let name = crate::ops::attach::name_of(&record).to_owned();
        Ok((name, show::document(document)))
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
) -> Result<Page<String>> {
    iam.read(ctx, |realm| {
        let record = holder(realm, kind, name)?;
        let grants = record.grants().cloned().unwrap_or_default();
        let items = grants.inline.keys().map(|name| (name.clone(), name.clone()));
        let scope = format!("ListInline/{}/{}", kind.word(), name.to_lowercase());
        page(ctx, &scope, items, marker, max_items)
    })
    .await
}

pub(crate) async fn put_of_user(iam: &Iam, ctx: &Ctx, input: PutUserPolicyRequest) -> Result<()> {
    let PutUserPolicyRequest {
        user_name,
        policy_document,
        policy_name,
    } = input;
    put(iam, ctx, Kind::User, &user_name, &policy_name, &policy_document).await
}

pub(crate) async fn delete_of_user(iam: &Iam, ctx: &Ctx, input: DeleteUserPolicyRequest) -> Result<()> {
    let DeleteUserPolicyRequest {
        user_name,
        policy_name,
    } = input;
    delete(iam, ctx, Kind::User, &user_name, &policy_name).await
}

pub(crate) async fn get_of_user(
    iam: &Iam,
    ctx: &Ctx,
    input: GetUserPolicyRequest,
) -> Result<GetUserPolicyResponse> {
    let GetUserPolicyRequest {
        user_name,
        policy_name,
    } = input;
    let (user_name, policy_document) = get(iam, ctx, Kind::User, &user_name, &policy_name).await?;
    Ok(GetUserPolicyResponse {
        user_name,
        policy_document,
        policy_name,
    })
}

pub(crate) async fn list_of_user(
    iam: &Iam,
    ctx: &Ctx,
    input: ListUserPoliciesRequest,
) -> Result<ListUserPoliciesResponse> {
    let ListUserPoliciesRequest {
        user_name,
        marker,
        max_items,
    } = input;
    let page = list(iam, ctx, Kind::User, &user_name, marker, max_items).await?;
    Ok(ListUserPoliciesResponse {
        policy_names: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub(crate) async fn put_of_group(iam: &Iam, ctx: &Ctx, input: PutGroupPolicyRequest) -> Result<()> {
    let PutGroupPolicyRequest {
        group_name,
        policy_document,
        policy_name,
    } = input;
    put(iam, ctx, Kind::Group, &group_name, &policy_name, &policy_document).await
}

pub(crate) async fn delete_of_group(iam: &Iam, ctx: &Ctx, input: DeleteGroupPolicyRequest) -> Result<()> {
    let DeleteGroupPolicyRequest {
        group_name,
        policy_name,
    } = input;
    delete(iam, ctx, Kind::Group, &group_name, &policy_name).await
}

pub(crate) async fn get_of_group(
    iam: &Iam,
    ctx: &Ctx,
    input: GetGroupPolicyRequest,
) -> Result<GetGroupPolicyResponse> {
    let GetGroupPolicyRequest {
        group_name,
        policy_name,
    } = input;
    let (group_name, policy_document) = get(iam, ctx, Kind::Group, &group_name, &policy_name).await?;
    Ok(GetGroupPolicyResponse {
        group_name,
        policy_document,
        policy_name,
    })
}

pub(crate) async fn list_of_group(
    iam: &Iam,
    ctx: &Ctx,
    input: ListGroupPoliciesRequest,
) -> Result<ListGroupPoliciesResponse> {
    let ListGroupPoliciesRequest {
        group_name,
        marker,
        max_items,
    } = input;
    let page = list(iam, ctx, Kind::Group, &group_name, marker, max_items).await?;
    Ok(ListGroupPoliciesResponse {
        policy_names: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub(crate) async fn put_of_role(iam: &Iam, ctx: &Ctx, input: PutRolePolicyRequest) -> Result<()> {
    let PutRolePolicyRequest {
        role_name,
        policy_document,
        policy_name,
    } = input;
    put(iam, ctx, Kind::Role, &role_name, &policy_name, &policy_document).await
}

pub(crate) async fn delete_of_role(iam: &Iam, ctx: &Ctx, input: DeleteRolePolicyRequest) -> Result<()> {
    let DeleteRolePolicyRequest {
        role_name,
        policy_name,
    } = input;
    delete(iam, ctx, Kind::Role, &role_name, &policy_name).await
}

pub(crate) async fn get_of_role(
    iam: &Iam,
    ctx: &Ctx,
    input: GetRolePolicyRequest,
) -> Result<GetRolePolicyResponse> {
    let GetRolePolicyRequest {
        role_name,
        policy_name,
    } = input;
    let (role_name, policy_document) = get(iam, ctx, Kind::Role, &role_name, &policy_name).await?;
    Ok(GetRolePolicyResponse {
        role_name,
        policy_document,
        policy_name,
    })
}

pub(crate) async fn list_of_role(
    iam: &Iam,
    ctx: &Ctx,
    input: ListRolePoliciesRequest,
) -> Result<ListRolePoliciesResponse> {
    let ListRolePoliciesRequest {
        role_name,
        marker,
        max_items,
    } = input;
    let page = list(iam, ctx, Kind::Role, &role_name, marker, max_items).await?;
    Ok(ListRolePoliciesResponse {
        policy_names: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}
