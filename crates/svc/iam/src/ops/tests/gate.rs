//! What the gate is answered: who may, by which policies, as whom.

use std::sync::Arc;

use roadstead_api_iam::{Iam as _, *};
use roadstead_base::{Caller, Ctx, RoleSession};
use roadstead_dispatch::{Asked, Authority, Because, KeyError, Keys, RoleError, ServiceAssumes};

use super::allow;
use crate::testing::Bench;

const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/web";

fn decide(bench: &Bench, ctx: &Ctx, action: &str, resource: &str) -> Result<(), Because> {
    decide_with(bench, ctx, action, resource, None)
}

fn decide_with(
    bench: &Bench,
    ctx: &Ctx,
    action: &str,
    resource: &str,
    resource_policy: Option<&str>,
) -> Result<(), Because> {
    let asked = Asked {
        ctx,
        action,
        resource,
        keys: &Keys::default(),
        resource_policy,
    };
    bench.iam.decide(asked).map_err(|denial| denial.because)
}

async fn user(bench: &Bench, name: &str) -> Ctx {
    bench.user(name).await;
    let key = bench.key(name).await;
    let found = bench
        .iam
        .find(&key.access_key_id, None)
        .expect("ours")
        .expect("a key");
    bench.ctx(found.caller)
}

async fn put(bench: &Bench, user: &str, document: &str) {
    let input = PutUserPolicyRequest {
        user_name: user.into(),
        policy_name: "inline".into(),
        policy_document: document.into(),
    };
    bench
        .iam
        .put_user_policy(&bench.root(), input)
        .await
        .expect("put");
}

fn session(bench: &Bench, role: &str, seconds: u32) -> Result<Arc<RoleSession>, RoleError> {
    let ctx = bench.root();
    bench.iam.assume(ServiceAssumes {
        role_arn: role,
        service: "ecs-tasks.amazonaws.com",
        session_name: "task",
        seconds,
        account: &ctx.account,
        region: &ctx.region,
        source_arn: None,
        tags: &[],
    })
}

#[tokio::test]
async fn a_user_may_what_its_own_and_its_groups_policies_say() {
    let bench = Bench::new().await;
    let root = bench.root();
    let ann = user(&bench, "ann").await;
    assert_eq!(
        decide(&bench, &ann, "ecs:RunTask", "*"),
        Err(Because::NoIdentityPolicy)
    );
    put(&bench, "ann", &allow("ecs:Describe*", CLUSTER)).await;
    assert_eq!(decide(&bench, &ann, "ecs:DescribeClusters", CLUSTER), Ok(()));
    assert_eq!(
        decide(&bench, &ann, "ecs:RunTask", "*"),
        Err(Because::NoIdentityPolicy)
    );
    bench.group("all").await;
    let join = AddUserToGroupRequest {
        group_name: "all".into(),
        user_name: "ann".into(),
    };
    bench.iam.add_user_to_group(&root, join).await.expect("added");
    let arn = bench.policy("p", &allow("ecs:RunTask", "*")).await;
    let attach = AttachGroupPolicyRequest {
        group_name: "all".into(),
        policy_arn: arn.clone(),
    };
    bench
        .iam
        .attach_group_policy(&root, attach)
        .await
        .expect("attached");
    assert_eq!(decide(&bench, &ann, "ecs:RunTask", "*"), Ok(()));
    // A new default version decides from then on.
    let version = CreatePolicyVersionRequest {
        policy_arn: arn.clone(),
        policy_document: allow("ecs:RunTask", "*").replace("Allow", "Deny"),
        set_as_default: Some(true),
    };
    bench
        .iam
        .create_policy_version(&root, version)
        .await
        .expect("made");
    assert_eq!(
        decide(&bench, &ann, "ecs:RunTask", "*"),
        Err(Because::ExplicitIdentityDeny)
    );
    let boundary = PutUserPermissionsBoundaryRequest {
        user_name: "ann".into(),
        permissions_boundary: "arn:aws:iam::aws:policy/AmazonS3FullAccess".into(),
    };
    bench
        .iam
        .put_user_permissions_boundary(&root, boundary)
        .await
        .expect("put");
    assert_eq!(
        decide(&bench, &ann, "ecs:DescribeClusters", CLUSTER),
        Err(Because::NoBoundary)
    );
}

