//! Permissions boundaries: a managed policy that limits what a user or role can be allowed.

use roadstead_api_iam::{
    DeleteRolePermissionsBoundaryRequest, DeleteUserPermissionsBoundaryRequest,
    PutRolePermissionsBoundaryRequest, PutUserPermissionsBoundaryRequest,
};
use roadstead_base::{Arn, Ctx};

use crate::error::{Result, no_policy, none};
use crate::ops::policies::bad_arn;
use crate::ops::roles::refuse_linked;
use crate::realm::{Kind, Realm};
use crate::records::Record;
use crate::service::Iam;

pub(crate) fn checked_boundary(realm: &Realm<'_>, arn: &str) -> Result<()> {
    arn.parse::<Arn>().map_err(|_| bad_arn(arn))?;
    match realm.policy(arn) {
        Some(_) => Ok(()),
        None => Err(no_policy(arn)),
    }
}

async fn set_of_user(iam: &Iam, ctx: &Ctx, name: &str, boundary: Option<String>) -> Result<()> {
    iam.change(ctx, |realm, plan| {
        let mut user = realm.user(name)?.clone();
        match &boundary {
            Some(arn) => checked_boundary(realm, arn)?,
            None if user.boundary.is_none() => return Err(none("permissions boundary of the user", name)),
            None => {}
        }
        user.boundary.clone_from(&boundary);
        plan.put(Kind::User, &user.name.clone(), Record::User(user));
        Ok(())
    })
    .await
}

async fn set_of_role(iam: &Iam, ctx: &Ctx, name: &str, boundary: Option<String>) -> Result<()> {
    iam.change(ctx, |realm, plan| {
        let mut role = realm.role(name)?.clone();
        refuse_linked(&role)?;
        match &boundary {
            Some(arn) => checked_boundary(realm, arn)?,
            None if role.boundary.is_none() => return Err(none("permissions boundary of the role", name)),
            None => {}
        }
        role.boundary.clone_from(&boundary);
        plan.put(Kind::Role, &role.name.clone(), Record::Role(role));
        Ok(())
    })
    .await
}

pub(crate) async fn put_of_user(
    iam: &Iam,
    ctx: &Ctx,
    input: PutUserPermissionsBoundaryRequest,
) -> Result<()> {
    let PutUserPermissionsBoundaryRequest {
        permissions_boundary,
        user_name,
    } = input;
    set_of_user(iam, ctx, &user_name, Some(permissions_boundary)).await
}

pub(crate) async fn delete_of_user(
    iam: &Iam,
    ctx: &Ctx,
    input: DeleteUserPermissionsBoundaryRequest,
) -> Result<()> {
    let DeleteUserPermissionsBoundaryRequest { user_name } = input;
    set_of_user(iam, ctx, &user_name, None).await
}

pub(crate) async fn put_of_role(
    iam: &Iam,
    ctx: &Ctx,
    input: PutRolePermissionsBoundaryRequest,
) -> Result<()> {
    let PutRolePermissionsBoundaryRequest {
        permissions_boundary,
        role_name,
    } = input;
    set_of_role(iam, ctx, &role_name, Some(permissions_boundary)).await
}

pub(crate) async fn delete_of_role(
    iam: &Iam,
    ctx: &Ctx,
    input: DeleteRolePermissionsBoundaryRequest,
) -> Result<()> {
    let DeleteRolePermissionsBoundaryRequest { role_name } = input;
    set_of_role(iam, ctx, &role_name, None).await
}
