//! Refusals in the service's own words, and what answers have and have not: clients are written against both.

use super::*;

#[tokio::test]
async fn numbers_and_names_beyond_the_constraints_are_validation_errors() {
    let bench = Bench::new().await;
    bench.make("f").await;
    for (member, value, words) in [
        (
            "Timeout",
            json!(901),
            "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
        ),
        (
            "MemorySize",
            json!(10_241),
            "1 validation error detected: Value '10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240",
        ),
    ] {
        let mut more = json!({});
        more[member] = value.clone();
        let made = bench.call("CreateFunction", function("g", more.clone())).await;
        refused(made, "ValidationException", words);
        more["FunctionName"] = json!("f");
        let updated = bench.call("UpdateFunctionConfiguration", more).await;
        refused(updated, "ValidationException", words);
    }
    let long = "g".repeat(65);
    for operation in ["GetFunction", "DeleteFunction", "Invoke"] {
        refused(
            bench.call(operation, json!({"FunctionName": long})).await,
            "ValidationException",
            "at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64",
        );
    }
}

#[tokio::test]
async fn functions_of_another_region_are_not_reachable() {
    let bench = Bench::new().await;
    bench.make("f").await;
    let elsewhere = "arn:aws:lambda:eu-west-1:000000000000:function:f";
    for operation in ["GetFunction", "DeleteFunction", "Invoke", "GetPolicy"] {
        refused(
            bench.call(operation, json!({"FunctionName": elsewhere})).await,
            "ResourceNotFoundException",
            "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
        );
    }
}

#[tokio::test]
async fn concurrency_is_of_functions_alone() {
    let bench = Bench::new().await;
    bench.make("f").await;
    for name in ["f:1", "f:prod", "f:$LATEST"] {
        for (operation, more) in [
            (
                "PutFunctionConcurrency",
                json!({"ReservedConcurrentExecutions": 1}),
            ),
            ("GetFunctionConcurrency", json!({})),
            ("DeleteFunctionConcurrency", json!({})),
        ] {
            let mut request = more;
            request["FunctionName"] = json!(name);
            refused(
                bench.call(operation, request).await,
                "InvalidParameterValueException",
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation.",
            );
        }
    }
}

#[tokio::test]
async fn code_of_functions_is_signed_by_nobody() {
    let bench = Bench::new().await;
    let arn = bench.make("f").await["FunctionArn"].clone();
    for name in [json!("f"), arn] {
        let shown = bench
            .ok("GetFunctionCodeSigningConfig", json!({"FunctionName": name}))
            .await;
        assert_eq!(shown, json!({"FunctionName": "f", "CodeSigningConfigArn": ""}));
    }
    for (name, code, words) in [
        (
            "g",
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:000000000000:function:g",
        ),
        (
            "f:1",
            "InvalidParameterValueException",
            "neither versions nor aliases",
        ),
    ] {
        let gone = bench
            .call("GetFunctionCodeSigningConfig", json!({"FunctionName": name}))
            .await;
        refused(gone, code, words);
    }
}

#[tokio::test]
async fn listings_leave_out_what_only_the_function_itself_says() {
    let bench = Bench::new().await;
    let older = function("f", json!({"Publish": true, "Runtime": "python3.8"}));
    bench.ok("CreateFunction", older).await;
    let listed = [
        bench.ok("ListFunctions", json!({"FunctionVersion": "ALL"})).await["Functions"].clone(),
        bench.ok("ListFunctions", json!({})).await["Functions"].clone(),
        bench
            .ok("ListVersionsByFunction", json!({"FunctionName": "f"}))
            .await["Versions"]
            .clone(),
    ];
    for version in listed.iter().flat_map(|list| list.as_array().expect("a list")) {
        assert_eq!(version["FunctionName"], "f");
        for member in ["State", "StateReason", "LastUpdateStatus"] {
            assert_eq!(version.get(member), None, "{member}");
        }
    }
    let itself = bench
        .ok("GetFunctionConfiguration", json!({"FunctionName": "f"}))
        .await;
    assert_eq!(
        (&itself["State"], &itself["LastUpdateStatus"]),
        (&json!("Active"), &json!("Successful"))
    );
}