#[tokio::test]
async fn conditions_know_who_asks_and_when() {
    let bench = Bench::new().await;
    let mut ann = user(&bench, "ann").await;
    ann.origin = Arc::new(roadstead_base::Origin {
        address: Some("10.1.2.3".parse().expect("an address")),
        ..Default::default()
    });
    let tag = TagUserRequest {
        user_name: "ann".into(),
        tags: vec![Tag {
            key: "team".into(),
            value: "web".into(),
        }],
    };
    bench.iam.tag_user(&bench.root(), tag).await.expect("tagged");
    for (condition, expected) in [
        (r#""StringEquals":{"aws:username":"ann"}"#, true),
        (r#""StringEquals":{"aws:username":"bob"}"#, false),
        (r#""StringEquals":{"aws:PrincipalTag/team":"web"}"#, true),
        (
            r#""ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/*"}"#,
            true,
        ),
        (r#""StringEquals":{"aws:RequestedRegion":"eu-west-1"}"#, false),
        (r#""IpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#, true),
        (r#""IpAddress":{"aws:SourceIp":"11.0.0.0/8"}"#, false),
        (
            r#""DateLessThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"}"#,
            true,
        ),
        (r#""NumericLessThan":{"aws:EpochTime":"1"}"#, false),
        (r#""Bool":{"aws:ViaAWSService":"false"}"#, true),
        (r#""Bool":{"aws:SecureTransport":"true"}"#, false),
        (r#""Null":{"aws:TokenIssueTime":"true"}"#, true),
    ] {
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{{{condition}}}}}}}"#
        );
        put(&bench, "ann", &document).await;
        assert_eq!(decide(&bench, &ann, "a:b", "*").is_ok(), expected, "{condition}");
    }
}

#[tokio::test]
async fn a_service_acts_as_a_role_that_trusts_it() {
    let mut bench = Bench::new().await;
    let role = bench.role("task").await;
    let policy = PutRolePolicyRequest {
        role_name: "task".into(),
        policy_name: "inline".into(),
        policy_document: allow("ecs:DescribeClusters", CLUSTER),
    };
    bench
        .iam
        .put_role_policy(&bench.root(), policy)
        .await
        .expect("put");
    let assumed = session(&bench, &role.arn, 900).expect("trusted");
    assert_eq!(assumed.arn(), "arn:aws:sts::123456789012:assumed-role/task/task");
    let ctx = bench.ctx(Caller::Role(assumed.clone()));
    assert_eq!(decide(&bench, &ctx, "ecs:DescribeClusters", CLUSTER), Ok(()));
    assert_eq!(
        decide(&bench, &ctx, "ecs:ListClusters", "*"),
        Err(Because::NoIdentityPolicy)
    );

    // Its keys are worth something also after a restart, until they expire.
    let keys = bench.iam.issue(&ctx.caller, &ctx.account, assumed.expires);
    bench.restart().await;
    let found = bench
        .iam
        .find(&keys.access_key, Some(&keys.token))
        .expect("ours")
        .expect("a key");
    assert_eq!(
        (found.secret, found.caller),
        (keys.secret.clone(), ctx.caller.clone())
    );
    assert_eq!(
        bench.iam.find(&keys.access_key, None).unwrap_err(),
        KeyError::Invalid
    );
    let other = bench.iam.issue(&ctx.caller, &ctx.account, assumed.expires);
    assert_eq!(
        bench.iam.find(&keys.access_key, Some(&other.token)).unwrap_err(),
        KeyError::Invalid
    );
    bench.clock.advance(900_000);
    assert_eq!(
        bench.iam.find(&keys.access_key, Some(&keys.token)).unwrap_err(),
        KeyError::Expired
    );

    let role_gone = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
    assert_eq!(
        session(&bench, &role_gone("none"), 900),
        Err(RoleError::NoSuchRole(role_gone("none")))
    );
    assert_eq!(
        session(&bench, "task", 900),
        Err(RoleError::NotARole("task".into()))
    );
    let trust = UpdateAssumeRolePolicyRequest {
        role_name: "task".into(),
        policy_document: super::TRUST.replace("ecs-tasks", "lambda"),
    };
    bench
        .iam
        .update_assume_role_policy(&bench.root(), trust)
        .await
        .expect("changed");
    assert!(matches!(
        session(&bench, &role.arn, 900),
        Err(RoleError::NotTrusted { .. })
    ));
}

#[tokio::test]
async fn sessions_end_with_their_role_and_are_narrowed_by_their_policies() {
    let bench = Bench::new().await;
    let role = bench.role("task").await;
    let attach = AttachRolePolicyRequest {
        role_name: "task".into(),
        policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess".into(),
    };
    bench
        .iam
        .attach_role_policy(&bench.root(), attach)
        .await
        .expect("attached");
    let mut assumed = session(&bench, &role.arn, 3600)
        .expect("trusted")
        .as_ref()
        .clone();
    assumed.policies = vec![allow("ecs:*", "*")];
    let ctx = bench.ctx(Caller::Role(Arc::new(assumed.clone())));
    assert_eq!(decide(&bench, &ctx, "ecs:RunTask", "*"), Ok(()));
    assert_eq!(
        decide(&bench, &ctx, "ec2:RunInstances", "*"),
        Err(Because::NoSessionPolicy)
    );
    let keys = bench.iam.issue(&ctx.caller, &ctx.account, assumed.expires);
    let detach = DetachRolePolicyRequest {
        role_name: "task".into(),
        policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess".into(),
    };
    bench
        .iam
        .detach_role_policy(&bench.root(), detach)
        .await
        .expect("detached");
    let gone = DeleteRoleRequest {
        role_name: "task".into(),
    };
    bench.iam.delete_role(&bench.root(), gone).await.expect("deleted");
    // A role of the same name is another role.
    bench.role("task").await;
    assert_eq!(
        bench.iam.find(&keys.access_key, Some(&keys.token)).unwrap_err(),
        KeyError::Invalid
    );
    assert_eq!(
        decide(&bench, &ctx, "ecs:RunTask", "*"),
        Err(Because::NoIdentityPolicy)
    );
}

#[tokio::test]
async fn a_role_is_assumed_by_whom_it_trusts() {
    let bench = Bench::new().await;
    let ann = user(&bench, "ann").await;
    let role = "arn:aws:iam::123456789012:role/r";
    let trust = |principal: &str| {
        format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"sts:AssumeRole"}}]}}"#
        )
    };
    let may = |trust: &str| decide_with(&bench, &ann, "sts:AssumeRole", role, Some(trust));
    assert_eq!(may(&trust("arn:aws:iam::123456789012:user/ann")), Ok(()));
    assert_eq!(may(&trust("123456789012")), Err(Because::NoIdentityPolicy));
    assert_eq!(
        may(&trust("arn:aws:iam::123456789012:user/bob")),
        Err(Because::NoResourcePolicy)
    );
    put(&bench, "ann", &allow("sts:AssumeRole", role)).await;
    assert_eq!(may(&trust("123456789012")), Ok(()));
    assert_eq!(
        may(&trust("arn:aws:iam::123456789012:user/bob")),
        Err(Because::NoResourcePolicy)
    );
}

