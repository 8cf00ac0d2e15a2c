//! Jobs whose end is waited for.

use std::sync::Arc;

use roadstead_protocol::ApiError;
use roadstead_testing::until;
use serde_json::{Value as Json, json};

use super::{Bench, pass, task, wait};
use crate::call;

const CHILD: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:child";

fn nest(pattern: &str) -> Json {
    task(
        &format!("arn:aws:states:::states:startExecution{pattern}"),
        json!({"StateMachineArn": CHILD, "Input": {"a": 1}}),
    )
}

/// With the service calling itself through the dispatcher.
fn wired(bench: &Bench) {
    let server = roadstead_api_stepfunctions::Server(bench.states.clone());
    bench.states.dispatcher.register(Arc::new(server));
}

async fn running(bench: &Bench, machine: &str) -> String {
    let found = || {
        let executions = bench.states.executions.snapshot();
        let of = executions.iter().find(|entry| entry.value.machine == machine);
        of.map(|entry| entry.value.name.clone())
    };
    until("the execution", || found().is_some()).await;
    format!(
        "arn:aws:states:us-east-1:000000000000:execution:{machine}:{}",
        found().expect("there")
    )
}

/// Waits until the execution has so many events.
async fn events(bench: &Bench, machine: &str, count: u64) {
    until("events", || {
        let executions = bench.states.executions.snapshot();
        executions
            .iter()
            .any(|entry| entry.value.machine == machine && entry.value.execution.last_event() >= count)
    })
    .await;
}

