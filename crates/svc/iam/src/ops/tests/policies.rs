//! Managed and inline policies: attached, versioned, bounded, and refused with the place of the fault.

use roadstead_api_iam::{Iam as _, *};

use super::allow;
use crate::testing::{Bench, fails};

const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

#[tokio::test]
async fn versions_are_five_at_most_and_never_used_again() {
    let mut bench = Bench::new().await;
    let root = bench.root();
    let arn = bench.policy("p", &allow("ecs:*", "*")).await;
    let create = |default| CreatePolicyVersionRequest {
        policy_arn: arn.clone(),
        policy_document: allow("ec2:*", "*"),
        set_as_default: default,
    };
    for number in 2..=5 {
        let made = bench
            .iam
            .create_policy_version(&root, create(Some(number == 3)))
            .await
            .expect("made");
        let version = made.policy_version.expect("a version");
        assert_eq!(version.version_id, Some(format!("v{number}")));
    }
    fails(
        bench.iam.create_policy_version(&root, create(None)).await,
        "LimitExceeded",
        "can have up to 5 versions",
    );
    let get = || GetPolicyRequest {
        policy_arn: arn.clone(),
    };
    let policy = bench
        .iam
        .get_policy(&root, get())
        .await
        .expect("found")
        .policy
        .expect("a policy");
    assert_eq!(policy.default_version_id.as_deref(), Some("v3"));
    let delete = |id: &str| DeletePolicyVersionRequest {
        policy_arn: arn.clone(),
        version_id: id.into(),
    };
    fails(
        bench.iam.delete_policy_version(&root, delete("v3")).await,
        "DeleteConflict",
        "default version",
    );
    fails(
        bench.iam.delete_policy_version(&root, delete("v9")).await,
        "NoSuchEntity",
        "v9",
    );
    bench
        .iam
        .delete_policy_version(&root, delete("v5"))
        .await
        .expect("deleted");
    let made = bench
        .iam
        .create_policy_version(&root, create(None))
        .await
        .expect("made");
    assert_eq!(
        made.policy_version
            .and_then(|version| version.version_id)
            .as_deref(),
        Some("v6")
    );
    bench.restart().await;
    let list = ListPolicyVersionsRequest {
        policy_arn: arn.clone(),
        ..Default::default()
    };
    let versions = bench
        .iam
        .list_policy_versions(&root, list)
        .await
        .expect("a list")
        .versions;
    let ids: Vec<_> = versions
        .expect("versions")
        .into_iter()
        .filter_map(|version| version.version_id)
        .collect();
    assert_eq!(ids, ["v6", "v4", "v3", "v2", "v1"]);
    fails(
        bench
            .iam
            .delete_policy(
                &root,
                DeletePolicyRequest {
                    policy_arn: arn.clone(),
                },
            )
            .await,
        "DeleteConflict",
        "more than one version",
    );
    let set = SetDefaultPolicyVersionRequest {
        policy_arn: arn.clone(),
        version_id: "v1".into(),
    };
    bench
        .iam
        .set_default_policy_version(&root, set)
        .await
        .expect("set");
    let shown = GetPolicyVersionRequest {
        policy_arn: arn.clone(),
        version_id: "v1".into(),
    };
    let shown = bench
        .iam
        .get_policy_version(&root, shown)
        .await
        .expect("found")
        .policy_version;
    let shown = shown.expect("a version");
    assert_eq!(shown.is_default_version, Some(true));
    assert!(shown.document.expect("a document").contains("ecs%3A%2A"));
}

#[tokio::test]
async fn what_is_attached_is_not_deleted() {
    let bench = Bench::new().await;
    let root = bench.root();
    let arn = bench.policy("p", &allow("ecs:*", "*")).await;
    bench.user("ann").await;
    bench.attach_to_user("ann", &arn).await;
    bench.attach_to_user("ann", &arn).await;
    bench.attach_to_user("ann", ADMIN).await;
    let list = ListAttachedUserPoliciesRequest {
        user_name: "ann".into(),
        ..Default::default()
    };
    let attached = bench
        .iam
        .list_attached_user_policies(&root, list)
        .await
        .expect("a list")
        .attached_policies;
    let names: Vec<_> = attached
        .expect("policies")
        .into_iter()
        .filter_map(|policy| policy.policy_name)
        .collect();
    assert_eq!(names, ["p", "AdministratorAccess"]);
    let delete = DeletePolicyRequest {
        policy_arn: arn.clone(),
    };
    fails(
        bench.iam.delete_policy(&root, delete.clone()).await,
        "DeleteConflict",
        "attached to entities",
    );
    let entities = ListEntitiesForPolicyRequest {
        policy_arn: arn.clone(),
        ..Default::default()
    };
    let entities = bench
        .iam
        .list_entities_for_policy(&root, entities)
        .await
        .expect("a list");
    assert_eq!(
        entities.policy_users.expect("users")[0].user_name.as_deref(),
        Some("ann")
    );
    let scope = ListPoliciesRequest {
        only_attached: Some(true),
        ..Default::default()
    };
    let policies = bench
        .iam
        .list_policies(&root, scope)
        .await
        .expect("a list")
        .policies
        .expect("policies");
    let counts: Vec<_> = policies.iter().map(|policy| policy.attachment_count).collect();
    assert_eq!(counts, [Some(1), Some(1)]);
    let detach = DetachUserPolicyRequest {
        user_name: "ann".into(),
        policy_arn: arn.clone(),
    };
    bench
        .iam
        .detach_user_policy(&root, detach.clone())
        .await
        .expect("detached");
    fails(
        bench.iam.detach_user_policy(&root, detach).await,
        "NoSuchEntity",
        "was not found",
    );
    bench.iam.delete_policy(&root, delete).await.expect("deleted");
    for (arn, code, words) in [
        (
            arn.as_str(),
            "NoSuchEntity",
            "does not exist or is not attachable",
        ),
        ("arn:aws:iam::aws:policy/None", "NoSuchEntity", "not attachable"),
        ("none of an ARN at all", "InvalidInput", "is not valid"),
    ] {
        let attach = AttachUserPolicyRequest {
            user_name: "ann".into(),
            policy_arn: arn.into(),
        };
        fails(bench.iam.attach_user_policy(&root, attach).await, code, words);
    }
    let delete = DeletePolicyRequest {
        policy_arn: ADMIN.into(),
    };
    fails(
        bench.iam.delete_policy(&root, delete).await,
        "AccessDenied",
        "AWS managed policy",
    );
}

