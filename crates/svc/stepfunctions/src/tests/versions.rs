//! Versions and aliases through their operations.

use roadstead_testing::refused;
use serde_json::{Value as Json, json};

use super::{Bench, ROLE, pass, wait};

pub(super) const ARN: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:m";

pub(super) fn text(value: &Json) -> String {
    value.as_str().expect("a text").to_owned()
}

pub(super) fn numbered(number: u64) -> String {
    format!("{ARN}:{number}")
}

/// The machine `m` whose versions are 1 (a Pass with the result 1), 2 and so on.
pub(super) async fn with_versions(bench: &Bench, versions: u64) {
    bench.create("m", &giving(1)).await.expect("made");
    for number in 1..=versions {
        let update =
            json!({"stateMachineArn": ARN, "definition": giving(number).to_string(), "publish": true});
        let updated = bench.call("UpdateStateMachine", update).await.expect("updated");
        assert_eq!(updated["stateMachineVersionArn"], numbered(number));
    }
}

pub(super) fn giving(result: u64) -> Json {
    json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": result, "End": true}}})
}

pub(super) fn routes(weights: &[(u64, u64)]) -> Json {
    let route = |(version, weight): &(u64, u64)| json!({"stateMachineVersionArn": numbered(*version), "weight": weight});
    weights.iter().map(route).collect()
}

pub(super) async fn alias(bench: &Bench, name: &str, weights: &[(u64, u64)]) -> String {
    let input = json!({"name": name, "routingConfiguration": routes(weights)});
    let made = bench.call("CreateStateMachineAlias", input).await.expect("made");
    text(&made["stateMachineAliasArn"])
}

pub(super) async fn listed(
    bench: &Bench,
    operation: &str,
    input: Json,
    member: &str,
    arn: &str,
) -> Vec<String> {
    let mut all = Vec::new();
    let mut input = input;
    loop {
        let page = bench.call(operation, input.clone()).await.expect("a page");
        all.extend(
            page[member]
                .as_array()
                .expect("items")
                .iter()
                .map(|item| text(&item[arn])),
        );
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => return all,
        }
    }
}

pub(super) async fn versions(bench: &Bench) -> Vec<String> {
    let input = json!({"stateMachineArn": ARN, "maxResults": 2});
    listed(
        bench,
        "ListStateMachineVersions",
        input,
        "stateMachineVersions",
        "stateMachineVersionArn",
    )
    .await
}