#[tokio::test]
async fn a_nested_execution_gives_its_output_as_text_or_as_json() {
    for (pattern, output) in [(".sync", json!("{\"a\":1}")), (".sync:2", json!({"a": 1}))] {
        let mut bench = Bench::started().await;
        wired(&bench);
        bench.create("child", &pass()).await.expect("made");
        let machine = bench.create("m", &nest(pattern)).await.expect("made");
        let execution = bench.execute(&machine, "x", json!({})).await;
        let shown = bench.ended(&execution).await;
        let given: Json = serde_json::from_str(shown["output"].as_str().expect("an output")).expect("JSON");
        assert_eq!(
            (&given["Status"], &given["Output"]),
            (&json!("SUCCEEDED"), &output)
        );
        assert_eq!(given["StartDate"], json!(1_700_000_000_000_i64));
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_nested_execution_that_fails_fails_the_task() {
    let mut bench = Bench::started().await;
    wired(&bench);
    let fails = json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "C"}}});
    bench.create("child", &fails).await.expect("made");
    let machine = bench.create("m", &nest(".sync:2")).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    let shown = bench.ended(&execution).await;
    let cause: Json = serde_json::from_str(shown["cause"].as_str().expect("a cause")).expect("JSON");
    assert_eq!(
        (&shown["error"], &cause["Error"]),
        (&json!("States.TaskFailed"), &json!("E"))
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_job_is_found_again_after_a_restart_and_stopped_with_its_execution() {
    let mut bench = Bench::new().await;
    wired(&bench);
    bench.create("child", &wait(3_600)).await.expect("made");
    let machine = bench.create("m", &nest(".sync")).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    bench.start();
    let child = running(&bench, "child").await;
    events(&bench, "m", 5).await;
    let bench = bench.restarted(1_000).await;
    wired(&bench);
    bench
        .call("StopExecution", json!({"executionArn": execution}))
        .await
        .expect("stopped");
    // As a crash leaves it: the job is still to be stopped.
    let mut bench = bench.restarted(1_000).await;
    wired(&bench);
    assert_eq!(bench.describe(&child).await["status"], "RUNNING");
    bench.start();
    assert_eq!(bench.ended(&child).await["status"], "ABORTED");
    let count = bench.states.executions.snapshot().iter().count();
    assert_eq!(count, 2, "nothing was started twice");
    none_ending(&bench).await;
    bench.stop().await;
}

fn run_task() -> Json {
    task(
        "arn:aws:states:::ecs:runTask.sync",
        json!({"TaskDefinition": "d"}),
    )
}

fn task_that_is(status: &str) -> Json {
    json!({"tasks": [{"taskArn": "arn:t", "clusterArn": "arn:c", "lastStatus": status}], "failures": []})
}

/// Waits until no job is to be stopped any more.
async fn none_ending(bench: &Bench) {
    until("the job to be forgotten", || {
        let executions = bench.states.executions.snapshot();
        executions.iter().all(|entry| entry.value.ending.is_empty())
    })
    .await;
}

/// Calls what the machine's execution orders, and leaves it there: the answer is lost.
async fn unheard(bench: &Bench, machine: &str) {
    let executions = bench.states.executions.snapshot();
    let found = executions.iter().find(|entry| entry.value.machine == machine);
    let record = &found.expect("the execution").value;
    let partition = roadstead_testing::ctx().partition();
    let acting = call::Acting::of(&partition, record);
    let answered = call::called(&bench.states, &partition, &acting, record.orders[0].clone()).await;
    assert!(answered.is_ok());
}

#[tokio::test]
async fn an_execution_that_was_started_and_ended_before_the_answer_was_taken_is_found_again() {
    for pattern in ["", ".waitForTaskToken", ".sync"] {
        let bench = Bench::new().await;
        wired(&bench);
        bench.create("child", &pass()).await.expect("made");
        let machine = bench.create("m", &nest(pattern)).await.expect("made");
        let execution = bench.execute(&machine, "x", json!({})).await;
        bench.step("m").await;
        bench.clock.advance(5);
        unheard(&bench, "m").await;
        bench.step("child").await;
        let child = running(&bench, "child").await;
        assert_eq!(bench.describe(&child).await["status"], "SUCCEEDED");
        let mut bench = bench.restarted(1_000).await;
        wired(&bench);
        bench.start();
        if pattern == ".waitForTaskToken" {
            until("the answer to be taken, or refused", || {
                let executions = bench.states.executions.snapshot();
                let found = executions.iter().find(|entry| entry.value.machine == "m");
                found.is_some_and(|entry| entry.value.orders.is_empty())
            })
            .await;
            let kinds = bench.types(&execution).await;
            assert_eq!(kinds.last().expect("events"), "TaskSubmitted", "{kinds:?}");
        } else {
            let shown = bench.ended(&execution).await;
            assert_eq!(shown["status"], "SUCCEEDED", "{pattern}: {shown:#}");
            let output: Json =
                serde_json::from_str(shown["output"].as_str().expect("an output")).expect("JSON");
            assert_eq!(
                (&output["ExecutionArn"], &output["StartDate"]),
                (&json!(child), &json!(1_700_000_000_005_i64))
            );
        }
        assert_eq!(
            bench.states.executions.snapshot().len(),
            2,
            "nothing was started twice"
        );
        bench.stop().await;
    }
}

#[tokio::test]
async fn an_execution_of_before_the_task_is_not_its_own() {
    for pattern in ["", ".sync"] {
        let bench = Bench::new().await;
        wired(&bench);
        bench.create("child", &pass()).await.expect("made");
        let mut definition = nest(pattern);
        definition["States"]["T"]["Parameters"]["Name"] = json!("n");
        let machine = bench.create("m", &definition).await.expect("made");
        let execution = bench.execute(&machine, "x", json!({})).await;
        // By the same input: the task's own, of an earlier turn of a loop, or anybody's.
        bench.clock.advance(5);
        bench.execute(CHILD, "n", json!({"a": 1})).await;
        bench.step("child").await;
        bench.clock.advance(5);
        bench.step("m").await;
        let mut bench = bench.restarted(1_000).await;
        wired(&bench);
        bench.start();
        let shown = bench.ended(&execution).await;
        assert_eq!(
            (&shown["status"], &shown["error"]),
            (
                &json!("FAILED"),
                &json!("StepFunctions.ExecutionAlreadyExistsException")
            ),
            "{pattern}"
        );
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_job_given_up_while_it_is_started_is_stopped_also_if_its_start_is_not_answered_at_once() {
    let bench = Bench::new().await;
    let machine = bench.create("m", &run_task()).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    bench.step("m").await;
    bench
        .call("StopExecution", json!({"executionArn": execution}))
        .await
        .expect("stopped");
    let mut bench = bench.restarted(1_000).await;
    bench
        .ecs
        .refuse(ApiError::new("ThrottlingException", 400, "Rate exceeded"));
    bench.ecs.refuse(ApiError::new("ServerException", 500, "Broken"));
    bench.ecs.then(Ok(task_that_is("PENDING")));
    bench.ecs.then(Ok(json!({})));
    bench.start();
    none_ending(&bench).await;
    let asked = bench.ecs.asked();
    let operations: Vec<&str> = asked.iter().map(|call| call.operation).collect();
    assert_eq!(operations, ["RunTask", "RunTask", "RunTask", "StopTask"]);
    assert_eq!(asked[0].input, asked[2].input, "the same start");
    assert_eq!(
        (&asked[3].input["task"], &asked[3].input["cluster"]),
        (&json!("arn:t"), &json!("arn:c"))
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_job_whose_start_is_refused_for_good_is_given_up() {
    let bench = Bench::new().await;
    let machine = bench.create("m", &run_task()).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    bench.step("m").await;
    bench
        .call("StopExecution", json!({"executionArn": execution}))
        .await
        .expect("stopped");
    let mut bench = bench.restarted(1_000).await;
    bench
        .ecs
        .refuse(ApiError::client("AccessDeniedException", "not yours"));
    bench.start();
    none_ending(&bench).await;
    assert_eq!(bench.ecs.asked().len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_job_that_cannot_be_looked_at_any_more_is_stopped() {
    let mut bench = Bench::new().await;
    let mut definition = run_task();
    definition["States"]["T"]["Retry"] =
        json!([{"ErrorEquals": ["ECS.AccessDeniedException"], "IntervalSeconds": 60, "MaxAttempts": 1}]);
    let machine = bench.create("m", &definition).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    let denied = || ApiError::client("AccessDeniedException", "not yours");
    bench.ecs.then(Ok(task_that_is("PENDING")));
    bench.ecs.refuse(denied());
    bench.ecs.then(Ok(json!({})));
    bench.start();
    until("the first to be stopped", || bench.ecs.asked().len() == 3).await;
    none_ending(&bench).await;
    let mut bench = bench.restarted(60_000).await;
    let second = json!({"tasks": [{"taskArn": "arn:u", "clusterArn": "arn:c"}], "failures": []});
    bench.ecs.then(Ok(second));
    bench.ecs.refuse(denied());
    bench.ecs.then(Ok(json!({})));
    bench.start();
    let shown = bench.ended(&execution).await;
    assert_eq!(
        (&shown["status"], &shown["error"]),
        (&json!("FAILED"), &json!("ECS.AccessDeniedException"))
    );
    until("the second to be stopped", || bench.ecs.asked().len() == 6).await;
    none_ending(&bench).await;
    let asked = bench.ecs.asked();
    let one = ["RunTask", "DescribeTasks", "StopTask"];
    let operations: Vec<&str> = asked.iter().map(|call| call.operation).collect();
    assert_eq!(operations, [one, one].concat());
    assert_eq!(
        (&asked[2].input["task"], &asked[5].input["task"]),
        (&json!("arn:t"), &json!("arn:u"))
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_task_is_run_once_and_fails_by_its_essential_containers() {
    let stopped = |main: i64, side: i64| {
        json!({"taskArn": "arn:t", "clusterArn": "arn:c", "lastStatus": "STOPPED", "taskDefinitionArn": "arn:d",
            "stopCode": "EssentialContainerExited",
            "containers": [{"name": "main", "exitCode": main}, {"name": "side", "exitCode": side}]})
    };
    let definition = json!({"taskDefinition": {"containerDefinitions": [
        {"name": "main", "essential": true}, {"name": "side", "essential": false}]}});
    for (main, side, status) in [(0, 0, "SUCCEEDED"), (0, 143, "SUCCEEDED"), (3, 0, "FAILED")] {
        let mut bench = Bench::started().await;
        bench.ecs.then(Ok(task_that_is("RUNNING")));
        bench.ecs.then(Ok(task_that_is("RUNNING")));
        bench
            .ecs
            .then(Ok(json!({"tasks": [stopped(main, side)], "failures": []})));
        bench.ecs.then(Ok(definition.clone()));
        let machine = bench.create("m", &run_task()).await.expect("made");
        let execution = bench.execute(&machine, "x", json!({})).await;
        let shown = bench.ended(&execution).await;
        assert_eq!(shown["status"], status, "{shown}");
        if status == "FAILED" {
            let cause: Json = serde_json::from_str(shown["cause"].as_str().expect("a cause")).expect("JSON");
            assert_eq!(
                (&shown["error"], &cause["Containers"][0]["ExitCode"]),
                (&json!("States.TaskFailed"), &json!(3))
            );
        }
        let asked = bench.ecs.asked();
        assert_eq!(asked[0].input["startedBy"], "AWS-Step-Functions");
        assert_eq!(asked[0].input["clientToken"].as_str().map(str::len), Some(32));
        assert!(asked[1..].iter().all(|call| call.operation != "RunTask"));
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_parameter_in_the_other_form_of_its_name_is_refused() {
    let mut bench = Bench::started().await;
    let run = task(
        "arn:aws:states:::ecs:runTask.sync",
        json!({"TaskDefinition": "web", "count": 5}),
    );
    let machine = bench.create("m", &run).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    let shown = bench.ended(&execution).await;
    assert_eq!(
        (&shown["status"], &shown["error"]),
        (&json!("FAILED"), &json!("States.Runtime"))
    );
    assert!(
        shown["cause"].as_str().expect("a cause").contains("\"count\""),
        "{shown:#}"
    );
    bench.stop().await;
}
