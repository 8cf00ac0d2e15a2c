//! ListEntitiesForPolicy: whom a managed policy is attached to, or bounds.

use roadstead_api_iam::{
    EntityType, ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse, PolicyGroup, PolicyRole,
    PolicyUsageType, PolicyUser,
};
use roadstead_base::Ctx;

use crate::error::{Result, no_policy};
use crate::ops::users::NO_PATH;
use crate::page::page;
use crate::service::Iam;

enum Entity {
    Group(PolicyGroup),
    Role(PolicyRole),
    User(PolicyUser),
}

pub(crate) async fn list(
    iam: &Iam,
    ctx: &Ctx,
    input: ListEntitiesForPolicyRequest,
) -> Result<ListEntitiesForPolicyResponse> {
    let ListEntitiesForPolicyRequest {
        policy_arn,
        entity_filter,
        marker,
        max_items,
        path_prefix,
        policy_usage_filter,
    } = input;
    iam.read(ctx, |realm| {
        if realm.policy(&policy_arn).is_none() {
            return Err(no_policy(&policy_arn));
        }
        let prefix = path_prefix.as_deref().unwrap_or(NO_PATH);
        let uses = |attached: &[String], boundary: Option<&String>| {
            let grants = attached.contains(&policy_arn);
            let bounds = boundary == Some(&policy_arn);
            match policy_usage_filter {
                None => grants || bounds,
                Some(PolicyUsageType::PermissionsPolicy) => grants,
                Some(PolicyUsageType::PermissionsBoundary) => bounds,
            }
        };
        let wanted = |kind| entity_filter.is_none_or(|filter| filter == kind);
        let mut items = Vec::new();
        if wanted(EntityType::Group) {
            for group in realm.groups() {
                if group.path.starts_with(prefix) && uses(&group.grants.attached, None) {
                    let shown = PolicyGroup {
                        group_id: Some(group.id.clone()),
                        group_name: Some(group.name.clone()),
                    };
                    items.push((
                        format!("group/{}", group.name.to_lowercase()),
                        Entity::Group(shown),
                    ));
                }
            }
        }
        if wanted(EntityType::Role) {
            for role in realm.roles() {
                if role.path.starts_with(prefix) && uses(&role.grants.attached, role.boundary.as_ref()) {
                    let shown = PolicyRole {
                        role_id: Some(role.id.clone()),
                        role_name: Some(role.name.clone()),
                    };
                    items.push((format!("role/{}", role.name.to_lowercase()), Entity::Role(shown)));
                }
            }
        }
        if wanted(EntityType::User) {
            for user in realm.users() {
                if user.path.starts_with(prefix) && uses(&user.grants.attached, user.boundary.as_ref()) {
                    let shown = PolicyUser {
                        user_id: Some(user.id.clone()),
                        user_name: Some(user.name.clone()),
                    };
                    items.push((format!("user/{}", user.name.to_lowercase()), Entity::User(shown)));
                }
            }
        }
        let scope = format!("ListEntities/{policy_arn}/{prefix}/{entity_filter:?}/{policy_usage_filter:?}");
        let page = page(ctx, &scope, items, marker, max_items)?;
        let (mut groups, mut roles, mut users) = (Vec::new(), Vec::new(), Vec::new());
        for entity in page.items {
            match entity {
                Entity::Group(group) => groups.push(group),
                Entity::Role(role) => roles.push(role),
                Entity::User(user) => users.push(user),
            }
        }
        Ok(ListEntitiesForPolicyResponse {
            policy_groups: Some(groups),
            policy_roles: Some(roles),
            policy_users: Some(users),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    })
    .await
}
