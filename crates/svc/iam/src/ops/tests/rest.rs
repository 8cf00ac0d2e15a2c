//! What users, groups, roles and profiles have alike, tried for each of them.

use roadstead_api_iam::{Iam as _, *};

use super::allow;
use crate::testing::{Bench, fails};

const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const TASKS: &str = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";

#[tokio::test]
async fn groups_and_roles_have_managed_policies_as_users_do() {
    let bench = Bench::new().await;
    let (root, iam) = (bench.root(), &bench.iam);
    bench.group("g").await;
    bench.role("r").await;
    for arn in [ADMIN, TASKS] {
        let to_group = AttachGroupPolicyRequest {
            group_name: "g".into(),
            policy_arn: arn.into(),
        };
        iam.attach_group_policy(&root, to_group).await.expect("attached");
        let to_role = AttachRolePolicyRequest {
            role_name: "r".into(),
            policy_arn: arn.into(),
        };
        iam.attach_role_policy(&root, to_role).await.expect("attached");
    }
    let of_group = ListAttachedGroupPoliciesRequest {
        group_name: "g".into(),
        path_prefix: Some("/service-role/".into()),
        marker: None,
        max_items: None,
    };
    let listed = iam
        .list_attached_group_policies(&root, of_group)
        .await
        .expect("a list");
    let arns: Vec<_> = listed
        .attached_policies
        .expect("policies")
        .into_iter()
        .filter_map(|one| one.policy_arn)
        .collect();
    assert_eq!(arns, [TASKS]);
    let of_role = |marker| ListAttachedRolePoliciesRequest {
        role_name: "r".into(),
        max_items: Some(1),
        marker,
        path_prefix: None,
    };
    let first = iam
        .list_attached_role_policies(&root, of_role(None))
        .await
        .expect("a list");
    let second = iam
        .list_attached_role_policies(&root, of_role(first.marker))
        .await
        .expect("a list");
    assert_eq!(
        (first.is_truncated, second.is_truncated),
        (Some(true), Some(false))
    );
    let entities = |filter, usage| ListEntitiesForPolicyRequest {
        policy_arn: ADMIN.into(),
        entity_filter: filter,
        policy_usage_filter: usage,
        path_prefix: Some("/".into()),
        marker: None,
        max_items: Some(10),
    };
    let groups = iam
        .list_entities_for_policy(&root, entities(Some(EntityType::Group), None))
        .await
        .expect("a list");
    assert_eq!(
        (
            groups.policy_groups.map(|all| all.len()),
            groups.policy_roles.map(|all| all.len())
        ),
        (Some(1), Some(0))
    );
    let bounds = entities(None, Some(PolicyUsageType::PermissionsBoundary));
    let bounds = iam.list_entities_for_policy(&root, bounds).await.expect("a list");
    assert_eq!(
        (
            bounds.policy_groups.map(|all| all.len()),
            bounds.policy_roles.map(|all| all.len())
        ),
        (Some(0), Some(0))
    );
    let from_group = DetachGroupPolicyRequest {
        group_name: "g".into(),
        policy_arn: ADMIN.into(),
    };
    iam.detach_group_policy(&root, from_group.clone())
        .await
        .expect("detached");
    fails(
        iam.detach_group_policy(&root, from_group).await,
        "NoSuchEntity",
        "was not found",
    );
    let from_role = DetachRolePolicyRequest {
        role_name: "r".into(),
        policy_arn: ADMIN.into(),
    };
    iam.detach_role_policy(&root, from_role).await.expect("detached");
}

