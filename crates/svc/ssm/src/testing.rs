//! What tests stand on: a service over a store in memory and a clock that stands still, called as a client does,
//! JSON in and JSON out, through the model's checks.

use std::sync::Arc;

use roadstead_api_ssm::Server;
use roadstead_base::ManualClock;
use roadstead_protocol::ApiError;
use roadstead_seal::Seal;
use roadstead_store::{RangeRequest, Store};

use crate::Ssm;

pub(crate) use roadstead_testing::{START, ctx};
pub(crate) use serde_json::{Value as Json, json};

#[derive(Clone)]
pub(crate) struct World {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    pub(crate) ssm: Arc<Ssm>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::over(roadstead_testing::memory(), Arc::new(ManualClock::at(START)))
    }

    fn over(store: Arc<dyn Store>, clock: Arc<ManualClock>) -> Self {
        let seal = Seal::new(&[7; 32]).expect("a key");
        Self {
            ssm: Arc::new(Ssm::new(store.clone(), clock.clone(), seal)),
            store,
            clock,
        }
    }

    pub(crate) fn restarted(&self) -> Self {
        Self::over(self.store.clone(), self.clock.clone())
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

    pub(crate) async fn call(&self, operation: &str, input: Json) -> Result<Json, ApiError> {
        let server = Server(self.ssm.clone());
        roadstead_testing::call(&server, &ctx(), operation, input).await
    }

    pub(crate) async fn ok(&self, operation: &str, input: Json) -> Json {
        let shown = input.to_string();
        self.call(operation, input)
            .await
            .unwrap_or_else(|error| panic!("{operation} {shown}: {error}"))
    }

    /// A parameter of type String, or a new version of one.
    pub(crate) async fn put(&self, name: &str, value: &str) -> i64 {
        let input = json!({"Name": name, "Value": value, "Type": "String", "Overwrite": true});
        self.ok("PutParameter", input).await["Version"]
            .as_i64()
            .expect("a version")
    }

    pub(crate) async fn value(&self, name: &str) -> String {
        let found = self
            .ok("GetParameter", json!({"Name": name, "WithDecryption": true}))
            .await;
        found["Parameter"]["Value"].as_str().expect("a value").to_owned()
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

/// The names of what a listing shows.
pub(crate) fn names(list: &Json) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter()
        .map(|one| one["Name"].as_str().expect("a name").to_owned())
        .collect()
}
