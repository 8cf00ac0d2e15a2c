//! Executions through their operations.

use roadstead_testing::refused;
use serde_json::{Value as Json, json};

use super::{Bench, pass, wait};
use crate::{Options, Parts, States};

#[tokio::test]
async fn an_execution_is_started_shown_and_told_of() {
    let mut bench = Bench::started().await;
    let machine = bench.create("m", &pass()).await.expect("made");
    let traced = json!({"stateMachineArn": machine, "name": "x", "traceHeader": "Root=1"});
    refused(
        bench.call("StartExecution", traced).await,
        "ValidationException",
        "traceHeader",
    );
    let input = json!({"stateMachineArn": machine, "name": "x", "input": "{\"a\": 1}"});
    let started = bench.call("StartExecution", input).await.expect("started");
    let arn = "arn:aws:states:us-east-1:000000000000:execution:m:x";
    assert_eq!(started["executionArn"], arn);
    let shown = bench.ended(arn).await;
    assert_eq!(
        (
            &shown["status"],
            &shown["input"],
            &shown["output"],
            &shown["name"],
            &shown["stateMachineArn"]
        ),
        (
            &json!("SUCCEEDED"),
            &json!("{\"a\": 1}"),
            &json!("{\"a\":1}"),
            &json!("x"),
            &json!(machine)
        )
    );
    assert_eq!(
        (
            &shown["redriveCount"],
            &shown["redriveStatus"],
            &shown["stopDate"]
        ),
        (&json!(0), &json!("NOT_REDRIVABLE"), &started["startDate"])
    );
    let metadata = bench
        .call(
            "DescribeExecution",
            json!({"executionArn": arn, "includedData": "METADATA_ONLY"}),
        )
        .await
        .expect("shown");
    assert_eq!(
        (metadata.get("input"), metadata.get("output"), &metadata["status"]),
        (None, None, &json!("SUCCEEDED"))
    );
    let history = |more: Json| {
        let mut input = json!({"executionArn": arn});
        input
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        bench.call("GetExecutionHistory", input)
    };
    let told = history(json!({})).await.expect("a history");
    let expected = json!([
        {"id": 1, "previousEventId": 0, "timestamp": 1_700_000_000, "type": "ExecutionStarted",
            "executionStartedEventDetails": {"input": "{\"a\":1}", "inputDetails": {"truncated": false}, "roleArn": super::ROLE}},
        {"id": 2, "previousEventId": 0, "timestamp": 1_700_000_000, "type": "PassStateEntered",
            "stateEnteredEventDetails": {"name": "P", "input": "{\"a\":1}", "inputDetails": {"truncated": false}}},
        {"id": 3, "previousEventId": 2, "timestamp": 1_700_000_000, "type": "PassStateExited",
            "stateExitedEventDetails": {"name": "P", "output": "{\"a\":1}", "outputDetails": {"truncated": false}}},
        {"id": 4, "previousEventId": 3, "timestamp": 1_700_000_000, "type": "ExecutionSucceeded",
            "executionSucceededEventDetails": {"output": "{\"a\":1}", "outputDetails": {"truncated": false}}},
    ]);
    assert_eq!(told["events"], expected);
    let bare = history(json!({"includeExecutionData": false}))
        .await
        .expect("a history");
    assert_eq!(
        bare["events"][1]["stateEnteredEventDetails"],
        json!({"name": "P"})
    );
    let ids = |page: &Json| -> Vec<i64> {
        page["events"]
            .as_array()
            .expect("events")
            .iter()
            .filter_map(|event| event["id"].as_i64())
            .collect()
    };
    let first = history(json!({"maxResults": 3, "reverseOrder": true}))
        .await
        .expect("a page");
    assert_eq!(ids(&first), [4, 3, 2]);
    let second = history(json!({"reverseOrder": true, "nextToken": first["nextToken"]}))
        .await
        .expect("a page");
    assert_eq!((ids(&second), second.get("nextToken")), (vec![1], None));
    refused(
        history(json!({"nextToken": first["nextToken"]})).await,
        "InvalidToken",
        "Invalid Token",
    );
    bench.stop().await;
}

