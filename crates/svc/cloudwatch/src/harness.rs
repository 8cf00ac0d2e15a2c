//! What tests stand on: a service over a volume in a folder of its own, and a clock that the test moves.

use std::sync::Arc;

use roadstead_base::{Caller, Ctx, ManualClock, Pager, Timestamp};
use roadstead_dispatch::Dispatcher;
use roadstead_protocol::{ApiError, Handler as _, json};
use roadstead_store::{Embedded, Store};
use roadstead_volume::Volume;
use serde_json::Value as Json;
use tokio::sync::Mutex;

use crate::alarms::{actions, watch::Watch};
use crate::{CloudWatch, Options, Parts};

/// 2023-11-14T22:13:20Z
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);

pub(crate) fn ctx() -> Ctx {
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

pub(crate) struct Bench {
    folder: Arc<tempfile::TempDir>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<ManualClock>,
    pub dispatcher: Arc<Dispatcher>,
    pub metrics: Arc<CloudWatch>,
    watch: Mutex<Watch>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Embedded::in_memory(roadstead_store::Options::default()).expect("a store in memory");
        Self::over(Arc::new(folder), Arc::new(store), START).await
    }

    async fn over(folder: Arc<tempfile::TempDir>, store: Arc<dyn Store>, now: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let volume = Volume::open(folder.path(), roadstead_volume::Options::default()).expect("a volume");
        let dispatcher = Dispatcher::new(clock.clone(), Pager::new([7; 32]), ctx().account);
        let metrics = CloudWatch::new(Parts {
            store: store.clone(),
            volume,
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            options: Options::default(),
        })
        .await
        .expect("the service");
        Self {
            watch: Mutex::new(Watch::new(&metrics)),
            folder,
            store,
            clock,
            dispatcher,
            metrics,
        }
    }

    /// The same after a restart, at the same time.
    pub(crate) async fn restarted(self) -> Self {
        self.restarted_after(0).await
    }

    /// The same after it was down for so many seconds.
    pub(crate) async fn restarted_after(self, seconds: i64) -> Self {
        let now = self.now().plus_millis(seconds * 1000);
        let Self {
            folder,
            store,
            clock: _,
            dispatcher: _,
            metrics,
            watch: _,
        } = self;
        drop(metrics);
        Self::over(folder, store, now).await
    }

    /// Lets alarms be evaluated that are due, and their actions be taken.
    pub(crate) async fn look(&self) {
        self.watch.lock().await.round(&self.metrics).await;
        self.settled().await;
    }

    /// Lets time go on in seconds, and looks at each.
    pub(crate) async fn pass(&self, seconds: i64) {
        for _ in 0..seconds {
            self.clock.advance(1000);
            self.watch.lock().await.round(&self.metrics).await;
        }
        self.settled().await;
    }

    /// Takes the actions that are due.
    async fn settled(&self) {
        let head = self.store.revision().await.expect("a revision");
        self.metrics
            .owed
            .wait_for(head)
            .await
            .expect("level with the store");
        actions::once(&self.metrics).await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        use roadstead_base::Clock as _;
        self.clock.now()
    }

    /// Calls an operation as a client would, JSON in and JSON out, through the model's checks.
    pub(crate) async fn call(&self, operation: &str, input: Json) -> Result<Json, ApiError> {
        self.call_as(&ctx(), operation, input).await
    }

    pub(crate) async fn call_as(&self, ctx: &Ctx, operation: &str, input: Json) -> Result<Json, ApiError> {
        let model = &roadstead_api_cloudwatch::MODEL;
        let operation = model.operation(operation).expect("an operation");
        let value =
            json::decode(model, operation.input, input.to_string().as_bytes()).expect("fits the model");
        if let Some(shape) = operation.input {
            roadstead_protocol::check(model, shape, &value).expect("keeps the model's constraints");
        }
        let server = roadstead_api_cloudwatch::Server(self.metrics.clone());
        let answer = server.call(operation, ctx, value).await?;
        Ok(operation
            .output
            .map_or(Json::Null, |shape| json::to_json(model, shape, answer)))
    }

    #[track_caller]
    pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>, code: &str, words: &str) {
        let error = result.expect_err(words);
        assert!(
            error.code == code && error.message.contains(words),
            "wanted {code} with {words:?}, got {error}"
        );
    }
}