#[tokio::test]
async fn users_and_groups_have_inline_policies_as_roles_do() {
    let bench = Bench::new().await;
    let (root, iam) = (bench.root(), &bench.iam);
    bench.user("u").await;
    bench.group("g").await;
    bench.role("r").await;
    for name in ["b", "a"] {
        let document = allow("ecs:*", "*");
        let of_user = PutUserPolicyRequest {
            user_name: "u".into(),
            policy_name: name.into(),
            policy_document: document.clone(),
        };
        iam.put_user_policy(&root, of_user).await.expect("put");
        let of_group = PutGroupPolicyRequest {
            group_name: "g".into(),
            policy_name: name.into(),
            policy_document: document.clone(),
        };
        iam.put_group_policy(&root, of_group).await.expect("put");
        let of_role = PutRolePolicyRequest {
            role_name: "r".into(),
            policy_name: name.into(),
            policy_document: document,
        };
        iam.put_role_policy(&root, of_role).await.expect("put");
    }
    let list = ListUserPoliciesRequest {
        user_name: "u".into(),
        marker: None,
        max_items: Some(1),
    };
    let first = iam.list_user_policies(&root, list.clone()).await.expect("a list");
    let next = ListUserPoliciesRequest {
        marker: first.marker,
        ..list
    };
    let second = iam.list_user_policies(&root, next).await.expect("a list");
    assert_eq!(
        (first.policy_names, second.policy_names),
        (vec!["a".to_owned()], vec!["b".to_owned()])
    );
    let list = ListGroupPoliciesRequest {
        group_name: "g".into(),
        marker: None,
        max_items: Some(5),
    };
    assert_eq!(
        iam.list_group_policies(&root, list)
            .await
            .expect("a list")
            .policy_names,
        ["a", "b"]
    );
    let list = ListRolePoliciesRequest {
        role_name: "r".into(),
        marker: None,
        max_items: Some(5),
    };
    assert_eq!(
        iam.list_role_policies(&root, list)
            .await
            .expect("a list")
            .policy_names,
        ["a", "b"]
    );
    let get = GetUserPolicyRequest {
        user_name: "U".into(),
        policy_name: "a".into(),
    };
    assert_eq!(
        iam.get_user_policy(&root, get).await.expect("found").user_name,
        "u"
    );
    let get = GetGroupPolicyRequest {
        group_name: "g".into(),
        policy_name: "a".into(),
    };
    assert_eq!(
        iam.get_group_policy(&root, get.clone())
            .await
            .expect("found")
            .policy_name,
        "a"
    );
    let delete = DeleteGroupPolicyRequest {
        group_name: "g".into(),
        policy_name: "a".into(),
    };
    iam.delete_group_policy(&root, delete).await.expect("deleted");
    fails(
        iam.get_group_policy(&root, get).await,
        "NoSuchEntity",
        "group policy with name a",
    );
    let delete = DeleteUserPolicyRequest {
        user_name: "u".into(),
        policy_name: "a".into(),
    };
    iam.delete_user_policy(&root, delete.clone())
        .await
        .expect("deleted");
    fails(
        iam.delete_user_policy(&root, delete).await,
        "NoSuchEntity",
        "user policy with name a",
    );
}

#[tokio::test]
async fn users_policies_and_profiles_have_tags_as_roles_do() {
    let bench = Bench::new().await;
    let (root, iam) = (bench.root(), &bench.iam);
    let tags = || {
        vec![Tag {
            key: "team".into(),
            value: "a".into(),
        }]
    };
    bench.user("u").await;
    let arn = bench.policy("p", &allow("ecs:*", "*")).await;
    let profile = CreateInstanceProfileRequest {
        instance_profile_name: "i".into(),
        path: Some("/machines/".into()),
        tags: Some(tags()),
    };
    let made = iam
        .create_instance_profile(&root, profile)
        .await
        .expect("made")
        .instance_profile;
    assert_eq!(made.arn, "arn:aws:iam::123456789012:instance-profile/machines/i");
    let input = TagUserRequest {
        user_name: "u".into(),
        tags: tags(),
    };
    iam.tag_user(&root, input).await.expect("tagged");
    let input = TagPolicyRequest {
        policy_arn: arn.clone(),
        tags: tags(),
    };
    iam.tag_policy(&root, input).await.expect("tagged");
    let input = TagInstanceProfileRequest {
        instance_profile_name: "i".into(),
        tags: tags(),
    };
    iam.tag_instance_profile(&root, input).await.expect("tagged");
    let of_user = ListUserTagsRequest {
        user_name: "u".into(),
        marker: None,
        max_items: Some(1),
    };
    let of_policy = ListPolicyTagsRequest {
        policy_arn: arn.clone(),
        marker: None,
        max_items: Some(1),
    };
    let of_profile = ListInstanceProfileTagsRequest {
        instance_profile_name: "i".into(),
        marker: None,
        max_items: Some(1),
    };
    assert_eq!(
        iam.list_user_tags(&root, of_user.clone())
            .await
            .expect("a list")
            .tags,
        tags()
    );
    assert_eq!(
        iam.list_policy_tags(&root, of_policy.clone())
            .await
            .expect("a list")
            .tags,
        tags()
    );
    assert_eq!(
        iam.list_instance_profile_tags(&root, of_profile.clone())
            .await
            .expect("a list")
            .tags,
        tags()
    );
    let input = UntagUserRequest {
        user_name: "u".into(),
        tag_keys: vec!["TEAM".to_owned()],
    };
    iam.untag_user(&root, input).await.expect("untagged");
    let keys = || vec!["team".to_owned()];
    let input = UntagPolicyRequest {
        policy_arn: arn,
        tag_keys: keys(),
    };
    iam.untag_policy(&root, input).await.expect("untagged");
    let input = UntagInstanceProfileRequest {
        instance_profile_name: "i".into(),
        tag_keys: keys(),
    };
    iam.untag_instance_profile(&root, input).await.expect("untagged");
    assert!(
        iam.list_user_tags(&root, of_user)
            .await
            .expect("a list")
            .tags
            .is_empty()
    );
    assert!(
        iam.list_policy_tags(&root, of_policy)
            .await
            .expect("a list")
            .tags
            .is_empty()
    );
    assert!(
        iam.list_instance_profile_tags(&root, of_profile)
            .await
            .expect("a list")
            .tags
            .is_empty()
    );
}