#[tokio::test]
async fn names_are_unique_and_the_same_start_is_one() {
    let mut bench = Bench::started().await;
    let machine = bench.create("m", &wait(1000)).await.expect("made");
    let start = |name: &str, input: &str| {
        bench.call(
            "StartExecution",
            json!({"stateMachineArn": machine, "name": name, "input": input}),
        )
    };
    let first = start("x", "{}").await.expect("started");
    assert_eq!(start("x", "{}").await.expect("the same"), first);
    refused(start("x", "{\"a\": 1}").await, "ExecutionAlreadyExists", "m:x");
    refused(
        start("y", "{").await,
        "InvalidExecutionInput",
        "Invalid State Machine Execution Input",
    );
    refused(start("a/b", "{}").await, "InvalidName", "a/b");
    let unnamed = bench
        .call("StartExecution", json!({"stateMachineArn": machine}))
        .await
        .expect("started");
    assert_ne!(unnamed["executionArn"], first["executionArn"]);
    let arn = first["executionArn"].as_str().expect("an ARN");
    let stopped = bench
        .call(
            "StopExecution",
            json!({"executionArn": arn, "error": "E", "cause": "C"}),
        )
        .await
        .expect("stopped");
    let shown = bench.describe(arn).await;
    assert_eq!(
        (&shown["status"], &shown["error"], &shown["cause"]),
        (&json!("ABORTED"), &json!("E"), &json!("C"))
    );
    let again = bench
        .call("StopExecution", json!({"executionArn": arn, "error": "other"}))
        .await
        .expect("stopped before");
    assert_eq!(
        (again, &bench.describe(arn).await["error"]),
        (stopped, &json!("E"))
    );
    refused(start("x", "{}").await, "ExecutionAlreadyExists", "m:x");
    refused(
        bench
            .call("StopExecution", json!({"executionArn": format!("{arn}z")}))
            .await,
        "ExecutionDoesNotExist",
        "xz",
    );
    let history = bench
        .call("GetExecutionHistory", json!({"executionArn": arn}))
        .await
        .expect("a history");
    let last = history["events"]
        .as_array()
        .expect("events")
        .last()
        .expect("an event")
        .clone();
    assert_eq!(
        (&last["type"], &last["executionAbortedEventDetails"]),
        (&json!("ExecutionAborted"), &json!({"error": "E", "cause": "C"}))
    );
    bench.stop().await;
}

