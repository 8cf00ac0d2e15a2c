//! Layers are published, shown, listed, shared and deleted, and functions have them.

use roadstead_dispatch::Permissions as _;

use roadstead_functions::Package;

use super::*;
use crate::content::MAX_UNPACKED;
use crate::records::{self, LayerVersionRecord};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:layer:l";
const INVALID: &str = "InvalidParameterValueException";
const MISSING: &str = "ResourceNotFoundException";

/// A layer of one module that says so.
async fn publish(bench: &Bench, name: &str, says: &str, more: Json) -> Json {
    let mut request = json!({"LayerName": name, "Content": {"ZipFile": code(says)}});
    for (member, value) in more.as_object().into_iter().flatten() {
        request[member] = value.clone();
    }
    bench.ok("PublishLayerVersion", request).await
}

/// Somebody of another account.
fn stranger() -> Ctx {
    Ctx {
        account: "111111111111".parse().expect("an account"),
        ..ctx()
    }
}

#[tokio::test]
async fn layer_versions_are_published_shown_and_deleted() {
    let bench = Bench::new().await;
    let more = json!({
        "Description": "d", "LicenseInfo": "MIT", "CompatibleRuntimes": ["python3.12", "nodejs20.x"],
        "CompatibleArchitectures": ["x86_64", "arm64"],
    });
    let first = publish(&bench, "l", "a", more.clone()).await;
    let size = STANDARD.decode(code("a")).expect("base64").len();
    for (member, value) in [
        ("LayerArn", json!(ARN)),
        ("LayerVersionArn", json!(format!("{ARN}:1"))),
        ("Version", json!(1)),
        ("Description", json!("d")),
        ("LicenseInfo", json!("MIT")),
        ("CompatibleRuntimes", more["CompatibleRuntimes"].clone()),
        ("CompatibleArchitectures", more["CompatibleArchitectures"].clone()),
        ("CreatedDate", json!("2023-11-14T22:13:20.000+0000")),
    ] {
        assert_eq!(first[member], value, "{member}");
    }
    assert_eq!(first["Content"]["CodeSize"], json!(size));
    let second = publish(&bench, ARN, "b", json!({})).await;
    assert_eq!(second["Version"], 2);
    assert_eq!(second["CompatibleRuntimes"], Json::Null);
    assert_ne!(second["Content"]["CodeSha256"], first["Content"]["CodeSha256"]);
    let bench = bench.restarted(0).await;
    let get = json!({"LayerName": "l", "VersionNumber": 1});
    assert_eq!(bench.ok("GetLayerVersion", get.clone()).await, first);
    let by_arn = json!({"Arn": format!("{ARN}:2")});
    assert_eq!(bench.ok("GetLayerVersionByArn", by_arn.clone()).await, second);
    let settings = bench.ok("GetAccountSettings", json!({})).await;
    assert_eq!(settings["AccountUsage"]["TotalCodeSize"], json!(2 * size));
    // A number never comes again, and one that is gone may be deleted again.
    let delete = json!({"LayerName": "l", "VersionNumber": 2});
    for _ in 0..2 {
        bench.ok("DeleteLayerVersion", delete.clone()).await;
    }
    refused(
        bench.call("GetLayerVersionByArn", by_arn).await,
        MISSING,
        "does not exist",
    );
    assert_eq!(publish(&bench, "l", "c", json!({})).await["Version"], 3);
    let zero = json!({"LayerName": "l", "VersionNumber": 0});
    refused(bench.call("GetLayerVersion", zero).await, INVALID, "less than 1");
    let other = json!({"LayerName": "m", "VersionNumber": 1});
    refused(
        bench.call("GetLayerVersion", other).await,
        MISSING,
        "does not exist",
    );
}

#[tokio::test]
async fn publish_layer_version_refuses_other_sources_and_what_is_no_archive() {
    let bench = Bench::new().await;
    for (content, words) in [
        (json!({"S3Bucket": "bucket"}), "Content.S3Bucket is not supported"),
        (json!({"S3Key": "key"}), "Content.S3Key is not supported"),
        (
            json!({"S3ObjectVersion": "1"}),
            "Content.S3ObjectVersion is not supported",
        ),
        (json!({}), "Please provide a source"),
        (
            json!({"ZipFile": base64("no zip")}),
            "Could not unzip uploaded file",
        ),
    ] {
        let request = json!({"LayerName": "l", "Content": content});
        refused(bench.call("PublishLayerVersion", request).await, INVALID, words);
    }
    let long = json!({"LayerName": "l".repeat(120), "Content": {"ZipFile": code("a")}});
    refused(bench.call("PublishLayerVersion", long).await, INVALID, "too long");
}