#[tokio::test]
async fn a_version_is_published_once_for_each_revision_and_never_changes() {
    let bench = Bench::new().await;
    let create = json!({"name": "m", "definition": pass().to_string(), "roleArn": ROLE, "publish": true, "versionDescription": "first"});
    let made = bench
        .call("CreateStateMachine", create.clone())
        .await
        .expect("made");
    assert_eq!(made["stateMachineVersionArn"], numbered(1));
    assert_eq!(
        bench
            .call("CreateStateMachine", create.clone())
            .await
            .expect("the same"),
        made
    );
    for change in [
        json!({"versionDescription": "other"}),
        json!({"publish": false, "versionDescription": null}),
    ] {
        let mut other = create.clone();
        for (member, value) in change.as_object().expect("members") {
            other[member] = value.clone();
        }
        let other: Json = other
            .as_object()
            .expect("members")
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(member, value)| (member.clone(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        refused(
            bench.call("CreateStateMachine", other).await,
            "StateMachineAlreadyExists",
            ARN,
        );
    }

    // The first revision is published already.
    let publish = |more: Json| {
        let mut input = json!({"stateMachineArn": ARN});
        input
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        bench.call("PublishStateMachineVersion", input)
    };
    let again = publish(json!({"revisionId": "INITIAL", "description": "other"}))
        .await
        .expect("published");
    assert_eq!(again["stateMachineVersionArn"], numbered(1));
    refused(
        publish(json!({"revisionId": "x"})).await,
        "ConflictException",
        "for revision x. The current State Machine revision is INITIAL.",
    );

    let update = json!({"stateMachineArn": ARN, "definition": wait(1).to_string()});
    let updated = bench
        .call("UpdateStateMachine", update.clone())
        .await
        .expect("updated");
    assert_eq!(updated.get("stateMachineVersionArn"), None);
    let same = bench.call("UpdateStateMachine", update).await.expect("updated");
    assert_eq!(
        same["revisionId"], updated["revisionId"],
        "what changes nothing is no revision"
    );
    refused(
        publish(json!({"revisionId": "INITIAL"})).await,
        "ConflictException",
        &text(&updated["revisionId"]),
    );
    bench.clock.advance(5_000);
    let second = publish(json!({"revisionId": updated["revisionId"], "description": "second"}))
        .await
        .expect("published");
    assert_eq!(second["stateMachineVersionArn"], numbered(2));
    assert_eq!(publish(json!({})).await.expect("the same"), second);
    let update = json!({"stateMachineArn": ARN, "definition": pass().to_string(), "publish": true, "versionDescription": "third"});
    let third = bench.call("UpdateStateMachine", update).await.expect("updated");
    assert_eq!(third["stateMachineVersionArn"], numbered(3));

    let bench = bench.restarted(0).await;
    let describe = |arn: String| bench.call("DescribeStateMachine", json!({"stateMachineArn": arn}));
    let shown = describe(numbered(2)).await.expect("shown");
    assert_eq!(
        (
            &shown["definition"],
            &shown["description"],
            &shown["revisionId"],
            &shown["creationDate"],
            &shown["name"],
            &shown["stateMachineArn"]
        ),
        (
            &json!(wait(1).to_string()),
            &json!("second"),
            &updated["revisionId"],
            &second["creationDate"],
            &json!("m"),
            &json!(numbered(2))
        )
    );
    let first = describe(numbered(1)).await.expect("shown");
    assert_eq!(
        (&first["description"], first.get("revisionId")),
        (&json!("first"), None)
    );
    assert_eq!(
        describe(ARN.to_owned()).await.expect("shown")["revisionId"],
        third["revisionId"]
    );
    for missing in [numbered(4), format!("{ARN}:PROD")] {
        refused(
            describe(missing.clone()).await,
            "StateMachineDoesNotExist",
            &missing,
        );
    }
    assert_eq!(versions(&bench).await, [numbered(3), numbered(2), numbered(1)]);
}

#[tokio::test]
async fn a_version_is_deleted_when_no_alias_names_it_and_its_number_is_not_given_again() {
    let bench = Bench::new().await;
    with_versions(&bench, 2).await;
    alias(&bench, "PROD", &[(1, 100), (2, 0)]).await;
    let delete = |arn: String| {
        bench.call(
            "DeleteStateMachineVersion",
            json!({"stateMachineVersionArn": arn}),
        )
    };
    refused(delete(numbered(2)).await, "ConflictException", "[PROD]");
    let update =
        json!({"stateMachineAliasArn": format!("{ARN}:PROD"), "routingConfiguration": routes(&[(1, 100)])});
    bench
        .call("UpdateStateMachineAlias", update)
        .await
        .expect("updated");
    for _ in 0..2 {
        delete(numbered(2)).await.expect("deleted, also if it was");
    }
    delete("arn:aws:states:us-east-1:000000000000:stateMachine:none:1".to_owned())
        .await
        .expect("deleted");
    assert_eq!(versions(&bench).await, [numbered(1)]);
    refused(
        bench
            .call("StartExecution", json!({"stateMachineArn": numbered(2)}))
            .await,
        "StateMachineDoesNotExist",
        &numbered(2),
    );
    let again = bench
        .call("PublishStateMachineVersion", json!({"stateMachineArn": ARN}))
        .await
        .expect("published");
    assert_eq!(again["stateMachineVersionArn"], numbered(3));
    for (arn, code) in [
        (ARN.to_owned(), "ValidationException"),
        (format!("{ARN}:PROD"), "ValidationException"),
        (format!("{ARN}:a:b"), "InvalidArn"),
        (format!("{ARN}/label"), "ValidationException"),
    ] {
        refused(delete(arn.clone()).await, code, &arn);
    }
}

#[tokio::test]
async fn there_are_only_so_many_versions_and_aliases() {
    let mut bench = Bench::new().await;
    assert_eq!(
        (
            bench.states.options.max_versions,
            bench.states.options.max_aliases
        ),
        (1_000, 100)
    );
    bench = bench
        .limited(|options| {
            options.max_versions = 2;
            options.max_aliases = 1;
        })
        .await;
    with_versions(&bench, 2).await;
    let update = json!({"stateMachineArn": ARN, "definition": giving(3).to_string(), "publish": true});
    refused(
        bench.call("UpdateStateMachine", update.clone()).await,
        "ServiceQuotaExceededException",
        "versions",
    );
    let shown = bench
        .call("DescribeStateMachine", json!({"stateMachineArn": ARN}))
        .await
        .expect("shown");
    assert_eq!(
        shown["definition"],
        giving(2).to_string(),
        "nothing of it was done"
    );
    bench
        .call(
            "DeleteStateMachineVersion",
            json!({"stateMachineVersionArn": numbered(1)}),
        )
        .await
        .expect("deleted");
    bench.call("UpdateStateMachine", update).await.expect("updated");
    alias(&bench, "a", &[(2, 100)]).await;
    let second = json!({"name": "b", "routingConfiguration": routes(&[(2, 100)])});
    refused(
        bench.call("CreateStateMachineAlias", second.clone()).await,
        "ServiceQuotaExceededException",
        "aliases",
    );
    bench
        .call(
            "DeleteStateMachineAlias",
            json!({"stateMachineAliasArn": format!("{ARN}:a")}),
        )
        .await
        .expect("deleted");
    bench.call("CreateStateMachineAlias", second).await.expect("made");
}

#[tokio::test]
async fn an_execution_has_the_version_that_its_arn_names_or_its_alias_chooses() {
    let mut bench = Bench::started().await;
    with_versions(&bench, 2).await;
    bench
        .call(
            "UpdateStateMachine",
            json!({"stateMachineArn": ARN, "definition": giving(3).to_string()}),
        )
        .await
        .expect("updated");
    let prod = alias(&bench, "PROD", &[(1, 0), (2, 100)]).await;
    for (name, of, output, version, alias) in [
        ("now", ARN.to_owned(), "3", None, None),
        ("one", numbered(1), "1", Some(numbered(1)), None),
        ("prod", prod.clone(), "2", Some(numbered(2)), Some(prod.clone())),
    ] {
        let execution = bench.execute(&of, name, json!({})).await;
        let shown = bench.ended(&execution).await;
        assert_eq!(shown["output"], output);
        assert_eq!(shown["stateMachineArn"], ARN);
        let history = bench
            .call("GetExecutionHistory", json!({"executionArn": execution}))
            .await
            .expect("a history");
        let started = &history["events"][0]["executionStartedEventDetails"];
        for answer in [&shown, started] {
            assert_eq!(
                answer.get("stateMachineVersionArn"),
                version.clone().map(Json::from).as_ref()
            );
            assert_eq!(
                answer.get("stateMachineAliasArn"),
                alias.clone().map(Json::from).as_ref()
            );
        }
    }
    let list = |of: String| {
        let input = json!({"stateMachineArn": of, "maxResults": 1});
        listed(&bench, "ListExecutions", input, "executions", "name")
    };
    assert_eq!(list(prod.clone()).await, ["prod"]);
    assert_eq!(list(numbered(1)).await, ["one"]);
    assert_eq!(
        list(numbered(2)).await,
        ["prod"],
        "started by an alias that chose it"
    );
    assert_eq!(list(ARN.to_owned()).await.len(), 3);
    for missing in [numbered(9), format!("{ARN}:none")] {
        for operation in ["ListExecutions", "StartExecution"] {
            let input = json!({"stateMachineArn": missing});
            refused(
                bench.call(operation, input).await,
                "StateMachineDoesNotExist",
                &missing,
            );
        }
    }
    refused(
        bench
            .call(
                "StartExecution",
                json!({"stateMachineArn": format!("{ARN}/label")}),
            )
            .await,
        "ValidationException",
        "Distributed Map",
    );
    bench.stop().await;
}

#[tokio::test]
async fn what_an_execution_runs_is_shown_whatever_became_of_the_machine() {
    let mut bench = Bench::started().await;
    bench.create("m", &wait(1_000)).await.expect("made");
    let first = bench.execute(ARN, "first", json!({})).await;
    bench.clock.advance(1_000);
    let update = json!({"stateMachineArn": ARN, "definition": giving(2).to_string(), "publish": true});
    let updated = bench.call("UpdateStateMachine", update).await.expect("updated");
    let second = bench.execute(&numbered(1), "second", json!({})).await;
    bench
        .call(
            "DeleteStateMachineVersion",
            json!({"stateMachineVersionArn": numbered(1)}),
        )
        .await
        .expect("deleted");
    let describe = |execution: &str, data: &str| {
        bench.call(
            "DescribeStateMachineForExecution",
            json!({"executionArn": execution, "includedData": data}),
        )
    };
    let shown = describe(&first, "ALL_DATA").await.expect("shown");
    assert_eq!(
        (
            &shown["definition"],
            &shown["roleArn"],
            &shown["stateMachineArn"],
            &shown["name"],
            shown.get("revisionId")
        ),
        (
            &json!(wait(1_000).to_string()),
            &json!(ROLE),
            &json!(ARN),
            &json!("m"),
            None
        )
    );
    let shown = describe(&second, "METADATA_ONLY").await.expect("shown");
    assert_eq!(
        (&shown["definition"], &shown["revisionId"], &shown["updateDate"]),
        (&json!("{}"), &updated["revisionId"], &updated["updateDate"])
    );
    assert_eq!(
        describe(&second, "ALL_DATA").await.expect("shown")["definition"],
        giving(2).to_string()
    );
    assert_eq!(
        bench.ended(&second).await["output"],
        "2",
        "a deleted version ends no execution"
    );
    refused(
        describe(&format!("{second}x"), "ALL_DATA").await,
        "ExecutionDoesNotExist",
        "secondx",
    );
    bench.stop().await;
}
