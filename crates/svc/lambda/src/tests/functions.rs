//! Functions are made, shown, listed and deleted, and refused where they could not be what was asked for.

use super::*;

const INVALID: &str = "InvalidParameterValueException";

#[tokio::test]
async fn create_function_shows_what_was_set_and_what_is_set_otherwise() {
    let bench = Bench::new().await;
    let made = bench.make("f").await;
    let zip = STANDARD
        .decode(code("def handler(event, context): return event"))
        .expect("base64");
    let digest = {
        use sha2::Digest as _;
        STANDARD.encode(sha2::Sha256::digest(&zip))
    };
    for (member, value) in [
        (
            "FunctionArn",
            json!("arn:aws:lambda:us-east-1:000000000000:function:f"),
        ),
        ("CodeSize", json!(zip.len())),
        ("CodeSha256", json!(digest)),
        ("Timeout", json!(3)),
        ("MemorySize", json!(128)),
        ("EphemeralStorage", json!({"Size": 512})),
        ("LastModified", json!("2023-11-14T22:13:20.000+0000")),
        ("Version", json!("$LATEST")),
        ("State", json!("Active")),
        ("LastUpdateStatus", json!("Successful")),
        ("PackageType", json!("Zip")),
        (
            "LoggingConfig",
            json!({"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}),
        ),
        ("TracingConfig", json!({"Mode": "PassThrough"})),
        ("StateReason", Json::Null),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    let all = json!({
        "Description": "d", "Timeout": 900, "MemorySize": 10_240, "EphemeralStorage": {"Size": 10_240},
        "Environment": {"Variables": {"KEY": "1"}}, "LoggingConfig": {"LogGroup": "/mine", "LogFormat": "Text"},
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}, "Publish": true,
        "Tags": {"team": "a"}, "Architectures": made["Architectures"], "PackageType": "Zip",
        "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "TracingConfig": {"Mode": "PassThrough"},
        "SnapStart": {"ApplyOn": "None"}, "KMSKeyArn": "", "FileSystemConfigs": [], "Layers": [],
    });
    let published = bench.ok("CreateFunction", function("g", all)).await;
    for (member, value) in [
        (
            "FunctionArn",
            json!("arn:aws:lambda:us-east-1:000000000000:function:g:1"),
        ),
        ("Version", json!("1")),
        ("Description", json!("d")),
        ("Timeout", json!(900)),
        ("MemorySize", json!(10_240)),
        ("Environment", json!({"Variables": {"KEY": "1"}})),
        ("LoggingConfig", json!({"LogFormat": "Text", "LogGroup": "/mine"})),
        (
            "DeadLetterConfig",
            json!({"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}),
        ),
    ] {
        assert_eq!(published[member], value, "{member}");
    }
    // All of it is there after a restart, by any form of the name.
    let bench = bench.restarted(0).await;
    let whole = bench
        .ok(
            "GetFunction",
            json!({"FunctionName": "000000000000:function:g:1"}),
        )
        .await;
    assert_eq!(whole["Configuration"], published);
    assert_eq!(whole["Tags"], json!({"team": "a"}));
    let one = bench
        .ok(
            "GetFunctionConfiguration",
            json!({"FunctionName": "g", "Qualifier": "1"}),
        )
        .await;
    assert_eq!(one, published);
    let latest = bench
        .ok("GetFunctionConfiguration", json!({"FunctionName": "g"}))
        .await;
    assert_eq!(
        latest["FunctionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:g"
    );
}

#[tokio::test]
async fn create_function_refuses_what_would_have_no_effect_or_cannot_be() {
    let bench = Bench::new().await;
    bench.make("f").await;
    let reserved = json!({"Environment": {"Variables": {"AWS_REGION": "x"}}});
    let large = json!({"Environment": {"Variables": {"KEY": "x".repeat(4096)}}});
    let other = if cfg!(target_arch = "aarch64") {
        "x86_64"
    } else {
        "arm64"
    };
    for (more, words) in [
        (
            json!({"Role": FOREIGN_ROLE}),
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (json!({"Runtime": null}), "Runtime is mandatory"),
        (json!({"Handler": null}), "Handler is mandatory"),
        (json!({"Runtime": "java21"}), "java21"),
        (reserved, "Reserved keys used in this request: AWS_REGION"),
        (large, "exceeded the 4KB limit"),
        (
            json!({"Code": {"ZipFile": base64("no zip")}}),
            "Could not unzip uploaded file",
        ),
        (json!({"Code": {}}), "Please provide a source"),
        (
            json!({"Code": {"S3Bucket": "bucket"}}),
            "Code.S3Bucket is not supported",
        ),
        (json!({"Code": {"S3Key": "key"}}), "Code.S3Key is not supported"),
        (
            json!({"Code": {"S3ObjectVersion": "1"}}),
            "Code.S3ObjectVersion is not supported",
        ),
        (
            json!({"Code": {"SourceKMSKeyArn": "arn:aws:kms:x:y:z"}}),
            "Code.SourceKMSKeyArn is not supported",
        ),
        (json!({"Architectures": [other]}), "on a machine of"),
        (
            json!({"VpcConfig": {"SubnetIds": ["subnet-1"]}}),
            "VpcConfig.SubnetIds is not supported",
        ),
        (
            json!({"VpcConfig": {"SecurityGroupIds": ["sg-1"]}}),
            "VpcConfig.SecurityGroupIds is not supported",
        ),
        (
            json!({"VpcConfig": {"Ipv6AllowedForDualStack": true}}),
            "Ipv6AllowedForDualStack is not supported",
        ),
        (
            json!({"TracingConfig": {"Mode": "Active"}}),
            "TracingConfig.Mode Active is not supported",
        ),
        (
            json!({"SnapStart": {"ApplyOn": "PublishedVersions"}}),
            "SnapStart.ApplyOn",
        ),
        (
            json!({"KMSKeyArn": "arn:aws:kms:x:y:z"}),
            "KMSKeyArn is not supported",
        ),
        (
            json!({"LoggingConfig": {"LogFormat": "JSON"}}),
            "LoggingConfig.LogFormat JSON",
        ),
        (
            json!({"LoggingConfig": {"SystemLogLevel": "WARN"}}),
            "LoggingConfig.SystemLogLevel",
        ),
        (
            json!({"LoggingConfig": {"ApplicationLogLevel": "WARN"}}),
            "LoggingConfig.ApplicationLogLevel",
        ),
        (
            json!({"DeadLetterConfig": {"TargetArn": "arn:aws:lambda:us-east-1:000000000000:function:f"}}),
            "neither a queue nor a topic",
        ),
        (
            json!({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q.fifo"}}),
            "which is FIFO",
        ),
        (
            json!({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:eu-west-1:000000000000:q"}}),
            "of another account or region",
        ),
        (
            json!({"FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-00000000000000000", "LocalMountPath": "/mnt/files"}]}),
            "FileSystemConfigs is not supported",
        ),
        (json!({"Tags": {"aws:x": "y"}}), "The tag aws:x is not valid"),
        (
            json!({"PublishTo": "LATEST_PUBLISHED"}),
            "PublishTo is not supported",
        ),
        (json!({"DurableConfig": {}}), "DurableConfig is not supported"),
        (
            json!({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}),
            "TenancyConfig is not supported",
        ),
        (json!({"FunctionName": "n:1"}), "must not have a version or alias"),
    ] {
        refused(
            bench.call("CreateFunction", function("n", more)).await,
            INVALID,
            words,
        );
    }
    let twice = bench.call("CreateFunction", function("f", json!({}))).await;
    refused(twice, "ResourceConflictException", "Function already exist: f");
    let list = bench.ok("ListFunctions", json!({})).await;
    assert_eq!(
        list["Functions"].as_array().expect("a list").len(),
        1,
        "nothing refused was made"
    );
}

#[tokio::test]
async fn list_functions_turns_pages_and_shows_versions() {
    let bench = Bench::new().await;
    for name in ["b", "a", "c"] {
        bench
            .ok("CreateFunction", function(name, json!({"Publish": name == "a"})))
            .await;
    }
    let arns = |page: &Json| -> Vec<String> {
        let functions = page["Functions"].as_array().expect("a list");
        let arn = |function: &Json| function["FunctionArn"].as_str().expect("an ARN").to_owned();
        functions.iter().map(arn).collect()
    };
    let whole = |names: &[&str]| -> Vec<String> {
        let arn = |name: &&str| format!("arn:aws:lambda:us-east-1:000000000000:function:{name}");
        names.iter().map(arn).collect()
    };
    let first = bench.ok("ListFunctions", json!({"MaxItems": 2})).await;
    assert_eq!(arns(&first), whole(&["a", "b"]));
    let marker = &first["NextMarker"];
    let second = bench
        .ok("ListFunctions", json!({"MaxItems": 2, "Marker": marker}))
        .await;
    assert_eq!(
        (arns(&second), &second["NextMarker"]),
        (whole(&["c"]), &Json::Null)
    );
    let all = bench.ok("ListFunctions", json!({"FunctionVersion": "ALL"})).await;
    assert_eq!(arns(&all), whole(&["a:$LATEST", "a:1", "b:$LATEST", "c:$LATEST"]));
    let elsewhere = bench
        .call(
            "ListFunctions",
            json!({"FunctionVersion": "ALL", "Marker": marker}),
        )
        .await;
    refused(elsewhere, INVALID, "Invalid Marker");
    let region = bench.call("ListFunctions", json!({"MasterRegion": "ALL"})).await;
    refused(region, INVALID, "MasterRegion is not supported");
}

#[tokio::test]
async fn delete_function_takes_all_of_it_or_one_version() {
    let bench = Bench::new().await;
    bench
        .ok("CreateFunction", function("f", json!({"Publish": true})))
        .await;
    let latest = bench
        .call(
            "DeleteFunction",
            json!({"FunctionName": "f", "Qualifier": "$LATEST"}),
        )
        .await;
    refused(latest, INVALID, "$LATEST version cannot be deleted");
    let gone = bench.ok("DeleteFunction", json!({"FunctionName": "f:1"})).await;
    assert_eq!(gone["StatusCode"], 204);
    let version = bench
        .call("GetFunction", json!({"FunctionName": "f", "Qualifier": "1"}))
        .await;
    refused(
        version,
        "ResourceNotFoundException",
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:1",
    );
    bench.ok("DeleteFunction", json!({"FunctionName": "f"})).await;
    for again in [
        "GetFunction",
        "GetFunctionConfiguration",
        "DeleteFunction",
        "Invoke",
    ] {
        let missing = bench.call(again, json!({"FunctionName": "f"})).await;
        refused(
            missing,
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f",
        );
    }
    assert_eq!(bench.fake.retired().len(), 2, "of the version and of $LATEST");
    // Nothing needs the archive any more.
    let folders = || std::fs::read_dir(bench.folder.path()).expect("a folder").count();
    for left in [1, 0] {
        bench.lambda.sweep().await.expect("looked");
        assert_eq!(folders(), left);
        bench.clock.advance(3_600_000);
    }
}

#[tokio::test]
async fn archives_are_unpacked_once_and_whole() {
    use crate::zip::tests::{Packed, archive, file};
    let bench = Bench::new().await;
    let script = Packed {
        mode: 0o100_755,
        ..file("bin/run", b"#!/bin/sh")
    };
    let link = Packed {
        mode: 0o120_777,
        deflated: false,
        ..file("run", b"bin/run")
    };
    let zip = STANDARD.encode(archive(&[link, script, file("a.py", b"x = 1")]));
    for name in ["f", "g"] {
        bench
            .ok(
                "CreateFunction",
                function(name, json!({"Code": {"ZipFile": zip}})),
            )
            .await;
    }
    let folders: Vec<_> = std::fs::read_dir(bench.folder.path())
        .expect("a folder")
        .flatten()
        .collect();
    assert_eq!(folders.len(), 1, "the same archive is kept once");
    let files = folders[0].path().join("files");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |name: &str| {
        std::fs::metadata(files.join(name))
            .expect(name)
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("a.py"), mode("bin/run")), (0o644, 0o755));
    assert_eq!(
        std::fs::read(files.join("run")).expect("through the link"),
        b"#!/bin/sh"
    );
    bench.lambda.start().stop().await;
    assert!(
        files.join("a.py").exists(),
        "what a record names is not swept away"
    );
}

#[tokio::test]
async fn tags_are_put_on_taken_off_and_listed() {
    let bench = Bench::new().await;
    let arn = bench
        .ok("CreateFunction", function("f", json!({"Tags": {"a": "1"}})))
        .await["FunctionArn"]
        .clone();
    bench
        .ok(
            "TagResource",
            json!({"Resource": arn, "Tags": {"b": "2", "c": "3"}}),
        )
        .await;
    bench
        .ok(
            "UntagResource",
            json!({"Resource": arn, "TagKeys": ["a", "none"]}),
        )
        .await;
    let bench = bench.restarted(0).await;
    let list = bench.ok("ListTags", json!({"Resource": arn})).await;
    assert_eq!(list["Tags"], json!({"b": "2", "c": "3"}));
    let many: serde_json::Map<_, _> = (0..51).map(|n| (format!("k{n}"), json!("v"))).collect();
    refused(
        bench
            .call("TagResource", json!({"Resource": arn, "Tags": many}))
            .await,
        INVALID,
        "Number of tags exceeds resource tag limit.",
    );
    let version = format!("{}:1", arn.as_str().expect("an ARN"));
    refused(
        bench.call("ListTags", json!({"Resource": version})).await,
        INVALID,
        "versions are not supported",
    );
    let missing = arn
        .as_str()
        .expect("an ARN")
        .replace(":function:f", ":function:g");
    let gone = bench
        .call("TagResource", json!({"Resource": missing, "Tags": {"a": "b"}}))
        .await;
    refused(gone, "ResourceNotFoundException", "Function not found");
}
