//! Roles.

use roadstead_api_iam::{
    CreateRoleRequest, CreateRoleResponse, DeleteRoleRequest, GetRoleRequest, GetRoleResponse,
    ListRolesRequest, ListRolesResponse, RoleLastUsed, UpdateAssumeRolePolicyRequest,
    UpdateRoleDescriptionRequest, UpdateRoleDescriptionResponse, UpdateRoleRequest, UpdateRoleResponse,
};
use roadstead_base::Ctx;
use roadstead_policy::{Kind as Document, parse};

use crate::error::{Result, conflict, exists, limit, malformed, quota, unmodifiable, validation};
use crate::ids::unique;
use crate::limits;
use crate::ops::boundaries::checked_boundary;
use crate::ops::tagging::checked_tags;
use crate::ops::users::{NO_PATH, refuse_grants};
use crate::page::page;
use crate::realm::Kind;
use crate::records::{Grants, Record, RoleRecord};
use crate::service::Iam;
use crate::show;

/// Seconds.
pub(crate) const DEFAULT_SESSION: u32 = 3600;
/// Roles below it are services' own.
const LINKED: &str = "/aws-service-role/";

fn checked_trust(name: &str, document: &str) -> Result<()> {
    parse(document, Document::Trust).map_err(|error| malformed(&error))?;
    if limits::size(document) > limits::TRUST {
        let most = limits::TRUST;
        return Err(limit(format!(
            "Cannot exceed quota for ACLSizePerRole: {most} (role {name})"
        )));
    }
    Ok(())
}

pub(crate) async fn create(iam: &Iam, ctx: &Ctx, input: CreateRoleRequest) -> Result<CreateRoleResponse> {
    let CreateRoleRequest {
        assume_role_policy_document,
        role_name,
        description,
        max_session_duration,
        path,
        permissions_boundary,
        tags,
    } = input;
    let path = path.unwrap_or_else(|| NO_PATH.to_owned());
    if path.starts_with(LINKED) {
        return Err(validation(format!(
            "Path {path} is for roles that services make; use CreateServiceLinkedRole."
        )));
    }
    checked_trust(&role_name, &assume_role_policy_document)?;
    let record = RoleRecord {
        name: role_name,
        path,
        id: unique("AROA"),
        created: iam.clock.now(),
        description,
        trust: assume_role_policy_document,
        max_session: max_session_duration.map_or(DEFAULT_SESSION, i32::unsigned_abs),
        tags: checked_tags(Kind::Role, tags)?,
        boundary: permissions_boundary,
        grants: Grants::default(),
        linked: None,
    };
    iam.change(ctx, |realm, plan| {
        if realm.role(&record.name).is_ok() {
            return Err(exists("Role", &record.name));
        }
        if realm.roles().len() >= limits::ROLES {
            return Err(quota("RolesPerAccount", limits::ROLES));
        }
        if let Some(arn) = &record.boundary {
            checked_boundary(realm, arn)?;
        }
        plan.put(Kind::Role, &record.name, Record::Role(record.clone()));
        Ok(CreateRoleResponse {
            role: show::role(realm.keys, &record, true),
        })
    })
    .await
}

pub(crate) async fn get(iam: &Iam, ctx: &Ctx, input: GetRoleRequest) -> Result<GetRoleResponse> {
    let GetRoleRequest { role_name } = input;
    iam.read(ctx, |realm| {
        let mut role = show::role(realm.keys, realm.role(&role_name)?, true);
        role.role_last_used = Some(match iam.last_used(&role.arn) {
            Some(used) => RoleLastUsed {
                last_used_date: Some(show::whole_second(used.at)),
                region: Some(used.region),
            },
            None => RoleLastUsed::default(),
        });
        Ok(GetRoleResponse { role })
    })
    .await
}

