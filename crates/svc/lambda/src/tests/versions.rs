//! What functions become: other code, other settings, versions, aliases, concurrency.

use super::*;

const INVALID: &str = "InvalidParameterValueException";

#[tokio::test]
async fn update_function_code_and_configuration_change_what_runs_next() {
    let bench = Bench::new().await;
    let made = bench.make("f").await;
    bench.invoke(json!({"FunctionName": "f"})).await.expect("invoked");
    let other = code("def handler(event, context): return 2");
    let dry = bench
        .ok(
            "UpdateFunctionCode",
            json!({"FunctionName": "f", "ZipFile": other, "DryRun": true}),
        )
        .await;
    assert_ne!(dry["CodeSha256"], made["CodeSha256"]);
    let now = bench
        .ok("GetFunctionConfiguration", json!({"FunctionName": "f"}))
        .await;
    assert_eq!(now, made, "a dry run changes nothing");
    let request = json!({"FunctionName": "f", "ZipFile": other, "RevisionId": made["RevisionId"], "Architectures": made["Architectures"]});
    let changed = bench.ok("UpdateFunctionCode", request.clone()).await;
    assert_eq!(changed["CodeSha256"], dry["CodeSha256"]);
    refused(
        bench.call("UpdateFunctionCode", request).await,
        "PreconditionFailedException",
        "Revision Id",
    );
    assert_eq!(
        bench.fake.retired(),
        [made["RevisionId"].as_str().expect("an id")]
    );
    let all = json!({
        "FunctionName": "f", "Description": "d", "Timeout": 9, "MemorySize": 512, "Handler": "a.b", "Runtime": "python3.11",
        "Role": "arn:aws:iam::000000000000:role/other", "EphemeralStorage": {"Size": 600},
        "Environment": {"Variables": {"KEY": "2"}}, "LoggingConfig": {"LogGroup": "/mine"}, "RevisionId": changed["RevisionId"],
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}, "Layers": [],
        "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "TracingConfig": {"Mode": "PassThrough"},
        "SnapStart": {"ApplyOn": "None"}, "KMSKeyArn": "", "FileSystemConfigs": [],
    });
    let set = bench.ok("UpdateFunctionConfiguration", all.clone()).await;
    for member in [
        "Description",
        "Timeout",
        "MemorySize",
        "Handler",
        "Runtime",
        "Role",
        "EphemeralStorage",
        "Environment",
        "DeadLetterConfig",
    ] {
        assert_eq!(set[member], all[member], "{member}");
    }
    assert_eq!(set["LoggingConfig"]["LogGroup"], "/mine");
    let less =
        json!({"FunctionName": "f", "Environment": {"Variables": {}}, "DeadLetterConfig": {"TargetArn": ""}});
    let less = bench.ok("UpdateFunctionConfiguration", less).await;
    assert_eq!(
        (&less["Environment"], &less["DeadLetterConfig"], &less["Timeout"]),
        (&json!({"Variables": {}}), &Json::Null, &json!(9))
    );
    let bench = bench.restarted(0).await;
    assert_eq!(
        bench
            .ok("GetFunctionConfiguration", json!({"FunctionName": "f"}))
            .await,
        less
    );
    for (more, words) in [
        (json!({"Role": FOREIGN_ROLE}), "cannot be assumed"),
        (json!({"Runtime": "java21"}), "java21"),
        (
            json!({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:a:1"]}),
            "does not exist",
        ),
        (
            json!({"FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-00000000000000000", "LocalMountPath": "/mnt/files"}]}),
            "FileSystemConfigs is not supported",
        ),
        (
            json!({"LoggingConfig": {"LogFormat": "JSON"}}),
            "LoggingConfig.LogFormat JSON is not supported",
        ),
        (
            json!({"VpcConfig": {"Ipv6AllowedForDualStack": true}}),
            "VpcConfig.Ipv6AllowedForDualStack is not supported",
        ),
    ] {
        let mut request = more;
        request["FunctionName"] = json!("f");
        refused(
            bench.call("UpdateFunctionConfiguration", request).await,
            INVALID,
            words,
        );
    }
    let s3 = bench
        .call(
            "UpdateFunctionCode",
            json!({"FunctionName": "f", "S3Bucket": "bucket"}),
        )
        .await;
    refused(s3, INVALID, "S3Bucket is not supported");
}

