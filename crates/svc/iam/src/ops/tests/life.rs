//! Users, groups, roles, profiles and keys: made, found, renamed, tagged, deleted.

use roadstead_api_iam::{Iam as _, *};
use roadstead_base::Caller;
use roadstead_dispatch::{Authority, KeyError};

use super::TRUST;
use crate::testing::{Bench, fails};

#[tokio::test]
async fn a_user_is_made_once_and_found_whatever_its_case() {
    let mut bench = Bench::new().await;
    let input = CreateUserRequest {
        user_name: "Ann".into(),
        path: Some("/people/".into()),
        tags: Some(vec![Tag {
            key: "team".into(),
            value: "a".into(),
        }]),
        permissions_boundary: None,
    };
    let root = bench.root();
    let made = bench
        .iam
        .create_user(&root, input.clone())
        .await
        .expect("made")
        .user
        .expect("a user");
    assert_eq!(made.arn, "arn:aws:iam::123456789012:user/people/Ann");
    assert!(made.user_id.starts_with("AIDA") && made.user_id.len() == 21);
    fails(
        bench.iam.create_user(&root, input).await,
        "EntityAlreadyExists",
        "User with name Ann already exists.",
    );
    bench.restart().await;
    let get = |name: &str| GetUserRequest {
        user_name: Some(name.into()),
    };
    let found = bench.iam.get_user(&root, get("ann")).await.expect("found").user;
    assert_eq!(found, made);
    fails(
        bench.iam.get_user(&root, get("bob")).await,
        "NoSuchEntity",
        "The user with name bob cannot be found.",
    );
    let own = bench
        .iam
        .get_user(&root, GetUserRequest::default())
        .await
        .expect("found")
        .user;
    assert_eq!(own.arn, "arn:aws:iam::123456789012:root");
    let node = bench.ctx(Caller::Node);
    fails(
        bench.iam.get_user(&node, GetUserRequest::default()).await,
        "ValidationError",
        "Must specify userName",
    );
}

#[tokio::test]
async fn lists_come_in_pages_that_no_other_list_takes() {
    let bench = Bench::new().await;
    for name in ["c", "A", "b"] {
        bench.user(name).await;
    }
    let root = bench.root();
    let page = |marker| ListUsersRequest {
        marker,
        max_items: Some(2),
        path_prefix: None,
    };
    let first = bench.iam.list_users(&root, page(None)).await.expect("a page");
    let names: Vec<_> = first.users.iter().map(|user| user.user_name.as_str()).collect();
    assert_eq!((names, first.is_truncated), (vec!["A", "b"], Some(true)));
    let marker = first.marker.expect("a marker");
    let second = bench
        .iam
        .list_users(&root, page(Some(marker.clone())))
        .await
        .expect("a page");
    assert_eq!(
        (second.users.len(), second.is_truncated, second.marker),
        (1, Some(false), None)
    );
    let other = ListRolesRequest {
        marker: Some(marker),
        ..Default::default()
    };
    fails(
        bench.iam.list_roles(&root, other).await,
        "ValidationError",
        "Invalid Marker",
    );
}

