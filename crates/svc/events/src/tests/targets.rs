//! Targets: kept as they were given, and refused where nothing could ever be delivered.

use serde_json::{Value as Json, json};

use crate::harness::{Bench, START};

const GROUP: &str = "arn:aws:logs:us-east-1:000000000000:log-group:/events/x";
const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/c";
const ROLE: &str = "arn:aws:iam::000000000000:role/r";

async fn with_rule() -> Bench {
    let bench = Bench::new().await;
    bench
        .call(
            "PutRule",
            json!({"Name": "r", "EventPattern": r#"{"source": ["shop"]}"#}),
        )
        .await
        .expect("a rule");
    bench
}

fn put(target: Json) -> Json {
    json!({"Rule": "r", "Targets": [target]})
}

#[tokio::test]
async fn put_targets_keeps_each_as_it_was_given() {
    let bench = with_rule().await;
    let targets = json!([
        {"Id": "a", "Arn": GROUP},
        {"Id": "b", "Arn": GROUP, "Input": "{\"x\": 1}", "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60}},
        {"Id": "c", "Arn": GROUP, "InputPath": "$.detail.x"},
        {"Id": "d", "Arn": GROUP, "InputTransformer": {"InputPathsMap": {"x": "$.detail.x"}, "InputTemplate": "\"<x>\""}},
        {"Id": "e", "Arn": CLUSTER, "RoleArn": ROLE, "EcsParameters": {
            "TaskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/x:1", "TaskCount": 2,
            "LaunchType": "FARGATE", "PlatformVersion": "1.4.0", "Group": "g", "EnableECSManagedTags": true,
            "EnableExecuteCommand": false, "PropagateTags": "TASK_DEFINITION", "ReferenceId": "ref",
            "CapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}],
            "PlacementConstraints": [{"type": "distinctInstance"}], "PlacementStrategy": [{"type": "random"}],
            "Tags": [{"Key": "k", "Value": "v"}],
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"], "AssignPublicIp": "DISABLED"}}}},
    ]);
    let answer = bench
        .call("PutTargets", json!({"Rule": "r", "Targets": targets}))
        .await
        .expect("taken");
    assert_eq!(answer, json!({"FailedEntryCount": 0, "FailedEntries": []}));
    let again = Bench::over(bench.store.clone(), START).await;
    let listed = again
        .call("ListTargetsByRule", json!({"Rule": "r"}))
        .await
        .expect("targets");
    assert_eq!(listed, json!({"Targets": targets}));
    // Replaced by its id; one more is too many.
    let replaced = put(json!({"Id": "a", "Arn": GROUP, "Input": "1"}));
    bench.call("PutTargets", replaced).await.expect("replaced");
    let more = bench
        .call("PutTargets", put(json!({"Id": "f", "Arn": GROUP})))
        .await;
    Bench::refused(
        more,
        "LimitExceededException",
        "exceeds the maximum number allowed.",
    );
    let page = bench
        .call("ListTargetsByRule", json!({"Rule": "r", "Limit": 4}))
        .await
        .expect("a page");
    assert_eq!(page["Targets"][0]["Input"], "1");
    let rest = json!({"Rule": "r", "NextToken": page["NextToken"]});
    let rest = bench.call("ListTargetsByRule", rest).await.expect("a page");
    assert_eq!(rest["Targets"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn put_targets_refuses_what_could_never_be_delivered() {
    let bench = with_rule().await;
    let ecs = json!({"TaskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/x"});
    let transformer = |paths: Json, template: &str| {
        json!({"Id": "t", "Arn": GROUP,
        "InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}})
    };
    for (target, words) in [
        (
            json!({"Id": "t", "Arn": "x"}),
            "Parameter x is not valid. Reason: Provided Arn is not in correct format.",
        ),
        (
            json!({"Id": "t", "Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}),
            "target of kinesis",
        ),
        (
            json!({"Id": "t", "Arn": "arn:aws:lambda:us-east-1:000000000000:layer:f"}),
            "it is no function",
        ),
        (
            json!({"Id": "t", "Arn": "arn:aws:lambda:us-east-1:000000000000:function:f:1:2"}),
            "it is no function",
        ),
        (
            json!({"Id": "t", "Arn": "arn:aws:sqs:us-east-1:000000000000:q.fifo"}),
            "Parameter(s) SqsParameters must be specified for target: t.",
        ),
        (
            json!({"Id": "t", "Arn": "arn:aws:sns:us-east-1:000000000000:t:1"}),
            "it is no topic",
        ),
        (
            json!({"Id": "t", "Arn": "arn:aws:sqs:us-east-1:000000000000:q", "SqsParameters": {"MessageGroupId": "g"}}),
            "no FIFO queue",
        ),
        (
            json!({"Id": "t", "Arn": "arn:aws:sqs:us-east-1:000000000000:a:b"}),
            "it is no queue",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "DeadLetterConfig": {"Arn": GROUP}}),
            "DeadLetterConfig is not valid",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:q.fifo"}}),
            "no FIFO queue",
        ),
        (
            json!({"Id": "t", "Arn": "arn:aws:ecs:us-east-1:000000000000:task/x"}),
            "it is no cluster",
        ),
        (
            json!({"Id": "t", "Arn": "arn:aws:logs:us-east-1:000000000000:x"}),
            "no log group",
        ),
        (
            json!({"Id": "t", "Arn": "arn:aws:events:us-east-1:000000000000:rule/r"}),
            "a rule is no target",
        ),
        (
            json!({"Id": "t", "Arn": "arn:aws:logs:eu-west-1:000000000000:log-group:x"}),
            "another account or region",
        ),
        (
            json!({"Id": "t", "Arn": CLUSTER, "RoleArn": ROLE}),
            "Parameter(s) EcsParameters must be specified for target: t.",
        ),
        (
            json!({"Id": "t", "Arn": CLUSTER, "EcsParameters": ecs}),
            "RoleArn is required",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "EcsParameters": ecs}),
            "EcsParameters",
        ),
        (json!({"Id": "t", "Arn": GROUP, "RoleArn": "r"}), "RoleArn"),
        (
            json!({"Id": "t", "Arn": GROUP, "Input": "{"}),
            "Input is not valid",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "Input": "1", "InputPath": "$"}),
            "Only one of",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "InputPath": "detail"}),
            "InputPath is not valid",
        ),
        (
            transformer(json!({"x": "detail"}), "<x>"),
            "does not begin with $",
        ),
        (transformer(json!({"x": "$"}), "<y>"), "no path named y"),
        (transformer(json!({"AWSx": "$"}), "<AWSx>"), "begins with AWS"),
        (transformer(json!({}), "<x"), "does not end"),
        (
            json!({"Id": "t", "Arn": GROUP, "DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-west-1:000000000000:q"}}),
            "DeadLetterConfig",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "SqsParameters": {"MessageGroupId": "g"}}),
            "SqsParameters",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "KinesisParameters": {"PartitionKeyPath": "$"}}),
            "KinesisParameters",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "HttpParameters": {}}),
            "HttpParameters",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "BatchParameters": {"JobDefinition": "a", "JobName": "b"}}),
            "BatchParameters",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "AppSyncParameters": {"GraphQLOperation": "x"}}),
            "AppSyncParameters",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "RedshiftDataParameters": {"Database": "d"}}),
            "RedshiftDataParameters",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "RunCommandParameters": {"RunCommandTargets": [{"Key": "k", "Values": ["v"]}]}}),
            "RunCommandParameters",
        ),
        (
            json!({"Id": "t", "Arn": GROUP, "SageMakerPipelineParameters": {}}),
            "SageMakerPipelineParameters",
        ),
    ] {
        Bench::refused(
            bench.call("PutTargets", put(target)).await,
            "ValidationException",
            words,
        );
    }
    let twice = json!({"Rule": "r", "Targets": [{"Id": "t", "Arn": GROUP}, {"Id": "t", "Arn": GROUP}]});
    Bench::refused(
        bench.call("PutTargets", twice).await,
        "ValidationException",
        "there twice",
    );
    let nowhere = json!({"Rule": "x", "Targets": [{"Id": "t", "Arn": GROUP}]});
    Bench::refused(
        bench.call("PutTargets", nowhere).await,
        "ResourceNotFoundException",
        "Rule x",
    );
    let bus = json!({"Rule": "r", "EventBusName": "x", "Targets": [{"Id": "t", "Arn": GROUP}]});
    Bench::refused(
        bench.call("PutTargets", bus).await,
        "ResourceNotFoundException",
        "Event bus x",
    );
    let none = bench
        .call("ListTargetsByRule", json!({"Rule": "r"}))
        .await
        .expect("none");
    assert_eq!(none, json!({"Targets": []}));
}

