//! What tests stand on: a service over a store in memory, and a clock that stands still.

use std::sync::Arc;

use roadstead_base::{Ctx, ManualClock, Timestamp};
use roadstead_dispatch::Dispatcher;
use roadstead_protocol::ApiError;
use roadstead_store::Store;
use serde_json::Value as Json;

use crate::records::{DeliveryRecord, InputRecord, TargetRecord};
use crate::{Events, Options, Parts};

pub(crate) use roadstead_testing::{START, ctx};

pub(crate) fn delivery(id: &str) -> DeliveryRecord {
    DeliveryRecord {
        id: id.into(),
        rule: "r".into(),
        bus: "default".into(),
        target: TargetRecord {
            id: "t".into(),
            arn: "arn:aws:events:us-east-1:000000000000:event-bus/other".into(),
            role_arn: None,
            input: InputRecord::Event,
            retry: None,
            ecs: None,
            message_group: None,
            dead_letters: None,
        },
        event: "{}".into(),
        created_at: START,
        through: Vec::new(),
        failures: 0,
        due_at: START,
        dead: None,
    }
}

/// A service, and what it stands on.
pub(crate) struct Bench {
    pub store: Arc<dyn Store>,
    pub clock: Arc<ManualClock>,
    pub dispatcher: Arc<Dispatcher>,
    pub events: Arc<Events>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::over(roadstead_testing::memory(), START).await
    }

    /// Over a store: made twice with the same one, it is a restart.
    pub(crate) async fn over(store: Arc<dyn Store>, now: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let dispatcher = roadstead_testing::dispatcher(clock.clone());
        let parts = Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            options: Options::default(),
        };
        let events = Events::new(parts).await.expect("the service");
        dispatcher.register(Arc::new(roadstead_api_events::Server(events.clone())));
        Self {
            store,
            clock,
            dispatcher,
            events,
        }
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
        let server = roadstead_api_events::Server(self.events.clone());
        roadstead_testing::call(&server, ctx, operation, input).await
    }

    #[track_caller]
    pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>, code: &str, words: &str) {
        roadstead_testing::refused(result, code, words);
    }
}
