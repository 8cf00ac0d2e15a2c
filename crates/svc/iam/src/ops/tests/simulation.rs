//! What would be decided, and by which statement.

use roadstead_api_iam::{Iam as _, *};

use super::allow;
use crate::testing::{Bench, fails};

const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/web";

#[tokio::test]
async fn a_principals_policies_are_tried_out() {
    let bench = Bench::new().await;
    let root = bench.root();
    let user = bench.user("ann").await;
    let document = "{\"Version\":\"2012-10-17\",\"Statement\":[\n{\"Effect\":\"Allow\",\"Action\":\"ecs:Describe*\",\
                    \"Resource\":\"arn:aws:ecs:*:*:cluster/web\"},\n{\"Effect\":\"Deny\",\"Action\":\"ecs:Delete*\",\
                    \"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"aws:RequestedRegion\":\"us-east-1\"}}}]}";
    let arn = bench.policy("p", document).await;
    bench.attach_to_user("ann", &arn).await;
    let ask = |actions: &[&str], entries: Option<Vec<ContextEntry>>| SimulatePrincipalPolicyRequest {
        policy_source_arn: user.arn.clone(),
        action_names: actions.iter().map(|action| (*action).to_owned()).collect(),
        resource_arns: Some(vec![CLUSTER.into(), "*".into()]),
        context_entries: entries,
        ..Default::default()
    };
    let region = ContextEntry {
        context_key_name: Some("aws:RequestedRegion".into()),
        context_key_type: Some(ContextKeyTypeEnum::String),
        context_key_values: Some(vec!["us-east-1".into()]),
    };
    let asked = ask(&["ecs:DescribeClusters", "ecs:DeleteCluster"], Some(vec![region]));
    let answer = bench
        .iam
        .simulate_principal_policy(&root, asked)
        .await
        .expect("an answer");
    let results = answer.evaluation_results.expect("results");
    let decisions: Vec<_> = results.iter().map(|result| result.eval_decision).collect();
    use PolicyEvaluationDecisionType::{Allowed, ExplicitDeny, ImplicitDeny};
    assert_eq!(decisions, [Allowed, ImplicitDeny, ExplicitDeny, ExplicitDeny]);
    let statement = &results[0].matched_statements.as_ref().expect("statements")[0];
    assert_eq!(statement.source_policy_id.as_deref(), Some("p"));
    assert_eq!(statement.source_policy_type, Some(PolicySourceType::UserManaged));
    let start = statement.start_position.as_ref().expect("a place");
    assert_eq!((start.line, start.column), (Some(2), Some(1)));

    let asked = ask(&["ecs:DeleteCluster"], None);
    let answer = bench
        .iam
        .simulate_principal_policy(&root, asked)
        .await
        .expect("an answer");
    let result = &answer.evaluation_results.expect("results")[0];
    assert_eq!(result.eval_decision, ImplicitDeny);
    let missing = result.missing_context_values.clone().expect("keys");
    assert_eq!(missing, ["aws:RequestedRegion"]);
    let keys = GetContextKeysForPrincipalPolicyRequest {
        policy_source_arn: user.arn.clone(),
        policy_input_list: None,
    };
    let keys = bench
        .iam
        .get_context_keys_for_principal_policy(&root, keys)
        .await
        .expect("keys");
    assert_eq!(keys.context_key_names, Some(missing));
    let bad = ask(&["DeleteCluster"], None);
    fails(
        bench.iam.simulate_principal_policy(&root, bad).await,
        "InvalidInput",
        "Invalid action name",
    );
    let nobody = SimulatePrincipalPolicyRequest {
        policy_source_arn: "arn:aws:iam::123456789012:role/none".into(),
        ..ask(&["a:b"], None)
    };
    fails(
        bench.iam.simulate_principal_policy(&root, nobody).await,
        "NoSuchEntity",
        "none",
    );
}

#[tokio::test]
async fn documents_are_tried_out_before_they_are_anybodys() {
    let bench = Bench::new().await;
    let root = bench.root();
    let ask = |document: String| SimulateCustomPolicyRequest {
        policy_input_list: vec![document],
        action_names: vec!["ecs:RunTask".into(), "ecs:StopTask".into()],
        max_items: Some(1),
        ..Default::default()
    };
    let asked = SimulateCustomPolicyRequest {
        permissions_boundary_policy_input_list: Some(vec![allow("ecs:Stop*", "*")]),
        ..ask(allow("ecs:*", "*"))
    };
    let first = bench
        .iam
        .simulate_custom_policy(&root, asked.clone())
        .await
        .expect("an answer");
    let result = &first.evaluation_results.expect("results")[0];
    assert_eq!(result.eval_decision, PolicyEvaluationDecisionType::ImplicitDeny);
    let bounds = result
        .permissions_boundary_decision_detail
        .as_ref()
        .expect("a detail");
    assert_eq!(bounds.allowed_by_permissions_boundary, Some(false));
    let next = SimulateCustomPolicyRequest {
        marker: first.marker,
        ..asked
    };
    let second = bench
        .iam
        .simulate_custom_policy(&root, next)
        .await
        .expect("an answer");
    let result = &second.evaluation_results.expect("results")[0];
    assert_eq!(result.eval_decision, PolicyEvaluationDecisionType::Allowed);
    let statement = &result.matched_statements.as_ref().expect("statements")[0];
    assert_eq!(statement.source_policy_id.as_deref(), Some("PolicyInputList.1"));
    fails(
        bench.iam.simulate_custom_policy(&root, ask("{".into())).await,
        "MalformedPolicyDocument",
        "(line 1, column 2)",
    );
    let scenario = SimulateCustomPolicyRequest {
        resource_handling_option: Some("EC2-VPC-InstanceStore".into()),
        ..ask(allow("ecs:*", "*"))
    };
    fails(
        bench.iam.simulate_custom_policy(&root, scenario).await,
        "InvalidInput",
        "ResourceHandlingOption EC2-VPC-InstanceStore is not supported",
    );
}