#[tokio::test]
async fn ten_policies_are_enough_for_anybody() {
    let bench = Bench::new().await;
    bench.user("ann").await;
    for number in 0..11 {
        let arn = bench.policy(&format!("p{number}"), &allow("ecs:*", "*")).await;
        let attach = AttachUserPolicyRequest {
            user_name: "ann".into(),
            policy_arn: arn,
        };
        let attached = bench.iam.attach_user_policy(&bench.root(), attach).await;
        if number < 10 {
            attached.expect("attached");
        } else {
            fails(
                attached,
                "LimitExceeded",
                "Cannot exceed quota for PoliciesPerUser: 10",
            );
        }
    }
}

#[tokio::test]
async fn inline_policies_lie_with_their_holder() {
    let mut bench = Bench::new().await;
    bench.role("r").await;
    let root = bench.root();
    let put = |document: &str| PutRolePolicyRequest {
        role_name: "r".into(),
        policy_name: "inline".into(),
        policy_document: document.into(),
    };
    let document = allow("ecs:*", "*");
    bench
        .iam
        .put_role_policy(&root, put(&document))
        .await
        .expect("put");
    bench
        .iam
        .put_role_policy(&root, put(&document))
        .await
        .expect("put again");
    fails(
        bench
            .iam
            .put_role_policy(&root, put("{\n \"Statement\": [{}]\n}"))
            .await,
        "MalformedPolicyDocument",
        "(line 2, column 16)",
    );
    let large = allow("ecs:*", &format!("arn:aws:ecs:::{}", "x".repeat(10_240)));
    fails(
        bench.iam.put_role_policy(&root, put(&large)).await,
        "LimitExceeded",
        "Maximum policy size of 10240 bytes exceeded for role r",
    );
    bench.restart().await;
    let get = || GetRolePolicyRequest {
        role_name: "r".into(),
        policy_name: "inline".into(),
    };
    let shown = bench
        .iam
        .get_role_policy(&root, get())
        .await
        .expect("found")
        .policy_document;
    assert!(shown.contains("ecs%3A%2A"), "{shown}");
    let role = DeleteRoleRequest {
        role_name: "r".into(),
    };
    fails(
        bench.iam.delete_role(&root, role).await,
        "DeleteConflict",
        "must delete policies first",
    );
    let delete = DeleteRolePolicyRequest {
        role_name: "r".into(),
        policy_name: "inline".into(),
    };
    bench
        .iam
        .delete_role_policy(&root, delete)
        .await
        .expect("deleted");
    fails(
        bench.iam.get_role_policy(&root, get()).await,
        "NoSuchEntity",
        "The role policy with name inline cannot be found.",
    );
}

#[tokio::test]
async fn a_boundary_is_a_policy_that_exists() {
    let bench = Bench::new().await;
    bench.user("ann").await;
    let root = bench.root();
    let put = |arn: &str| PutUserPermissionsBoundaryRequest {
        user_name: "ann".into(),
        permissions_boundary: arn.into(),
    };
    let none = "arn:aws:iam::123456789012:policy/none";
    fails(
        bench.iam.put_user_permissions_boundary(&root, put(none)).await,
        "NoSuchEntity",
        "was not found",
    );
    bench
        .iam
        .put_user_permissions_boundary(&root, put(ADMIN))
        .await
        .expect("put");
    let get = GetUserRequest {
        user_name: Some("ann".into()),
    };
    let user = bench.iam.get_user(&root, get).await.expect("found").user;
    let boundary = user
        .permissions_boundary
        .and_then(|boundary| boundary.permissions_boundary_arn);
    assert_eq!(boundary.as_deref(), Some(ADMIN));
    let delete = DeleteUserPermissionsBoundaryRequest {
        user_name: "ann".into(),
    };
    bench
        .iam
        .delete_user_permissions_boundary(&root, delete.clone())
        .await
        .expect("deleted");
    fails(
        bench.iam.delete_user_permissions_boundary(&root, delete).await,
        "NoSuchEntity",
        "boundary",
    );
}