#[tokio::test]
async fn publish_version_keeps_what_latest_is() {
    let bench = Bench::new().await;
    let made = bench.make("f").await;
    let first = bench.ok("PublishVersion", json!({"FunctionName": "f", "Description": "one", "CodeSha256": made["CodeSha256"], "RevisionId": made["RevisionId"]})).await;
    assert_eq!(
        (&first["Version"], &first["Description"]),
        (&json!("1"), &json!("one"))
    );
    let again = json!({"FunctionName": "f", "Description": "two"});
    let again = bench.ok("PublishVersion", again).await;
    assert_eq!(again, first, "nothing of $LATEST changed");
    let wrong = bench
        .call("PublishVersion", json!({"FunctionName": "f", "CodeSha256": "x"}))
        .await;
    refused(wrong, INVALID, "is different from current CodeSHA256");
    let old = bench
        .call("PublishVersion", json!({"FunctionName": "f", "RevisionId": "x"}))
        .await;
    refused(old, "PreconditionFailedException", "Revision Id");
    let second = bench
        .ok(
            "UpdateFunctionCode",
            json!({"FunctionName": "f", "ZipFile": code("x = 2"), "Publish": true}),
        )
        .await;
    assert_eq!(second["Version"], "2");
    bench.ok("DeleteFunction", json!({"FunctionName": "f:2"})).await;
    let bench = bench.restarted(0).await;
    bench
        .ok(
            "UpdateFunctionConfiguration",
            json!({"FunctionName": "f", "Timeout": 4}),
        )
        .await;
    let third = bench.ok("PublishVersion", json!({"FunctionName": "f"})).await;
    assert_eq!(third["Version"], "3", "no number comes twice");
    let page = bench
        .ok(
            "ListVersionsByFunction",
            json!({"FunctionName": "f", "MaxItems": 2}),
        )
        .await;
    let rest = bench
        .ok(
            "ListVersionsByFunction",
            json!({"FunctionName": "f", "Marker": page["NextMarker"]}),
        )
        .await;
    let numbers = |page: &Json| -> Vec<String> {
        let all = page["Versions"].as_array().expect("a list").iter();
        all.map(|version| version["Version"].as_str().expect("a version").to_owned())
            .collect()
    };
    assert_eq!(
        (numbers(&page), numbers(&rest)),
        (vec!["$LATEST".into(), "1".into()], vec!["3".into()])
    );
}