#[tokio::test]
async fn executions_are_listed_latest_first() {
    let bench = Bench::new().await;
    let machine = bench.create("m", &wait(1000)).await.expect("made");
    for name in ["a", "b", "c"] {
        bench.execute(&machine, name, json!({})).await;
        bench.clock.advance(1000);
    }
    bench
        .call(
            "StopExecution",
            json!({"executionArn": machine.replace("stateMachine:m", "execution:m:b")}),
        )
        .await
        .expect("stopped");
    let list = |more: Json| {
        let mut input = json!({"stateMachineArn": machine});
        input
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        bench.call("ListExecutions", input)
    };
    let names = |page: &Json| -> Vec<String> {
        let all = page["executions"].as_array().expect("executions");
        all.iter()
            .map(|one| one["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let first = list(json!({"maxResults": 2})).await.expect("a page");
    assert_eq!(names(&first), ["c", "b"]);
    let second = list(json!({"nextToken": first["nextToken"]}))
        .await
        .expect("a page");
    assert_eq!(names(&second), ["a"]);
    assert_eq!(
        names(&list(json!({"statusFilter": "RUNNING"})).await.expect("a page")),
        ["c", "a"]
    );
    assert_eq!(
        names(
            &list(json!({"statusFilter": "ABORTED", "redriveFilter": "NOT_REDRIVEN"}))
                .await
                .expect("a page")
        ),
        ["b"]
    );
    assert_eq!(
        names(&list(json!({"redriveFilter": "REDRIVEN"})).await.expect("a page")),
        Vec::<String>::new()
    );
    refused(
        list(json!({"statusFilter": "PENDING_REDRIVE"})).await,
        "ValidationException",
        "mapRunArn",
    );
    refused(
        list(json!({"mapRunArn": "arn:x"})).await,
        "ValidationException",
        "mapRunArn",
    );
    refused(
        bench.call("ListExecutions", json!({})).await,
        "ValidationException",
        "Must provide a StateMachine ARN or MapRun ARN",
    );
    refused(
        bench
            .call(
                "ListExecutions",
                json!({"stateMachineArn": format!("{machine}x")}),
            )
            .await,
        "StateMachineDoesNotExist",
        "mx",
    );
}

#[tokio::test]
async fn each_kind_of_event_fits_the_model() {
    let mut bench = Bench::started().await;
    let definition = json!({"StartAt": "P", "QueryLanguage": "JSONata", "States": {
        "P": {"Type": "Parallel", "Next": "M", "Branches": [
            {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:listClusters", "TimeoutSeconds": 60, "HeartbeatSeconds": 50, "Arguments": {}, "End": true}}},
            {"StartAt": "F", "States": {"F": {"Type": "Task", "Resource": super::FUNCTION, "TimeoutSeconds": 60, "Assign": {"v": 1}, "End": true}}}]},
        "M": {"Type": "Map", "Items": [1], "ItemProcessor": {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 0, "End": true}}}, "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "B"}]},
        "B": {"Type": "Parallel", "Branches": [{"StartAt": "E", "States": {"E": {"Type": "Pass", "Output": "{% $states.input.x.y %}", "End": true}}}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "X"}], "End": true},
        "X": {"Type": "Fail", "Error": "E", "Cause": "C"}}});
    let machine = bench.create("m", &definition).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    let shown = bench.ended(&execution).await;
    assert_eq!(
        (&shown["status"], &shown["error"], &shown["cause"]),
        (&json!("FAILED"), &json!("E"), &json!("C"))
    );
    let types = bench.types(&execution).await;
    for expected in [
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
        "ParallelStateSucceeded",
        "MapStateStarted",
        "MapIterationStarted",
        "MapIterationSucceeded",
        "WaitStateExited",
        "ChoiceStateExited",
        "EvaluationFailed",
        "ParallelStateFailed",
        "FailStateEntered",
        "ExecutionFailed",
    ] {
        assert!(types.iter().any(|one| one == expected), "{expected} in {types:?}");
    }
    bench.stop().await;
}

#[tokio::test]
async fn its_beginning_and_its_end_are_events() {
    let mut bench = Bench::started().await;
    let machine = bench.create("m", &pass()).await.expect("made");
    let good = bench.execute(&machine, "good", json!({"a": 1})).await;
    bench.ended(&good).await;
    let slow = bench.create("slow", &wait(3600)).await.expect("made");
    let stopped = bench.execute(&slow, "stopped", json!({})).await;
    let stop = json!({"executionArn": stopped, "error": "E", "cause": "enough"});
    bench.call("StopExecution", stop.clone()).await.expect("stopped");
    bench.call("StopExecution", stop).await.expect("twice is fine");
    bench.stop().await;
    let table = roadstead_outbox::table(&bench.store);
    let partition = roadstead_testing::ctx().partition();
    let (all, _) = table.all(&table.within(&partition)).await.expect("reads");
    let of = |arn: &str| -> Vec<Json> {
        let mine = all.iter().filter(|entry| entry.value.subject == arn);
        mine.map(|entry| {
            assert_eq!(entry.value.detail_type, "Step Functions Execution Status Change");
            entry.value.detail.clone()
        })
        .collect()
    };
    let told = of(&good);
    let began = json!({"executionArn": good, "stateMachineArn": machine, "name": "good", "status": "RUNNING",
        "startDate": 1_700_000_000_000_i64, "stopDate": null, "input": "{\"a\":1}", "inputDetails": {"included": true},
        "outputDetails": null, "output": null, "error": null, "cause": null,
        "stateMachineVersionArn": null, "stateMachineAliasArn": null, "redriveCount": 0, "redriveDate": null});
    assert_eq!(told[0], began);
    assert_eq!(
        (&told[1]["status"], &told[1]["output"]),
        (&json!("SUCCEEDED"), &json!("{\"a\":1}"))
    );
    assert_eq!(told[1]["stopDate"], 1_700_000_000_000_i64);
    assert_eq!(told.len(), 2);
    let told = of(&stopped);
    assert_eq!(told.len(), 2, "it ended once");
    assert_eq!(
        (&told[1]["status"], &told[1]["error"], &told[1]["cause"]),
        (&json!("ABORTED"), &json!("E"), &json!("enough"))
    );
}

#[tokio::test]
async fn so_many_are_under_way_and_no_more() {
    let bench = Bench::new().await;
    let machine = bench.create("m", &wait(60)).await.expect("made");
    let parts = Parts {
        store: bench.store.clone(),
        clock: bench.clock.clone(),
        dispatcher: bench.states.dispatcher.clone(),
        options: Options {
            max_running: 2,
            ..Options::default()
        },
    };
    let bounded = Bench {
        states: States::new(parts).await.expect("the service"),
        ..bench
    };
    let start = |name: &str| {
        bounded.call(
            "StartExecution",
            json!({"stateMachineArn": machine, "name": name}),
        )
    };
    let first = start("a").await.expect("started");
    start("b").await.expect("started");
    refused(start("c").await, "ExecutionLimitExceeded", "2");
    // The same again is no further one.
    start("b").await.expect("the same");
    bounded
        .call("StopExecution", json!({"executionArn": first["executionArn"]}))
        .await
        .expect("stopped");
    start("c").await.expect("started");
    refused(start("d").await, "ExecutionLimitExceeded", "2");
}

#[tokio::test]
async fn an_input_is_measured_in_bytes() {
    let bench = Bench::new().await;
    let machine = bench.create("m", &pass()).await.expect("made");
    let start = |bytes: usize| {
        // Two bytes a character.
        let input = format!("\"{}\"", "é".repeat(bytes / 2 - 1));
        json!({"stateMachineArn": machine, "input": input})
    };
    bench
        .call("StartExecution", start(262_144))
        .await
        .expect("as many as are taken");
    let answer = bench.call("StartExecution", start(262_146)).await;
    refused(answer, "ValidationException", "262146 bytes");
}
