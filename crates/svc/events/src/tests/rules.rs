//! Rules: put, put again, switched, listed, deleted, and what can be none.

use serde_json::{Value as Json, json};

use crate::harness::{Bench, START};

const PATTERN: &str = r#"{"source": ["shop"]}"#;

#[tokio::test]
async fn put_rule_makes_replaces_and_keeps_tags_and_targets() {
    let bench = Bench::new().await;
    let tags = json!([{"Key": "team", "Value": "a"}]);
    let made = bench
        .call(
            "PutRule",
            json!({"Name": "r", "EventPattern": PATTERN, "Description": "d", "Tags": tags}),
        )
        .await
        .expect("made");
    let arn = "arn:aws:events:us-east-1:000000000000:rule/r";
    assert_eq!(made, json!({"RuleArn": arn}));
    let target = json!({"Id": "t", "Arn": "arn:aws:logs:us-east-1:000000000000:log-group:/x"});
    bench
        .call("PutTargets", json!({"Rule": "r", "Targets": [target]}))
        .await
        .expect("a target");
    let other = json!([{"Key": "team", "Value": "b"}]);
    bench
        .call(
            "PutRule",
            json!({"Name": "r", "ScheduleExpression": "rate(1 minute)", "State": "DISABLED", "Tags": other}),
        )
        .await
        .expect("replaced");
    let again = Bench::over(bench.store.clone(), START).await;
    let shown = again
        .call("DescribeRule", json!({"Name": "r"}))
        .await
        .expect("there");
    assert_eq!(
        shown,
        json!({"Arn": arn, "Name": "r", "EventBusName": "default", "ScheduleExpression": "rate(1 minute)",
            "State": "DISABLED", "CreatedBy": "000000000000"}),
        "what the second request does not say is gone"
    );
    let targets = again
        .call("ListTargetsByRule", json!({"Rule": "r"}))
        .await
        .expect("targets");
    assert_eq!(targets["Targets"].as_array().map(Vec::len), Some(1));
    let tags = again
        .call("ListTagsForResource", json!({"ResourceARN": arn}))
        .await
        .expect("tags");
    assert_eq!(tags["Tags"][0]["Value"], "a");
}

#[tokio::test]
async fn put_rule_takes_a_role_for_targets_without_one() {
    let bench = Bench::new().await;
    let role = "arn:aws:iam::000000000000:role/r";
    bench
        .call(
            "PutRule",
            json!({"Name": "r", "EventPattern": PATTERN, "RoleArn": role}),
        )
        .await
        .expect("made");
    let shown = bench
        .call("DescribeRule", json!({"Name": "r"}))
        .await
        .expect("there");
    assert_eq!(shown["RoleArn"], role);
    let listed = bench.call("ListRules", json!({})).await.expect("rules");
    assert_eq!(listed["Rules"][0]["RoleArn"], role);
    let cluster = json!({"Id": "t", "Arn": "arn:aws:ecs:us-east-1:000000000000:cluster/c",
        "EcsParameters": {"TaskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/x"}});
    bench
        .call("PutTargets", json!({"Rule": "r", "Targets": [cluster]}))
        .await
        .expect("the rule has a role");
}

#[tokio::test]
async fn what_is_no_schedule_is_refused_in_the_services_words_and_with_its_place() {
    let bench = Bench::new().await;
    for (schedule, position) in [
        ("rate(1 minutes)", 7),
        ("rate(0 minutes)", 5),
        ("rate(5 seconds)", 7),
        ("cron(0 12 * * * *)", 14),
        ("cron(0 12 * * ?)", 15),
        ("at(2026-01-01T00:00:00)", 0),
        ("every day", 0),
    ] {
        let rule = json!({"Name": "r", "ScheduleExpression": schedule});
        let refused = bench.call("PutRule", rule).await.expect_err(schedule);
        assert_eq!(refused.code, "ValidationException");
        let words = format!("Parameter ScheduleExpression is not valid. Reason: at position {position}: ");
        assert!(refused.message.starts_with(&words), "{}", refused.message);
    }
}

