//! The service through its handlers, with queues that remember what they were sent.

mod fan_out;
mod topics;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadstead_base::{Caller, Ctx, ManualClock, Pager, Timestamp};
use roadstead_dispatch::{
    Asked, Authority, Denial, Dispatcher, IssuedKey, KeyError, RoleError, ServiceAssumes, SessionKeys,
};
use roadstead_protocol::{ApiError, BoxFuture, Handler, Operation, ServiceModel, Value, json as codec};
use roadstead_store::{Embedded, Store};
use serde_json::{Value as Json, json};

use crate::{Options, Parts, Sns};

/// 2023-11-14T22:13:20Z
const START: Timestamp = Timestamp(1_700_000_000_000);

fn ctx() -> Ctx {
    Ctx {
        account: "000000000000".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        caller: Caller::Root,
        request_id: "request".into(),
        pager: Arc::new(Pager::new([7; 32])),
        endpoint: String::new(),
        origin: Arc::default(),
    }
}

/// Lets everybody do everything: what queues allow is tried where queues are.
struct All;

impl Authority for All {
    fn find(&self, _access_key: &str, _token: Option<&str>) -> Result<Option<IssuedKey>, KeyError> {
        Ok(None)
    }

    fn account_of(&self, _access_key: &str) -> Option<roadstead_base::AccountId> {
        None
    }

    fn decide(&self, _asked: Asked<'_>) -> Result<(), Denial> {
        Ok(())
    }

    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<roadstead_base::RoleSession>, RoleError> {
        Err(RoleError::NoSuchRole(assumes.role_arn.into()))
    }

    fn issue(
        &self,
        _caller: &Caller,
        _account: &roadstead_base::AccountId,
        _expires: Timestamp,
    ) -> SessionKeys {
        unreachable!("no keys are handed out here")
    }
}

/// Queues that take messages after as many refusals as they were told.
#[derive(Default)]
struct Queues {
    refusals: Mutex<Vec<ApiError>>,
    sent: Mutex<Vec<(Ctx, Json)>>,
}

impl Handler for Queues {
    fn model(&self) -> &'static ServiceModel {
        &roadstead_api_sqs::MODEL
    }

    fn call<'a>(
        &'a self,
        operation: &'static Operation,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        let message = codec::to_json(self.model(), operation.input.expect("an input"), input);
        let refusal = self.refusals.lock().expect("no panic").pop();
        if refusal.is_none() {
            self.sent.lock().expect("no panic").push((ctx.clone(), message));
        }
        Box::pin(async move { refusal.map_or(Ok(Value::empty()), Err) })
    }
}

struct Bench {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    queues: Arc<Queues>,
    sns: Arc<Sns>,
}

impl Bench {
    async fn new() -> Self {
        let store = Embedded::in_memory(roadstead_store::Options::default()).expect("a store in memory");
        Self::over(Arc::new(store), Arc::default(), START).await
    }

    async fn over(store: Arc<dyn Store>, queues: Arc<Queues>, now: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let dispatcher = Dispatcher::new(clock.clone(), Pager::new([7; 32]), ctx().account);
        dispatcher.register(queues.clone());
        dispatcher.set_authority(Arc::new(All));
        let parts = Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher,
            options: Options::default(),
        };
        let sns = Sns::new(parts).await.expect("the service");
        Self {
            store,
            clock,
            queues,
            sns,
        }
    }

    /// The same after a restart, so much later.
    async fn restarted(self, millis: i64) -> Self {
        use roadstead_base::Clock as _;
        let now = self.clock.now().plus_millis(millis);
        Self::over(self.store.clone(), self.queues.clone(), now).await
    }

    async fn call(&self, operation: &str, input: Json) -> Result<Json, ApiError> {
        let model = &roadstead_api_sns::MODEL;
        let operation = model.operation(operation).expect("an operation");
        let value =
            codec::decode(model, operation.input, input.to_string().as_bytes()).expect("fits the model");
        if let Some(shape) = operation.input {
            roadstead_protocol::check(model, shape, &value).expect("keeps the model's constraints");
        }
        let server = roadstead_api_sns::Server(self.sns.clone());
        let answer = server.call(operation, &ctx(), value).await?;
        Ok(operation
            .output
            .map_or(Json::Null, |shape| codec::to_json(model, shape, answer)))
    }

    async fn topic(&self) -> String {
        let made = self
            .call("CreateTopic", json!({"Name": "t"}))
            .await
            .expect("a topic");
        made["TopicArn"].as_str().expect("an ARN").to_owned()
    }

    async fn subscribe(&self, queue: &str, attributes: Json) -> String {
        let input = json!({"TopicArn": self.topic().await, "Protocol": "sqs", "Endpoint": arn(queue),
            "Attributes": attributes, "ReturnSubscriptionArn": true});
        let made = self.call("Subscribe", input).await.expect("subscribed");
        made["SubscriptionArn"].as_str().expect("an ARN").to_owned()
    }

    /// Delivers until so many were sent in all and nothing is owed; what was sent, by queue and body.
    async fn delivered(&self, count: usize) -> Vec<(String, String)> {
        let running = self.sns.start();
        for _ in 0..1000 {
            let sent = self.queues.sent.lock().expect("no panic").len();
            if sent >= count && self.sns.owed.snapshot().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.stop().await;
        let sent = self.queues.sent.lock().expect("no panic");
        let show = |(_, message): &(Ctx, Json)| {
            let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
            let queue = text("QueueUrl").rsplit('/').next().unwrap_or_default().to_owned();
            (queue, text("MessageBody"))
        };
        let mut all: Vec<_> = sent.iter().map(show).collect();
        all.sort();
        all
    }
}

fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{queue}")
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>, code: &str, words: &str) {
    let error = result.expect_err(words);
    assert!(
        error.code == code && error.message.contains(words),
        "wanted {code} with {words:?}, got {error}"
    );
}
