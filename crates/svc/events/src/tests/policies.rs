//! Policies of buses: put by statement and as a document, taken away, and whom they let publish from another account.

use roadstead_base::Ctx;
use roadstead_dispatch::Permissions;
use serde_json::{Value as Json, json};

use super::deliveries::until;
use crate::EventsPermissions;
use crate::harness::{Bench, START, ctx};

const BUS: &str = "arn:aws:events:us-east-1:000000000000:event-bus/orders";

async fn with_bus() -> Bench {
    let bench = Bench::new().await;
    bench
        .call("CreateEventBus", json!({"Name": "orders"}))
        .await
        .expect("made");
    bench
}

/// The policy as the bus shows it; null if it has none.
async fn shown(bench: &Bench, bus: &str) -> Json {
    let answer = bench
        .call("DescribeEventBus", json!({"Name": bus}))
        .await
        .expect("there");
    match answer["Policy"].as_str() {
        Some(text) => serde_json::from_str(text).expect("JSON"),
        None => Json::Null,
    }
}

fn statement(id: &str, principal: Json) -> Json {
    json!({"Sid": id, "Effect": "Allow", "Principal": principal, "Action": "events:PutEvents", "Resource": BUS})
}

fn permission(id: &str, principal: &str) -> Json {
    json!({"EventBusName": "orders", "Action": "events:PutEvents", "Principal": principal, "StatementId": id})
}

#[tokio::test]
async fn permissions_are_put_replaced_shown_and_removed_by_their_ids() {
    let bench = with_bus().await;
    let account = json!({"AWS": "arn:aws:iam::111111111111:root"});
    for permission in [
        permission("a", "222222222222"),
        permission("b", "*"),
        permission("a", "111111111111"),
    ] {
        bench.call("PutPermission", permission).await.expect("put");
    }
    let bench = Bench::over(bench.store.clone(), START.plus_millis(5_000)).await;
    let both = [statement("a", account.clone()), statement("b", json!("*"))];
    let policy = json!({"Version": "2012-10-17", "Statement": both});
    assert_eq!(shown(&bench, "orders").await, policy);
    let listed = bench.call("ListEventBuses", json!({})).await.expect("buses");
    let text = listed["EventBuses"][1]["Policy"].as_str().expect("a policy");
    assert_eq!(serde_json::from_str::<Json>(text).expect("JSON"), policy);
    let remove = |id: &str| json!({"EventBusName": "orders", "StatementId": id});
    bench
        .call("RemovePermission", remove("b"))
        .await
        .expect("removed");
    let changed = bench
        .call("DescribeEventBus", json!({"Name": "orders"}))
        .await
        .expect("there");
    assert_eq!(changed["LastModifiedTime"], 1_700_000_005);
    assert_eq!(
        shown(&bench, "orders").await["Statement"],
        json!([statement("a", account)])
    );
    Bench::refused(
        bench.call("RemovePermission", remove("b")).await,
        "ResourceNotFoundException",
        "Statement with the provided id does not exist.",
    );
    bench
        .call("RemovePermission", remove("a"))
        .await
        .expect("removed");
    assert_eq!(shown(&bench, "orders").await, Json::Null);
    Bench::refused(
        bench.call("RemovePermission", remove("a")).await,
        "ResourceNotFoundException",
        "EventBus does not have a policy.",
    );
}

#[tokio::test]
async fn a_policy_is_put_whole_and_removed_whole_also_of_the_default_bus() {
    let bench = Bench::new().await;
    let one = json!({"Effect": "Allow", "Principal": "*", "Action": "events:*", "Resource": "*",
        "Condition": {"StringEquals": {"events:source": "shop"}}});
    let policy = json!({"Version": "2012-10-17", "Statement": one}).to_string();
    for _ in 0..2 {
        bench
            .call("PutPermission", json!({"Policy": policy}))
            .await
            .expect("put");
    }
    let answer = bench.call("DescribeEventBus", json!({})).await.expect("there");
    assert_eq!(answer["Policy"], policy);
    let more = json!({"Action": "events:PutEvents", "Principal": "*", "StatementId": "more"});
    bench.call("PutPermission", more).await.expect("put");
    let policy = shown(&bench, "default").await;
    assert_eq!(policy["Statement"][0], one);
    assert_eq!(policy["Statement"][1]["Sid"], "more");
    bench
        .call("RemovePermission", json!({"RemoveAllPermissions": true}))
        .await
        .expect("removed");
    assert_eq!(shown(&bench, "default").await, Json::Null);
}

