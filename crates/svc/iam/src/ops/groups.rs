//! Groups, and who is in them. A user's record holds the ids of its groups, so that a group can be renamed.

use roadstead_api_iam::{
    AddUserToGroupRequest, CreateGroupRequest, CreateGroupResponse, DeleteGroupRequest, GetGroupRequest,
    GetGroupResponse, ListGroupsForUserRequest, ListGroupsForUserResponse, ListGroupsRequest,
    ListGroupsResponse, RemoveUserFromGroupRequest, UpdateGroupRequest,
};
use roadstead_base::Ctx;

use crate::error::{Result, conflict, exists, quota};
use crate::ids::unique;
use crate::limits;
use crate::ops::users::{NO_PATH, refuse_grants};
use crate::page::page;
use crate::realm::Kind;
use crate::records::{Grants, GroupRecord, Record};
use crate::service::Iam;
use crate::show;

pub(crate) async fn create(iam: &Iam, ctx: &Ctx, input: CreateGroupRequest) -> Result<CreateGroupResponse> {
    let CreateGroupRequest { group_name, path } = input;
    let record = GroupRecord {
        name: group_name,
        path: path.unwrap_or_else(|| NO_PATH.to_owned()),
        id: unique("AGPA"),
        created: iam.clock.now(),
        grants: Grants::default(),
    };
    iam.change(ctx, |realm, plan| {
        if realm.group(&record.name).is_ok() {
            return Err(exists("Group", &record.name));
        }
        if realm.groups().len() >= limits::GROUPS {
            return Err(quota("GroupsPerAccount", limits::GROUPS));
        }
        plan.put(Kind::Group, &record.name, Record::Group(record.clone()));
        Ok(CreateGroupResponse {
            group: show::group(realm.keys, &record),
        })
    })
    .await
}

pub(crate) async fn get(iam: &Iam, ctx: &Ctx, input: GetGroupRequest) -> Result<GetGroupResponse> {
    let GetGroupRequest {
        group_name,
        marker,
        max_items,
    } = input;
    iam.read(ctx, |realm| {
        let group = realm.group(&group_name)?;
        let members = realm.members_of(&group.id);
        let items = members
            .iter()
            .map(|user| (user.name.to_lowercase(), show::user(realm.keys, user, false)));
        let page = page(ctx, &format!("GetGroup/{}", group.id), items, marker, max_items)?;
        Ok(GetGroupResponse {
            group: show::group(realm.keys, group),
            users: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}

pub(crate) async fn list(iam: &Iam, ctx: &Ctx, input: ListGroupsRequest) -> Result<ListGroupsResponse> {
    let ListGroupsRequest {
        marker,
        max_items,
        path_prefix,
    } = input;
    iam.read(ctx, |realm| {
        let prefix = path_prefix.as_deref().unwrap_or(NO_PATH);
        let groups = realm.groups();
        let items = groups
            .iter()
            .filter(|group| group.path.starts_with(prefix))
            .map(|group| (group.name.to_lowercase(), show::group(realm.keys, group)));
        let page = page(ctx, &format!("ListGroups/{prefix}"), items, marker, max_items)?;
        Ok(ListGroupsResponse {
            groups: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}

pub(crate) async fn list_for_user(
    iam: &Iam,
    ctx: &Ctx,
    input: ListGroupsForUserRequest,
) -> Result<ListGroupsForUserResponse> {
    let ListGroupsForUserRequest {
        user_name,
        marker,
        max_items,
    } = input;
    iam.read(ctx, |realm| {
        let user = realm.user(&user_name)?;
        let groups = realm.groups();
        let items = groups
            .iter()
            .filter(|group| user.groups.contains(&group.id))
            .map(|group| (group.name.to_lowercase(), show::group(realm.keys, group)));
        let page = page(
            ctx,
            &format!("ListGroupsForUser/{}", user.id),
            items,
            marker,
            max_items,
        )?;
        Ok(ListGroupsForUserResponse {
            groups: page.items,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}

pub(crate) async fn update(iam: &Iam, ctx: &Ctx, input: UpdateGroupRequest) -> Result<()> {
    let UpdateGroupRequest {
        group_name,
        new_group_name,
        new_path,
    } = input;
    iam.change(ctx, |realm, plan| {
        let mut group = realm.group(&group_name)?.clone();
        if let Some(path) = &new_path {
            group.path.clone_from(path);
        }
        if let Some(name) = &new_group_name {
            if !name.eq_ignore_ascii_case(&group.name) {
                if realm.group(name).is_ok() {
                    return Err(exists("Group", name));
                }
                plan.delete(Kind::Group, &group.name);
            }
            group.name.clone_from(name);
        }
        plan.put(Kind::Group, &group.name.clone(), Record::Group(group));
        Ok(())
    })
    .await
}

pub(crate) async fn delete(iam: &Iam, ctx: &Ctx, input: DeleteGroupRequest) -> Result<()> {
    let DeleteGroupRequest { group_name } = input;
    iam.change(ctx, |realm, plan| {
        let group = realm.group(&group_name)?;
        refuse_grants(&group.grants)?;
        if !realm.members_of(&group.id).is_empty() {
            return Err(conflict(
                "Cannot delete entity, must remove users from group first.",
            ));
        }
        plan.delete(Kind::Group, &group.name);
        Ok(())
    })
    .await
}

/// A second time it changes nothing.
pub(crate) async fn add_user(iam: &Iam, ctx: &Ctx, input: AddUserToGroupRequest) -> Result<()> {
    let AddUserToGroupRequest {
        group_name,
        user_name,
    } = input;
    iam.change(ctx, |realm, plan| {
        let group = realm.group(&group_name)?;
        let mut user = realm.user(&user_name)?.clone();
        if user.groups.contains(&group.id) {
            return Ok(());
        }
        if user.groups.len() >= limits::GROUPS_PER_USER {
            return Err(quota("GroupsPerUser", limits::GROUPS_PER_USER));
        }
        user.groups.push(group.id.clone());
        plan.put(Kind::User, &user.name.clone(), Record::User(user));
        Ok(())
    })
    .await
}

pub(crate) async fn remove_user(iam: &Iam, ctx: &Ctx, input: RemoveUserFromGroupRequest) -> Result<()> {
    let RemoveUserFromGroupRequest {
        group_name,
        user_name,
    } = input;
    iam.change(ctx, |realm, plan| {
        let group = realm.group(&group_name)?;
        let mut user = realm.user(&user_name)?.clone();
        if user.groups.contains(&group.id) {
            user.groups.retain(|id| *id != group.id);
            plan.put(Kind::User, &user.name.clone(), Record::User(user));
        }
        Ok(())
    })
    .await
}
