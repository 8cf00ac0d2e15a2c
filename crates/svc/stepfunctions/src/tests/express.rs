//! Express state machines through their operations.

use roadstead_testing::{refused, until};
use serde_json::{Value as Json, json};

use super::{Bench, FUNCTION, ROLE, list_clusters, pass, task, wait};

impl Bench {
    pub(super) async fn express(&self, name: &str, definition: &Json) -> String {
        let input =
            json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE, "type": "EXPRESS"});
        let made = self.call("CreateStateMachine", input).await.expect("made");
        made["stateMachineArn"].as_str().expect("an ARN").to_owned()
    }

    pub(super) async fn sync(&self, machine: &str, more: Json) -> Json {
        let mut input = json!({"stateMachineArn": machine});
        let input_members = input.as_object_mut().expect("an object");
        input_members.extend(more.as_object().expect("an object").clone());
        self.call("StartSyncExecution", input).await.expect("an answer")
    }
}

#[tokio::test]
async fn a_synchronous_execution_answers_with_its_end() {
    let bench = Bench::new().await;
    let machine = bench.express("m", &pass()).await;
    let answer = bench
        .sync(&machine, json!({"name": "x", "input": "{\"a\": 1}"}))
        .await;
    let arn = answer["executionArn"].as_str().expect("an ARN");
    assert!(
        arn.starts_with("arn:aws:states:us-east-1:000000000000:express:m:x:"),
        "{arn}"
    );
    let expected = json!({"executionArn": arn, "stateMachineArn": machine, "name": "x", "status": "SUCCEEDED",
        "startDate": 1_700_000_000, "stopDate": 1_700_000_000, "input": "{\"a\": 1}", "inputDetails": {"included": true},
        "output": "{\"a\":1}", "outputDetails": {"included": true},
        "billingDetails": {"billedDurationInMilliseconds": 100, "billedMemoryUsedInMB": 64}});
    assert_eq!(answer, expected);
    let again = bench.sync(&machine, json!({"name": "x"})).await;
    assert_ne!(
        again["executionArn"], answer["executionArn"],
        "names are not unique"
    );
    let bare = bench
        .sync(&machine, json!({"includedData": "METADATA_ONLY"}))
        .await;
    assert_eq!(
        (bare.get("input"), bare.get("output"), &bare["status"]),
        (None, None, &json!("SUCCEEDED"))
    );
    assert!(
        bench.states.executions.snapshot().iter().next().is_none(),
        "nothing is kept"
    );
}

#[tokio::test]
async fn failures_are_answers_too() {
    let bench = Bench::new().await;
    let fail = json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "C"}}});
    let machine = bench.express("fail", &fail).await;
    let answer = bench.sync(&machine, json!({})).await;
    assert_eq!(
        (
            &answer["status"],
            &answer["error"],
            &answer["cause"],
            answer.get("output")
        ),
        (&json!("FAILED"), &json!("E"), &json!("C"), None)
    );
    let bare = bench
        .sync(&machine, json!({"includedData": "METADATA_ONLY"}))
        .await;
    assert_eq!((bare.get("error"), bare.get("cause")), (None, None));
    let machine = bench.express("long", &wait(400)).await;
    let states = bench.states.clone();
    let (clock, late) = (bench.clock.clone(), async {
        until("the execution to begin", || states.express.under_way() > 0).await;
    });
    let (answer, ()) = tokio::join!(bench.sync(&machine, json!({})), async {
        late.await;
        clock.advance(300_000);
    });
    assert_eq!(
        (
            &answer["status"],
            &answer["billingDetails"]["billedDurationInMilliseconds"]
        ),
        (&json!("TIMED_OUT"), &json!(300_000))
    );
}

#[tokio::test]
async fn tasks_are_called_as_the_role_of_the_machine() {
    let bench = Bench::new().await;
    let invoke =
        json!({"StartAt": "I", "States": {"I": {"Type": "Task", "Resource": FUNCTION, "End": true}}});
    let both = json!({"StartAt": "B", "States": {"B": {"Type": "Parallel", "End": true,
        "Branches": [list_clusters(), invoke]}}});
    let machine = bench.express("m", &both).await;
    let answer = bench.sync(&machine, json!({})).await;
    assert_eq!(answer["output"], "[{\"ClusterArns\":[\"arn:c\"]},{\"ok\":true}]");
    let asked = bench.ecs.asked();
    assert_eq!((asked.len(), asked[0].operation), (1, "ListClusters"));
    assert!(asked[0].ctx.caller.is_bound(), "{:?}", asked[0].ctx.caller);
}