#[tokio::test]
async fn remove_targets_tells_which_were_not_there() {
    let bench = with_rule().await;
    bench
        .call("PutTargets", put(json!({"Id": "a", "Arn": GROUP})))
        .await
        .expect("taken");
    let answer = bench
        .call(
            "RemoveTargets",
            json!({"Rule": "r", "EventBusName": "default", "Ids": ["a", "b"]}),
        )
        .await
        .expect("removed");
    assert_eq!(answer["FailedEntryCount"], 1);
    assert_eq!(answer["FailedEntries"][0]["TargetId"], "b");
    assert_eq!(
        answer["FailedEntries"][0]["ErrorCode"],
        "ResourceNotFoundException"
    );
    let nowhere = bench
        .call("RemoveTargets", json!({"Rule": "x", "Ids": ["a"]}))
        .await;
    Bench::refused(nowhere, "ResourceNotFoundException", "Rule x");
}

#[tokio::test]
async fn rules_are_found_by_their_targets() {
    let bench = with_rule().await;
    for name in ["s", "q"] {
        let rule = json!({"Name": name, "EventPattern": r#"{"source": ["shop"]}"#});
        bench.call("PutRule", rule).await.expect(name);
        let targets = json!({"Rule": name, "Targets": [{"Id": "a", "Arn": GROUP}]});
        bench.call("PutTargets", targets).await.expect(name);
    }
    let request = json!({"TargetArn": GROUP, "EventBusName": "default"});
    let found = bench.call("ListRuleNamesByTarget", request).await.expect("rules");
    assert_eq!(found, json!({"RuleNames": ["q", "s"]}));
    let page = bench
        .call("ListRuleNamesByTarget", json!({"TargetArn": GROUP, "Limit": 1}))
        .await
        .expect("a page");
    let rest = json!({"TargetArn": GROUP, "NextToken": page["NextToken"]});
    let rest = bench.call("ListRuleNamesByTarget", rest).await.expect("a page");
    assert_eq!(
        (&page["RuleNames"][0], &rest["RuleNames"][0]),
        (&json!("q"), &json!("s"))
    );
}