#[tokio::test]
async fn a_user_with_anything_left_is_not_deleted() {
    let bench = Bench::new().await;
    bench.user("ann").await;
    bench.group("all").await;
    let root = bench.root();
    let membership = AddUserToGroupRequest {
        group_name: "all".into(),
        user_name: "ann".into(),
    };
    bench
        .iam
        .add_user_to_group(&root, membership.clone())
        .await
        .expect("added");
    bench
        .iam
        .add_user_to_group(&root, membership)
        .await
        .expect("twice is nothing");
    let key = bench.key("ann").await;
    let delete = || DeleteUserRequest {
        user_name: "ann".into(),
    };
    fails(
        bench.iam.delete_user(&root, delete()).await,
        "DeleteConflict",
        "access keys",
    );
    let gone = DeleteAccessKeyRequest {
        access_key_id: key.access_key_id,
        user_name: Some("ann".into()),
    };
    bench.iam.delete_access_key(&root, gone).await.expect("deleted");
    fails(
        bench.iam.delete_user(&root, delete()).await,
        "DeleteConflict",
        "group",
    );
    let group = DeleteGroupRequest {
        group_name: "all".into(),
    };
    fails(
        bench.iam.delete_group(&root, group).await,
        "DeleteConflict",
        "remove users",
    );
    // A group keeps its members under a new name.
    let rename = UpdateGroupRequest {
        group_name: "all".into(),
        new_group_name: Some("everyone".into()),
        new_path: None,
    };
    bench.iam.update_group(&root, rename).await.expect("renamed");
    let groups = ListGroupsForUserRequest {
        user_name: "ann".into(),
        ..Default::default()
    };
    let groups = bench
        .iam
        .list_groups_for_user(&root, groups)
        .await
        .expect("a list")
        .groups;
    assert_eq!(groups[0].group_name, "everyone");
    let leave = RemoveUserFromGroupRequest {
        group_name: "everyone".into(),
        user_name: "ann".into(),
    };
    bench
        .iam
        .remove_user_from_group(&root, leave)
        .await
        .expect("removed");
    bench.iam.delete_user(&root, delete()).await.expect("deleted");
    fails(
        bench.iam.delete_user(&root, delete()).await,
        "NoSuchEntity",
        "ann",
    );
}

#[tokio::test]
async fn a_key_is_its_users_until_it_is_deleted() {
    let mut bench = Bench::new().await;
    let user = bench.user("ann").await;
    let key = bench.key("ann").await;
    bench.key("ann").await;
    let root = bench.root();
    let third = CreateAccessKeyRequest {
        user_name: Some("ann".into()),
    };
    fails(
        bench.iam.create_access_key(&root, third).await,
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    );
    bench.restart().await;
    let id = key.access_key_id.as_str();
    let found = bench.iam.find(id, None).expect("ours").expect("a key");
    assert_eq!(found.secret, key.secret_access_key);
    assert!(
        matches!(&found.caller, Caller::User(caller) if caller.arn == user.arn && caller.id == user.user_id)
    );
    assert_eq!(
        bench.iam.find(id, Some("a token")).unwrap_err(),
        KeyError::Invalid
    );
    assert!(
        bench
            .iam
            .find("AKIAIOSFODNN7EXAMPLE", None)
            .expect("a stranger's")
            .is_none()
    );

    let rename = UpdateUserRequest {
        user_name: "ann".into(),
        new_path: None,
        new_user_name: Some("anna".into()),
    };
    bench.iam.update_user(&root, rename).await.expect("renamed");
    let found = bench.iam.find(id, None).expect("ours").expect("a key");
    assert!(matches!(&found.caller, Caller::User(caller) if caller.name == "anna"));

    let switch = |status| UpdateAccessKeyRequest {
        access_key_id: id.to_owned(),
        status,
        user_name: Some("anna".into()),
    };
    bench
        .iam
        .update_access_key(&root, switch(StatusType::Inactive))
        .await
        .expect("off");
    assert_eq!(bench.iam.find(id, None).unwrap_err(), KeyError::Invalid);
    bench
        .iam
        .update_access_key(&root, switch(StatusType::Active))
        .await
        .expect("on");
    assert!(bench.iam.find(id, None).is_ok());
    fails(
        bench
            .iam
            .update_access_key(&root, switch(StatusType::Expired))
            .await,
        "InvalidInput",
        "Active or Inactive",
    );
    let delete = DeleteAccessKeyRequest {
        access_key_id: id.to_owned(),
        user_name: Some("anna".into()),
    };
    bench
        .iam
        .delete_access_key(&root, delete.clone())
        .await
        .expect("deleted");
    // It does not become a stranger's.
    assert_eq!(bench.iam.find(id, None).unwrap_err(), KeyError::Invalid);
    fails(
        bench.iam.delete_access_key(&root, delete).await,
        "NoSuchEntity",
        "Access Key",
    );
}

