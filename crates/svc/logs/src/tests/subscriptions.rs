//! Subscription filters, and what they send to a function that remembers it.

mod deliveries;
mod lambda;
mod ops;

use roadstead_reconcile::{Action, Reconciler as _};
use serde_json::{Value as Json, json};

use self::lambda::{FUNCTION, Lambda};
use crate::harness::{Bench, START};
use crate::subscriptions::deliver::Deliveries;

/// A group `/a` with a stream `s`, and a function.
async fn subscribed() -> (Bench, std::sync::Arc<Lambda>) {
    let bench = Bench::new().await;
    let lambda = Lambda::serve(&bench);
    bench.group("/a", &["s"]).await;
    (bench, lambda)
}

fn filter(name: &str, pattern: &str) -> Json {
    json!({"logGroupName": "/a", "filterName": name, "filterPattern": pattern, "destinationArn": FUNCTION})
}

/// Makes a filter, and lets the function forget that it was tried.
async fn subscribe(bench: &Bench, lambda: &Lambda, name: &str, pattern: &str) {
    let put = bench.call("PutSubscriptionFilter", filter(name, pattern)).await;
    put.expect("a filter");
    lambda.taken();
}

/// Lines of one batch, a millisecond apart.
async fn put(bench: &Bench, lines: &[&str]) {
    let event = |(line, time): (&&str, i64)| json!({"timestamp": START.0 + time, "message": line});
    let events: Vec<Json> = lines.iter().zip(0..).map(event).collect();
    let request = json!({"logGroupName": "/a", "logStreamName": "s", "logEvents": events});
    bench.call("PutLogEvents", request).await.expect("written");
}

/// Looks at everything that is owed, until nothing is to be done at once.
async fn pass(deliveries: &Deliveries) {
    for key in deliveries.keys() {
        while deliveries.reconcile(&key).await.expect("reconciled")
            == Action::Again(std::time::Duration::ZERO)
        {}
    }
}

/// The texts of what the function got, a list for each call, each under the filter that it was for.
fn texts(taken: &[lambda::Asked]) -> Vec<(String, Vec<String>)> {
    let of = |asked: &lambda::Asked| {
        let text = |value: &Json| value.as_str().expect("a text").to_owned();
        let lines = asked.message["logEvents"].as_array().expect("events");
        let lines = lines.iter().map(|line| text(&line["message"])).collect();
        (text(&asked.message["subscriptionFilters"][0]), lines)
    };
    taken.iter().map(of).collect()
}

fn texts_of(filter: &str, lines: &[&str]) -> (String, Vec<String>) {
    (filter.into(), lines.iter().map(|line| (*line).into()).collect())
}
