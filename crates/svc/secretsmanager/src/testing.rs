//! What tests stand on: a service over a store in memory and a clock that stands still, called as a client does,
//! JSON in and JSON out, through the model's checks.

use std::sync::Arc;

use roadstead_api_secretsmanager::{MODEL, Server};
use roadstead_base::{Caller, Ctx, ManualClock, Pager, Timestamp};
use roadstead_protocol::{ApiError, Handler as _, json as codec};
use roadstead_seal::Seal;
use roadstead_store::{Embedded, RangeRequest, Store};

use crate::SecretsManager;

pub(crate) use serde_json::{Value as Json, json};

pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);
const DAY_MILLIS: i64 = 86_400_000;

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

#[derive(Clone)]
pub(crate) struct World {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    pub(crate) manager: Arc<SecretsManager>,
}

impl World {
    pub(crate) fn new() -> Self {
        let store = Embedded::in_memory(roadstead_store::Options::default()).expect("a store in memory");
        Self::over(Arc::new(store), Arc::new(ManualClock::at(START)), [7; 32])
    }

    fn over(store: Arc<dyn Store>, clock: Arc<ManualClock>, key: [u8; 32]) -> Self {
        let seal = Seal::new(&key).expect("a key");
        Self {
            manager: Arc::new(SecretsManager::new(store.clone(), clock.clone(), seal)),
            store,
            clock,
        }
    }

    pub(crate) fn restarted(&self) -> Self {
        self.with_key([7; 32])
    }

    pub(crate) fn with_key(&self, key: [u8; 32]) -> Self {
        Self::over(self.store.clone(), self.clock.clone(), key)
    }

    pub(crate) fn advance_days(&self, days: i64) {
        self.clock.advance(days * DAY_MILLIS);
    }

    pub(crate) fn advance_seconds(&self, seconds: i64) {
        self.clock.advance(seconds * 1000);
    }

    /// All that the store holds, as text.
    pub(crate) async fn everything(&self) -> String {
        let range = roadstead_store::Key::root().below();
        let all = self
            .store
            .range(RangeRequest::new(range))
            .await
            .expect("reads")
            .kvs;
        let texts = all
            .iter()
            .map(|kv| String::from_utf8_lossy(&kv.value).into_owned());
        texts.collect::<Vec<_>>().join("\n")
    }

    async fn call(&self, operation: &str, input: Json) -> Result<Json, ApiError> {
        let ctx = ctx();
        let operation = MODEL.operation(operation).expect("an operation");
        let value =
            codec::decode(&MODEL, operation.input, input.to_string().as_bytes()).expect("fits the model");
        if let Some(shape) = operation.input {
            roadstead_protocol::check(&MODEL, shape, &value).expect("keeps the model's constraints");
        }
        let answer = Server(self.manager.clone()).call(operation, &ctx, value).await?;
        let shown = operation
            .output
            .map(|shape| codec::to_json(&MODEL, shape, answer));
        Ok(shown.unwrap_or(Json::Null))
    }

    #[track_caller]
    pub(crate) fn ok(&self, operation: &str, input: Json) -> impl Future<Output = Json> {
        let (world, operation) = (self.clone(), operation.to_owned());
        async move { world.call(&operation, input).await.expect(&operation) }
    }

    pub(crate) async fn refused(&self, operation: &str, input: Json, code: &str, words: &str) {
        let shown = input.to_string();
        let error = self.call(operation, input).await.expect_err(&shown);
        assert!(
            error.code == code && error.message.contains(words),
            "{operation} {shown}: wanted {code} with {words:?}, got {error}"
        );
    }
}
