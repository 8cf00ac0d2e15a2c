//! What tests stand on: a service over a store in memory and a volume in a folder of its own, and a clock that the test
//! moves.

use std::sync::Arc;

use roadstead_base::{Caller, Ctx, ManualClock, Pager, Timestamp};
use roadstead_protocol::{ApiError, Handler as _, json};
use roadstead_store::{Embedded, Store};
use roadstead_volume::Volume;
use serde_json::{Value as Json, json};

use crate::{Options, Parts, Sqs};

/// 2023-11-14T22:13:20Z
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);

pub(crate) fn ctx() -> Ctx {
    Ctx {
        account: "000000000000".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        caller: Caller::Root,
        request_id: "request".into(),
        pager: Arc::new(Pager::new([7; 32])),
        endpoint: "http://127.0.0.1:4566".into(),
        origin: Arc::default(),
    }
}

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
        let store = Embedded::in_memory(roadstead_store::Options::default()).expect("a store in memory");
        Self::over(Arc::new(folder), Arc::new(store), START, options).await
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
        let model = &roadstead_api_sqs::MODEL;
        let operation = model.operation(operation).expect("an operation");
        let value =
            json::decode(model, operation.input, input.to_string().as_bytes()).expect("fits the model");
        if let Some(shape) = operation.input {
            roadstead_protocol::check(model, shape, &value).expect("keeps the model's constraints");
        }
        let server = roadstead_api_sqs::Server(self.sqs.clone());
        let answer = server.call(operation, &ctx(), value).await?;
        Ok(operation
            .output
            .map_or(Json::Null, |shape| json::to_json(model, shape, answer)))
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
