//! Express executions that nobody waits for: in the store until they have ended, and run again after a restart.

use roadstead_testing::{refused, until};
use serde_json::{Value as Json, json};

use super::{Bench, FUNCTION, ROLE, pass, task, wait};

impl Bench {
    async fn start_express(&self, machine: &str, input: &str) -> String {
        let input = json!({"stateMachineArn": machine, "name": "x", "input": input});
        let started = self.call("StartExecution", input).await.expect("started");
        started["executionArn"].as_str().expect("an ARN").to_owned()
    }

    /// Waits until no asynchronous execution is left.
    async fn all_ended(&self) {
        until("the ends", || self.states.queue.count() == 0).await;
    }

    /// Moves the clock, by so much at a look, until so many are left: one may begin to wait when it was moved already.
    async fn wait_until_left(&self, left: usize, millis: i64) {
        until("the ends", || {
            self.clock.advance(millis);
            self.states.queue.count() == left
        })
        .await;
    }

    /// The inputs that functions were called with.
    fn payloads(&self) -> Vec<Json> {
        let asked = self.lambda.asked();
        asked
            .iter()
            .map(|asked| super::lambda::payload(&asked.input))
            .collect()
    }
}

fn invoke() -> Json {
    json!({"StartAt": "I", "States": {"I": {"Type": "Task", "Resource": FUNCTION, "End": true}}})
}

#[tokio::test]
async fn an_asynchronous_execution_is_answered_at_once_and_leaves_nothing() {
    let bench = Bench::started().await;
    let machine = bench.express("m", &invoke()).await;
    let first = bench.start_express(&machine, "[1]").await;
    let second = bench.start_express(&machine, "[1]").await;
    assert!(
        first.starts_with("arn:aws:states:us-east-1:000000000000:express:m:x:"),
        "{first}"
    );
    assert_ne!(
        first, second,
        "names are not unique, and each call is an execution"
    );
    bench.all_ended().await;
    assert_eq!(bench.payloads(), [json!([1]), json!([1])]);
    for operation in [
        "DescribeExecution",
        "GetExecutionHistory",
        "StopExecution",
        "RedriveExecution",
    ] {
        refused(
            bench.call(operation, json!({"executionArn": first})).await,
            "InvalidArn",
            "Resource type not valid in this context: express",
        );
    }
    let left = roadstead_store::Mirror::of(&crate::records::express(&bench.store))
        .await
        .expect("a mirror");
    assert_eq!(left.snapshot().len(), 0);
    let inputs = roadstead_store::Mirror::of(&crate::records::express_inputs(&bench.store))
        .await
        .expect("a mirror");
    assert_eq!(inputs.snapshot().len(), 0);
    refused(
        bench
            .call(
                "StartExecution",
                json!({"stateMachineArn": machine, "input": "{"}),
            )
            .await,
        "InvalidExecutionInput",
        "EOF",
    );
}

#[tokio::test]
async fn executions_that_did_not_end_run_again_from_their_beginning() {
    let mut bench = Bench::started().await;
    let definition = json!({"StartAt": "I", "States": {
        "I": {"Type": "Task", "Resource": FUNCTION, "ResultPath": null, "Next": "W"},
        "W": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "J"},
        "J": {"Type": "Task", "Resource": FUNCTION, "End": true}}});
    let machine = bench.express("m", &definition).await;
    bench.start_express(&machine, "{\"seconds\":1}").await;
    until("the first call", || bench.payloads().len() == 1).await;
    bench.stop().await;
    // One that is written down and does not begin.
    let waiting = Bench::over(
        bench.store.clone(),
        bench.ecs.clone(),
        bench.lambda.clone(),
        roadstead_testing::START,
    )
    .await;
    waiting.start_express(&machine, "{\"seconds\":2}").await;
    let mut bench = waiting.restarted(7_000).await;
    assert_eq!(bench.states.queue.count(), 2);
    bench.start();
    until("the first calls again", || bench.payloads().len() == 3).await;
    bench.wait_until_left(0, 100).await;
    let mut seconds: Vec<i64> = bench
        .payloads()
        .iter()
        .filter_map(|one| one["seconds"].as_i64())
        .collect();
    seconds.sort_unstable();
    assert_eq!(seconds, [1, 1, 1, 2, 2]);
    let bench = bench.restarted(0).await;
    assert_eq!(bench.states.queue.count(), 0, "what ended is not run again");
}

#[tokio::test]
async fn so_many_run_at_a_time_and_the_rest_waits() {
    let mut bench = Bench::new()
        .await
        .limited(|options| {
            options.max_express_running = 1;
            options.max_express_waiting = 2;
        })
        .await;
    bench.start();
    let machine = bench.express("m", &wait(10)).await;
    bench.start_express(&machine, "1").await;
    bench.start_express(&machine, "2").await;
    let third = json!({"stateMachineArn": machine});
    refused(
        bench.call("StartExecution", third.clone()).await,
        "ExecutionLimitExceeded",
        "as there can be: 2",
    );
    until("the first", || bench.states.express.under_way() == 1).await;
    assert_eq!(bench.states.queue.count(), 2);
    bench.wait_until_left(1, 1_000).await;
    bench
        .call("StartExecution", third)
        .await
        .expect("there is room again");
    for _ in 0..2 {
        let left = bench.states.queue.count();
        until("the next", || bench.states.express.under_way() == 1).await;
        bench.wait_until_left(left - 1, 1_000).await;
    }
}

