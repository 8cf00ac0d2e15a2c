//! State machines through their operations.

use roadstead_testing::{refused, until};
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
    refused(
        bench
            .call("ListTagsForResource", json!({"resourceArn": format!("{arn}x")}))
            .await,
        "ResourceNotFound",
        "mx",
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

/// Of an execution that ended, so many more events than it had.
async fn lengthen(bench: &Bench, execution: &str, events: u64) {
    let table = crate::records::executions(&bench.store);
    let (entries, _) = table
        .all(&table.within(&roadstead_testing::ctx().partition()))
        .await
        .expect("reads");
    let found = entries
        .into_iter()
        .find(|entry| execution.ends_with(&format!(":{}", entry.value.name)))
        .expect("the execution");
    let histories = crate::records::histories(&bench.store);
    let first = histories
        .get(&bench.states.event_key(&found.key, 1))
        .await
        .expect("reads");
    let event = first.expect("its first event").value;
    let mut at = 0;
    while at < events {
        let page = at..(at + 100).min(events);
        at = page.end;
        let transaction = page.fold(
            roadstead_store::Transaction::new(&bench.store),
            |transaction, number| {
                transaction.put(
                    &histories,
                    &bench.states.event_key(&found.key, number + 100),
                    &event,
                )
            },
        );
        assert!(matches!(
            transaction.commit().await,
            Ok(roadstead_store::Outcome::Committed(_))
        ));
    }
    let mut longer = serde_json::to_value(&found.value).expect("JSON");
    longer["execution"]["events"] = json!(events + 100);
    let longer = serde_json::from_value(longer).expect("a record");
    let longer = roadstead_store::Transaction::new(&bench.store).replace(&table, &found, &longer);
    assert!(matches!(
        longer.commit().await,
        Ok(roadstead_store::Outcome::Committed(_))
    ));
}

async fn records(bench: &Bench) -> usize {
    let partition = roadstead_testing::ctx().partition();
    let histories = crate::records::histories(&bench.store);
    let events = histories
        .all(&histories.within(&partition))
        .await
        .expect("reads")
        .0
        .len();
    let executions = crate::records::executions(&bench.store);
    events
        + executions
            .all(&executions.within(&partition))
            .await
            .expect("reads")
            .0
            .len()
}

#[tokio::test]
async fn long_histories_go_page_by_page() {
    let mut bench = Bench::started().await;
    let arn = bench.create("m", &pass()).await.expect("made");
    let (first, second) = (
        bench.execute(&arn, "x", json!({})).await,
        bench.execute(&arn, "y", json!({})).await,
    );
    bench.ended(&first).await;
    bench.ended(&second).await;
    bench.stop().await;
    lengthen(&bench, &first, 12_000).await;
    // After 90 days its name is free.
    let mut bench = bench.restarted(91 * 86_400_000).await;
    lengthen(&bench, &second, 11_000).await;
    bench.start();
    until("nothing to be left of them", || {
        bench.states.executions.snapshot().is_empty()
    })
    .await;
    assert_eq!(records(&bench).await, 0);
    let third = bench.execute(&arn, "x", json!({})).await;
    bench.ended(&third).await;
    bench.stop().await;
    lengthen(&bench, &third, 12_000).await;
    let mut bench = bench.restarted(0).await;
    bench.start();
    bench
        .call("DeleteStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("deleted");
    until("the deletion", || bench.states.machines.snapshot().is_empty()).await;
    assert_eq!(records(&bench).await, 0);
    bench.stop().await;
}

#[tokio::test]
async fn a_deleted_machine_takes_its_executions_along() {
    let mut bench = Bench::started().await;
    let arn = bench.create("m", &wait(1000)).await.expect("made");
    let kept = bench.create("m2", &wait(1000)).await.expect("made");
    let execution = bench.execute(&arn, "x", json!({})).await;
    let other = bench.execute(&kept, "x", json!({})).await;
    until("the first step", || {
        bench
            .states
            .executions
            .snapshot()
            .iter()
            .all(|entry| entry.value.execution.last_event() > 0)
    })
    .await;
    bench
        .call("DeleteStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("deleted");
    until("the deletion", || {
        bench.states.machines.snapshot().len() == 1 && bench.states.executions.snapshot().len() == 1
    })
    .await;
    refused(
        bench
            .call("DescribeExecution", json!({"executionArn": execution}))
            .await,
        "ExecutionDoesNotExist",
        "m:x",
    );
    refused(
        bench
            .call("StartExecution", json!({"stateMachineArn": arn}))
            .await,
        "StateMachineDoesNotExist",
        "m",
    );
    bench
        .call("DeleteStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("deleted once more");
    let outbox = roadstead_outbox::table(&bench.store);
    let (told, _) = outbox
        .all(&outbox.within(&roadstead_testing::ctx().partition()))
        .await
        .expect("reads");
    let aborted =
        |event: &roadstead_outbox::Event| event.subject == execution && event.detail["status"] == "ABORTED";
    assert!(
        told.iter().any(|entry| aborted(&entry.value)),
        "the bus is told of the end"
    );
    assert_eq!(bench.describe(&other).await["status"], "RUNNING");
    assert_eq!(
        bench.types(&other).await,
        ["ExecutionStarted", "WaitStateEntered"]
    );
    bench.create("m", &pass()).await.expect("the name is free again");
    bench.stop().await;
}

#[tokio::test]
async fn a_machine_that_is_being_deleted_takes_nothing_more() {
    // Nobody works in the background here, so it stays as it is.
    let bench = Bench::new().await;
    let arn = bench.create("m", &pass()).await.expect("made");
    bench
        .call("DeleteStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("deleted");
    let shown = bench
        .call("DescribeStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("shown");
    assert_eq!(shown["status"], "DELETING");
    refused(
        bench
            .call("StartExecution", json!({"stateMachineArn": arn}))
            .await,
        "StateMachineDeleting",
        "m",
    );
    refused(
        bench
            .call(
                "UpdateStateMachine",
                json!({"stateMachineArn": arn, "roleArn": ROLE}),
            )
            .await,
        "StateMachineDeleting",
        "m",
    );
    refused(bench.create("m", &pass()).await, "StateMachineDeleting", "m");
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
