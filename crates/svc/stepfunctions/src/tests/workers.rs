//! Workers that poll for the tasks of activities.

use roadstead_protocol::ApiError;
use roadstead_testing::{refused, until};
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;

use super::between::{Between, When};
use super::{Bench, task};

pub(super) const ARN: &str = "arn:aws:states:us-east-1:000000000000:activity:a";

/// A machine of one task that a worker does, with more in its state.
fn works(more: Json) -> Json {
    let mut definition = task(ARN, json!({"in.$": "$"}));
    for (name, value) in more.as_object().into_iter().flatten() {
        definition["States"]["T"][name] = value.clone();
    }
    definition
}

impl Bench {
    pub(super) async fn activity(&self, name: &str) -> String {
        let made = self.call("CreateActivity", json!({"name": name})).await;
        made.expect("made")["activityArn"]
            .as_str()
            .expect("an ARN")
            .to_owned()
    }

    async fn poll(&self) -> Result<Json, ApiError> {
        self.call("GetActivityTask", json!({"activityArn": ARN, "workerName": "w"}))
            .await
    }

    /// Takes a task, which there is, and gives its token.
    async fn taken(&self) -> String {
        let task = self.poll().await.expect("a task");
        task["taskToken"].as_str().expect("a token").to_owned()
    }

    /// Waits until so many tasks wait for workers.
    async fn waiting(&self, count: usize) {
        until("tasks that wait", || self.states.work.offers.waiting() == count).await;
    }

    async fn done(&self, token: &str, output: &str) -> Result<Json, ApiError> {
        self.call("SendTaskSuccess", json!({"taskToken": token, "output": output}))
            .await
    }

    /// The details of the execution's event of that type.
    async fn event(&self, execution: &str, kind: &str, details: &str) -> Json {
        let history = self
            .call("GetExecutionHistory", json!({"executionArn": execution}))
            .await
            .expect("a history");
        let events = history["events"].as_array().expect("events").clone();
        let found = events.into_iter().find(|event| event["type"] == kind);
        found.expect("the event")[details].clone()
    }
}

#[tokio::test]
async fn a_worker_takes_a_task_and_answers_it() {
    let mut bench = Bench::started().await;
    bench.activity("a").await;
    let definition = works(json!({"TimeoutSeconds": 60, "HeartbeatSeconds": 20}));
    let machine = bench.create("m", &definition).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({"n": 1})).await;
    let task = bench.poll().await.expect("a task");
    assert_eq!(task["input"], "{\"in\":{\"n\":1}}");
    let scheduled = bench
        .event(&execution, "ActivityScheduled", "activityScheduledEventDetails")
        .await;
    assert_eq!(
        scheduled,
        json!({"resource": ARN, "input": "{\"in\":{\"n\":1}}", "inputDetails": {"truncated": false}, "timeoutInSeconds": 60, "heartbeatInSeconds": 20})
    );
    let started = bench
        .event(&execution, "ActivityStarted", "activityStartedEventDetails")
        .await;
    assert_eq!(started, json!({"workerName": "w"}));
    let token = task["taskToken"].as_str().expect("a token");
    bench
        .call("SendTaskHeartbeat", json!({"taskToken": token}))
        .await
        .expect("alive");
    bench.done(token, "[2]").await.expect("taken");
    let shown = bench.ended(&execution).await;
    assert_eq!(
        (&shown["status"], &shown["output"]),
        (&json!("SUCCEEDED"), &json!("[2]"))
    );
    assert_eq!(
        bench.types(&execution).await,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "ActivityScheduled",
            "ActivityStarted",
            "ActivitySucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
    let succeeded = bench
        .event(&execution, "ActivitySucceeded", "activitySucceededEventDetails")
        .await;
    assert_eq!(
        succeeded,
        json!({"output": "[2]", "outputDetails": {"truncated": false}})
    );
    assert_eq!(bench.states.work.offers.waiting(), 0);
    bench.stop().await;
}

#[tokio::test]
async fn a_failure_of_a_worker_is_tried_again_and_then_caught() {
    let mut bench = Bench::started().await;
    bench.activity("a").await;
    let mut definition = works(json!({
        "Retry": [{"ErrorEquals": ["Odd"], "IntervalSeconds": 1, "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C", "ResultPath": "$.error"}]}));
    definition["States"]["C"] = json!({"Type": "Pass", "End": true});
    let machine = bench.create("m", &definition).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    for attempt in 0..2 {
        let token = bench.taken().await;
        let failure = json!({"taskToken": token, "error": "Odd", "cause": format!("{attempt}")});
        bench.call("SendTaskFailure", failure).await.expect("taken");
        bench.clock.advance(1_000);
    }
    let shown = bench.ended(&execution).await;
    assert_eq!(shown["output"], "{\"error\":{\"Error\":\"Odd\",\"Cause\":\"1\"}}");
    let failed = bench
        .event(&execution, "ActivityFailed", "activityFailedEventDetails")
        .await;
    assert_eq!(failed, json!({"error": "Odd", "cause": "0"}));
    bench.stop().await;
}