#[tokio::test]
async fn variables_are_measured_as_json_and_none_are_shown_as_none() {
    let bench = Bench::new().await;
    let environment = |value: &str| json!({"Environment": {"Variables": {"KEY": value}}});
    // {"KEY":"…"}
    let most = "x".repeat(4096 - 10);
    bench
        .ok("CreateFunction", function("f", environment(&most)))
        .await;
    let larger = environment(&format!("{most}x"));
    refused(
        bench.call("CreateFunction", function("g", larger)).await,
        "InvalidParameterValueException",
        "exceeded the 4KB limit. String measured: {\"KEY\":\"xxx",
    );
    let empty = function("h", json!({"Environment": {"Variables": {}}}));
    assert_eq!(
        bench.ok("CreateFunction", empty).await["Environment"],
        json!({"Variables": {}})
    );
    assert_eq!(bench.make("i").await["Environment"], Json::Null);
}

#[tokio::test]
async fn a_new_description_makes_a_new_version() {
    let bench = Bench::new().await;
    bench
        .ok("CreateFunction", function("f", json!({"Publish": true})))
        .await;
    let describe = json!({"FunctionName": "f", "Description": "d"});
    bench.ok("UpdateFunctionConfiguration", describe).await;
    let second = bench.ok("PublishVersion", json!({"FunctionName": "f"})).await;
    assert_eq!(
        (&second["Version"], &second["Description"]),
        (&json!("2"), &json!("d"))
    );
    let bench = bench.restarted(0).await;
    let other = json!({"FunctionName": "f", "Description": "of this version alone"});
    assert_eq!(bench.ok("PublishVersion", other).await, second);
}

#[tokio::test]
async fn a_version_or_alias_that_cannot_be_deleted_says_why() {
    let bench = Bench::new().await;
    bench
        .ok("CreateFunction", function("f", json!({"Publish": true})))
        .await;
    for alias in ["one", "two"] {
        let request = json!({"FunctionName": "f", "Name": alias, "FunctionVersion": "1"});
        bench.ok("CreateAlias", request).await;
    }
    refused(
        bench.call("DeleteFunction", json!({"FunctionName": "f:1"})).await,
        "ResourceConflictException",
        "Unable to delete version because the following aliases reference it: [one, two]",
    );
    refused(
        bench
            .call("DeleteFunction", json!({"FunctionName": "f:one"}))
            .await,
        "InvalidParameterValueException",
        "Deletion of aliases is not currently supported.",
    );
}

#[tokio::test]
async fn tags_that_are_none_and_contexts_that_are_no_objects_are_refused() {
    let bench = Bench::new().await;
    let arn = bench.make("f").await["FunctionArn"].clone();
    refused(
        bench
            .call("TagResource", json!({"Resource": arn, "Tags": {}}))
            .await,
        "InvalidParameterValueException",
        "An error occurred and the request cannot be processed.",
    );
    for context in ["!!".to_owned(), base64("[1]"), base64("{"), base64("1")] {
        let request = json!({"FunctionName": "f", "ClientContext": context});
        refused(
            bench.call("Invoke", request).await,
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        );
    }
}

#[tokio::test]
async fn policies_of_layer_versions_that_are_not_there_name_them() {
    let bench = Bench::new().await;
    for (operation, more) in [
        ("GetLayerVersionPolicy", json!({})),
        ("RemoveLayerVersionPermission", json!({"StatementId": "s"})),
        (
            "AddLayerVersionPermission",
            json!({"StatementId": "s", "Principal": "*", "Action": "lambda:GetLayerVersion"}),
        ),
    ] {
        let mut request = more;
        request["LayerName"] = json!("l");
        request["VersionNumber"] = json!(7);
        refused(
            bench.call(operation, request).await,
            "ResourceNotFoundException",
            "Layer version arn:aws:lambda:us-east-1:000000000000:layer:l:7 does not exist.",
        );
    }
}