#[tokio::test]
async fn layers_are_listed_by_what_they_say_that_they_fit() {
    let bench = Bench::new().await;
    for (name, runtimes, architectures) in [
        ("a", json!(["python3.12"]), json!(["x86_64"])),
        ("a", json!(["nodejs20.x"]), json!(["x86_64"])),
        ("b", json!(["python3.12"]), json!(["arm64"])),
        ("c", json!([]), json!([])),
    ] {
        let more = json!({"CompatibleRuntimes": runtimes, "CompatibleArchitectures": architectures});
        publish(&bench, name, name, more).await;
    }
    for (filter, expected) in [
        (json!({}), vec![("a", 2), ("b", 1), ("c", 1)]),
        (
            json!({"CompatibleRuntime": "python3.12"}),
            vec![("a", 1), ("b", 1)],
        ),
        (json!({"CompatibleArchitecture": "arm64"}), vec![("b", 1)]),
        (
            json!({"CompatibleRuntime": "nodejs20.x", "CompatibleArchitecture": "x86_64"}),
            vec![("a", 2)],
        ),
    ] {
        let mut found = Vec::new();
        let mut request = filter.clone();
        request["MaxItems"] = json!(1);
        loop {
            let page = bench.ok("ListLayers", request.clone()).await;
            for layer in page["Layers"].as_array().expect("a list") {
                let version = layer["LatestMatchingVersion"]["Version"].as_i64();
                let name = layer["LayerName"].as_str().expect("a name").to_owned();
                assert_eq!(
                    layer["LayerArn"],
                    format!("arn:aws:lambda:us-east-1:000000000000:layer:{name}")
                );
                found.push((name, version.expect("a number")));
            }
            match page["NextMarker"].as_str() {
                Some(marker) => request["Marker"] = json!(marker),
                None => break,
            }
        }
        let found: Vec<(&str, i64)> = found
            .iter()
            .map(|(name, number)| (name.as_str(), *number))
            .collect();
        assert_eq!(found, expected, "{filter}");
    }
    let numbers = async |request: Json| {
        let page = bench.ok("ListLayerVersions", request).await;
        let all = page["LayerVersions"].as_array().expect("a list");
        let numbers: Vec<i64> = all.iter().filter_map(|one| one["Version"].as_i64()).collect();
        (numbers, page["NextMarker"].clone())
    };
    assert_eq!(
        numbers(json!({"LayerName": "a"})).await.0,
        [2, 1],
        "the newest first"
    );
    let (first, marker) = numbers(json!({"LayerName": "a", "MaxItems": 1})).await;
    let (second, end) = numbers(json!({"LayerName": "a", "MaxItems": 1, "Marker": marker})).await;
    assert_eq!((first, second, end), (vec![2], vec![1], Json::Null));
    assert_eq!(
        numbers(json!({"LayerName": "a", "CompatibleRuntime": "python3.12"}))
            .await
            .0,
        [1]
    );
    assert_eq!(
        numbers(json!({"LayerName": "b", "CompatibleArchitecture": "x86_64"}))
            .await
            .0,
        [0; 0]
    );
    assert_eq!(numbers(json!({"LayerName": "nobodys"})).await.0, [0; 0]);
    let foreign = json!({"LayerName": "b", "Marker": marker});
    refused(bench.call("ListLayerVersions", foreign).await, INVALID, "Marker");
}