#[tokio::test]
async fn permissions_that_cannot_be_are_refused() {
    let bench = with_bus().await;
    let condition = json!({"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1234567890"});
    let with = |member: &str, value: Json| {
        let mut input = permission("a", "111111111111");
        input[member] = value;
        input
    };
    let without = |member: &str| {
        let mut input = permission("a", "111111111111");
        input.as_object_mut().expect("members").remove(member);
        input
    };
    let policy = json!({"Statement": statement("a", json!("*"))}).to_string();
    let mut refused = vec![
        (
            "PutPermission",
            with("Condition", condition.clone()),
            "ValidationException",
            "Condition",
        ),
        (
            "PutPermission",
            with("Action", json!("events:PutRule")),
            "ValidationException",
            "Provided value in parameter 'action' is not supported.",
        ),
        (
            "PutPermission",
            with("EventBusName", json!("none")),
            "ResourceNotFoundException",
            "Event bus none",
        ),
        (
            "PutPermission",
            json!({"Policy": "{\n}"}),
            "ValidationException",
            "(line 1, column 1)",
        ),
        (
            "PutPermission",
            json!({"EventBusName": "none", "Policy": policy}),
            "ResourceNotFoundException",
            "none",
        ),
        (
            "RemovePermission",
            json!({"EventBusName": "orders"}),
            "ValidationException",
            "StatementId",
        ),
        (
            "RemovePermission",
            json!({"StatementId": "a", "RemoveAllPermissions": true}),
            "ValidationException",
            "removes them all",
        ),
        (
            "RemovePermission",
            json!({"EventBusName": "none", "RemoveAllPermissions": true}),
            "ResourceNotFoundException",
            "Event bus none",
        ),
    ];
    for member in ["Action", "Principal", "StatementId"] {
        refused.push(("PutPermission", without(member), "ValidationException", member));
    }
    for (member, value) in [
        ("Action", json!("events:PutEvents")),
        ("Condition", condition),
        ("Principal", json!("*")),
        ("StatementId", json!("a")),
    ] {
        let mut input = json!({"Policy": policy});
        input[member] = value;
        refused.push(("PutPermission", input, "ValidationException", member));
    }
    for (operation, input, code, words) in refused {
        Bench::refused(bench.call(operation, input).await, code, words);
    }
    for index in 0.. {
        let more = permission(&format!("{index:064}"), "111111111111");
        if let Err(error) = bench.call("PutPermission", more).await {
            assert_eq!(error.code, "PolicyLengthExceededException");
            break;
        }
        assert!(index < 100, "the policy has no end");
    }
    let length = shown(&bench, "orders").await.to_string().len();
    assert!((9 * 1024..=10 * 1024).contains(&length), "{length}");
}

#[tokio::test]
async fn events_of_another_account_come_to_the_bus_that_they_name_and_tell_whose_they_are() {
    let bench = with_bus().await;
    bench.dispatcher.set_authority(super::deliveries::one_role());
    let rule =
        json!({"Name": "r", "EventBusName": "orders", "EventPattern": r#"{"account": ["111111111111"]}"#});
    bench.call("PutRule", rule).await.expect("a rule");
    let target = json!({"Id": "t", "Arn": "arn:aws:logs:us-east-1:000000000000:log-group:/x"});
    let targets = json!({"Rule": "r", "EventBusName": "orders", "Targets": [target]});
    bench.call("PutTargets", targets).await.expect("a target");
    let stranger = Ctx {
        account: "111111111111".parse().expect("an account"),
        ..ctx()
    };
    let entry =
        |bus: &str| json!({"EventBusName": bus, "Source": "shop", "DetailType": "Order", "Detail": "{}"});
    let missing = BUS.replace("orders", "none");
    let own = json!({"Source": "shop", "DetailType": "Order", "Detail": "{}"});
    let put = json!({"Entries": [entry(BUS), entry(&missing), own]});
    let answer = bench.call_as(&stranger, "PutEvents", put).await.expect("taken");
    assert_eq!(answer["FailedEntryCount"], 1);
    assert_eq!(answer["Entries"][1]["ErrorCode"], "ResourceNotFoundException");
    until("what is owed", || !bench.events.owed.snapshot().is_empty()).await;
    let owed = bench.events.owed.snapshot();
    let keys: Vec<String> = owed.iter().map(|entry| entry.key.to_string()).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    let owed = owed.iter().next().expect("a delivery").value.clone();
    let event: Json = serde_json::from_str(&owed.event).expect("JSON");
    assert_eq!(
        (owed.bus.as_str(), &event["account"]),
        ("orders", &json!("111111111111"))
    );
    let elsewhere = BUS.replace("us-east-1", "eu-west-1");
    let elsewhere = bench
        .call_as(&stranger, "PutEvents", json!({"Entries": [entry(&elsewhere)]}))
        .await;
    Bench::refused(elsewhere, "ValidationException", "another account or region");
}

#[tokio::test]
async fn without_an_authority_no_other_account_comes_in() {
    let bench = with_bus().await;
    let stranger = Ctx {
        account: "111111111111".parse().expect("an account"),
        ..ctx()
    };
    let entry = json!({"EventBusName": BUS, "Source": "shop", "DetailType": "Order", "Detail": "{}"});
    let denied = bench
        .call_as(&stranger, "PutEvents", json!({"Entries": [entry]}))
        .await;
    Bench::refused(denied, "AccessDeniedException", BUS);
}

#[tokio::test]
async fn the_gate_gets_the_policy_of_a_bus_also_in_another_account() {
    let bench = with_bus().await;
    let permissions = EventsPermissions::of(&bench.events);
    let stranger = Ctx {
        account: "111111111111".parse().expect("an account"),
        ..ctx()
    };
    for ctx in [&ctx(), &stranger] {
        assert_eq!(permissions.resource_policy(ctx, BUS).await, None);
    }
    bench
        .call("PutPermission", permission("a", "111111111111"))
        .await
        .expect("put");
    for ctx in [&ctx(), &stranger] {
        let policy = permissions.resource_policy(ctx, BUS).await.expect("a policy");
        assert!(policy.contains("111111111111"), "{policy}");
        // An ARN of a rule tells its bus only to whose it is: rules of others are nobody's to change.
        let rule = BUS.replace("event-bus/orders", "rule/orders/r");
        let of_rule = permissions.resource_policy(ctx, &rule).await;
        assert_eq!(of_rule.is_some(), ctx.account.as_str() == "000000000000");
        assert_eq!(
            permissions
                .resource_policy(ctx, &BUS.replace("event-bus/orders", "rule/r"))
                .await,
            None
        );
        assert_eq!(
            permissions
                .resource_policy(ctx, &BUS.replace("orders", "default"))
                .await,
            None
        );
    }
}
