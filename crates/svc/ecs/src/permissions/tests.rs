//! Requests as policies see them.

use serde_json::json;

use super::*;
use crate::tests::ctx;

fn check(operation: &'static str, input: serde_json::Value, expected: &[&str]) {
    let model = &roadstead_api_ecs::MODEL;
    let shape = model.operation(operation).expect("an operation").input;
    let input =
        roadstead_protocol::json::decode(model, shape, input.to_string().as_bytes()).expect("an input");
    let ctx = ctx();
    let asking = Asking {
        ctx: &ctx,
        operation,
        input: &input,
    };
    let ecs = Arc::new(crate::tests::ecs());
    let permissions = EcsPermissions(ecs);
    let rule = permissions
        .rules()
        .iter()
        .find(|rule| rule.operation == operation)
        .expect("a rule");
    let shown: Vec<String> = (rule.needs)(&asking)
        .into_iter()
        .map(|need| {
            let keys = need
                .keys
                .iter()
                .map(|(key, values)| format!(" {key}={}", values.join(",")));
            format!(
                "{} {}{}",
                need.action,
                need.resources.join(" "),
                keys.collect::<String>()
            )
        })
        .collect();
    assert_eq!(shown, expected, "{operation}");
}

const A: &str = "arn:aws:ecs:us-east-1:000000000000";

#[test]
fn requests_become_actions_on_arns() {
    let web = format!("{A}:cluster/web");
    check(
        "DescribeClusters",
        json!({}),
        &[&format!("ecs:DescribeClusters {A}:cluster/default")],
    );
    check(
        "DescribeClusters",
        json!({"clusters": ["web", web]}),
        &[&format!("ecs:DescribeClusters {web} {web}")],
    );
    check(
        "StopTask",
        json!({"cluster": "web", "task": "0f"}),
        &[&format!("ecs:StopTask {A}:task/web/0f ecs:cluster={web}")],
    );
    check(
        "CreateCluster",
        json!({"clusterName": "web", "tags": [{"key": "team", "value": "a"}]}),
        &[
            "ecs:CreateCluster  aws:RequestTag/team=a aws:TagKeys=team",
            &format!(
                "ecs:TagResource {web} ecs:CreateAction=CreateCluster aws:RequestTag/team=a aws:TagKeys=team"
            ),
        ],
    );
}

#[test]
fn what_was_deployed_is_asked_for_by_its_own_arn() {
    let of = |kind: &str| format!("{A}:service-{kind}/web/shop/1");
    let keys = format!("ecs:cluster={A}:cluster/web ecs:service={A}:service/web/shop");
    for (operation, member, kind, many) in [
        (
            "DescribeServiceDeployments",
            "serviceDeploymentArns",
            "deployment",
            true,
        ),
        (
            "DescribeServiceRevisions",
            "serviceRevisionArns",
            "revision",
            true,
        ),
        (
            "StopServiceDeployment",
            "serviceDeploymentArn",
            "deployment",
            false,
        ),
        (
            "ContinueServiceDeployment",
            "serviceDeploymentArn",
            "deployment",
            false,
        ),
    ] {
        let arn = of(kind);
        let mut input = json!({member: if many { json!([arn]) } else { json!(arn) }});
        if operation == "ContinueServiceDeployment" {
            input["hookId"] = json!("h");
        }
        check(operation, input, &[&format!("ecs:{operation} {arn} {keys}")]);
    }
    check(
        "ListServiceDeployments",
        json!({"service": "shop", "cluster": "web"}),
        &[&format!(
            "ecs:ListServiceDeployments {A}:service/web/shop ecs:cluster={A}:cluster/web"
        )],
    );
}

#[test]
fn roles_in_a_request_are_handed_over() {
    let pass = "iam:PassedToService=ecs-tasks.amazonaws.com";
    check(
        "RegisterTaskDefinition",
        json!({"family": "f", "containerDefinitions": [], "taskRoleArn": "reader",
               "executionRoleArn": "arn:aws:iam::000000000000:role/p/puller"}),
        &[
            &format!("ecs:RegisterTaskDefinition {A}:task-definition/f:* ecs:privileged=disabled"),
            &format!("iam:PassRole arn:aws:iam::000000000000:role/reader {pass}"),
            &format!("iam:PassRole arn:aws:iam::000000000000:role/p/puller {pass}"),
        ],
    );
    check(
        "RunTask",
        json!({"taskDefinition": "f:1", "overrides": {"taskRoleArn": "reader"}}),
        &[
            &format!(
                "ecs:RunTask {A}:task-definition/f:1 ecs:cluster={A}:cluster/default ecs:enable-execute-command=false"
            ),
            &format!("iam:PassRole arn:aws:iam::000000000000:role/reader {pass}"),
        ],
    );
}

#[test]
fn task_sets_are_asked_for_by_their_own_arns() {
    let keys = format!("ecs:cluster={A}:cluster/web ecs:service={A}:service/web/shop");
    let of = |set: &str| format!("{A}:task-set/web/shop/{set}");
    let with = |change: serde_json::Value| {
        let mut input = json!({"cluster": "web", "service": "shop"});
        for (name, value) in change.as_object().expect("members") {
            input[name] = value.clone();
        }
        input
    };
    check(
        "CreateTaskSet",
        with(json!({"taskDefinition": "f:1"})),
        &[&format!(
            "ecs:CreateTaskSet {} {keys} ecs:task-definition={A}:task-definition/f:1",
            of("*")
        )],
    );
    check(
        "UpdateTaskSet",
        with(json!({"taskSet": "ecs-svc/1", "scale": {"value": 1}})),
        &[&format!("ecs:UpdateTaskSet {} {keys}", of("ecs-svc/1"))],
    );
    check(
        "DeleteTaskSet",
        with(json!({"taskSet": of("ecs-svc/1")})),
        &[&format!("ecs:DeleteTaskSet {} {keys}", of("ecs-svc/1"))],
    );
    check(
        "DescribeTaskSets",
        with(json!({"taskSets": ["ecs-svc/1", "ecs-svc/2"]})),
        &[&format!(
            "ecs:DescribeTaskSets {} {} {keys}",
            of("ecs-svc/1"),
            of("ecs-svc/2")
        )],
    );
    check(
        "UpdateServicePrimaryTaskSet",
        with(json!({"primaryTaskSet": "ecs-svc/1"})),
        &[&format!(
            "ecs:UpdateServicePrimaryTaskSet {A}:service/web/shop ecs:cluster={A}:cluster/web"
        )],
    );
}