pub(crate) async fn list(iam: &Iam, ctx: &Ctx, input: ListRolesRequest) -> Result<ListRolesResponse> {
    let ListRolesRequest {
        marker,
        max_items,
        path_prefix,
    } = input;
    iam.read(ctx, |realm| {
        let prefix = path_prefix.as_deref().unwrap_or(NO_PATH);
        let roles = realm.roles();
        let items = roles
            .iter()
            .filter(|role| role.path.starts_with(prefix))
            .map(|role| (role.name.to_lowercase(), show::role(realm.keys, role, false)));
        let page = page(ctx, &format!("ListRoles/{prefix}"), items, marker, max_items)?;
        Ok(ListRolesResponse {
            roles: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}

/// What a service made for itself is the service's to change.
pub(crate) fn refuse_linked(role: &RoleRecord) -> Result<()> {
    match &role.linked {
        Some(_) => Err(unmodifiable(format!(
            "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
            role.name
        ))),
        None => Ok(()),
    }
}

async fn edit<T>(
    iam: &Iam,
    ctx: &Ctx,
    name: &str,
    edit: impl Fn(&mut RoleRecord) -> Result<()> + Send + Sync,
    answer: impl Fn(&crate::realm::Keys, &RoleRecord) -> T + Send + Sync,
) -> Result<T> {
    iam.change(ctx, |realm, plan| {
        let mut role = realm.role(name)?.clone();
        edit(&mut role)?;
        plan.put(Kind::Role, &role.name.clone(), Record::Role(role.clone()));
        Ok(answer(realm.keys, &role))
    })
    .await
}

pub(crate) async fn update(iam: &Iam, ctx: &Ctx, input: UpdateRoleRequest) -> Result<UpdateRoleResponse> {
    let UpdateRoleRequest {
        role_name,
        description,
        max_session_duration,
    } = input;
    let change = |role: &mut RoleRecord| {
        if let Some(description) = &description {
            role.description = Some(description.clone());
        }
        if let Some(seconds) = max_session_duration {
            refuse_linked(role)?;
            role.max_session = seconds.unsigned_abs();
        }
        Ok(())
    };
    edit(iam, ctx, &role_name, change, |_, _| UpdateRoleResponse {}).await
}

pub(crate) async fn describe(
    iam: &Iam,
    ctx: &Ctx,
    input: UpdateRoleDescriptionRequest,
) -> Result<UpdateRoleDescriptionResponse> {
    let UpdateRoleDescriptionRequest {
        description,
        role_name,
    } = input;
    let change = |role: &mut RoleRecord| {
        role.description = Some(description.clone());
        Ok(())
    };
    let answer = |keys: &crate::realm::Keys, role: &RoleRecord| UpdateRoleDescriptionResponse {
        role: Some(show::role(keys, role, true)),
    };
    edit(iam, ctx, &role_name, change, answer).await
}

pub(crate) async fn update_trust(iam: &Iam, ctx: &Ctx, input: UpdateAssumeRolePolicyRequest) -> Result<()> {
    let UpdateAssumeRolePolicyRequest {
        policy_document,
        role_name,
    } = input;
    checked_trust(&role_name, &policy_document)?;
    let change = |role: &mut RoleRecord| {
        refuse_linked(role)?;
        role.trust.clone_from(&policy_document);
        Ok(())
    };
    edit(iam, ctx, &role_name, change, |_, _| ()).await
}

pub(crate) async fn delete(iam: &Iam, ctx: &Ctx, input: DeleteRoleRequest) -> Result<()> {
    let DeleteRoleRequest { role_name } = input;
    iam.change(ctx, |realm, plan| {
        let role = realm.role(&role_name)?;
        refuse_linked(role)?;
        refuse_grants(&role.grants)?;
        let held = |profile: &&crate::records::ProfileRecord| {
            let name = profile.role.as_ref();
            name.is_some_and(|name| name.eq_ignore_ascii_case(&role.name))
        };
        if realm.profiles().iter().any(held) {
            return Err(conflict(
                "Cannot delete entity, must remove roles from instance profile first.",
            ));
        }
        plan.delete(Kind::Role, &role.name);
        Ok(())
    })
    .await
}