#[tokio::test]
async fn a_role_says_whom_it_trusts() {
    let mut bench = Bench::new().await;
    let root = bench.root();
    let input = |name: &str, trust: &str| CreateRoleRequest {
        role_name: name.into(),
        assume_role_policy_document: trust.into(),
        max_session_duration: Some(7200),
        description: Some("reads".into()),
        ..Default::default()
    };
    let role = bench
        .iam
        .create_role(&root, input("r", TRUST))
        .await
        .expect("made")
        .role;
    assert_eq!(role.arn, "arn:aws:iam::123456789012:role/r");
    let shown = role.assume_role_policy_document.clone().expect("a document");
    assert!(shown.starts_with("%7B%22Version%22"), "{shown}");
    bench.restart().await;
    let get = GetRoleRequest {
        role_name: "r".into(),
    };
    let found = bench.iam.get_role(&root, get).await.expect("found").role;
    assert_eq!(
        (found.max_session_duration, found.assume_role_policy_document),
        (Some(7200), Some(shown))
    );
    fails(
        bench.iam.create_role(&root, input("R", TRUST)).await,
        "EntityAlreadyExists",
        "Role with name R already exists.",
    );
    fails(
        bench
            .iam
            .create_role(&root, input("s", "{\n  \"Statement\": []}"))
            .await,
        "MalformedPolicyDocument",
        "(line 2, column 16)",
    );
    let large = TRUST.replace("sts:AssumeRole", &format!("sts:{}", "A".repeat(2048)));
    fails(
        bench.iam.create_role(&root, input("s", &large)).await,
        "LimitExceeded",
        "ACLSizePerRole: 2048",
    );
    let linked = CreateRoleRequest {
        path: Some("/aws-service-role/x/".into()),
        ..input("s", TRUST)
    };
    fails(
        bench.iam.create_role(&root, linked).await,
        "ValidationError",
        "CreateServiceLinkedRole",
    );
    let trust = UpdateAssumeRolePolicyRequest {
        role_name: "r".into(),
        policy_document: "{}".into(),
    };
    fails(
        bench.iam.update_assume_role_policy(&root, trust).await,
        "MalformedPolicyDocument",
        "Statement",
    );
}

#[tokio::test]
async fn a_role_in_a_profile_stays() {
    let bench = Bench::new().await;
    let root = bench.root();
    bench.role("r").await;
    bench.role("s").await;
    let profile = CreateInstanceProfileRequest {
        instance_profile_name: "p".into(),
        ..Default::default()
    };
    bench
        .iam
        .create_instance_profile(&root, profile.clone())
        .await
        .expect("made");
    fails(
        bench.iam.create_instance_profile(&root, profile).await,
        "EntityAlreadyExists",
        "Instance Profile p already exists.",
    );
    let add = |role: &str| AddRoleToInstanceProfileRequest {
        instance_profile_name: "p".into(),
        role_name: role.into(),
    };
    bench
        .iam
        .add_role_to_instance_profile(&root, add("r"))
        .await
        .expect("added");
    fails(
        bench.iam.add_role_to_instance_profile(&root, add("s")).await,
        "LimitExceeded",
        "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
    );
    let of_role = ListInstanceProfilesForRoleRequest {
        role_name: "R".into(),
        ..Default::default()
    };
    let profiles = bench
        .iam
        .list_instance_profiles_for_role(&root, of_role)
        .await
        .expect("a list");
    assert_eq!(profiles.instance_profiles[0].roles[0].role_name, "r");
    let role = DeleteRoleRequest {
        role_name: "r".into(),
    };
    fails(
        bench.iam.delete_role(&root, role.clone()).await,
        "DeleteConflict",
        "instance profile",
    );
    let profile = DeleteInstanceProfileRequest {
        instance_profile_name: "p".into(),
    };
    fails(
        bench.iam.delete_instance_profile(&root, profile.clone()).await,
        "DeleteConflict",
        "remove roles",
    );
    let remove = RemoveRoleFromInstanceProfileRequest {
        instance_profile_name: "p".into(),
        role_name: "r".into(),
    };
    bench
        .iam
        .remove_role_from_instance_profile(&root, remove.clone())
        .await
        .expect("removed");
    fails(
        bench.iam.remove_role_from_instance_profile(&root, remove).await,
        "NoSuchEntity",
        "role",
    );
    bench
        .iam
        .delete_instance_profile(&root, profile)
        .await
        .expect("deleted");
    bench.iam.delete_role(&root, role).await.expect("deleted");
}

