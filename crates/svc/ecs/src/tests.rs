//! What handler tests stand on: a service over a store in memory, a clock that stands still, and nobody behind
//! the other services.

use std::sync::Arc;

use roadstead_acs::network::VpcMap;
use roadstead_api_ecs::Server;
use roadstead_base::{Caller, Ctx, ManualClock, Pager, Timestamp};
use roadstead_dispatch::{Dispatcher, MapReceiver, NetworkMaps, NodeMap};
use roadstead_protocol::{ApiError, Handler as _, json};
use roadstead_store::{Embedded, Store};
use serde_json::Value as Json;

use crate::{Ecs, Options, Parts};

pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);

struct NoMaps;

impl NetworkMaps for NoMaps {
    fn subscribe(&self, _instance_id: &str) -> MapReceiver {
        tokio::sync::watch::channel(Arc::new(NodeMap {
            generation: 0,
            vpcs: Vec::<VpcMap>::new(),
        }))
        .1
    }
}

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

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(Embedded::in_memory(roadstead_store::Options::default()).expect("a store in memory"))
}

/// A service over a store: called twice with the same one, it is a restart.
pub(crate) fn over(store: &Arc<dyn Store>) -> Ecs {
    let clock = Arc::new(ManualClock::at(START));
    let ctx = ctx();
    let dispatcher = Dispatcher::new(clock.clone(), Pager::new([7; 32]), ctx.account);
    let parts = Parts {
        store: store.clone(),
        clock,
        dispatcher,
        maps: Arc::new(NoMaps),
        options: Options::default(),
    };
    Ecs::new(parts)
}

pub(crate) fn ecs() -> Ecs {
    over(&memory())
}

/// The code and message of an error.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>, code: &str, words: &str) {
    let error = result.expect_err(words);
    assert!(
        error.code == code && error.message.contains(words),
        "wanted {code} with {words:?}, got {error}"
    );
}

/// Calls an operation as a client would, JSON in and JSON out, through the model's checks. Panics where the gate
/// would refuse the request before a handler sees it.
pub(crate) async fn call(ecs: &Arc<Ecs>, operation: &str, input: Json) -> Result<Json, ApiError> {
    let model = &roadstead_api_ecs::MODEL;
    let operation = model.operation(operation).expect("an operation");
    let value = json::decode(model, operation.input, input.to_string().as_bytes()).expect("fits the model");
    if let Some(shape) = operation.input {
        roadstead_protocol::check(model, shape, &value).expect("keeps the model's constraints");
    }
    let answer = Server(ecs.clone()).call(operation, &ctx(), value).await?;
    Ok(operation
        .output
        .map_or(Json::Null, |shape| json::to_json(model, shape, answer)))
}
