//! What tests stand on: a service over a store in memory, and a clock that stands still.

use std::sync::Arc;

use roadstead_base::{Caller, Ctx, ManualClock, Pager, Timestamp};
use roadstead_dispatch::Dispatcher;
use roadstead_protocol::{ApiError, Handler as _, json};
use roadstead_store::{Embedded, Store};
use serde_json::Value as Json;

use crate::records::{DeliveryRecord, InputRecord, TargetRecord};
use crate::{Events, Options, Parts};

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
        let store = Embedded::in_memory(roadstead_store::Options::default()).expect("a store in memory");
        Self::over(Arc::new(store), START).await
    }

    /// Over a store: made twice with the same one, it is a restart.
    pub(crate) async fn over(store: Arc<dyn Store>, now: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let dispatcher = Dispatcher::new(clock.clone(), Pager::new([7; 32]), ctx().account);
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
        let model = &roadstead_api_events::MODEL;
        let operation = model.operation(operation).expect("an operation");
        let value =
            json::decode(model, operation.input, input.to_string().as_bytes()).expect("fits the model");
        if let Some(shape) = operation.input {
            roadstead_protocol::check(model, shape, &value).expect("keeps the model's constraints");
        }
        let server = roadstead_api_events::Server(self.events.clone());
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