#[tokio::test]
async fn uses_are_noted() {
    let bench = Bench::new().await;
    bench.user("ann").await;
    let key = bench.key("ann").await;
    let id = key.access_key_id.clone();
    let ask = || GetAccessKeyLastUsedRequest {
        access_key_id: id.clone(),
    };
    let root = bench.root();
    let never = bench
        .iam
        .get_access_key_last_used(&root, ask())
        .await
        .expect("an answer");
    assert_eq!(never.access_key_last_used.expect("a use").service_name, "N/A");
    let found = bench.iam.find(&id, None).expect("ours").expect("a key");
    let mut ann = bench.ctx(found.caller);
    ann.origin = Arc::new(roadstead_base::Origin {
        access_key: id.clone(),
        ..Default::default()
    });
    let _ = decide(&bench, &ann, "ecs:RunTask", "*");
    let used = bench
        .iam
        .get_access_key_last_used(&root, ask())
        .await
        .expect("an answer");
    let used = used.access_key_last_used.expect("a use");
    assert_eq!(
        (used.service_name.as_str(), used.region.as_str()),
        ("ecs", "us-east-1")
    );
    assert_eq!(used.last_used_date, Some(crate::testing::NOW));
}

#[tokio::test]
async fn a_service_that_calls_for_a_rule_needs_the_resources_policy() {
    let bench = Bench::new().await;
    let rule = "arn:aws:events:us-east-1:123456789012:rule/r";
    let queue = "arn:aws:sqs:us-east-1:123456789012:q";
    let mut ctx = bench.root();
    ctx.caller = Caller::Service("events.amazonaws.com");
    let ask = |ctx: &Ctx, policy: Option<&str>| decide_with(&bench, ctx, "sqs:SendMessage", queue, policy);
    assert_eq!(ask(&ctx, None), Ok(()), "on its own behalf nothing binds it");
    ctx.origin = Arc::new(roadstead_base::Origin {
        source_arn: Some(rule.into()),
        ..Default::default()
    });
    let policy = |service: &str, source: &str| {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": {{"Service": "{service}"}},
                "Action": "sqs:SendMessage", "Resource": "{queue}",
                "Condition": {{"ArnEquals": {{"aws:SourceArn": "{source}"}},
                    "StringEquals": {{"aws:SourceAccount": "123456789012"}}, "Bool": {{"aws:PrincipalIsAWSService": "true"}}}}}}]}}"#
        )
    };
    let denied = Err(Because::NoResourcePolicy);
    assert_eq!(ask(&ctx, None), denied);
    assert_eq!(ask(&ctx, Some(&policy("events.amazonaws.com", rule))), Ok(()));
    assert_eq!(ask(&ctx, Some(&policy("sns.amazonaws.com", rule))), denied);
    let other = "arn:aws:events:us-east-1:123456789012:rule/s";
    assert_eq!(ask(&ctx, Some(&policy("events.amazonaws.com", other))), denied);
    // The policy that topics have at first lets alarms in, by a name that they alone bring.
    let of_owner = format!(
        r#"{{"Version": "2008-10-17", "Statement": [{{"Effect": "Allow", "Principal": {{"AWS": "*"}},
            "Action": "SQS:SendMessage", "Resource": "{queue}",
            "Condition": {{"StringEquals": {{"AWS:SourceOwner": "123456789012"}}}}}}]}}"#
    );
    assert_eq!(ask(&ctx, Some(&of_owner)), denied);
    ctx.caller = Caller::Service("cloudwatch.amazonaws.com");
    assert_eq!(ask(&ctx, Some(&of_owner)), Ok(()));
}