#[tokio::test]
async fn the_clocks_of_a_task_begin_when_a_worker_has_it() {
    for (more, later, error) in [
        (json!({"TimeoutSeconds": 60}), 60_000, "States.Timeout"),
        (
            json!({"TimeoutSeconds": 60, "HeartbeatSeconds": 20}),
            20_000,
            "States.HeartbeatTimeout",
        ),
    ] {
        let bench = Bench::started().await;
        bench.activity("a").await;
        let machine = bench.create("m", &works(more)).await.expect("made");
        let execution = bench.execute(&machine, "x", json!({})).await;
        bench.waiting(1).await;
        let mut bench = bench.restarted(3_600_000).await;
        bench.start();
        let token = bench.taken().await;
        let mut bench = bench.restarted(later).await;
        refused(bench.done(&token, "1").await, "TaskTimedOut", "anymore");
        bench.start();
        let shown = bench.ended(&execution).await;
        assert_eq!(
            (&shown["status"], &shown["error"]),
            (&json!("FAILED"), &json!(error))
        );
        let timed_out = bench
            .event(&execution, "ActivityTimedOut", "activityTimedOutEventDetails")
            .await;
        assert_eq!(timed_out, json!({"error": error}));
        bench.stop().await;
    }
}

#[tokio::test]
async fn tasks_are_handed_out_once_and_in_order_across_restarts() {
    let bench = Bench::started().await;
    bench.activity("a").await;
    let machine = bench.create("m", &works(json!({}))).await.expect("made");
    // Their keys are in another order than they came.
    for (count, name) in ["c", "a", "b"].into_iter().enumerate() {
        bench.execute(&machine, name, json!(name)).await;
        bench.waiting(count + 1).await;
        bench.clock.advance(1);
    }
    let input = |task: &Json| task["input"].as_str().map(str::to_owned);
    let of = |name: &str| Some(json!({ "in": name }).to_string());
    let first = bench.poll().await.expect("a task");
    assert_eq!(input(&first), of("c"));
    let mut bench = bench.restarted(0).await;
    bench.start();
    bench.waiting(2).await;
    let second = bench.poll().await.expect("a task");
    let third = bench.poll().await.expect("a task");
    assert_eq!((input(&second), input(&third)), (of("a"), of("b")));
    let mut bench = bench.restarted(0).await;
    bench.start();
    for (task, name) in [(&first, "c"), (&second, "a"), (&third, "b")] {
        let token = task["taskToken"].as_str().expect("a token");
        bench.done(token, "1").await.expect("taken");
        let execution = format!("{}:{name}", machine.replace("stateMachine", "execution"));
        let shown = bench.ended(&execution).await;
        assert_eq!(shown["status"], "SUCCEEDED", "{name}");
    }
    bench.stop().await;
}

#[tokio::test]
async fn of_many_workers_each_gets_another_task() {
    let mut bench = Bench::started().await;
    bench.activity("a").await;
    let machine = bench.create("m", &works(json!({}))).await.expect("made");
    for number in 0..8 {
        bench
            .execute(&machine, &format!("x{number}"), json!(number))
            .await;
    }
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let server = roadstead_api_stepfunctions::Server(bench.states.clone());
        set.spawn(async move {
            let input = json!({"activityArn": ARN});
            roadstead_testing::call(&server, &roadstead_testing::ctx(), "GetActivityTask", input).await
        });
    }
    let mut inputs: Vec<String> = Vec::new();
    for answer in set.join_all().await {
        inputs.push(answer.expect("a task")["input"].to_string());
    }
    inputs.sort();
    inputs.dedup();
    assert_eq!(inputs.len(), 8);
    bench.stop().await;
}

#[tokio::test]
async fn a_poll_waits_for_a_task_and_one_that_goes_away_takes_none() {
    let mut bench = Bench::started().await;
    bench.activity("a").await;
    let machine = bench.create("m", &works(json!({}))).await.expect("made");
    tokio::select! {
        answer = bench.poll() => panic!("{answer:?}"),
        () = until("a poll", || bench.states.work.offers.polls() == 1) => {}
    }
    assert_eq!(bench.states.work.offers.polls(), 0);
    let (task, execution) = tokio::join!(bench.poll(), async {
        until("a poll", || bench.states.work.offers.polls() == 1).await;
        bench.execute(&machine, "x", json!({})).await
    });
    let task = task.expect("a task");
    let token = task["taskToken"].as_str().expect("a token");
    bench.done(token, "1").await.expect("taken");
    assert_eq!(bench.ended(&execution).await["status"], "SUCCEEDED");
    bench.stop().await;
}

