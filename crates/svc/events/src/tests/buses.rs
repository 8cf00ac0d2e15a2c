//! Buses: made, described, listed, deleted, and always one there.

use serde_json::json;

use crate::harness::{Bench, START};

#[tokio::test]
async fn create_event_bus_once_describe_update_and_delete_it() {
    let bench = Bench::new().await;
    let tags = json!([{"Key": "team", "Value": "a"}]);
    let made = bench
        .call(
            "CreateEventBus",
            json!({"Name": "orders", "Description": "d", "Tags": tags}),
        )
        .await
        .expect("made");
    let arn = "arn:aws:events:us-east-1:000000000000:event-bus/orders";
    assert_eq!(made, json!({"EventBusArn": arn, "Description": "d"}));
    let again = bench.call("CreateEventBus", json!({"Name": "orders"})).await;
    Bench::refused(
        again,
        "ResourceAlreadyExistsException",
        "Event bus orders already exists.",
    );
    let default = bench.call("CreateEventBus", json!({"Name": "default"})).await;
    Bench::refused(default, "ResourceAlreadyExistsException", "default");
    for (name, words) in [
        (
            "aws.partner/x",
            "EventBus name starting with 'aws.' is not valid.",
        ),
        ("a/b", "Event bus name must not contain '/'."),
    ] {
        Bench::refused(
            bench.call("CreateEventBus", json!({"Name": name})).await,
            "ValidationException",
            words,
        );
    }
    bench.clock.advance(5_000);
    let updated = bench
        .call("UpdateEventBus", json!({"Name": "orders", "Description": "e"}))
        .await
        .expect("updated");
    assert_eq!(updated, json!({"Arn": arn, "Name": "orders", "Description": "e"}));
    let again = Bench::over(bench.store.clone(), START).await;
    for name in ["orders", arn] {
        let shown = again
            .call("DescribeEventBus", json!({"Name": name}))
            .await
            .expect("there");
        assert_eq!(
            shown,
            json!({"Arn": arn, "Name": "orders", "Description": "e",
                "CreationTime": 1_700_000_000, "LastModifiedTime": 1_700_000_005})
        );
    }
    bench
        .call("DeleteEventBus", json!({"Name": "orders"}))
        .await
        .expect("deleted");
    bench
        .call("DeleteEventBus", json!({"Name": "orders"}))
        .await
        .expect("twice is once");
    let gone = bench.call("DescribeEventBus", json!({"Name": "orders"})).await;
    Bench::refused(
        gone,
        "ResourceNotFoundException",
        "Event bus orders does not exist.",
    );
    let update = bench.call("UpdateEventBus", json!({"Name": "orders"})).await;
    Bench::refused(update, "ResourceNotFoundException", "orders");
}

#[tokio::test]
async fn the_default_bus_is_always_there() {
    let bench = Bench::new().await;
    let shown = bench.call("DescribeEventBus", json!({})).await.expect("there");
    let arn = "arn:aws:events:us-east-1:000000000000:event-bus/default";
    assert_eq!(shown, json!({"Arn": arn, "Name": "default"}));
    bench
        .call("UpdateEventBus", json!({"Description": "mine"}))
        .await
        .expect("described");
    let shown = bench.call("DescribeEventBus", json!({})).await.expect("there");
    assert_eq!(shown["Description"], "mine");
    Bench::refused(
        bench.call("DeleteEventBus", json!({"Name": "default"})).await,
        "ValidationException",
        "Cannot delete event bus default.",
    );
}

#[tokio::test]
async fn a_bus_with_rules_stays() {
    let bench = Bench::new().await;
    bench
        .call("CreateEventBus", json!({"Name": "orders"}))
        .await
        .expect("made");
    let rule = json!({"Name": "r", "EventBusName": "orders", "EventPattern": r#"{"source": ["a"]}"#});
    bench.call("PutRule", rule).await.expect("a rule");
    let kept = bench.call("DeleteEventBus", json!({"Name": "orders"})).await;
    Bench::refused(kept, "ValidationException", "since it has rules");
    bench
        .call("DeleteRule", json!({"Name": "r", "EventBusName": "orders"}))
        .await
        .expect("deleted");
    bench
        .call("DeleteEventBus", json!({"Name": "orders"}))
        .await
        .expect("deleted");
}

#[tokio::test]
async fn list_event_buses_pages_in_order_of_names() {
    let bench = Bench::new().await;
    for name in ["b", "e", "a1", "a2"] {
        bench
            .call("CreateEventBus", json!({"Name": name}))
            .await
            .expect(name);
    }
    let names = |page: &serde_json::Value| {
        let buses = page["EventBuses"].as_array().expect("buses").clone();
        buses
            .iter()
            .map(|bus| bus["Name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    let first = bench
        .call("ListEventBuses", json!({"Limit": 3}))
        .await
        .expect("a page");
    assert_eq!(names(&first), ["a1", "a2", "b"]);
    let token = &first["NextToken"];
    let second = bench
        .call("ListEventBuses", json!({"Limit": 3, "NextToken": token}))
        .await
        .expect("a page");
    assert_eq!(names(&second), ["default", "e"]);
    assert!(second.get("NextToken").is_none());
    let some = bench
        .call("ListEventBuses", json!({"NamePrefix": "a"}))
        .await
        .expect("a page");
    assert_eq!(names(&some), ["a1", "a2"]);
    let other = bench
        .call("ListEventBuses", json!({"NamePrefix": "a", "NextToken": token}))
        .await;
    Bench::refused(other, "ValidationException", "NextToken");
}

#[tokio::test]
async fn what_buses_cannot_have_yet_is_refused_by_name() {
    let bench = Bench::new().await;
    for (member, value) in [
        ("EventSourceName", json!("aws.partner/x/y")),
        (
            "DeadLetterConfig",
            json!({"Arn": "arn:aws:sqs:us-east-1:000000000000:q"}),
        ),
        ("KmsKeyIdentifier", json!("alias/k")),
        ("LogConfig", json!({"Level": "INFO"})),
    ] {
        let mut request = json!({"Name": "orders"});
        request[member] = value;
        Bench::refused(
            bench.call("CreateEventBus", request.clone()).await,
            "ValidationException",
            member,
        );
        if member != "EventSourceName" {
            Bench::refused(
                bench.call("UpdateEventBus", request).await,
                "ValidationException",
                member,
            );
        }
    }
}

#[tokio::test]
async fn as_many_buses_as_an_account_can_have() {
    let bench = Bench::new().await;
    for index in 0..100 {
        bench
            .call("CreateEventBus", json!({"Name": format!("b{index}")}))
            .await
            .expect("made");
    }
    Bench::refused(
        bench.call("CreateEventBus", json!({"Name": "more"})).await,
        "LimitExceededException",
        "100 event buses",
    );
}
