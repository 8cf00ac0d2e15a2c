//! State machines through their operations.

use roadstead_protocol::Value;
use roadstead_testing::refused;
use serde_json::{Value as Json, json};

use super::{Bench, ROLE, list_clusters, pass, task, wait};

#[tokio::test]
async fn state_machines_are_made_once_shown_updated_and_tagged() {
    let bench = Bench::new().await;
    let input = json!({"name": "m", "definition": pass().to_string(), "roleArn": ROLE, "type": "STANDARD",
        "tags": [{"key": "a", "value": "1"}], "loggingConfiguration": {"level": "OFF", "includeExecutionData": false},
        "tracingConfiguration": {"enabled": false}, "publish": false, "encryptionConfiguration": {"type": "AWS_OWNED_KEY"}});
    let made = bench
        .call("CreateStateMachine", input.clone())
        .await
        .expect("made");
    let arn = "arn:aws:states:us-east-1:000000000000:stateMachine:m";
    assert_eq!(made["stateMachineArn"], arn);
    let mut again = input.clone();
    again["tags"] = json!([{"key": "a", "value": "2"}]);
    again["roleArn"] = json!("arn:aws:iam::000000000000:role/other");
    let same = bench.call("CreateStateMachine", again).await.expect("the same");
    assert_eq!(same, made, "role and tags do not matter");
    let mut other = input;
    other["definition"] = json!(wait(1).to_string());
    refused(
        bench.call("CreateStateMachine", other).await,
        "StateMachineAlreadyExists",
        arn,
    );
    let shown = bench
        .call("DescribeStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("shown");
    assert_eq!(
        (
            &shown["definition"],
            &shown["roleArn"],
            &shown["type"],
            &shown["status"],
            &shown["name"]
        ),
        (
            &json!(pass().to_string()),
            &json!(ROLE),
            &json!("STANDARD"),
            &json!("ACTIVE"),
            &json!("m")
        )
    );
    assert_eq!(
        shown["loggingConfiguration"],
        json!({"level": "OFF", "includeExecutionData": false})
    );
    let metadata = json!({"stateMachineArn": arn, "includedData": "METADATA_ONLY"});
    assert_eq!(
        bench.call("DescribeStateMachine", metadata).await.expect("shown")["definition"],
        "{}"
    );
    let update = json!({"stateMachineArn": arn, "definition": wait(1).to_string()});
    let updated = bench.call("UpdateStateMachine", update).await.expect("updated");
    let bench = bench.restarted(0).await;
    let shown = bench
        .call("DescribeStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("shown");
    assert_eq!(
        (&shown["definition"], &shown["revisionId"]),
        (&json!(wait(1).to_string()), &updated["revisionId"])
    );
    bench
        .call(
            "TagResource",
            json!({"resourceArn": arn, "tags": [{"key": "b", "value": "2"}]}),
        )
        .await
        .expect("tagged");
    bench
        .call("UntagResource", json!({"resourceArn": arn, "tagKeys": ["a"]}))
        .await
        .expect("untagged");
    let tags = bench
        .call("ListTagsForResource", json!({"resourceArn": arn}))
        .await
        .expect("tags");
    assert_eq!(tags["tags"], json!([{"key": "b", "value": "2"}]));
}

#[tokio::test]
async fn what_has_no_effect_or_is_wrong_is_refused() {
    let bench = Bench::new().await;
    let create = |change: Json| {
        let mut input = json!({"name": "m", "definition": pass().to_string(), "roleArn": ROLE});
        input
            .as_object_mut()
            .expect("an object")
            .extend(change.as_object().expect("an object").clone());
        bench.call("CreateStateMachine", input)
    };
    let with = |definition: Json| json!({"definition": definition.to_string()});
    let cases = [
        (json!({"name": "a b"}), "InvalidName", "a b"),
        (
            json!({"tracingConfiguration": {"enabled": true}}),
            "InvalidTracingConfiguration",
            "not supported",
        ),
        (
            json!({"versionDescription": "x"}),
            "ValidationException",
            "publish is true",
        ),
        (
            json!({"encryptionConfiguration": {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k", "kmsDataKeyReusePeriodSeconds": 60}}),
            "InvalidEncryptionConfiguration",
            "CUSTOMER_MANAGED_KMS_KEY, kmsKeyId, kmsDataKeyReusePeriodSeconds",
        ),
        (json!({"roleArn": "nobody"}), "InvalidArn", "nobody"),
        (
            json!({"roleArn": "arn:aws:iam::000000000000:role/stranger"}),
            "AccessDeniedException",
            "states.amazonaws.com",
        ),
        (
            json!({"tags": [{"key": "aws:x", "value": ""}]}),
            "ValidationException",
            "aws:x",
        ),
        (
            json!({"definition": "{"}),
            "InvalidDefinition",
            "INVALID_JSON_DESCRIPTION",
        ),
        (
            with(json!({"StartAt": "P", "States": {"P": {"Type": "Pass"}}})),
            "InvalidDefinition",
            "These fields are required: [Next] or [End] at /States/P",
        ),
        (
            with(task("arn:aws:states:::ecs:runTask.sync:2", json!({}))),
            "InvalidDefinition",
            "'ecs:runTask' in this pattern is not supported by Roadstead yet",
        ),
        (
            with(task("arn:aws:states:::aws-sdk:s3:getObject", json!({}))),
            "InvalidDefinition",
            "aws-sdk:s3:getObject",
        ),
        (
            with(task("arn:aws:states:::aws-sdk:ecs:fly", json!({}))),
            "InvalidDefinition",
            "aws-sdk:ecs:fly",
        ),
    ];
    for (change, code, words) in cases {
        refused(create(change).await, code, words);
    }
    let mut credentials = list_clusters();
    credentials["States"]["T"]["Credentials"] = json!({"RoleArn": ROLE});
    refused(
        create(with(credentials)).await,
        "InvalidDefinition",
        "Field 'Credentials' is not supported by Roadstead yet at /States/T/Credentials",
    );
    create(with(list_clusters())).await.expect("made");
    let arn = "arn:aws:states:us-east-1:000000000000:stateMachine:m";
    refused(
        bench
            .call("UpdateStateMachine", json!({"stateMachineArn": arn}))
            .await,
        "MissingRequiredParameter",
        "must be specified",
    );
    refused(
        bench
            .call(
                "UpdateStateMachine",
                json!({"stateMachineArn": format!("{arn}x"), "roleArn": ROLE}),
            )
            .await,
        "StateMachineDoesNotExist",
        "mx",
    );
    refused(
        bench
            .call(
                "UpdateStateMachine",
                json!({"stateMachineArn": arn, "versionDescription": "x", "roleArn": ROLE}),
            )
            .await,
        "ValidationException",
        "publish is true",
    );
    refused(
        bench
            .call(
                "DescribeStateMachine",
                json!({"stateMachineArn": format!("{arn}:1")}),
            )
            .await,
        "StateMachineDoesNotExist",
        "m:1",
    );
    refused(
        bench
            .call(
                "DescribeStateMachine",
                json!({"stateMachineArn": "arn:aws:sns:us-east-1:000000000000:m"}),
            )
            .await,
        "InvalidArn",
        "sns",
    );
    let execution = "arn:aws:states:us-east-1:000000000000:execution:m:x";
    for (operation, member, given, words) in [
        (
            "DescribeStateMachine",
            "stateMachineArn",
            "m",
            "'Invalid ARN prefix: m'",
        ),
        (
            "StartExecution",
            "stateMachineArn",
            execution,
            "in this context: execution'",
        ),
        (
            "ListExecutions",
            "stateMachineArn",
            execution,
            "in this context: execution'",
        ),
        (
            "DescribeExecution",
            "executionArn",
            arn,
            "in this context: stateMachine'",
        ),
        ("StopExecution", "executionArn", "x", "'Invalid ARN prefix: x'"),
        (
            "ListTagsForResource",
            "resourceArn",
            execution,
            "in this context: execution'",
        ),
    ] {
        let mut input = json!({});
        input[member] = json!(given);
        refused(bench.call(operation, input).await, "InvalidArn", words);
    }
    let gone = format!("{arn}x");
    let error = bench
        .call("ListTagsForResource", json!({"resourceArn": gone}))
        .await
        .expect_err("nothing of that name");
    assert_eq!(
        (error.code.as_ref(), error.members.as_slice()),
        (
            "ResourceNotFound",
            [("resourceName".into(), Value::Str(gone))].as_slice()
        )
    );
    let many: Vec<Json> = (0..51)
        .map(|n| json!({"key": format!("k{n}"), "value": ""}))
        .collect();
    refused(
        bench
            .call("TagResource", json!({"resourceArn": arn, "tags": many}))
            .await,
        "TooManyTags",
        "50",
    );
}

#[tokio::test]
async fn definitions_are_validated_without_being_kept() {
    let bench = Bench::new().await;
    let validate = |definition: String, more: Json| {
        let mut input = json!({"definition": definition});
        input
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        bench.call("ValidateStateMachineDefinition", input)
    };
    let fine = validate(pass().to_string(), json!({"type": "STANDARD"}))
        .await
        .expect("an answer");
    assert_eq!(
        fine,
        json!({"result": "OK", "diagnostics": [], "truncated": false})
    );
    let warned =
        json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"a": "$.b"}, "End": true}}})
            .to_string();
    let hidden = validate(warned.clone(), json!({"severity": "ERROR"}))
        .await
        .expect("an answer");
    assert_eq!(
        (&hidden["result"], &hidden["diagnostics"]),
        (&json!("OK"), &json!([]))
    );
    let shown = validate(warned, json!({"severity": "WARNING"}))
        .await
        .expect("an answer");
    assert_eq!(
        (&shown["result"], &shown["diagnostics"][0]["code"]),
        (&json!("OK"), &json!("NO_DOLLAR"))
    );
    let wrong =
        json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Next": "X"}, "Q": {"Type": "Succeed"}}})
            .to_string();
    let faults = validate(wrong, json!({"maxResults": 1}))
        .await
        .expect("an answer");
    let expected = json!({"result": "FAIL", "truncated": true, "diagnostics": [{"severity": "ERROR", "code": "MISSING_TRANSITION_TARGET",
        "message": "Missing 'Next' target: X", "location": "/States/P/Next"}]});
    assert_eq!(faults, expected);
}

#[tokio::test]
async fn machines_are_listed_in_pages() {
    let bench = Bench::new().await;
    for name in ["c", "a", "b"] {
        bench.create(name, &pass()).await.expect("made");
    }
    let first = bench
        .call("ListStateMachines", json!({"maxResults": 2}))
        .await
        .expect("a page");
    let names = |page: &Json| -> Vec<String> {
        let all = page["stateMachines"].as_array().expect("machines");
        all.iter()
            .map(|one| one["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(names(&first), ["a", "b"]);
    let next = json!({"maxResults": 0, "nextToken": first["nextToken"]});
    let second = bench.call("ListStateMachines", next).await.expect("a page");
    assert_eq!(
        (names(&second), second.get("nextToken")),
        (vec!["c".to_owned()], None)
    );
    refused(
        bench.call("ListStateMachines", json!({"nextToken": "x"})).await,
        "InvalidToken",
        "x",
    );
}
