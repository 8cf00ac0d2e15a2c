//! What follows at once, and what several clients do at once.

use std::sync::Arc;

use serde_json::json;

use crate::harness::Bench;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bus_that_was_deleted_takes_no_event() {
    let bench = Bench::new().await;
    let event = json!({"EventBusName": "b", "Source": "s", "DetailType": "t", "Detail": "{}"});
    for _ in 0..300 {
        bench
            .call("CreateEventBus", json!({"Name": "b"}))
            .await
            .expect("made");
        bench
            .call("DeleteEventBus", json!({"Name": "b"}))
            .await
            .expect("deleted");
        let put = bench.call("PutEvents", json!({"Entries": [event]})).await;
        assert_eq!(put.expect("an answer")["FailedEntryCount"], 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_rule_stays_on_a_bus_that_is_deleted_meanwhile() {
    let bench = Arc::new(Bench::new().await);
    for _ in 0..500 {
        bench
            .call("CreateEventBus", json!({"Name": "b"}))
            .await
            .expect("made");
        let call = |operation, input| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { bench.call(operation, input).await })
        };
        let rule = json!({"Name": "r", "EventBusName": "b", "EventPattern": r#"{"source": ["s"]}"#});
        let rule = call("PutRule", rule);
        let deleted = call("DeleteEventBus", json!({"Name": "b"}));
        match (rule.await.expect("ran"), deleted.await.expect("ran")) {
            (Ok(_), Ok(_)) => panic!("the rule is on a bus that is gone"),
            (Err(error), Ok(_)) => assert_eq!(error.code, "ResourceNotFoundException"),
            (_, Err(error)) => {
                assert_eq!(error.code, "ValidationException");
                for (operation, input) in [
                    ("DeleteRule", json!({"Name": "r", "EventBusName": "b"})),
                    ("DeleteEventBus", json!({"Name": "b"})),
                ] {
                    bench.call(operation, input).await.expect("deleted");
                }
            }
        }
    }
}
