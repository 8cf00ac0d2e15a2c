//! The service through its handlers, with services that remember what they were asked.

mod activities;
mod aliases;
mod asynchronous;
mod at_once;
mod between;
mod calls;
mod definitions;
mod deletions;
mod executions;
mod express;
mod lambda;
mod logging;
mod machines;
mod map_runs;
mod metrics;
mod redrive;
mod restarts;
mod sync;
mod test_state;
mod test_state_errors;
mod tokens;
mod versions;
mod workers;

use std::sync::Arc;

use roadstead_base::{Clock as _, ManualClock, Timestamp};
use roadstead_protocol::ApiError;
use roadstead_store::Store;
use roadstead_testing::{Fake, START, Trusting, ctx, until};
use serde_json::{Value as Json, json};

use crate::{Options, PRINCIPAL, Parts, Running, States};

const ROLE: &str = "arn:aws:iam::000000000000:role/machines";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:F";

struct Bench {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    ecs: Arc<Fake>,
    lambda: Arc<Fake>,
    metrics: Arc<Fake>,
    logs: Arc<Fake>,
    states: Arc<States>,
    running: Option<Running>,
}

impl Bench {
    async fn new() -> Self {
        let ecs = Fake::answering(&roadstead_api_ecs::MODEL, json!({"clusterArns": ["arn:c"]}));
        let lambda = Fake::answering(&roadstead_api_lambda::MODEL, lambda::answer(&json!({"ok": true})));
        Self::over(roadstead_testing::memory(), ecs, lambda, START).await
    }

    async fn over(store: Arc<dyn Store>, ecs: Arc<Fake>, lambda: Arc<Fake>, now: Timestamp) -> Self {
        Self::with(store, ecs, lambda, now, Options::default()).await
    }

    /// The same with other bounds.
    async fn limited(self, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::default();
        change(&mut options);
        Self::with(self.store, self.ecs, self.lambda, START, options).await
    }

    async fn with(
        store: Arc<dyn Store>,
        ecs: Arc<Fake>,
        lambda: Arc<Fake>,
        now: Timestamp,
        options: Options,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let dispatcher = roadstead_testing::dispatcher(clock.clone());
        dispatcher.register(ecs.clone());
        dispatcher.register(lambda.clone());
        let metrics = Fake::new(&roadstead_api_cloudwatch::MODEL);
        dispatcher.register(metrics.clone());
        let logs = Fake::new(&roadstead_api_logs::MODEL);
        logs.answers(
            "DescribeLogGroups",
            json!({"logGroups": [{"logGroupName": "/g"}]}),
        );
        dispatcher.register(logs.clone());
        dispatcher.set_authority(Arc::new(Trusting::role(ROLE, PRINCIPAL)));
        let parts = Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher,
            options,
        };
        let states = States::new(parts).await.expect("the service");
        Self {
            store,
            clock,
            ecs,
            lambda,
            metrics,
            logs,
            states,
            running: None,
        }
    }

    /// With executions going on.
    async fn started() -> Self {
        let mut bench = Self::new().await;
        bench.start();
        bench
    }

    fn start(&mut self) {
        self.running = Some(self.states.start());
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// The same after a restart, so much later.
    async fn restarted(mut self, millis: i64) -> Self {
        self.stop().await;
        let now = self.clock.now().plus_millis(millis);
        Self::over(self.store.clone(), self.ecs.clone(), self.lambda.clone(), now).await
    }

    async fn call(&self, operation: &str, input: Json) -> Result<Json, ApiError> {
        let server = roadstead_api_stepfunctions::Server(self.states.clone());
        roadstead_testing::call(&server, &ctx(), operation, input).await
    }

    async fn create(&self, name: &str, definition: &Json) -> Result<String, ApiError> {
        let input = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE});
        let made = self.call("CreateStateMachine", input).await?;
        Ok(made["stateMachineArn"].as_str().expect("an ARN").to_owned())
    }

    async fn execute(&self, machine: &str, name: &str, input: Json) -> String {
        let input = json!({"stateMachineArn": machine, "name": name, "input": input.to_string()});
        let started = self.call("StartExecution", input).await.expect("started");
        started["executionArn"].as_str().expect("an ARN").to_owned()
    }

    async fn describe(&self, execution: &str) -> Json {
        self.call("DescribeExecution", json!({"executionArn": execution}))
            .await
            .expect("described")
    }

    /// Makes a step of the machine's only execution, without calling what it orders: as a crash leaves it in between.
    async fn step(&self, machine: &str) {
        let executions = self.states.executions.snapshot();
        let found = executions.iter().find(|entry| entry.value.machine == machine);
        let entry = found.expect("the execution").as_ref().clone();
        let partition = ctx().partition();
        let parsed = self
            .states
            .parsed(&entry, &partition, machine, &entry.value.definition);
        let parsed = parsed.await.expect("read").expect("the machine");
        let written = crate::run::advance(&self.states, &entry, &parsed, Vec::new()).await;
        let revision = written.expect("written").expect("first");
        self.states.executions.wait_for(revision).await.expect("seen");
    }

    /// Waits until the execution has ended.
    async fn ended(&self, execution: &str) -> Json {
        until("the end of the execution", || {
            let executions = self.states.executions.snapshot();
            let found = executions
                .iter()
                .find(|entry| execution.ends_with(&format!(":{}", entry.value.name)));
            found.is_some_and(|entry| entry.value.stopped.is_some())
        })
        .await;
        self.describe(execution).await
    }

    async fn types(&self, execution: &str) -> Vec<String> {
        let history = self
            .call("GetExecutionHistory", json!({"executionArn": execution}))
            .await
            .expect("a history");
        let events = history["events"].as_array().expect("events");
        events
            .iter()
            .map(|event| event["type"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

fn pass() -> Json {
    json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}})
}

fn wait(seconds: u64) -> Json {
    json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": seconds, "End": true}}})
}

fn task(resource: &str, parameters: Json) -> Json {
    json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": true}}})
}

fn list_clusters() -> Json {
    task(
        "arn:aws:states:::aws-sdk:ecs:listClusters",
        json!({"MaxResults": 5}),
    )
}
