//! Aliases through their operations.

use roadstead_testing::refused;
use serde_json::{Value as Json, json};

use super::versions::{ARN, alias, listed, numbered, routes, text, versions, with_versions};
use super::{Bench, ROLE, pass};

#[tokio::test]
async fn an_alias_is_made_once_shown_updated_listed_and_deleted() {
    let bench = Bench::new().await;
    with_versions(&bench, 3).await;
    let create = json!({"name": "PROD", "description": "what runs", "routingConfiguration": routes(&[(1, 90), (2, 10)])});
    let made = bench
        .call("CreateStateMachineAlias", create.clone())
        .await
        .expect("made");
    let arn = format!("{ARN}:PROD");
    assert_eq!(made["stateMachineAliasArn"], arn);
    bench.clock.advance(5_000);
    assert_eq!(
        bench
            .call("CreateStateMachineAlias", create.clone())
            .await
            .expect("the same"),
        made
    );
    for (member, value) in [
        ("description", json!("other")),
        ("routingConfiguration", routes(&[(1, 100)])),
    ] {
        let mut other = create.clone();
        other[member] = value;
        refused(
            bench.call("CreateStateMachineAlias", other).await,
            "ConflictException",
            "Failed to create alias because an alias with the same name and a different",
        );
    }
    let describe = |bench: &Bench| {
        let server = bench.states.clone();
        let arn = arn.clone();
        async move {
            let server = roadstead_api_stepfunctions::Server(server);
            let input = json!({"stateMachineAliasArn": arn});
            roadstead_testing::call(
                &server,
                &roadstead_testing::ctx(),
                "DescribeStateMachineAlias",
                input,
            )
            .await
        }
    };
    let shown = describe(&bench).await.expect("shown");
    assert_eq!(
        shown,
        json!({"stateMachineAliasArn": arn, "name": "PROD", "description": "what runs",
        "routingConfiguration": routes(&[(1, 90), (2, 10)]), "creationDate": made["creationDate"], "updateDate": made["creationDate"]})
    );

    let update = json!({"stateMachineAliasArn": arn, "routingConfiguration": routes(&[(3, 100)])});
    let updated = bench
        .call("UpdateStateMachineAlias", update.clone())
        .await
        .expect("updated");
    assert_ne!(updated["updateDate"], made["creationDate"]);
    bench.clock.advance(5_000);
    assert_eq!(
        bench
            .call("UpdateStateMachineAlias", update)
            .await
            .expect("the same"),
        updated
    );
    let update = json!({"stateMachineAliasArn": arn, "description": ""});
    bench
        .call("UpdateStateMachineAlias", update)
        .await
        .expect("updated");
    let bench = bench.restarted(0).await;
    let shown = describe(&bench).await.expect("shown");
    assert_eq!(
        (&shown["description"], &shown["routingConfiguration"]),
        (&json!(""), &routes(&[(3, 100)]))
    );

    for (name, version) in [("b", 2), ("a", 3), ("c", 2)] {
        bench.clock.advance(1_000);
        alias(&bench, name, &[(version, 100)]).await;
    }
    let list = |of: String| {
        let input = json!({"stateMachineArn": of, "maxResults": 1});
        listed(
            &bench,
            "ListStateMachineAliases",
            input,
            "stateMachineAliases",
            "stateMachineAliasArn",
        )
    };
    let page = |token: Json| {
        let input = json!({"stateMachineArn": ARN, "maxResults": 3, "nextToken": token});
        bench.call("ListStateMachineAliases", input)
    };
    let first = page(Json::Null).await.expect("a page");
    let rest = page(first["nextToken"].clone()).await.expect("the rest");
    assert_eq!(
        (
            &first["stateMachineAliases"][2]["stateMachineAliasArn"],
            &rest["stateMachineAliases"][0]["stateMachineAliasArn"],
            rest.get("nextToken")
        ),
        (&json!(format!("{ARN}:b")), &json!(arn), None)
    );
    refused(page(json!("forged")).await, "InvalidToken", "forged");
    let named = |names: &[&str]| {
        names
            .iter()
            .map(|name| format!("{ARN}:{name}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        list(ARN.to_owned()).await,
        named(&["c", "a", "b", "PROD"]),
        "the latest first"
    );
    assert_eq!(list(numbered(3)).await, named(&["a", "PROD"]));
    assert_eq!(list(numbered(1)).await, named(&[]));

    let gone = json!({"stateMachineAliasArn": arn});
    bench
        .call("DeleteStateMachineAlias", gone.clone())
        .await
        .expect("deleted");
    for operation in ["DeleteStateMachineAlias", "DescribeStateMachineAlias"] {
        refused(
            bench.call(operation, gone.clone()).await,
            "ResourceNotFound",
            &arn,
        );
    }
    let update = json!({"stateMachineAliasArn": arn, "description": "x"});
    refused(
        bench.call("UpdateStateMachineAlias", update).await,
        "ResourceNotFound",
        &arn,
    );
    assert_eq!(versions(&bench).await.len(), 3, "the versions stay");
}

#[tokio::test]
async fn aliases_of_what_is_not_there_or_not_whole_are_refused() {
    let bench = Bench::new().await;
    with_versions(&bench, 2).await;
    bench.create("n", &pass()).await.expect("made");
    bench
        .call(
            "PublishStateMachineVersion",
            json!({"stateMachineArn": ARN.replace(":m", ":n")}),
        )
        .await
        .expect("published");
    alias(&bench, "PROD", &[(1, 100)]).await;
    let foreign = json!([{"stateMachineVersionArn": numbered(1), "weight": 50}, {"stateMachineVersionArn": format!("{}:1", ARN.replace(":m", ":n")), "weight": 50}]);
    let other = json!([{"stateMachineVersionArn": format!("{}:1", ARN.replace(":m", ":n")), "weight": 100}]);
    let none =
        json!([{"stateMachineVersionArn": format!("{}:1", ARN.replace(":m", ":none")), "weight": 100}]);
    let unqualified = json!([{"stateMachineVersionArn": ARN, "weight": 100}]);
    let cases = [
        (routes(&[(1, 50)]), "ValidationException", "Received: [50]"),
        (
            routes(&[(1, 50), (1, 50)]),
            "ValidationException",
            "version 1 twice",
        ),
        (routes(&[(1, 50), (7, 50)]), "ResourceNotFound", ":7"),
        (foreign, "ValidationException", "the same state machine"),
        (unqualified, "ValidationException", ARN),
    ];
    for (routes, code, words) in cases {
        let create = json!({"name": "a", "routingConfiguration": routes});
        refused(bench.call("CreateStateMachineAlias", create).await, code, words);
        let update = json!({"stateMachineAliasArn": format!("{ARN}:PROD"), "routingConfiguration": routes});
        refused(bench.call("UpdateStateMachineAlias", update).await, code, words);
    }
    let create = json!({"name": "a", "routingConfiguration": none});
    refused(
        bench.call("CreateStateMachineAlias", create).await,
        "ResourceNotFound",
        "none",
    );
    let update = json!({"stateMachineAliasArn": format!("{ARN}:PROD"), "routingConfiguration": other});
    refused(
        bench.call("UpdateStateMachineAlias", update).await,
        "ValidationException",
        "its versions must be",
    );
    let update = json!({"stateMachineAliasArn": format!("{ARN}:PROD")});
    refused(
        bench.call("UpdateStateMachineAlias", update).await,
        "ValidationException",
        "must be specified",
    );
    refused(
        bench
            .call(
                "DescribeStateMachineAlias",
                json!({"stateMachineAliasArn": numbered(1)}),
            )
            .await,
        "ValidationException",
        "must name an alias",
    );
    for (of, code) in [
        (numbered(9), "ResourceNotFound"),
        (format!("{ARN}:PROD"), "InvalidArn"),
        (ARN.replace(":m", ":none"), "StateMachineDoesNotExist"),
    ] {
        refused(
            bench
                .call("ListStateMachineAliases", json!({"stateMachineArn": of}))
                .await,
            code,
            &of,
        );
    }
    for operation in [
        "UpdateStateMachine",
        "DeleteStateMachine",
        "PublishStateMachineVersion",
        "ListStateMachineVersions",
    ] {
        let input = match operation {
            "UpdateStateMachine" => json!({"stateMachineArn": numbered(1), "roleArn": ROLE}),
            _ => json!({"stateMachineArn": numbered(1)}),
        };
        refused(
            bench.call(operation, input).await,
            "ValidationException",
            "without a version or an alias",
        );
    }
    refused(
        bench
            .call(
                "ListStateMachineVersions",
                json!({"stateMachineArn": ARN.replace(":m", ":none")}),
            )
            .await,
        "StateMachineDoesNotExist",
        "none",
    );
    // Nobody works in the background here, so it stays as it is.
    bench
        .call("DeleteStateMachine", json!({"stateMachineArn": ARN}))
        .await
        .expect("deleted");
    let create = json!({"name": "a", "routingConfiguration": routes(&[(1, 100)])});
    refused(
        bench.call("CreateStateMachineAlias", create).await,
        "StateMachineDeleting",
        ARN,
    );
    refused(
        bench
            .call("ListStateMachineAliases", json!({"stateMachineArn": ARN}))
            .await,
        "StateMachineDeleting",
        ARN,
    );
    refused(
        bench
            .call("PublishStateMachineVersion", json!({"stateMachineArn": ARN}))
            .await,
        "StateMachineDeleting",
        ARN,
    );
    refused(
        bench
            .call("StartExecution", json!({"stateMachineArn": numbered(1)}))
            .await,
        "StateMachineDeleting",
        &numbered(1),
    );
    let shown = bench
        .call("DescribeStateMachine", json!({"stateMachineArn": numbered(1)}))
        .await
        .expect("shown");
    assert_eq!(shown["status"], "DELETING");
}

#[tokio::test]
async fn both_versions_of_an_alias_are_started() {
    let bench = Bench::new().await;
    with_versions(&bench, 2).await;
    let prod = alias(&bench, "PROD", &[(1, 50), (2, 50)]).await;
    let mut seen = std::collections::BTreeSet::new();
    // Each is missed with a chance of one in 2^128.
    for number in 0..128 {
        let execution = bench.execute(&prod, &format!("x{number}"), json!({})).await;
        seen.insert(text(&bench.describe(&execution).await["stateMachineVersionArn"]));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [numbered(1), numbered(2)]);
}
