//! Roles and their profiles: whom they trust, what keeps them, and which are a service's own.

use roadstead_api_iam::{Iam as _, *};

use super::TRUST;
use crate::testing::{Bench, fails};

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

#[tokio::test]
async fn roles_and_profiles_are_made_with_tags_and_a_role_with_a_boundary() {
    let mut bench = Bench::new().await;
    let root = bench.root();
    let tags = vec![Tag {
        key: "team".into(),
        value: "a".into(),
    }];
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let role = |boundary: &str| CreateRoleRequest {
        role_name: "r".into(),
        assume_role_policy_document: TRUST.into(),
        permissions_boundary: Some(boundary.into()),
        tags: Some(tags.clone()),
        ..Default::default()
    };
    fails(
        bench
            .iam
            .create_role(&root, role("arn:aws:iam::123456789012:policy/none"))
            .await,
        "NoSuchEntity",
        "was not found",
    );
    bench.iam.create_role(&root, role(admin)).await.expect("made");
    let profile = CreateInstanceProfileRequest {
        instance_profile_name: "p".into(),
        tags: Some(tags.clone()),
        ..Default::default()
    };
    bench
        .iam
        .create_instance_profile(&root, profile)
        .await
        .expect("made");
    bench.restart().await;
    let get = GetRoleRequest {
        role_name: "r".into(),
    };
    let found = bench.iam.get_role(&root, get).await.expect("found").role;
    let boundary = found
        .permissions_boundary
        .and_then(|boundary| boundary.permissions_boundary_arn);
    assert_eq!(
        (found.tags, boundary.as_deref()),
        (Some(tags.clone()), Some(admin))
    );
    let get = GetInstanceProfileRequest {
        instance_profile_name: "p".into(),
    };
    let found = bench.iam.get_instance_profile(&root, get).await.expect("found");
    assert_eq!(found.instance_profile.tags, Some(tags));
    let twice = CreateInstanceProfileRequest {
        instance_profile_name: "q".into(),
        tags: Some(
            ["team", "team"]
                .map(|key| Tag {
                    key: key.into(),
                    value: "a".into(),
                })
                .to_vec(),
        ),
        ..Default::default()
    };
    fails(
        bench.iam.create_instance_profile(&root, twice).await,
        "InvalidInput",
        "",
    );
}
