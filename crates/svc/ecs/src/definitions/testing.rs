//! What the tests of several operations do alike.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::Ecs;
use crate::tests::call;

/// One more revision of a family.
pub(crate) async fn register(ecs: &Arc<Ecs>, family: &str) {
    let container = json!({"name": "web", "image": "nginx", "memory": 64});
    let request = json!({"family": family, "networkMode": "awsvpc", "containerDefinitions": [container]});
    call(ecs, "RegisterTaskDefinition", request).await.expect(family);
}

pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:ecs:us-east-1:000000000000:task-definition/{name}")
}

/// All pages of a listing: the items of `member`, two to a page.
pub(crate) async fn pages(ecs: &Arc<Ecs>, operation: &str, filters: Json, member: &str) -> Vec<String> {
    let (mut seen, mut token) = (Vec::new(), Json::Null);
    for _ in 0..1000 {
        let mut request = filters.clone();
        request["maxResults"] = json!(2);
        if !token.is_null() {
            request["nextToken"] = token;
        }
        let page = call(ecs, operation, request).await.expect("a page");
        let items = page[member].as_array().expect("items");
        assert!(items.len() <= 2);
        seen.extend(items.iter().filter_map(|item| item.as_str().map(str::to_owned)));
        token = page["nextToken"].clone();
        if token.is_null() {
            return seen;
        }
    }
    panic!("the listing does not end")
}