#[tokio::test]
async fn an_asynchronous_execution_takes_five_minutes_at_most_and_tells_no_bus() {
    let bench = Bench::started().await;
    let machine = bench.express("m", &wait(400)).await;
    bench.start_express(&machine, "{}").await;
    until("its beginning", || bench.states.express.under_way() == 1).await;
    bench.clock.advance(299_999);
    assert_eq!(bench.states.queue.count(), 1);
    let (queue, clock) = (&bench.states.queue, &bench.clock);
    until("the end", || {
        clock.advance(1);
        queue.count() == 0
    })
    .await;
    crate::report::hand_over(&bench.states, true).await;
    let told = bench.metrics.done();
    let counted = told
        .iter()
        .flat_map(|asked| asked.input["MetricData"].as_array().cloned().unwrap_or_default());
    assert!(
        counted
            .into_iter()
            .any(|datum| datum["MetricName"] == "ExecutionsTimedOut")
    );
    let outbox = roadstead_outbox::table(&bench.store);
    let within = outbox.within(&roadstead_testing::ctx().partition());
    let (events, _) = outbox.all(&within).await.expect("read");
    assert!(events.is_empty(), "their changes of status are no events");
}

#[tokio::test]
async fn a_machine_goes_once_its_executions_have_ended() {
    let bench = Bench::started().await;
    let machine = bench.express("m", &wait(10)).await;
    bench.start_express(&machine, "{}").await;
    until("its beginning", || bench.states.express.under_way() == 1).await;
    let arn = json!({"stateMachineArn": machine});
    bench
        .call("DeleteStateMachine", arn.clone())
        .await
        .expect("deleted");
    refused(
        bench.call("StartExecution", arn.clone()).await,
        "StateMachineDeleting",
        "m",
    );
    let partition = roadstead_testing::ctx().partition();
    let key = bench.states.machine_key(&partition, "m");
    crate::remove::machine(&bench.states, &partition, &key)
        .await
        .expect("looked at");
    let shown = bench
        .call("DescribeStateMachine", arn.clone())
        .await
        .expect("still there");
    assert_eq!(shown["status"], "DELETING");
    bench.wait_until_left(0, 1_000).await;
    crate::remove::machine(&bench.states, &partition, &key)
        .await
        .expect("looked at");
    until("the machine to go", || {
        bench.states.machines.snapshot().is_empty()
    })
    .await;
}

#[tokio::test]
async fn versions_and_aliases_start_what_they_stand_for() {
    let bench = Bench::started().await;
    let input = json!({"name": "m", "definition": invoke().to_string(), "roleArn": ROLE, "type": "EXPRESS", "publish": true});
    let made = bench.call("CreateStateMachine", input).await.expect("made");
    let (machine, version) = (&made["stateMachineArn"], &made["stateMachineVersionArn"]);
    let routes = json!([{"stateMachineVersionArn": version, "weight": 100}]);
    let alias = json!({"name": "PROD", "routingConfiguration": routes});
    let alias = bench.call("CreateStateMachineAlias", alias).await.expect("made");
    let update = json!({"stateMachineArn": machine, "definition": pass().to_string()});
    bench.call("UpdateStateMachine", update).await.expect("updated");
    for (arn, calls) in [(version, 1), (&alias["stateMachineAliasArn"], 2), (machine, 2)] {
        bench.start_express(arn.as_str().expect("an ARN"), "{}").await;
        bench.all_ended().await;
        assert_eq!(bench.payloads().len(), calls, "{arn}");
    }
}

#[tokio::test]
async fn a_task_starts_an_express_execution_and_cannot_wait_for_one() {
    let bench = Bench::started().await;
    // A machine starts others by its own service.
    bench
        .states
        .dispatcher
        .register(std::sync::Arc::new(roadstead_api_stepfunctions::Server(
            bench.states.clone(),
        )));
    let express = bench.express("e", &invoke()).await;
    for (name, pattern) in [("call", ""), ("wait", ".sync:2")] {
        let resource = format!("arn:aws:states:::states:startExecution{pattern}");
        let start = task(&resource, json!({"StateMachineArn": express, "Input": {"n": 1}}));
        let machine = bench.create(name, &start).await.expect("made");
        let execution = bench.execute(&machine, name, json!({})).await;
        let ended = bench.ended(&execution).await;
        bench.all_ended().await;
        match pattern {
            "" => assert!(
                ended["output"]
                    .as_str()
                    .expect("an output")
                    .contains(":express:e:"),
                "{ended}"
            ),
            _ => assert_eq!(
                ended["error"], "StepFunctions.StateMachineTypeNotSupportedException",
                "{ended}"
            ),
        }
        assert_eq!(
            bench.payloads(),
            [json!({"n": 1})],
            "started once, and not to be waited for"
        );
    }
}
