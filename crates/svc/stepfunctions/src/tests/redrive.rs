//! Redriven executions through their operations.

use roadstead_protocol::ApiError;
use roadstead_testing::refused;
use serde_json::{Value as Json, json};

use super::{Bench, list_clusters, pass, wait};

async fn redrive(bench: &Bench, execution: &str, token: &str) -> Result<Json, ApiError> {
    let input = json!({"executionArn": execution, "clientToken": token});
    bench.call("RedriveExecution", input).await
}

fn two_steps() -> Json {
    let mut first = list_clusters()["States"]["T"].clone();
    first.as_object_mut().expect("a state").remove("End");
    first["Next"] = json!("B");
    json!({"StartAt": "A", "States": {"A": first, "B": list_clusters()["States"]["T"]}})
}

#[tokio::test]
async fn a_failed_execution_goes_on_from_the_state_that_failed() {
    let mut bench = Bench::new().await;
    bench.ecs.then(Ok(json!({"clusterArns": ["arn:c"]})));
    bench.ecs.refuse(ApiError::client("ServerException", "not now"));
    bench.start();
    let machine = bench.create("m", &two_steps()).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    let failed = bench.ended(&execution).await;
    assert_eq!(
        (
            &failed["status"],
            &failed["redriveStatus"],
            &failed["redriveCount"],
            failed.get("redriveStatusReason")
        ),
        (&json!("FAILED"), &json!("REDRIVABLE"), &json!(0), None)
    );
    let before = bench.types(&execution).await;
    bench.clock.advance(60_000);
    let redriven = redrive(&bench, &execution, "t").await.expect("redriven");
    let done = bench.ended(&execution).await;
    assert_eq!(
        (
            &done["status"],
            &done["redriveCount"],
            &done["redriveDate"],
            &done["redriveStatus"],
            &done["redriveStatusReason"]
        ),
        (
            &json!("SUCCEEDED"),
            &json!(1),
            &redriven["redriveDate"],
            &json!("NOT_REDRIVABLE"),
            &json!("Execution is SUCCEEDED and cannot be redriven")
        )
    );
    assert_eq!(bench.ecs.asked().len(), 3, "the first step is not done again");
    let after = bench.types(&execution).await;
    assert_eq!(after[..before.len()], before);
    assert_eq!(
        after[before.len()..],
        [
            "ExecutionRedriven",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
    let history = json!({"executionArn": execution, "maxResults": 1000});
    let history = bench
        .call("GetExecutionHistory", history)
        .await
        .expect("a history");
    assert_eq!(
        history["events"][before.len()]["executionRedrivenEventDetails"],
        json!({"redriveCount": 1})
    );
    assert_eq!(
        redrive(&bench, &execution, "t").await.expect("the same"),
        redriven
    );
    refused(
        redrive(&bench, &execution, "u").await,
        "ExecutionNotRedrivable",
        "SUCCEEDED and cannot",
    );
    bench.clock.advance(15 * 60_000 + 1);
    refused(
        redrive(&bench, &execution, "t").await,
        "ExecutionNotRedrivable",
        "SUCCEEDED and cannot",
    );

    let other = bench.execute(&machine, "other", json!({})).await;
    bench.ended(&other).await;
    for (filter, name) in [("REDRIVEN", "x"), ("NOT_REDRIVEN", "other")] {
        let input = json!({"stateMachineArn": machine, "redriveFilter": filter});
        let listed = bench.call("ListExecutions", input).await.expect("a list");
        let all = listed["executions"].as_array().expect("executions");
        assert_eq!((all.len(), &all[0]["name"]), (1, &json!(name)));
        assert_eq!(all[0].get("redriveDate").is_some(), filter == "REDRIVEN");
    }
    bench.stop().await;
    let table = roadstead_outbox::table(&bench.store);
    let partition = roadstead_testing::ctx().partition();
    let (all, _) = table.all(&table.within(&partition)).await.expect("reads");
    let told: Vec<_> = all
        .iter()
        .filter(|entry| entry.value.subject == execution)
        .map(|entry| {
            (
                entry.value.detail["status"].clone(),
                entry.value.detail["redriveCount"].clone(),
            )
        })
        .collect();
    assert_eq!(
        json!(told),
        json!([["RUNNING", 0], ["FAILED", 0], ["RUNNING", 1], ["SUCCEEDED", 1]])
    );
}

#[tokio::test]
async fn what_is_not_redrivable_is_said_to_be_and_why() {
    let bench = Bench::started().await;
    let fails = json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E"}}});
    let (failing, waiting) = (
        bench.create("f", &fails).await.expect("made"),
        bench.create("w", &wait(99_999_999)).await.expect("made"),
    );
    let passing = bench.create("p", &pass()).await.expect("made");
    let running = bench.execute(&waiting, "running", json!({})).await;
    let good = bench.execute(&passing, "good", json!({})).await;
    let old = bench.execute(&failing, "old", json!({})).await;
    bench.ended(&good).await;
    bench.ended(&old).await;
    let mut bench = bench.restarted(14 * 86_400_000).await;
    redrive(&bench, &old, "t").await.expect("within the period");
    bench.start();
    bench.ended(&old).await;
    let mut bench = bench.restarted(14 * 86_400_000 + 1).await;
    for (execution, reason) in [
        (&good, "Execution is SUCCEEDED and cannot be redriven"),
        (&running, "Execution is RUNNING and cannot be redriven"),
        (&old, "Execution redrivable period exceeded"),
    ] {
        assert_eq!(bench.describe(execution).await["redriveStatusReason"], reason);
        refused(
            redrive(&bench, execution, "u").await,
            "ExecutionNotRedrivable",
            reason,
        );
    }
    bench
        .call("DeleteStateMachine", json!({"stateMachineArn": failing}))
        .await
        .expect("deleted");
    refused(
        redrive(&bench, &old, "u").await,
        "ExecutionNotRedrivable",
        "State machine is in DELETING status",
    );
    refused(
        redrive(&bench, &format!("{old}x"), "u").await,
        "ExecutionDoesNotExist",
        "oldx",
    );
    bench.stop().await;
}
