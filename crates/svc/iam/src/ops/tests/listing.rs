//! Lists by path, by scope and by use, and what is changed of what they show.

use roadstead_api_iam::{Iam as _, *};

use super::{TRUST, allow};
use crate::testing::{Bench, fails};

const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const TASKS: &str = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";

#[tokio::test]
async fn roles_groups_and_profiles_are_listed_by_path_and_changed() {
    let bench = Bench::new().await;
    let (root, iam) = (bench.root(), &bench.iam);
    let role = CreateRoleRequest {
        role_name: "r".into(),
        assume_role_policy_document: TRUST.into(),
        path: Some("/a/".into()),
        permissions_boundary: Some(ADMIN.into()),
        tags: Some(vec![Tag {
            key: "team".into(),
            value: "a".into(),
        }]),
        ..Default::default()
    };
    let role = iam.create_role(&root, role).await.expect("made").role;
    assert!(role.permissions_boundary.is_some() && role.tags.is_some());
    let group = CreateGroupRequest {
        group_name: "g".into(),
        path: Some("/a/".into()),
    };
    iam.create_group(&root, group).await.expect("made");
    for (prefix, count) in [("/a/", 1), ("/b/", 0)] {
        let roles = ListRolesRequest {
            path_prefix: Some(prefix.into()),
            max_items: Some(3),
            marker: None,
        };
        assert_eq!(
            iam.list_roles(&root, roles).await.expect("a list").roles.len(),
            count
        );
        let groups = ListGroupsRequest {
            path_prefix: Some(prefix.into()),
            max_items: Some(3),
            marker: None,
        };
        assert_eq!(
            iam.list_groups(&root, groups).await.expect("a list").groups.len(),
            count
        );
        let profiles = ListInstanceProfilesRequest {
            path_prefix: Some(prefix.into()),
            max_items: Some(3),
            marker: None,
        };
        assert!(
            iam.list_instance_profiles(&root, profiles)
                .await
                .expect("a list")
                .instance_profiles
                .is_empty()
        );
    }
    let update = UpdateRoleRequest {
        role_name: "r".into(),
        description: Some("reads".into()),
        max_session_duration: Some(7200),
    };
    iam.update_role(&root, update).await.expect("updated");
    let describe = UpdateRoleDescriptionRequest {
        role_name: "r".into(),
        description: "reads more".into(),
    };
    let role = iam
        .update_role_description(&root, describe)
        .await
        .expect("updated")
        .role
        .expect("a role");
    assert_eq!(
        (role.description.as_deref(), role.max_session_duration),
        (Some("reads more"), Some(7200))
    );
    let put = PutRolePermissionsBoundaryRequest {
        role_name: "r".into(),
        permissions_boundary: TASKS.into(),
    };
    iam.put_role_permissions_boundary(&root, put).await.expect("put");
    let delete = DeleteRolePermissionsBoundaryRequest {
        role_name: "r".into(),
    };
    iam.delete_role_permissions_boundary(&root, delete.clone())
        .await
        .expect("deleted");
    fails(
        iam.delete_role_permissions_boundary(&root, delete).await,
        "NoSuchEntity",
        "boundary",
    );
    bench.user("u").await;
    let join = AddUserToGroupRequest {
        group_name: "g".into(),
        user_name: "u".into(),
    };
    iam.add_user_to_group(&root, join).await.expect("added");
    let get = GetGroupRequest {
        group_name: "G".into(),
        marker: None,
        max_items: Some(1),
    };
    let found = iam.get_group(&root, get).await.expect("found");
    assert_eq!(
        (
            found.group.group_name.as_str(),
            found.users.len(),
            found.is_truncated
        ),
        ("g", 1, Some(false))
    );
    let renamed = UpdateGroupRequest {
        group_name: "g".into(),
        new_group_name: None,
        new_path: Some("/b/".into()),
    };
    iam.update_group(&root, renamed).await.expect("updated");
    let renamed = UpdateUserRequest {
        user_name: "u".into(),
        new_user_name: None,
        new_path: Some("/b/".into()),
    };
    iam.update_user(&root, renamed).await.expect("updated");
    let users = ListUsersRequest {
        path_prefix: Some("/b/".into()),
        ..Default::default()
    };
    assert_eq!(iam.list_users(&root, users).await.expect("a list").users.len(), 1);
    bench.key("u").await;
    let keys = ListAccessKeysRequest {
        user_name: Some("u".into()),
        marker: None,
        max_items: Some(1),
    };
    let keys = iam
        .list_access_keys(&root, keys)
        .await
        .expect("a list")
        .access_key_metadata;
    assert_eq!((keys.len(), keys[0].status), (1, Some(StatusType::Active)));
}

#[tokio::test]
async fn policies_are_listed_by_scope_path_and_use() {
    let bench = Bench::new().await;
    let (root, iam) = (bench.root(), &bench.iam);
    let create = CreatePolicyRequest {
        policy_name: "p".into(),
        policy_document: allow("ecs:*", "*"),
        description: Some("all of it".into()),
        path: Some("/a/".into()),
        tags: None,
    };
    let made = iam
        .create_policy(&root, create)
        .await
        .expect("made")
        .policy
        .expect("a policy");
    let arn = made.arn.expect("an ARN");
    assert_eq!(arn, "arn:aws:iam::123456789012:policy/a/p");
    let list = |scope, prefix: &str, usage| ListPoliciesRequest {
        scope: Some(scope),
        path_prefix: Some(prefix.into()),
        policy_usage_filter: usage,
        only_attached: None,
        marker: None,
        max_items: Some(1000),
    };
    for (scope, prefix, usage, count) in [
        (PolicyScopeType::Local, "/", None, 1),
        (PolicyScopeType::Local, "/b/", None, 0),
        (PolicyScopeType::All, "/a/", None, 1),
        (PolicyScopeType::Aws, "/a/", None, 0),
        (
            PolicyScopeType::Local,
            "/",
            Some(PolicyUsageType::PermissionsBoundary),
            0,
        ),
    ] {
        let found = iam
            .list_policies(&root, list(scope, prefix, usage))
            .await
            .expect("a list")
            .policies;
        assert_eq!(found.expect("policies").len(), count, "{scope} {prefix}");
    }
    let all = iam
        .list_policies(&root, list(PolicyScopeType::Aws, "/service-role/", None))
        .await
        .expect("a list");
    assert!(
        all.policies
            .expect("policies")
            .iter()
            .any(|policy| policy.arn.as_deref() == Some(TASKS))
    );
    let get = GetPolicyRequest { policy_arn: arn };
    let shown = iam
        .get_policy(&root, get)
        .await
        .expect("found")
        .policy
        .expect("a policy");
    assert_eq!(shown.description.as_deref(), Some("all of it"));
    let version = GetPolicyVersionRequest {
        policy_arn: TASKS.into(),
        version_id: "v1".into(),
    };
    let shown = iam
        .get_policy_version(&root, version)
        .await
        .expect("found")
        .policy_version
        .expect("a version");
    assert!(
        shown
            .document
            .expect("a document")
            .contains("ecr%3ABatchGetImage")
    );
    let keys = GetContextKeysForCustomPolicyRequest {
        policy_input_list: vec![allow("s3:*", "arn:aws:s3:::${aws:username}")],
    };
    let keys = iam
        .get_context_keys_for_custom_policy(&root, keys)
        .await
        .expect("keys")
        .context_key_names;
    assert_eq!(keys.expect("keys"), ["aws:username"]);
}