#[tokio::test]
async fn a_task_is_taken_back_whose_worker_went_away_while_it_was_written_down() {
    let store = Between::new();
    let mut bench = Bench::new().await.anew(&store).await;
    bench.start();
    bench.activity("a").await;
    let beats = json!({"HeartbeatSeconds": 10});
    let machine = bench.create("m", &works(beats)).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    bench.waiting(1).await;
    let (written, seen) = oneshot::channel();
    let (left, goes_on) = oneshot::channel::<()>();
    store.then(When::Wrote, async move {
        written.send(()).expect("awaited");
        goes_on.await.expect("told");
    });
    let mut gone = Box::pin(bench.poll());
    tokio::select! {
        answer = &mut gone => panic!("the store has not answered: {answer:?}"),
        seen = seen => seen.expect("written"),
    }
    drop(gone);
    left.send(()).expect("awaited");
    bench.waiting(1).await;
    // Nobody could tell that it lived.
    bench.clock.advance(9_999);
    let task = bench.poll().await.expect("the task");
    assert_eq!(task["input"], "{\"in\":{}}");
    bench.clock.advance(9_999);
    let token = task["taskToken"].as_str().expect("a token");
    bench.done(token, "1").await.expect("taken");
    assert_eq!(bench.ended(&execution).await["status"], "SUCCEEDED");
    bench.stop().await;
}

#[tokio::test]
async fn a_poll_without_a_task_ends_after_a_minute_or_with_the_activity_or_the_service() {
    let mut bench = Bench::started()
        .await
        .limited(|options| options.max_polls = 1)
        .await;
    bench.start();
    bench.activity("a").await;
    let meanwhile = async {
        until("a poll", || bench.states.work.offers.polls() == 1).await;
        refused(bench.poll().await, "ActivityWorkerLimitExceeded", "concurrently");
        bench.clock.advance(60_000);
    };
    let (empty, ()) = tokio::join!(bench.poll(), meanwhile);
    assert_eq!(empty.expect("an answer"), json!({}));
    let (gone, _) = tokio::join!(bench.poll(), async {
        until("a poll", || bench.states.work.offers.polls() == 1).await;
        bench.call("DeleteActivity", json!({"activityArn": ARN})).await
    });
    refused(gone, "ActivityDoesNotExist", ARN);
    bench.activity("a").await;
    let (empty, ()) = tokio::join!(bench.poll(), async {
        until("a poll", || bench.states.work.offers.polls() == 1).await;
        bench.states.work.abandon();
    });
    assert_eq!(empty.expect("an answer"), json!({}));
    bench.stop().await;
}

#[tokio::test]
async fn tasks_of_a_deleted_activity_wait_for_one_of_its_name_and_tokens_stay_good() {
    let mut bench = Bench::started().await;
    bench.activity("a").await;
    let machine = bench.create("m", &works(json!({}))).await.expect("made");
    let executions = [
        bench.execute(&machine, "x", json!({})).await,
        bench.execute(&machine, "y", json!({})).await,
    ];
    bench.waiting(2).await;
    let first = bench.taken().await;
    bench
        .call("DeleteActivity", json!({"activityArn": ARN}))
        .await
        .expect("deleted");
    bench.done(&first, "1").await.expect("taken");
    refused(bench.poll().await, "ActivityDoesNotExist", ARN);
    let late = bench.execute(&machine, "late", json!({})).await;
    let shown = bench.ended(&late).await;
    assert_eq!(
        (&shown["status"], &shown["error"]),
        (&json!("FAILED"), &json!("States.Runtime"))
    );
    let failed = bench
        .event(
            &late,
            "ActivityScheduleFailed",
            "activityScheduleFailedEventDetails",
        )
        .await;
    assert_eq!(failed["error"], "States.Runtime");
    assert!(failed["cause"].as_str().is_some_and(|cause| cause.contains(ARN)));
    bench.activity("a").await;
    let second = bench.taken().await;
    bench.done(&second, "1").await.expect("taken");
    for execution in executions {
        assert_eq!(bench.ended(&execution).await["status"], "SUCCEEDED");
    }
    bench.stop().await;
}

#[tokio::test]
async fn what_nobody_waits_for_is_offered_no_more() {
    let mut bench = Bench::started().await;
    bench.activity("a").await;
    let machine = bench.create("m", &works(json!({}))).await.expect("made");
    let stopped = bench.execute(&machine, "x", json!(1)).await;
    bench.waiting(1).await;
    bench
        .call("StopExecution", json!({"executionArn": stopped}))
        .await
        .expect("stopped");
    bench.execute(&machine, "y", json!(2)).await;
    let task = bench.poll().await.expect("a task");
    assert_eq!(task["input"], "{\"in\":2}");
    bench.waiting(0).await;
    bench.stop().await;
}