#[tokio::test]
async fn what_express_machines_cannot_do_is_refused() {
    let bench = Bench::new().await;
    let standard = bench.create("standard", &pass()).await.expect("made");
    let express = bench.express("express", &pass()).await;
    let call = |operation: &'static str, input: Json| bench.call(operation, input);
    let sync = |machine: &str, more: Json| {
        let mut input = json!({"stateMachineArn": machine});
        let members = input.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        bench.call("StartSyncExecution", input)
    };
    refused(
        sync(&standard, json!({})).await,
        "StateMachineTypeNotSupported",
        "not supported by this type",
    );
    refused(
        sync(&format!("{express}x"), json!({})).await,
        "StateMachineDoesNotExist",
        "expressx",
    );
    refused(sync(&express, json!({"name": "a/b"})).await, "InvalidName", "a/b");
    refused(
        sync(&express, json!({"input": "{"})).await,
        "InvalidExecutionInput",
        "EOF",
    );
    refused(
        sync(&express, json!({"traceHeader": "Root=1"})).await,
        "ValidationException",
        "traceHeader",
    );
    refused(
        call("ListExecutions", json!({"stateMachineArn": express})).await,
        "StateMachineTypeNotSupported",
        "not supported by this type",
    );
    let execution = bench.sync(&express, json!({})).await["executionArn"].clone();
    for operation in ["DescribeExecution", "GetExecutionHistory", "StopExecution"] {
        refused(
            call(operation, json!({"executionArn": execution})).await,
            "InvalidArn",
            "Resource type not valid in this context: express",
        );
    }
    let again =
        json!({"name": "standard", "definition": pass().to_string(), "roleArn": ROLE, "type": "EXPRESS"});
    refused(
        call("CreateStateMachine", again).await,
        "StateMachineAlreadyExists",
        "standard",
    );
    for (resource, words) in [
        (
            "arn:aws:states:::ecs:runTask.sync",
            "'.sync' service integration at /States/T/Resource",
        ),
        (
            "arn:aws:states:::aws-sdk:ecs:listClusters.waitForTaskToken",
            "'.waitForTaskToken' service integration",
        ),
        ("arn:aws:states:us-east-1:000000000000:activity:a", "Activity"),
    ] {
        let definition = task(resource, json!({})).to_string();
        let input = json!({"name": "unfit", "definition": definition, "roleArn": ROLE, "type": "EXPRESS"});
        let words = format!("Express state machine does not support {words}");
        refused(
            call("CreateStateMachine", input).await,
            "InvalidDefinition",
            &words,
        );
        let validated = call(
            "ValidateStateMachineDefinition",
            json!({"definition": definition, "type": "EXPRESS"}),
        );
        assert!(
            validated
                .await
                .expect("an answer")
                .to_string()
                .contains(&words[..40])
        );
    }
}

#[tokio::test]
async fn an_end_of_the_service_ends_executions_and_lets_no_more_in() {
    let mut bench = Bench::started().await;
    let machine = bench.express("m", &wait(100)).await;
    let running = tokio::spawn({
        let states = bench.states.clone();
        async move {
            let server = roadstead_api_stepfunctions::Server(states);
            let input = json!({"stateMachineArn": machine});
            roadstead_testing::call(&server, &roadstead_testing::ctx(), "StartSyncExecution", input).await
        }
    });
    until("the execution to begin", || bench.states.express.under_way() > 0).await;
    bench.stop().await;
    refused(running.await.expect("no panic"), "ServiceUnavailable", "ending");
    assert_eq!(bench.states.express.under_way(), 0);
    let machine = "arn:aws:states:us-east-1:000000000000:stateMachine:m";
    refused(
        bench
            .call("StartSyncExecution", json!({"stateMachineArn": machine}))
            .await,
        "ServiceUnavailable",
        "ending",
    );
}
