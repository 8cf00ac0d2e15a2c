//! Tasks that wait for their token.

use std::sync::Arc;

use roadstead_testing::{Fake, refused, until};
use serde_json::{Value as Json, json};

use super::{Bench, FUNCTION, lambda, task};

const QUEUE: &str = "http://127.0.0.1:4566/000000000000/q";

/// Sends its token to a queue, and waits.
fn asks(more: Json) -> Json {
    let mut definition = task(
        "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        json!({"QueueUrl": QUEUE, "MessageBody": {"token.$": "$$.Task.Token", "in.$": "$"}}),
    );
    for (name, value) in more.as_object().into_iter().flatten() {
        definition["States"]["T"][name] = value.clone();
    }
    definition
}

/// A queue for the bench.
fn queue(bench: &Bench) -> Arc<Fake> {
    let sqs = Fake::answering(
        &roadstead_api_sqs::MODEL,
        json!({"MessageId": "m", "MD5OfMessageBody": "5"}),
    );
    bench.states.dispatcher.register(sqs.clone());
    sqs
}

/// Waits for a message and gives the token in it.
async fn token(sqs: &Fake) -> String {
    until("a message", || !sqs.done().is_empty()).await;
    let message = sqs.done().remove(0).input;
    let body: Json = serde_json::from_str(message["MessageBody"].as_str().expect("a text")).expect("JSON");
    body["token"].as_str().expect("a token").to_owned()
}

/// Waits until the execution has so many events.
async fn events(bench: &Bench, count: u64) {
    until("events", || {
        let executions = bench.states.executions.snapshot();
        executions
            .iter()
            .all(|entry| entry.value.execution.last_event() >= count)
    })
    .await;
}

