//! What a restart leaves as it was.

use roadstead_testing::until;
use serde_json::json;

use super::{Bench, list_clusters, pass, wait};

#[tokio::test]
async fn a_wait_keeps_its_due_time() {
    let bench = Bench::started().await;
    let machine = bench.create("m", &wait(60)).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({"a": 1})).await;
    until("the wait", || {
        bench
            .states
            .executions
            .snapshot()
            .iter()
            .all(|entry| entry.value.execution.last_event() == 2)
    })
    .await;
    let mut bench = bench.restarted(59_000).await;
    bench.start();
    assert_eq!(bench.describe(&execution).await["status"], "RUNNING");
    let mut bench = bench.restarted(1_000).await;
    bench.start();
    let shown = bench.ended(&execution).await;
    assert_eq!(
        (&shown["status"], &shown["stopDate"]),
        (&json!("SUCCEEDED"), &json!(1_700_000_060))
    );
    assert_eq!(
        bench.types(&execution).await,
        [
            "ExecutionStarted",
            "WaitStateEntered",
            "WaitStateExited",
            "ExecutionSucceeded"
        ]
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_task_that_was_ordered_is_called_and_one_that_is_done_is_not_called_again() {
    let bench = Bench::new().await;
    let mut definition = list_clusters();
    definition["States"]["T"]["End"] = json!(false);
    definition["States"]["T"]["Next"] = json!("W");
    definition["States"]["W"] = json!({"Type": "Wait", "Seconds": 60, "End": true});
    let machine = bench.create("m", &definition).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    bench.step("m").await;
    assert!(bench.ecs.asked().is_empty());
    let mut bench = bench.restarted(0).await;
    bench.start();
    until("the wait", || {
        bench
            .states
            .executions
            .snapshot()
            .iter()
            .all(|entry| entry.value.execution.due() == Some(1_700_000_060_000))
    })
    .await;
    assert_eq!(bench.ecs.asked().len(), 1);
    let mut bench = bench.restarted(60_000).await;
    bench.start();
    assert_eq!(bench.ended(&execution).await["status"], "SUCCEEDED");
    assert_eq!(bench.ecs.asked().len(), 1);
    let scheduled = bench
        .types(&execution)
        .await
        .iter()
        .filter(|one| *one == "TaskScheduled")
        .count();
    assert_eq!(scheduled, 1);
    bench.stop().await;
}

#[tokio::test]
async fn an_execution_keeps_the_definition_it_began_with() {
    let bench = Bench::new().await;
    let machine = bench.create("m", &pass()).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    let other = json!({"StartAt": "F", "States": {"F": {"Type": "Fail"}}}).to_string();
    bench
        .call(
            "UpdateStateMachine",
            json!({"stateMachineArn": machine, "definition": other}),
        )
        .await
        .expect("updated");
    let later = bench.execute(&machine, "y", json!({})).await;
    let mut bench = bench.restarted(0).await;
    bench.start();
    assert_eq!(bench.ended(&execution).await["status"], "SUCCEEDED");
    assert_eq!(bench.ended(&later).await["status"], "FAILED");
    bench.stop().await;
}

#[tokio::test]
async fn an_execution_and_its_name_are_kept_for_90_days() {
    const DAY: i64 = 86_400_000;
    let bench = Bench::started().await;
    let machine = bench.create("m", &pass()).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    bench.ended(&execution).await;
    let mut bench = bench.restarted(90 * DAY - 1).await;
    bench.start();
    let running = bench.execute(&machine, "y", json!({})).await;
    bench.ended(&running).await;
    assert_eq!(bench.describe(&execution).await["status"], "SUCCEEDED");
    let mut bench = bench.restarted(1).await;
    bench.start();
    until("the old execution to go", || {
        bench.states.executions.snapshot().len() == 1
    })
    .await;
    bench.execute(&machine, "x", json!({"other": 1})).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_long_loop_of_large_data_is_written_in_parts() {
    let mut bench = Bench::started().await;
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)", "data.$": "$.data"}, "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 60, "Next": "A"}], "Default": "E"},
        "E": {"Type": "Succeed"}}});
    let machine = bench.create("m", &definition).await.expect("made");
    let execution = bench
        .execute(&machine, "x", json!({"n": 0, "data": "x".repeat(100_000)}))
        .await;
    assert_eq!(bench.ended(&execution).await["status"], "SUCCEEDED");
    assert_eq!(bench.types(&execution).await.len(), 100);
    let last = json!({"executionArn": execution, "reverseOrder": true, "maxResults": 1});
    let last = bench.call("GetExecutionHistory", last).await.expect("a page");
    assert_eq!(
        (&last["events"][0]["id"], &last["events"][0]["type"]),
        (&json!(244), &json!("ExecutionSucceeded"))
    );
    bench.stop().await;
}

#[tokio::test]
async fn an_execution_is_open_for_a_year_at_most() {
    let bench = Bench::new().await;
    let machine = bench.create("m", &wait(99_000_000)).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    let mut bench = bench.restarted(364 * 86_400_000).await;
    bench.start();
    until("the wait", || {
        let executions = bench.states.executions.snapshot();
        executions
            .iter()
            .all(|entry| entry.value.execution.last_event() > 1)
    })
    .await;
    assert_eq!(bench.describe(&execution).await["status"], "RUNNING");
    let mut bench = bench.restarted(2 * 86_400_000).await;
    bench.start();
    assert_eq!(bench.ended(&execution).await["status"], "TIMED_OUT");
    bench.stop().await;
}