#[tokio::test]
async fn the_root_of_an_account_needs_leave_in_another_alone() {
    let bench = Bench::new().await;
    let root = bench.root();
    let foreign = "arn:aws:events:us-east-1:999999999999:event-bus/default";
    let policy = |effect: &str, account: &str| {
        format!(
            r#"{{"Statement": {{"Effect": "{effect}", "Principal": {{"AWS": "{account}"}},
                "Action": "events:PutEvents", "Resource": "*"}}}}"#
        )
    };
    let own = root.account.to_string();
    for (resource, policy, wanted) in [
        (CLUSTER, None, Ok(())),
        (foreign, None, Err(Because::NoResourcePolicy)),
        (foreign, Some(policy("Allow", &own)), Ok(())),
        (
            foreign,
            Some(policy("Allow", "888888888888")),
            Err(Because::NoResourcePolicy),
        ),
        (
            foreign,
            Some(policy("Deny", &own)),
            Err(Because::ExplicitResourceDeny),
        ),
    ] {
        let decided = decide_with(&bench, &root, "events:PutEvents", resource, policy.as_deref());
        assert_eq!(decided, wanted, "{resource} {policy:?}");
    }
}

#[tokio::test]
async fn a_resources_policy_is_parsed_once_however_often_it_is_asked() {
    let bench = Bench::new().await;
    let foreign = "arn:aws:events:us-east-1:999999999999:event-bus/default";
    let policy = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}"#;
    let mut service = bench.root();
    service.caller = Caller::Service("events.amazonaws.com");
    service.origin = Arc::new(roadstead_base::Origin {
        source_arn: Some("arn:aws:events:us-east-1:123456789012:rule/r".into()),
        ..Default::default()
    });
    let ann = user(&bench, "ann").await;
    put(&bench, "ann", &allow("events:*", "*")).await;
    for _ in 0..3 {
        for ctx in [&bench.root(), &service, &ann] {
            let decided = decide_with(&bench, ctx, "events:PutEvents", foreign, Some(policy));
            assert_eq!(decided, Ok(()), "{:?}", ctx.caller);
        }
        assert_eq!(bench.iam.documents.count(), 1);
    }
}

#[tokio::test]
async fn the_password_policy_lets_users_change_their_own() {
    let bench = Bench::new().await;
    let ann = user(&bench, "ann").await;
    let own = "arn:aws:iam::123456789012:user/ann";
    let change = |resource: &str| decide(&bench, &ann, "iam:ChangePassword", resource);
    assert!(change(own).is_err());
    let let_them = UpdateAccountPasswordPolicyRequest {
        allow_users_to_change_password: Some(true),
        ..Default::default()
    };
    bench
        .iam
        .update_account_password_policy(&bench.root(), let_them)
        .await
        .expect("updated");
    change(own).expect("allowed");
    decide(&bench, &ann, "iam:GetAccountPasswordPolicy", "*").expect("allowed");
    assert!(change("arn:aws:iam::123456789012:user/bob").is_err());
    assert!(decide(&bench, &ann, "iam:UpdateLoginProfile", own).is_err());
    let deny = allow("iam:ChangePassword", "*").replace("Allow", "Deny");
    put(&bench, "ann", &deny).await;
    assert!(change(own).is_err());
}