#[tokio::test]
async fn a_token_gives_the_result_after_a_restart_and_only_once() {
    let mut bench = Bench::new().await;
    let sqs = queue(&bench);
    let machine = bench.create("m", &asks(json!({}))).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({"a": 1})).await;
    bench.start();
    let token = token(&sqs).await;
    events(&bench, 5).await;
    let mut bench = bench.restarted(1_000).await;
    let again = queue(&bench);
    bench.start();
    for (wrong, code) in [("{", "InvalidOutput"), ("\"done\"", "InvalidToken")] {
        let token = if code == "InvalidToken" { "abc" } else { &token };
        let input = json!({"taskToken": token, "output": wrong});
        refused(bench.call("SendTaskSuccess", input).await, code, "Invalid");
    }
    let success = json!({"taskToken": token, "output": "{\"ok\": [1]}"});
    bench
        .call("SendTaskSuccess", success.clone())
        .await
        .expect("taken");
    let shown = bench.ended(&execution).await;
    assert_eq!(
        (&shown["status"], &shown["output"]),
        (&json!("SUCCEEDED"), &json!("{\"ok\":[1]}"))
    );
    assert_eq!(
        bench.types(&execution).await,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSubmitted",
            "TaskSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
    assert!(again.asked().is_empty(), "what was sent is not sent again");
    for operation in ["SendTaskSuccess", "SendTaskHeartbeat", "SendTaskFailure"] {
        let mut input = json!({"taskToken": token});
        if operation == "SendTaskSuccess" {
            input["output"] = json!("1");
        }
        refused(
            bench.call(operation, input).await,
            "TaskTimedOut",
            "does not exist anymore",
        );
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_token_of_what_is_not_there_and_one_that_was_guessed_are_refused() {
    let mut bench = Bench::started().await;
    let sqs = queue(&bench);
    let machine = bench.create("m", &asks(json!({}))).await.expect("made");
    bench.execute(&machine, "x", json!({})).await;
    let first = token(&sqs).await;
    bench.execute(&machine, "y", json!({})).await;
    until("the other message", || sqs.done().len() == 2).await;
    let mut other = Bench::started().await;
    refused(
        other.call("SendTaskHeartbeat", json!({"taskToken": first})).await,
        "TaskDoesNotExist",
        "does not exist",
    );
    // The task of an execution of the same name that began anew: the number is the same, the secret is not.
    queue(&other);
    let machine = other.create("m", &asks(json!({}))).await.expect("made");
    other.execute(&machine, "x", json!({})).await;
    events(&other, 5).await;
    refused(
        other.call("SendTaskHeartbeat", json!({"taskToken": first})).await,
        "InvalidToken",
        "Invalid token",
    );
    other.stop().await;
    bench.stop().await;
}

#[tokio::test]
async fn a_failure_by_token_is_the_error_of_the_task() {
    let mut bench = Bench::started().await;
    let sqs = queue(&bench);
    let machine = bench.create("m", &asks(json!({}))).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    let failure = json!({"taskToken": token(&sqs).await, "error": "Rejected", "cause": "by hand"});
    bench.call("SendTaskFailure", failure).await.expect("taken");
    let shown = bench.ended(&execution).await;
    assert_eq!(
        (&shown["status"], &shown["error"], &shown["cause"]),
        (&json!("FAILED"), &json!("Rejected"), &json!("by hand"))
    );
    bench.stop().await;
}

#[tokio::test]
async fn heartbeats_keep_a_task_alive_across_restarts_and_their_absence_ends_it() {
    let mut bench = Bench::new().await;
    let sqs = queue(&bench);
    let definition = asks(json!({"HeartbeatSecondsPath": "$.beat", "TimeoutSecondsPath": "$.most"}));
    let machine = bench.create("m", &definition).await.expect("made");
    let execution = bench
        .execute(&machine, "x", json!({"beat": 60, "most": 150}))
        .await;
    bench.start();
    let beat = json!({"taskToken": token(&sqs).await});
    events(&bench, 5).await;
    for _ in 0..2 {
        bench = bench.restarted(59_000).await;
        bench
            .call("SendTaskHeartbeat", beat.clone())
            .await
            .expect("in time");
    }
    bench = bench.restarted(31_000).await;
    // 149 seconds have passed, 31 since the last heartbeat.
    bench
        .call("SendTaskHeartbeat", beat.clone())
        .await
        .expect("in time");
    bench = bench.restarted(1_000).await;
    refused(
        bench.call("SendTaskHeartbeat", beat).await,
        "TaskTimedOut",
        "anymore",
    );
    bench.start();
    let shown = bench.ended(&execution).await;
    assert_eq!(
        (&shown["status"], &shown["error"]),
        (&json!("FAILED"), &json!("States.Timeout"))
    );
    assert!(bench.types(&execution).await.contains(&"TaskTimedOut".to_owned()));
    bench.stop().await;
    let mut bench = Bench::new().await;
    let sqs = queue(&bench);
    let machine = bench.create("m", &definition).await.expect("made");
    let execution = bench
        .execute(&machine, "x", json!({"beat": 60, "most": 150}))
        .await;
    bench.start();
    token(&sqs).await;
    events(&bench, 5).await;
    bench = bench.restarted(60_000).await;
    bench.start();
    let shown = bench.ended(&execution).await;
    assert_eq!(shown["error"], "States.HeartbeatTimeout");
    bench.stop().await;
}

#[tokio::test]
async fn a_function_that_fails_does_not_wait_for_its_token_and_one_that_answers_early_does() {
    let mut bench = Bench::started().await;
    let raised = json!({"errorMessage": "no", "errorType": "ValueError"});
    bench.lambda.then(Ok(lambda::raised(&raised)));
    let definition = task(
        "arn:aws:states:::lambda:invoke.waitForTaskToken",
        json!({"FunctionName": FUNCTION, "Payload": {"token.$": "$$.Task.Token"}}),
    );
    let machine = bench.create("m", &definition).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    assert_eq!(bench.ended(&execution).await["error"], "ValueError");
    let execution = bench.execute(&machine, "y", json!({})).await;
    until("the call", || bench.lambda.asked().len() == 2).await;
    let payload = lambda::payload(&bench.lambda.asked()[1].input);
    let success = json!({"taskToken": payload["token"], "output": "7"});
    bench.call("SendTaskSuccess", success).await.expect("taken");
    assert_eq!(bench.ended(&execution).await["output"], "7");
    bench.stop().await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_waited_for() {
    let mut bench = Bench::started().await;
    let sqs = queue(&bench);
    sqs.refuse(roadstead_protocol::ApiError::client(
        "QueueDoesNotExist",
        "no such queue",
    ));
    let machine = bench.create("m", &asks(json!({}))).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    let shown = bench.ended(&execution).await;
    assert_eq!(
        (&shown["error"], &shown["cause"]),
        (&json!("SQS.QueueDoesNotExistException"), &json!("no such queue"))
    );
    assert!(
        bench
            .types(&execution)
            .await
            .contains(&"TaskSubmitFailed".to_owned())
    );
    bench.stop().await;
}
