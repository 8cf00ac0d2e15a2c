//! What tests stand on: a service over a store in memory and a volume in a folder of its own, and a clock that the
//! test moves.

use std::sync::Arc;

use roadstead_base::{ManualClock, Timestamp};
use roadstead_dispatch::Dispatcher;
use roadstead_protocol::ApiError;
use roadstead_store::Store;
use roadstead_volume::Volume;
use serde_json::{Value as Json, json};

use crate::{Logs, Options, Parts, Server};

pub(crate) use roadstead_testing::{START, ctx};

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
        let dispatcher = roadstead_testing::dispatcher(clock.clone());
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
        let server = roadstead_api_logs::Server(Arc::new(Server(self.logs.clone())));
        roadstead_testing::call(&server, &ctx(), operation, input).await
    }

    /// Makes a group with streams.
    pub(crate) async fn group(&self, group: &str, streams: &[&str]) {
        let named = json!({"logGroupName": group});
        self.call("CreateLogGroup", named).await.expect(group);
        for stream in streams {
            let named = json!({"logGroupName": group, "logStreamName": stream});
            self.call("CreateLogStream", named).await.expect(stream);
        }
    }

    #[track_caller]
    pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>, code: &str, words: &str) {
        roadstead_testing::refused(result, code, words);
    }
}
