//! Users.

use roadstead_api_iam::{
    CreateUserRequest, CreateUserResponse, DeleteUserRequest, GetUserRequest, GetUserResponse,
    ListUsersRequest, ListUsersResponse, UpdateUserRequest, User,
};
use roadstead_base::{Caller, Ctx, Timestamp};

use crate::error::{Result, conflict, exists, quota, validation};
use crate::ids::unique;
use crate::limits;
use crate::ops::boundaries::checked_boundary;
use crate::ops::tagging::checked_tags;
use crate::page::page;
use crate::realm::{Keys, Kind};
use crate::records::{Grants, Record, UserRecord};
use crate::service::Iam;
use crate::show;

pub(crate) const NO_PATH: &str = "/";

pub(crate) async fn create(iam: &Iam, ctx: &Ctx, input: CreateUserRequest) -> Result<CreateUserResponse> {
    let CreateUserRequest {
        user_name,
        path,
        permissions_boundary,
        tags,
    } = input;
    let record = UserRecord {
        name: user_name,
        path: path.unwrap_or_else(|| NO_PATH.to_owned()),
        id: unique("AIDA"),
        created: iam.clock.now(),
        tags: checked_tags(Kind::User, tags)?,
        boundary: permissions_boundary,
        grants: Grants::default(),
        groups: Vec::new(),
        login: None,
    };
    iam.change(ctx, |realm, plan| {
        if realm.user(&record.name).is_ok() {
            return Err(exists("User", &record.name));
        }
        if realm.users().len() >= limits::USERS {
            return Err(quota("UsersPerAccount", limits::USERS));
        }
        if let Some(arn) = &record.boundary {
            checked_boundary(realm, arn)?;
        }
        plan.put(Kind::User, &record.name, Record::User(record.clone()));
        Ok(CreateUserResponse {
            user: Some(show::user(realm.keys, &record, true)),
        })
    })
    .await
}

/// Without a name: the caller itself.
pub(crate) async fn get(iam: &Iam, ctx: &Ctx, input: GetUserRequest) -> Result<GetUserResponse> {
    let GetUserRequest { user_name } = input;
    let name = match (user_name, &ctx.caller) {
        (Some(name), _) => name,
        (None, Caller::User(user)) => user.name.clone(),
        (None, Caller::Root) => {
            let user = root(&Keys::of(&ctx.account));
            return Ok(GetUserResponse { user });
        }
        (None, _) => return Err(no_user_here()),
    };
    iam.read(ctx, |realm| {
        let user = show::user(realm.keys, realm.user(&name)?, true);
        Ok(GetUserResponse { user })
    })
    .await
}

pub(crate) fn no_user_here() -> roadstead_protocol::ApiError {
    validation("Must specify userName when calling with non-User credentials")
}

fn root(keys: &Keys) -> User {
    User {
        arn: format!("arn:aws:iam::{}:root", keys.account),
        create_date: Timestamp(0),
        path: NO_PATH.to_owned(),
        user_id: keys.account.to_string(),
        user_name: "root".to_owned(),
        password_last_used: None,
        permissions_boundary: None,
        tags: None,
    }
}

pub(crate) async fn list(iam: &Iam, ctx: &Ctx, input: ListUsersRequest) -> Result<ListUsersResponse> {
    let ListUsersRequest {
        marker,
        max_items,
        path_prefix,
    } = input;
    iam.read(ctx, |realm| {
        let prefix = path_prefix.as_deref().unwrap_or(NO_PATH);
        let users = realm.users();
        let items = users
            .iter()
            .filter(|user| user.path.starts_with(prefix))
            .map(|user| (user.name.to_lowercase(), show::user(realm.keys, user, false)));
        let page = page(ctx, &format!("ListUsers/{prefix}"), items, marker, max_items)?;
        Ok(ListUsersResponse {
            users: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}

/// A new name takes the user's keys along.
pub(crate) async fn update(iam: &Iam, ctx: &Ctx, input: UpdateUserRequest) -> Result<()> {
    let UpdateUserRequest {
        user_name,
        new_path,
        new_user_name,
    } = input;
    iam.change(ctx, |realm, plan| {
        let mut user = realm.user(&user_name)?.clone();
        let old = user.name.clone();
        if let Some(path) = &new_path {
            user.path.clone_from(path);
        }
        if let Some(name) = &new_user_name {
            if !name.eq_ignore_ascii_case(&old) && realm.user(name).is_ok() {
                return Err(exists("User", name));
            }
            if name != &old {
                user.name.clone_from(name);
                for key in realm.keys_of(Some(&old)) {
                    let mut key = key.clone();
                    key.user = Some(name.clone());
                    plan.put(Kind::Key, &key.id.clone(), Record::Key(key));
                }
            }
            if !name.eq_ignore_ascii_case(&old) {
                plan.delete(Kind::User, &old);
            }
        }
        plan.put(Kind::User, &user.name.clone(), Record::User(user));
        Ok(())
    })
    .await
}

pub(crate) async fn delete(iam: &Iam, ctx: &Ctx, input: DeleteUserRequest) -> Result<()> {
    let DeleteUserRequest { user_name } = input;
    iam.change(ctx, |realm, plan| {
        let user = realm.user(&user_name)?;
        refuse_grants(&user.grants)?;
        if user.login.is_some() {
            return Err(conflict("Cannot delete entity, must delete login profile first."));
        }
        if !realm.keys_of(Some(&user.name)).is_empty() {
            return Err(conflict("Cannot delete entity, must delete access keys first."));
        }
        if !user.groups.is_empty() {
            return Err(conflict(
                "Cannot delete entity, must remove users from group first.",
            ));
        }
        plan.delete(Kind::User, &user.name);
        Ok(())
    })
    .await
}

/// Whoever still has policies is not deleted.
pub(crate) fn refuse_grants(grants: &Grants) -> Result<()> {
    if !grants.attached.is_empty() {
        return Err(conflict("Cannot delete entity, must detach all policies first."));
    }
    if !grants.inline.is_empty() {
        return Err(conflict("Cannot delete entity, must delete policies first."));
    }
    Ok(())
}
