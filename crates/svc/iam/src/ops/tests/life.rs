//! Users, groups and keys: made, found, renamed, tagged, deleted.

use roadstead_api_iam::{Iam as _, *};
use roadstead_base::Caller;
use roadstead_dispatch::{Authority, KeyError};

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
        "The number of tags has reached the maximum limit.",
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