#[tokio::test]
async fn functions_have_layers_in_order_and_keep_them_when_they_are_deleted() {
    let bench = Bench::new().await;
    for name in ["a", "b", "b"] {
        publish(&bench, name, name, json!({})).await;
    }
    let arn =
        |name: &str, number: u32| format!("arn:aws:lambda:us-east-1:000000000000:layer:{name}:{number}");
    let layers = json!([arn("b", 1), arn("a", 1)]);
    let made = bench
        .ok("CreateFunction", function("f", json!({"Layers": layers})))
        .await;
    let shown = |made: &Json| -> Vec<Json> {
        made["Layers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|layer| layer["Arn"].clone())
            .collect()
    };
    assert_eq!(json!(shown(&made)), layers);
    assert!(made["Layers"][0]["CodeSize"].as_i64().expect("a size") > 0);
    for name in ["a", "b"] {
        bench
            .ok(
                "DeleteLayerVersion",
                json!({"LayerName": name, "VersionNumber": 1}),
            )
            .await;
    }
    // Also after the archives that nothing needs were removed.
    let bench = bench.restarted(0).await;
    let running = bench.lambda.start();
    bench.invoke(json!({"FunctionName": "f"})).await.expect("it runs");
    running.stop().await;
    let (spec, _) = bench.fake.invoked().remove(0);
    let Package::Zip(zip) = &spec.package else {
        panic!("{:?} is no archive", spec.package);
    };
    let said: Vec<String> = zip
        .layers
        .iter()
        .map(|layer| std::fs::read_to_string(layer.folder.join("lambda_function.py")).expect("a file"))
        .collect();
    assert_eq!(said, ["b", "a"]);
    let update = |layers: Json| json!({"FunctionName": "f", "Layers": layers});
    let turned = bench
        .ok(
            "UpdateFunctionConfiguration",
            update(json!([arn("a", 1), arn("b", 1)])),
        )
        .await;
    assert_eq!(
        shown(&turned),
        [arn("a", 1), arn("b", 1)],
        "what it has it may keep"
    );
    let newer = bench
        .ok("UpdateFunctionConfiguration", update(json!([arn("b", 2)])))
        .await;
    assert_eq!(shown(&newer), [arn("b", 2)]);
    let same = bench
        .ok(
            "UpdateFunctionConfiguration",
            json!({"FunctionName": "f", "Timeout": 5}),
        )
        .await;
    assert_eq!(shown(&same), [arn("b", 2)]);
    let gone = bench
        .call("UpdateFunctionConfiguration", update(json!([arn("b", 1)])))
        .await;
    refused(gone, INVALID, "does not exist");
    let none = bench.ok("UpdateFunctionConfiguration", update(json!([]))).await;
    assert_eq!(none["Layers"], Json::Null);
}

#[tokio::test]
async fn layers_that_a_function_cannot_have_are_refused() {
    let bench = Bench::new().await;
    for name in ["a", "b", "c", "d", "e", "f", "a"] {
        publish(&bench, name, name, json!({})).await;
    }
    let arn =
        |name: &str, number: u32| format!("arn:aws:lambda:us-east-1:000000000000:layer:{name}:{number}");
    let six: Vec<String> = ["a", "b", "c", "d", "e", "f"]
        .iter()
        .map(|name| arn(name, 1))
        .collect();
    let elsewhere = arn("a", 1).replace("us-east-1", "eu-west-1");
    for (layers, words) in [
        (six, "more than 5 layers"),
        (
            vec![arn("a", 1), arn("a", 2)],
            "Two different versions of the same layer",
        ),
        (vec![arn("a", 3)], "does not exist"),
        (vec![elsewhere], "Layers are expected to be in region us-east-1."),
    ] {
        let made = bench
            .call("CreateFunction", function("g", json!({"Layers": layers})))
            .await;
        refused(made, INVALID, words);
    }
    // What is in them counts together with the code.
    let key = records::layer_version_key(&bench.store, &ctx().partition(), "a", 1);
    let large = records::layer_versions(&bench.store)
        .update(&key, |found: Option<&LayerVersionRecord>| {
            let mut record = found.expect("published").clone();
            record.archive.unpacked = MAX_UNPACKED;
            Ok::<_, crate::Error>(roadstead_store::Change::Put(record))
        })
        .await
        .expect("written");
    bench
        .lambda
        .layer_versions
        .wait_for(large.revision)
        .await
        .expect("seen");
    let made = bench
        .call("CreateFunction", function("g", json!({"Layers": [arn("a", 1)]})))
        .await;
    refused(
        made,
        INVALID,
        "exceeds the maximum allowed size of 262144000 bytes",
    );
    bench.make("g").await;
    let updated = bench
        .call(
            "UpdateFunctionConfiguration",
            json!({"FunctionName": "g", "Layers": [arn("a", 1)]}),
        )
        .await;
    refused(updated, INVALID, "exceeds the maximum allowed size");
}

#[tokio::test]
async fn layer_versions_are_shared_with_other_accounts_by_their_policies() {
    let bench = Bench::new().await;
    publish(&bench, "l", "a", json!({})).await;
    let version = format!("{ARN}:1");
    let get = json!({"Arn": version});
    let with_layer = function("f", json!({"Layers": [version]}));
    let denied = "AccessDeniedException";
    let words = "not authorized to perform: lambda:GetLayerVersion on resource: arn:aws:lambda:us-east-1:000000000000:layer:l:1";
    refused(
        bench
            .call_by(&stranger(), "GetLayerVersionByArn", get.clone())
            .await,
        denied,
        words,
    );
    refused(
        bench
            .call_by(&stranger(), "CreateFunction", with_layer.clone())
            .await,
        denied,
        words,
    );
    let of = |more: Json| {
        let mut request = json!({"LayerName": "l", "VersionNumber": 1});
        for (member, value) in more.as_object().into_iter().flatten() {
            request[member] = value.clone();
        }
        request
    };
    let policy = of(json!({}));
    refused(
        bench.call("GetLayerVersionPolicy", policy.clone()).await,
        MISSING,
        "No policy",
    );
    let add = |id: &str, principal: &str| {
        of(json!({"StatementId": id, "Principal": principal, "Action": "lambda:GetLayerVersion"}))
    };
    let other = bench
        .ok("AddLayerVersionPermission", add("other", "222222222222"))
        .await;
    refused(
        bench
            .call_by(&stranger(), "GetLayerVersionByArn", get.clone())
            .await,
        denied,
        words,
    );
    let added = bench
        .ok("AddLayerVersionPermission", add("one", "111111111111"))
        .await;
    assert_ne!(added["RevisionId"], other["RevisionId"]);
    let statement: Json = serde_json::from_str(added["Statement"].as_str().expect("a text")).expect("JSON");
    assert_eq!(
        statement,
        json!({
            "Sid": "one", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
            "Action": "lambda:GetLayerVersion", "Resource": version,
        })
    );
    let bench = bench.restarted(0).await;
    let shown = bench.ok("GetLayerVersionPolicy", policy.clone()).await;
    assert_eq!(shown["RevisionId"], added["RevisionId"]);
    let permissions = LambdaPermissions::of(&bench.lambda);
    let told = permissions.resource_policy(&stranger(), &version).await;
    assert_eq!(told.as_deref(), shown["Policy"].as_str());
    assert_eq!(
        bench
            .call_by(&stranger(), "GetLayerVersionByArn", get.clone())
            .await
            .expect("shared")["Version"],
        1
    );
    bench
        .call_by(&stranger(), "CreateFunction", with_layer)
        .await
        .expect("shared");
    refused(
        bench
            .call_by(
                &stranger(),
                "DeleteLayerVersion",
                json!({"LayerName": ARN, "VersionNumber": 1}),
            )
            .await,
        denied,
        "lambda:DeleteLayerVersion",
    );
    for (request, code, words) in [
        (add("one", "*"), "ResourceConflictException", "already exists"),
        (
            of(
                json!({"StatementId": "x", "Principal": "*", "Action": "lambda:GetLayerVersion", "OrganizationId": "o-aaaaaaaaaa"}),
            ),
            INVALID,
            "OrganizationId is not supported",
        ),
        (
            of(
                json!({"StatementId": "x", "Principal": "*", "Action": "lambda:GetLayerVersion", "RevisionId": "x"}),
            ),
            "PreconditionFailedException",
            "Call the GetLayerPolicy API",
        ),
        (
            json!({"LayerName": "l", "VersionNumber": 2, "StatementId": "x", "Principal": "*", "Action": "lambda:GetLayerVersion"}),
            MISSING,
            "does not exist",
        ),
    ] {
        refused(
            bench.call("AddLayerVersionPermission", request).await,
            code,
            words,
        );
    }
    let remove = of(json!({"StatementId": "one", "RevisionId": shown["RevisionId"]}));
    bench.ok("RemoveLayerVersionPermission", remove.clone()).await;
    refused(
        bench.call("RemoveLayerVersionPermission", remove).await,
        "PreconditionFailedException",
        "Call the GetLayerPolicy API",
    );
    let again = of(json!({"StatementId": "one"}));
    refused(
        bench.call("RemoveLayerVersionPermission", again).await,
        MISSING,
        "one is not found",
    );
    refused(
        bench
            .call_by(&stranger(), "GetLayerVersionByArn", get.clone())
            .await,
        denied,
        words,
    );
    bench.ok("AddLayerVersionPermission", add("all", "*")).await;
    bench
        .call_by(&stranger(), "GetLayerVersionByArn", get)
        .await
        .expect("everybody");
}
