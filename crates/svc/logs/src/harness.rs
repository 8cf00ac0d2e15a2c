//! What tests stand on: a service over a store in memory and a volume in a folder of its own, and a clock that the
//! test moves.

use std::sync::Arc;

use roadstead_base::{Caller, Ctx, ManualClock, Pager, Timestamp};
use roadstead_dispatch::Dispatcher;
use roadstead_protocol::{ApiError, Handler as _, json};
use roadstead_store::{Embedded, Store};
use roadstead_volume::Volume;
use serde_json::Value as Json;

use crate::{Logs, Options, Parts, Server};

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
    pub logs: Arc<Logs>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let store = Embedded::in_memory(roadstead_store::Options::default()).expect("a store in memory");
        let folder = tempfile::tempdir().expect("a folder");
        Self::over(Arc::new(folder), Arc::new(store), START, options).await
    }

    async fn over(
        folder: Arc<tempfile::TempDir>,
        store: Arc<dyn Store>,
        now: Timestamp,
        options: Options,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let dispatcher = Dispatcher::new(clock.clone(), Pager::new([7; 32]), ctx().account);
        let volume = Volume::open(folder.path(), roadstead_volume::Options::default()).expect("a volume");
        let parts = Parts {
            store: store.clone(),
            volume,
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            options,
        };
        let logs = Logs::new(parts).await.expect("the service");
        Self {
            folder,
            store,
            clock,
            dispatcher,
            logs,
        }
    }

    /// The same after a restart, at the same time.
    pub(crate) async fn restarted(self) -> Self {
        let now = self.now();
        let Self {
            folder,
            store,
            clock: _,
            dispatcher: _,
            logs,
        } = self;
        logs.queries.abandon();
        let left = Arc::downgrade(&logs);
        drop(logs);
        while left.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        Self::over(folder, store, now, Options::default()).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        use roadstead_base::Clock as _;
        self.clock.now()
    }

    /// Calls an operation as a client would, JSON in and JSON out, through the model's checks.
    pub(crate) async fn call(&self, operation: &str, input: Json) -> Result<Json, ApiError> {
        let model = &roadstead_api_logs::MODEL;
        let operation = model.operation(operation).expect("an operation");
        let value =
            json::decode(model, operation.input, input.to_string().as_bytes()).expect("fits the model");
        if let Some(shape) = operation.input {
            roadstead_protocol::check(model, shape, &value).expect("keeps the model's constraints");
        }
        let server = roadstead_api_logs::Server(Arc::new(Server(self.logs.clone())));
        let answer = server.call(operation, &ctx(), value).await?;
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
