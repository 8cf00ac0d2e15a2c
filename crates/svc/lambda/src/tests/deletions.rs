//! What goes with a version or a function, and what cannot go.

use super::*;

#[tokio::test]
async fn no_alias_names_a_version_that_is_gone_whoever_comes_first() {
    let bench = Bench::new().await;
    bench.make("f").await;
    bench
        .ok(
            "CreateAlias",
            json!({"FunctionName": "f", "Name": "old", "FunctionVersion": "$LATEST"}),
        )
        .await;
    let requests = |number: usize| {
        let version = number.to_string();
        let delete = json!({"FunctionName": "f", "Qualifier": version});
        let weights = json!({"AdditionalVersionWeights": {version.clone(): 0.5}});
        let alias = match number % 3 {
            0 => (
                "CreateAlias",
                json!({"FunctionName": "f", "Name": format!("a{number}"), "FunctionVersion": version}),
            ),
            1 => (
                "UpdateAlias",
                json!({"FunctionName": "f", "Name": "old", "FunctionVersion": version, "RoutingConfig": {}}),
            ),
            _ => (
                "CreateAlias",
                json!({"FunctionName": "f", "Name": format!("a{number}"), "FunctionVersion": "1", "RoutingConfig": weights}),
            ),
        };
        (delete, alias)
    };
    bench.ok("PublishVersion", json!({"FunctionName": "f"})).await;
    bench
        .ok(
            "CreateAlias",
            json!({"FunctionName": "f", "Name": "first", "FunctionVersion": "1"}),
        )
        .await;
    for number in 2..14 {
        let source = code(&format!("x = {number}"));
        let publish = json!({"FunctionName": "f", "ZipFile": source, "Publish": true});
        let published = bench.ok("UpdateFunctionCode", publish).await;
        assert_eq!(published["Version"], number.to_string());
        let (delete, (operation, alias)) = requests(number);
        let (gone, named) = match number % 2 {
            0 => {
                let (named, gone) =
                    tokio::join!(bench.call(operation, alias), bench.call("DeleteFunction", delete));
                (gone, named)
            }
            _ => tokio::join!(bench.call("DeleteFunction", delete), bench.call(operation, alias)),
        };
        assert!(
            gone.is_ok() != named.is_ok(),
            "{operation} of {number}: {gone:?} {named:?}"
        );
        match (gone, named) {
            (Ok(_), named) => refused(
                named,
                "ResourceNotFoundException",
                &format!("function:f:{number}"),
            ),
            (gone, _) => refused(
                gone,
                "ResourceConflictException",
                "the following aliases reference it",
            ),
        }
    }
}

#[tokio::test]
async fn a_version_goes_with_all_that_is_kept_of_it_alone() {
    let bench = Bench::new().await;
    bench
        .ok("CreateFunction", function("f", json!({"Publish": true})))
        .await;
    bench.ok("AddPermission", json!({"FunctionName": "f", "Qualifier": "1", "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"})).await;
    let config = json!({"FunctionName": "f", "Qualifier": "1", "MaximumRetryAttempts": 1});
    bench.ok("PutFunctionEventInvokeConfig", config).await;
    bench.ok("DeleteFunction", json!({"FunctionName": "f:1"})).await;
    let missing = bench.call("DeleteFunction", json!({"FunctionName": "f:1"})).await;
    refused(missing, "ResourceNotFoundException", "function:f:1");
    let listed = bench
        .ok("ListFunctionEventInvokeConfigs", json!({"FunctionName": "f"}))
        .await;
    assert_eq!(listed["FunctionEventInvokeConfigs"], json!([]));
    let function = bench.lambda.functions.snapshot();
    let function = function.iter().next().expect("the function");
    assert!(function.value.policies.is_empty(), "{:?}", function.value);
}

#[tokio::test]
async fn a_function_goes_with_more_versions_than_one_transaction_deletes() {
    use roadstead_store::Transaction;
    use roadstead_store::api::{MAX_DELETED, MAX_OPS};

    use crate::records;

    let bench = Bench::new().await;
    bench
        .ok("CreateFunction", function("f", json!({"Publish": true})))
        .await;
    let partition = ctx().partition();
    let first = bench.lambda.published(&partition, "f", 1).expect("a version");
    let versions = records::versions(&bench.store);
    let numbers: Vec<u64> = (2..=MAX_DELETED as u64 + 200).collect();
    for page in numbers.chunks(MAX_OPS) {
        let mut transaction = Transaction::new(&bench.store);
        for number in page {
            let version = records::VersionRecord {
                number: Some(*number),
                ..first.clone()
            };
            let key = records::version_key(&versions, &partition, "f", *number);
            transaction = transaction.put(&versions, &key, &version);
        }
        let _put = transaction.commit().await.expect("written");
    }
    let bench = bench.restarted(0).await;
    assert_eq!(
        bench.lambda.all_published(&partition, "f").len(),
        MAX_DELETED + 200
    );
    bench.ok("DeleteFunction", json!({"FunctionName": "f"})).await;
    let bench = bench.restarted(0).await;
    assert!(bench.lambda.all_published(&partition, "f").is_empty());
    assert!(bench.lambda.functions.snapshot().is_empty());
}