#[tokio::test]
async fn put_rule_refuses_what_no_rule_can_be() {
    let bench = Bench::new().await;
    bench
        .call("CreateEventBus", json!({"Name": "orders"}))
        .await
        .expect("a bus");
    for (request, code, words) in [
        (
            json!({}),
            "ValidationException",
            "EventPattern or ScheduleExpression must be specified",
        ),
        (
            json!({"EventPattern": ""}),
            "ValidationException",
            "must be specified",
        ),
        (
            json!({"EventPattern": "{\"source\": \"x\"}"}),
            "InvalidEventPatternException",
            "Event pattern is not valid. Reason: \"source\" must be an object or an array at line: 1, column: 12",
        ),
        (
            json!({"ScheduleExpression": "rate(1 minute)", "EventBusName": "orders"}),
            "ValidationException",
            "only on the default event bus",
        ),
        (
            json!({"EventPattern": PATTERN, "EventBusName": "nowhere"}),
            "ResourceNotFoundException",
            "Event bus nowhere does not exist.",
        ),
        (
            json!({"EventPattern": PATTERN, "RoleArn": "r"}),
            "ValidationException",
            "RoleArn",
        ),
        (
            json!({"EventPattern": PATTERN, "Tags": [{"Key": "aws:x", "Value": "y"}]}),
            "ValidationException",
            "aws:",
        ),
    ] {
        let mut request = request;
        request["Name"] = json!("r");
        Bench::refused(bench.call("PutRule", request).await, code, words);
    }
    let none = bench.call("DescribeRule", json!({"Name": "r"})).await;
    Bench::refused(
        none,
        "ResourceNotFoundException",
        "Rule r does not exist on EventBus default.",
    );
}

#[tokio::test]
async fn rules_are_switched_listed_and_deleted() {
    let bench = Bench::new().await;
    for name in ["b", "a", "c"] {
        bench
            .call("PutRule", json!({"Name": name, "EventPattern": PATTERN}))
            .await
            .expect(name);
    }
    let state = |shown: Json| shown["State"].clone();
    bench
        .call("DisableRule", json!({"Name": "a"}))
        .await
        .expect("off");
    bench
        .call("DisableRule", json!({"Name": "a"}))
        .await
        .expect("twice is once");
    assert_eq!(
        state(
            bench
                .call("DescribeRule", json!({"Name": "a"}))
                .await
                .expect("there")
        ),
        "DISABLED"
    );
    bench.call("EnableRule", json!({"Name": "a"})).await.expect("on");
    assert_eq!(
        state(
            bench
                .call("DescribeRule", json!({"Name": "a"}))
                .await
                .expect("there")
        ),
        "ENABLED"
    );
    for operation in ["EnableRule", "DisableRule"] {
        Bench::refused(
            bench.call(operation, json!({"Name": "x"})).await,
            "ResourceNotFoundException",
            "Rule x does not exist",
        );
    }
    let names = |page: &Json| {
        let rules = page["Rules"].as_array().expect("rules").clone();
        rules
            .iter()
            .map(|rule| rule["Name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    let first = bench
        .call("ListRules", json!({"Limit": 2}))
        .await
        .expect("a page");
    assert_eq!(names(&first), ["a", "b"]);
    let rest = json!({"Limit": 2, "NextToken": first["NextToken"]});
    assert_eq!(
        names(&bench.call("ListRules", rest).await.expect("a page")),
        ["c"]
    );
    assert_eq!(
        names(
            &bench
                .call("ListRules", json!({"NamePrefix": "b"}))
                .await
                .expect("a page")
        ),
        ["b"]
    );
    let elsewhere = bench.call("ListRules", json!({"EventBusName": "x"})).await;
    Bench::refused(elsewhere, "ResourceNotFoundException", "Event bus x");

    let target = json!({"Id": "t", "Arn": "arn:aws:logs:us-east-1:000000000000:log-group:/x"});
    bench
        .call("PutTargets", json!({"Rule": "a", "Targets": [target]}))
        .await
        .expect("a target");
    for force in [false, true] {
        let kept = bench
            .call("DeleteRule", json!({"Name": "a", "Force": force}))
            .await;
        Bench::refused(
            kept,
            "ValidationException",
            "Rule can't be deleted since it has targets.",
        );
    }
    bench
        .call("RemoveTargets", json!({"Rule": "a", "Ids": ["t"], "Force": true}))
        .await
        .expect("removed");
    bench
        .call("DeleteRule", json!({"Name": "a"}))
        .await
        .expect("deleted");
    bench
        .call("DeleteRule", json!({"Name": "a"}))
        .await
        .expect("twice is once");
    let bus = bench
        .call("DeleteRule", json!({"Name": "a", "EventBusName": "x"}))
        .await;
    Bench::refused(bus, "ResourceNotFoundException", "Event bus x");
    assert_eq!(
        names(&bench.call("ListRules", json!({})).await.expect("a page")),
        ["b", "c"]
    );
}
