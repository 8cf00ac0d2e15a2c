//! What tests stand on: a service over a store in memory and a clock that stands still, called as a client does,
//! JSON in and JSON out, through the model's checks.

use std::sync::Arc;

use roadstead_api_secretsmanager::Server;
use roadstead_base::ManualClock;
use roadstead_protocol::ApiError;
use roadstead_seal::Seal;
use roadstead_store::{RangeRequest, Store};

use crate::SecretsManager;

pub(crate) use roadstead_testing::{START, ctx};
pub(crate) use serde_json::{Value as Json, json};

const DAY_MILLIS: i64 = 86_400_000;

#[derive(Clone)]
pub(crate) struct World {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    pub(crate) manager: Arc<SecretsManager>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::over(
            roadstead_testing::memory(),
            Arc::new(ManualClock::at(START)),
            [7; 32],
        )
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
        let server = Server(self.manager.clone());
        roadstead_testing::call(&server, &ctx(), operation, input).await
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
