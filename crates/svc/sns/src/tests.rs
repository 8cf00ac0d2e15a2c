//! The service through its handlers, with queues that remember what they were sent.

mod at_once;
mod fan_out;
mod topics;

use std::sync::Arc;

use roadstead_base::{ManualClock, Timestamp};
use roadstead_protocol::ApiError;
use roadstead_store::Store;
use roadstead_testing::{Asked, Fake, START, Trusting, ctx, refused, until};
use serde_json::{Value as Json, json};

use crate::{Options, Parts, Sns};

struct Bench {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    queues: Arc<Fake>,
    sns: Arc<Sns>,
}

impl Bench {
    async fn new() -> Self {
        let queues = Fake::new(&roadstead_api_sqs::MODEL);
        Self::over(roadstead_testing::memory(), queues, START).await
    }

    async fn over(store: Arc<dyn Store>, queues: Arc<Fake>, now: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let dispatcher = roadstead_testing::dispatcher(clock.clone());
        dispatcher.register(queues.clone());
        // What queues allow is tried where queues are.
        dispatcher.set_authority(Arc::new(Trusting::default()));
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
        let server = roadstead_api_sns::Server(self.sns.clone());
        roadstead_testing::call(&server, &ctx(), operation, input).await
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
        until("the deliveries", || {
            self.queues.done().len() >= count && self.sns.owed.snapshot().is_empty()
        })
        .await;
        running.stop().await;
        let show = |Asked { input, .. }: &Asked| {
            let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
            let queue = text("QueueUrl").rsplit('/').next().unwrap_or_default().to_owned();
            (queue, text("MessageBody"))
        };
        let mut all: Vec<_> = self.queues.done().iter().map(show).collect();
        all.sort();
        all
    }
}

fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{queue}")
}