#[tokio::test]
async fn tags_are_one_whatever_their_case() {
    let bench = Bench::new().await;
    bench.role("r").await;
    let root = bench.root();
    let tag = |key: &str, value: &str| Tag {
        key: key.into(),
        value: value.into(),
    };
    let put = |tags| TagRoleRequest {
        role_name: "r".into(),
        tags,
    };
    let twice = put(vec![tag("a", "1"), tag("A", "2")]);
    fails(
        bench.iam.tag_role(&root, twice).await,
        "InvalidInput",
        "Duplicate tag keys",
    );
    fails(
        bench.iam.tag_role(&root, put(vec![tag("aws:x", "1")])).await,
        "InvalidInput",
        "reserved",
    );
    bench
        .iam
        .tag_role(&root, put(vec![tag("a", "1"), tag("b", "1")]))
        .await
        .expect("tagged");
    bench
        .iam
        .tag_role(&root, put(vec![tag("A", "2")]))
        .await
        .expect("tagged");
    let many = (0..49).map(|n| tag(&format!("t{n}"), "")).collect();
    fails(
        bench.iam.tag_role(&root, put(many)).await,
        "LimitExceeded",
        "TagsPerResource: 50",
    );
    let list = ListRoleTagsRequest {
        role_name: "r".into(),
        ..Default::default()
    };
    let tags = bench
        .iam
        .list_role_tags(&root, list.clone())
        .await
        .expect("a list")
        .tags;
    assert_eq!(tags, [tag("A", "2"), tag("b", "1")]);
    let untag = UntagRoleRequest {
        role_name: "r".into(),
        tag_keys: vec!["B".into(), "none".into()],
    };
    bench.iam.untag_role(&root, untag).await.expect("untagged");
    assert_eq!(
        bench
            .iam
            .list_role_tags(&root, list)
            .await
            .expect("a list")
            .tags
            .len(),
        1
    );
}

#[tokio::test]
async fn a_service_linked_role_is_its_services() {
    let bench = Bench::new().await;
    let root = bench.root();
    let input = |service: &str, suffix: Option<&str>| CreateServiceLinkedRoleRequest {
        aws_service_name: service.into(),
        custom_suffix: suffix.map(str::to_owned),
        description: None,
    };
    let made = bench
        .iam
        .create_service_linked_role(&root, input("ecs.amazonaws.com", None))
        .await;
    let role = made.expect("made").role.expect("a role");
    assert_eq!(
        role.arn,
        "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    );
    for (service, suffix, words) in [
        ("ecs.amazonaws.com", None, "has been taken in this account"),
        ("ecs.amazonaws.com", Some("x"), "Custom suffix is not allowed"),
        ("none.amazonaws.com", None, "no service-linked role here"),
    ] {
        fails(
            bench
                .iam
                .create_service_linked_role(&root, input(service, suffix))
                .await,
            "InvalidInput",
            words,
        );
    }
    let name = role.role_name;
    let delete = DeleteRoleRequest {
        role_name: name.clone(),
    };
    fails(
        bench.iam.delete_role(&root, delete).await,
        "UnmodifiableEntity",
        "protected role",
    );
    let attach = AttachRolePolicyRequest {
        role_name: name.clone(),
        policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess".into(),
    };
    fails(
        bench.iam.attach_role_policy(&root, attach).await,
        "UnmodifiableEntity",
        "protected role",
    );
    let delete = DeleteServiceLinkedRoleRequest { role_name: name };
    let task = bench
        .iam
        .delete_service_linked_role(&root, delete.clone())
        .await
        .expect("deleted");
    let status = GetServiceLinkedRoleDeletionStatusRequest {
        deletion_task_id: task.deletion_task_id,
    };
    let status = bench
        .iam
        .get_service_linked_role_deletion_status(&root, status)
        .await
        .expect("a status");
    assert_eq!(status.status, DeletionTaskStatusType::Succeeded);
    fails(
        bench.iam.delete_service_linked_role(&root, delete).await,
        "NoSuchEntity",
        "role",
    );
}
