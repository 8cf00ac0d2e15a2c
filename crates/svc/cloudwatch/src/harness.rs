//! What tests stand on: a service over a volume in a folder of its own, and a clock that the test moves.

use std::sync::Arc;

use roadstead_base::{Ctx, ManualClock, Timestamp};
use roadstead_dispatch::Dispatcher;
use roadstead_protocol::ApiError;
use roadstead_store::Store;
use roadstead_volume::Volume;
use serde_json::Value as Json;
use tokio::sync::Mutex;

use crate::alarms::{actions, watch::Watch};
use crate::{CloudWatch, Options, Parts};

pub(crate) use roadstead_testing::{START, ctx};

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
        Self::over(Arc::new(folder), roadstead_testing::memory(), START).await
    }

    async fn over(folder: Arc<tempfile::TempDir>, store: Arc<dyn Store>, now: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let volume = Volume::open(folder.path(), roadstead_volume::Options::default()).expect("a volume");
        let dispatcher = roadstead_testing::dispatcher(clock.clone());
        dispatcher.set_authority(Arc::new(roadstead_testing::Trusting::default()));
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
        let server = roadstead_api_cloudwatch::Server(self.metrics.clone());
        roadstead_testing::call(&server, ctx, operation, input).await
    }

    #[track_caller]
    pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>, code: &str, words: &str) {
        roadstead_testing::refused(result, code, words);
    }
}
