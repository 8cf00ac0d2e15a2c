//! Requests as clients write them, and what becomes of each: what is filled in, what is refused and in which
//! words.

mod awslogs;
mod container;
mod network;
mod node;
mod receivers;
mod registry;
mod secrets;
mod storage;
mod task;

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::Ecs;
use crate::tests::{call, ecs, refused};

/// A request that is accepted, with members of its container and of the task put over it; null takes one away.
fn request(container: Json, task: Json) -> Json {
    let base = json!({"name": "web", "image": "nginx:latest", "memory": 128});
    let mut request = json!({"family": "web", "networkMode": "awsvpc", "containerDefinitions": []});
    request["containerDefinitions"] = json!([put(base, container)]);
    put(request, task)
}

fn put(mut base: Json, over: Json) -> Json {
    let members = base.as_object_mut().expect("an object");
    for (name, value) in over.as_object().cloned().unwrap_or_else(Map::new) {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    base
}

async fn register(ecs: &Arc<Ecs>, request: Json) -> Result<Json, roadstead_protocol::ApiError> {
    call(ecs, "RegisterTaskDefinition", request)
        .await
        .map(|answer| answer["taskDefinition"].clone())
}

/// The container is accepted, and shown with these members.
async fn container_shows(container: Json, task: Json, wanted: Json) {
    let ecs = Arc::new(ecs());
    let definition = register(&ecs, request(container, task))
        .await
        .expect("is accepted");
    for (name, value) in wanted.as_object().expect("members") {
        assert_eq!(
            &definition["containerDefinitions"][0][name], value,
            "{name} in {definition:#}"
        );
    }
}

/// Each container is refused with the code and words.
async fn containers_refused(code: &str, cases: &[(Json, Json, &str)]) {
    let ecs = Arc::new(ecs());
    for (container, task, words) in cases {
        let result = register(&ecs, request(container.clone(), task.clone())).await;
        assert!(result.is_err(), "{container} {task} was accepted, {words}");
        refused(result, code, words);
    }
}

const CLIENT: &str = "ClientException";
const INVALID: &str = "InvalidParameterException";