#[tokio::test]
async fn a_resources_policy_and_owner_are_tried_out_for_a_caller() {
    use PolicyEvaluationDecisionType::{Allowed, ExplicitDeny, ImplicitDeny};
    let bench = Bench::new().await;
    let (root, ann) = (bench.root(), bench.user("ann").await.arn);
    let policy = |effect: &str, arn: &str| {
        format!(
            r#"{{"Statement": {{"Effect": "{effect}", "Principal": {{"AWS": "{arn}"}}, "Action": "sqs:*", "Resource": "*"}}}}"#
        )
    };
    let bob = "arn:aws:iam::123456789012:user/bob";
    let other = "arn:aws:iam::999999999999:root";
    for (allowed, caller, owner, resource, wanted) in [
        ("ecs:*", Some(&ann), None, None, ImplicitDeny),
        ("ecs:*", Some(&ann), None, Some(policy("Allow", &ann)), Allowed),
        (
            "ecs:*",
            Some(&ann),
            None,
            Some(policy("Allow", bob)),
            ImplicitDeny,
        ),
        (
            "sqs:*",
            Some(&ann),
            None,
            Some(policy("Deny", &ann)),
            ExplicitDeny,
        ),
        ("sqs:*", Some(&ann), Some("123456789012"), None, Allowed),
        ("sqs:*", Some(&ann), Some(other), None, ImplicitDeny),
        (
            "sqs:*",
            Some(&ann),
            Some(other),
            Some(policy("Allow", &ann)),
            Allowed,
        ),
    ] {
        let (owner, caller) = (owner.map(str::to_owned), caller.cloned());
        let custom = SimulateCustomPolicyRequest {
            policy_input_list: vec![allow(allowed, "*")],
            action_names: vec!["sqs:SendMessage".into()],
            caller_arn: caller.clone(),
            resource_owner: owner.clone(),
            resource_policy: resource.clone(),
            ..Default::default()
        };
        let custom = bench.iam.simulate_custom_policy(&root, custom).await;
        let principal = SimulatePrincipalPolicyRequest {
            policy_source_arn: ann.clone(),
            policy_input_list: Some(vec![allow(allowed, "*")]),
            action_names: vec!["sqs:SendMessage".into()],
            caller_arn: caller,
            resource_owner: owner.clone(),
            resource_policy: resource.clone(),
            ..Default::default()
        };
        let principal = bench.iam.simulate_principal_policy(&root, principal).await;
        for answer in [custom, principal] {
            let results = answer.expect("an answer").evaluation_results.expect("results");
            assert_eq!(
                results[0].eval_decision, wanted,
                "{allowed} {owner:?} {resource:?}"
            );
        }
    }
    // The policy names somebody else than whose policies are tried out: as that one the caller is let in.
    let as_bob = SimulatePrincipalPolicyRequest {
        policy_source_arn: ann.clone(),
        action_names: vec!["sqs:SendMessage".into()],
        caller_arn: Some(bob.into()),
        resource_policy: Some(policy("Allow", bob)),
        ..Default::default()
    };
    let as_bob = bench.iam.simulate_principal_policy(&root, as_bob).await;
    let results = as_bob.expect("an answer").evaluation_results.expect("results");
    assert_eq!(results[0].eval_decision, Allowed);
    let nobody = SimulateCustomPolicyRequest {
        policy_input_list: vec![allow("sqs:*", "*")],
        action_names: vec!["sqs:SendMessage".into()],
        resource_owner: Some("somebody".into()),
        ..Default::default()
    };
    fails(
        bench.iam.simulate_custom_policy(&root, nobody.clone()).await,
        "InvalidInput",
        "ResourceOwner somebody names no account",
    );
    let nobody = SimulateCustomPolicyRequest {
        resource_owner: None,
        resource_policy: Some(policy("Allow", &ann)),
        ..nobody
    };
    fails(
        bench.iam.simulate_custom_policy(&root, nobody).await,
        "InvalidInput",
        "CallerArn is required with ResourcePolicy",
    );
}