#[tokio::test]
async fn aliases_name_versions_and_share_between_two() {
    let bench = Bench::new().await;
    bench
        .ok("CreateFunction", function("f", json!({"Publish": true})))
        .await;
    bench
        .ok(
            "UpdateFunctionCode",
            json!({"FunctionName": "f", "ZipFile": code("x = 2"), "Publish": true}),
        )
        .await;
    let made = bench
        .ok(
            "CreateAlias",
            json!({"FunctionName": "f", "Name": "prod", "FunctionVersion": "1", "Description": "d"}),
        )
        .await;
    assert_eq!(
        made["AliasArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:f:prod"
    );
    refused(
        bench
            .call(
                "CreateAlias",
                json!({"FunctionName": "f", "Name": "prod", "FunctionVersion": "1"}),
            )
            .await,
        "ResourceConflictException",
        "Alias already exists",
    );
    let (_, answer) = bench
        .invoke(json!({"FunctionName": "f:prod"}))
        .await
        .expect("invoked");
    assert_eq!(answer["ExecutedVersion"], "1");
    refused(
        bench.call("DeleteFunction", json!({"FunctionName": "f:1"})).await,
        "ResourceConflictException",
        "Unable to delete version because the following aliases reference it: [prod]",
    );
    let weights = json!({"AdditionalVersionWeights": {"2": 0.25}});
    let shared = bench.ok("UpdateAlias", json!({"FunctionName": "f", "Name": "prod", "RoutingConfig": weights, "RevisionId": made["RevisionId"]})).await;
    assert_eq!(
        (&shared["RoutingConfig"], &shared["Description"]),
        (&weights, &json!("d"))
    );
    for (version, words) in [
        (
            "2",
            "Invalid function version 2. Function version 2 is already included in routing configuration.",
        ),
        (
            "$LATEST",
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
    ] {
        let moved = json!({"FunctionName": "f", "Name": "prod", "FunctionVersion": version});
        refused(bench.call("UpdateAlias", moved).await, INVALID, words);
    }
    let mut second = 0;
    for _ in 0..400 {
        let (_, answer) = bench
            .invoke(json!({"FunctionName": "f", "Qualifier": "prod"}))
            .await
            .expect("invoked");
        second += i32::from(answer["ExecutedVersion"] == "2");
    }
    assert!(
        (60..=140).contains(&second),
        "{second} of 400 by a weight of 0.25 and a fixed seed"
    );
    let stale = bench
        .call(
            "UpdateAlias",
            json!({"FunctionName": "f", "Name": "prod", "RevisionId": made["RevisionId"]}),
        )
        .await;
    refused(stale, "PreconditionFailedException", "Revision Id");
    bench.ok("UpdateAlias", json!({"FunctionName": "f", "Name": "prod", "FunctionVersion": "2", "RoutingConfig": {}, "Description": "e"})).await;
    let got = bench
        .ok("GetAlias", json!({"FunctionName": "f", "Name": "prod"}))
        .await;
    assert_eq!(
        (
            &got["FunctionVersion"],
            &got["RoutingConfig"],
            &got["Description"]
        ),
        (&json!("2"), &Json::Null, &json!("e"))
    );
    for (more, words) in [
        (
            json!({"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5, "2": 0.1}}}),
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            json!({"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}),
            "already included",
        ),
        (
            json!({"FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}),
            "$LATEST is not supported",
        ),
    ] {
        let mut request = more;
        request["FunctionName"] = json!("f");
        request["Name"] = json!("next");
        refused(bench.call("CreateAlias", request).await, INVALID, words);
    }
    let missing = bench
        .call(
            "CreateAlias",
            json!({"FunctionName": "f", "Name": "next", "FunctionVersion": "9"}),
        )
        .await;
    refused(missing, "ResourceNotFoundException", "function:f:9");
    bench
        .ok(
            "CreateAlias",
            json!({"FunctionName": "f", "Name": "next", "FunctionVersion": "$LATEST"}),
        )
        .await;
    let bench = bench.restarted(0).await;
    let names = |page: &Json| -> Vec<String> {
        let all = page["Aliases"].as_array().expect("a list").iter();
        all.map(|alias| alias["Name"].as_str().expect("a name").to_owned())
            .collect()
    };
    let page = bench
        .ok("ListAliases", json!({"FunctionName": "f", "MaxItems": 1}))
        .await;
    let rest = bench
        .ok(
            "ListAliases",
            json!({"FunctionName": "f", "Marker": page["NextMarker"]}),
        )
        .await;
    assert_eq!(
        (names(&page), names(&rest)),
        (vec!["next".to_owned()], vec!["prod".to_owned()])
    );
    let of_two = bench
        .ok(
            "ListAliases",
            json!({"FunctionName": "f", "FunctionVersion": "2"}),
        )
        .await;
    assert_eq!(names(&of_two), ["prod"]);
    for _ in 0..2 {
        bench
            .ok("DeleteAlias", json!({"FunctionName": "f", "Name": "prod"}))
            .await;
    }
    for (operation, words) in [
        (
            "GetAlias",
            "Cannot find alias arn: arn:aws:lambda:us-east-1:000000000000:function:f:prod",
        ),
        (
            "UpdateAlias",
            "Alias not found: arn:aws:lambda:us-east-1:000000000000:function:f:prod",
        ),
    ] {
        let gone = bench
            .call(operation, json!({"FunctionName": "f", "Name": "prod"}))
            .await;
        refused(gone, "ResourceNotFoundException", words);
    }
}

#[tokio::test]
async fn reserved_concurrency_bounds_a_function_and_the_others() {
    let bench = Bench::new().await;
    bench.make("f").await;
    let put = |count: i32| json!({"FunctionName": "f", "ReservedConcurrentExecutions": count});
    refused(
        bench.call("PutFunctionConcurrency", put(901)).await,
        INVALID,
        "minimum value of [100]",
    );
    assert_eq!(
        bench.ok("PutFunctionConcurrency", put(1)).await["ReservedConcurrentExecutions"],
        1
    );
    let limits = bench.ok("GetAccountSettings", json!({})).await;
    assert_eq!(limits["AccountLimit"]["ConcurrentExecutions"], 1000);
    assert_eq!(limits["AccountLimit"]["UnreservedConcurrentExecutions"], 999);
    assert_eq!(limits["AccountUsage"]["FunctionCount"], 1);
    bench.fake.hold();
    {
        let waiting = bench.invoke(json!({"FunctionName": "f"}));
        tokio::pin!(waiting);
        // It is in its environment once the fake has it.
        while bench.fake.invoked().is_empty() {
            assert!(futures_poll(waiting.as_mut()).await.is_none());
            tokio::task::yield_now().await;
        }
        let error = bench
            .invoke(json!({"FunctionName": "f"}))
            .await
            .expect_err("throttled");
        assert_eq!(
            (error.code.as_ref(), error.status),
            ("TooManyRequestsException", 429)
        );
        let reason = error.members.iter().find(|(name, _)| name == "Reason");
        let wanted = Value::Str("ReservedFunctionConcurrentInvocationLimitExceeded".into());
        assert_eq!(reason.map(|(_, value)| value), Some(&wanted));
        bench.fake.release();
        waiting.await.expect("it went on");
    }
    let bench = bench.restarted(0).await;
    assert_eq!(
        bench
            .ok("GetFunctionConcurrency", json!({"FunctionName": "f"}))
            .await["ReservedConcurrentExecutions"],
        1
    );
    assert_eq!(
        bench.ok("GetFunction", json!({"FunctionName": "f"})).await["Concurrency"]["ReservedConcurrentExecutions"],
        1
    );
    bench
        .ok("DeleteFunctionConcurrency", json!({"FunctionName": "f"}))
        .await;
    assert_eq!(
        bench
            .ok("GetFunctionConcurrency", json!({"FunctionName": "f"}))
            .await,
        json!({})
    );
}

/// Polls once.
async fn futures_poll<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}
