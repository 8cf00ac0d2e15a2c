//! What services' tests share: a caller, a store in memory, calls as a client makes them, and stand-ins for the services
//! and the authority that a service calls. Only ever a dependency of tests.

mod authority;
mod fake;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use roadstead_base::{Caller, Ctx, ManualClock, Pager, Timestamp};
use roadstead_dispatch::Dispatcher;
use roadstead_protocol::{ApiError, Handler, json};
use roadstead_store::{Embedded, Store};
use serde_json::Value as Json;

pub use authority::Trusting;
pub use fake::{Asked, Fake};

/// 2023-11-14T22:13:20Z
pub const START: Timestamp = Timestamp(1_700_000_000_000);

/// Looks for a condition before it counts as never met, and how long between two.
const LOOKS: usize = 24_000;
const PAUSE: Duration = Duration::from_millis(5);
/// No call that is answered takes longer, also one that waits for others.
const PATIENCE: Duration = Duration::from_secs(180);

/// A call of the account's root in us-east-1.
pub fn ctx() -> Ctx {
    Ctx {
        account: "000000000000".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        caller: Caller::Root,
        request_id: "request".into(),
        pager: pager(),
        endpoint: "http://127.0.0.1:4566".into(),
        origin: Arc::default(),
    }
}

fn pager() -> Arc<Pager> {
    Arc::new(Pager::new([7; 32]))
}

pub fn memory() -> Arc<dyn Store> {
    Arc::new(Embedded::in_memory(roadstead_store::Options::default()).expect("a store in memory"))
}

pub fn dispatcher(clock: Arc<ManualClock>) -> Arc<Dispatcher> {
    Dispatcher::new(clock, Pager::new([7; 32]), ctx().account)
}

/// Calls an operation as a client would, JSON in and JSON out, through the model's checks. Panics where the gate would
/// refuse the request before a handler sees it, and when no answer comes.
pub async fn call(server: &dyn Handler, ctx: &Ctx, operation: &str, input: Json) -> Result<Json, ApiError> {
    let model = server.model();
    let operation = model.operation(operation).expect("an operation");
    let value = json::decode(model, operation.input, input.to_string().as_bytes()).expect("fits the model");
    if let Some(shape) = operation.input {
        roadstead_protocol::check(model, shape, &value).expect("keeps the model's constraints");
    }
    let answer = tokio::time::timeout(PATIENCE, server.call(operation, ctx, value)).await;
    let answer = answer.unwrap_or_else(|_| panic!("{} is not answered", operation.name))?;
    let shown = operation.output.map(|shape| json::to_json(model, shape, answer));
    Ok(shown.unwrap_or(Json::Null))
}

/// Wants this code, and these words in the message.
#[track_caller]
pub fn refused<T: Debug>(result: Result<T, ApiError>, code: &str, words: &str) {
    let error = result.expect_err(words);
    assert!(
        error.code == code && error.message.contains(words),
        "wanted {code} with {words:?}, got {error}"
    );
}

/// Waits for what others do.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if done() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("waited in vain for {what}");
}
