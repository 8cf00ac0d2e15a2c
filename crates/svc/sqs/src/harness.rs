//! What tests stand on: a service over a store in memory and a volume in a folder of its own, and a clock that the test
//! moves.

use std::sync::Arc;

use roadstead_base::{ManualClock, Timestamp};
use roadstead_protocol::ApiError;
use roadstead_store::Store;
use roadstead_volume::Volume;
use serde_json::{Value as Json, json};

use crate::{Options, Parts, Sqs};

pub(crate) use roadstead_testing::{START, ctx};

pub(crate) struct Bench {
    folder: Arc<tempfile::TempDir>,
    store: Arc<dyn Store>,
    pub clock: Arc<ManualClock>,
    pub sqs: Arc<Sqs>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::over(Arc::new(folder), roadstead_testing::memory(), START, options).await
    }

    async fn over(
        folder: Arc<tempfile::TempDir>,
        store: Arc<dyn Store>,
        now: Timestamp,
        options: Options,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let volume = Volume::open(folder.path(), roadstead_volume::Options::default()).expect("a volume");
        let parts = Parts {
            store: store.clone(),
            volume,
            clock: clock.clone(),
            key: [7; 32],
            options,
        };
        let sqs = Sqs::new(parts).await.expect("the service");
        Self {
            folder,
            store,
            clock,
            sqs,
        }
    }

    /// The same after a restart, at the same time.
    pub(crate) async fn restarted(self) -> Self {
        let now = self.now();
        let Self {
            folder,
            store,
            clock: _,
            sqs,
        } = self;
        let options = sqs.options.clone();
        drop(sqs);
        Self::over(folder, store, now, options).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        use roadstead_base::Clock as _;
        self.clock.now()
    }

    /// Where the bytes of messages lie.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Calls an operation as a client would, JSON in and JSON out, through the model's checks.
    pub(crate) async fn call(&self, operation: &str, input: Json) -> Result<Json, ApiError> {
        let server = roadstead_api_sqs::Server(self.sqs.clone());
        roadstead_testing::call(&server, &ctx(), operation, input).await
    }

    /// Makes a queue; its URL.
    pub(crate) async fn queue(&self, name: &str, attributes: Json) -> String {
        let made = self
            .call(
                "CreateQueue",
                json!({"QueueName": name, "Attributes": attributes}),
            )
            .await
            .expect("a queue");
        made["QueueUrl"].as_str().expect("a URL").to_owned()
    }

    pub(crate) async fn send(&self, url: &str, body: &str, more: Json) -> Json {
        let mut input = json!({"QueueUrl": url, "MessageBody": body});
        for (name, value) in more.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        self.call("SendMessage", input).await.expect("sent")
    }

    /// The messages that are received, with all there is of them.
    pub(crate) async fn receive(&self, url: &str, more: Json) -> Vec<Json> {
        let mut input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"]});
        for (name, value) in more.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        let answer = self.call("ReceiveMessage", input).await.expect("received");
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }

    pub(crate) async fn bodies(&self, url: &str) -> Vec<String> {
        let messages = self.receive(url, json!({})).await;
        let body = |message: &Json| message["Body"].as_str().expect("a body").to_owned();
        messages.iter().map(body).collect()
    }

    pub(crate) async fn attribute(&self, url: &str, name: &str) -> String {
        let answer = self
            .call(
                "GetQueueAttributes",
                json!({"QueueUrl": url, "AttributeNames": [name]}),
            )
            .await
            .expect("attributes");
        answer["Attributes"][name].as_str().unwrap_or("none").to_owned()
    }

    #[track_caller]
    pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>, code: &str, words: &str) {
        let error = result.expect_err(words);
        let code_is = error.code == code || error.code.ends_with(&format!(".{code}"));
        assert!(
            code_is && error.message.contains(words),
            "wanted {code} with {words:?}, got {error}"
        );
    }
}
