//! Synchronous invocations: what the code gets, what clients get, and what is told of it.

use roadstead_functions::{Error, Failure, Package};

use super::*;

#[tokio::test]
async fn invoke_runs_the_version_asked_for_and_answers_what_it_returns() {
    let bench = Bench::new().await;
    bench.ok("CreateFunction", function("f", json!({
        "Publish": true, "Environment": {"Variables": {"KEY": "1"}}, "Timeout": 7, "MemorySize": 256,
        "EphemeralStorage": {"Size": 1024},
    }))).await;
    let (payload, answer) = bench
        .invoke(json!({"FunctionName": "f", "Payload": base64(r#"{"n": 1}"#)}))
        .await
        .expect("invoked");
    assert_eq!(payload, json!({"n": 1}));
    assert_eq!(answer["StatusCode"], 200);
    assert_eq!(answer["ExecutedVersion"], "$LATEST");
    assert_eq!(
        (&answer["FunctionError"], &answer["LogResult"]),
        (&Json::Null, &Json::Null)
    );
    let context = base64(r#"{"client": {"app_title": "t"}}"#);
    let asked = json!({"FunctionName": "f:1", "LogType": "Tail", "ClientContext": context});
    let (payload, answer) = bench.invoke(asked).await.expect("invoked");
    assert_eq!(payload, json!({}), "no event is an empty one");
    assert_eq!(answer["ExecutedVersion"], "1");
    let tail = STANDARD
        .decode(answer["LogResult"].as_str().expect("a tail"))
        .expect("base64");
    let tail = String::from_utf8(tail).expect("text");
    assert!(
        tail.starts_with("START RequestId: request Version: 1\n"),
        "{tail}"
    );
    assert!(
        tail.contains("Billed Duration: 103 ms\tMemory Size: 256 MB"),
        "{tail}"
    );
    let invoked = bench.fake.invoked();
    let (spec, first) = &invoked[0];
    let Package::Zip(zip) = &spec.package else {
        panic!("{:?} is no archive", spec.package);
    };
    assert_eq!(
        first.invoked_arn,
        "arn:aws:lambda:us-east-1:000000000000:function:f"
    );
    assert_eq!(first.request_id, "request");
    assert_eq!(
        (spec.timeout.as_secs(), spec.memory_mb, spec.tmp_mb),
        (7, 256, 1024)
    );
    assert_eq!(
        (zip.runtime.as_str(), zip.handler.as_str()),
        ("python3.12", "lambda_function.handler")
    );
    assert_eq!(spec.environment.get("KEY").map(String::as_str), Some("1"));
    assert!(zip.code.folder.join("lambda_function.py").exists());
    let (other, second) = &invoked[1];
    assert_eq!(
        second.invoked_arn,
        "arn:aws:lambda:us-east-1:000000000000:function:f:1"
    );
    assert_eq!(
        second.client_context.as_deref(),
        Some(r#"{"client": {"app_title": "t"}}"#)
    );
    assert_ne!(
        spec.revision, other.revision,
        "a version has environments of its own"
    );
    let dry = bench
        .ok("Invoke", json!({"FunctionName": "f", "InvocationType": "DryRun"}))
        .await;
    assert_eq!(dry["StatusCode"], 204);
    assert_eq!(bench.fake.invoked().len(), 2, "nothing ran");
}

#[tokio::test]
async fn invoke_refuses_what_no_function_could_take() {
    let bench = Bench::new().await;
    bench.make("f").await;
    let large = format!("\"{}\"", "x".repeat(6 * 1024 * 1024));
    for (more, code, words) in [
        (
            json!({"Payload": base64("{")}),
            "InvalidRequestContentException",
            "Could not parse request body into json",
        ),
        (
            json!({"Payload": base64(&large)}),
            "RequestTooLargeException",
            "limit 6291456 bytes",
        ),
        (
            json!({"ClientContext": "?"}),
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        ),
        (
            json!({"ClientContext": base64("{")}),
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        ),
        (
            json!({"ClientContext": "x".repeat(3584)}),
            "InvalidRequestContentException",
            "larger than 3583",
        ),
        (
            json!({"DurableExecutionName": "x"}),
            "InvalidParameterValueException",
            "DurableExecutionName is not supported",
        ),
        (
            json!({"TenantId": "x"}),
            "InvalidParameterValueException",
            "TenantId is not supported",
        ),
        (
            json!({"Qualifier": "nope"}),
            "ResourceNotFoundException",
            "function:f:nope",
        ),
    ] {
        let mut request = more;
        request["FunctionName"] = json!("f");
        refused(bench.invoke(request).await, code, words);
    }
    assert!(bench.fake.invoked().is_empty());
}

#[tokio::test]
async fn failures_of_functions_are_told_apart_from_failures_of_the_platform() {
    let fake = Fake::of(|_, invocation| match std::str::from_utf8(&invocation.payload) {
        Ok("\"raise\"") => Ok(Ran::failed(Failure::handler(
            r#"{"errorMessage": "no", "errorType": "ValueError"}"#,
        ))),
        Ok("\"killed\"") => Ok(Ran::failed(Failure::out_of_memory(&invocation.request_id))),
        Ok("\"full\"") => Err(Error::NoRoom("8 of 8".into())),
        Ok("\"runtime\"") => Err(Error::NoRuntime {
            runtime: "python3.12".into(),
            reason: "install it".into(),
        }),
        _ => Err(Error::Failed("a disk broke".into())),
    });
    let bench = Bench::running(fake).await;
    bench.make("f").await;
    let invoke = async |payload: &str| {
        bench
            .invoke(json!({"FunctionName": "f", "Payload": base64(payload)}))
            .await
    };
    let (payload, answer) = invoke("\"raise\"").await.expect("answered");
    assert_eq!(payload, json!({"errorMessage": "no", "errorType": "ValueError"}));
    assert_eq!(
        (&answer["StatusCode"], &answer["FunctionError"]),
        (&json!(200), &json!("Unhandled"))
    );
    let (payload, _) = invoke("\"killed\"").await.expect("answered");
    assert_eq!(payload["errorType"], "Runtime.OutOfMemory");
    for (payload, code, status, kind) in [
        ("\"full\"", "TooManyRequestsException", 429, "User"),
        ("\"runtime\"", "InvalidRuntimeException", 502, "Service"),
        ("1", "ServiceException", 500, "Service"),
    ] {
        let error = invoke(payload).await.expect_err(code);
        assert_eq!((error.code.as_ref(), error.status), (code, status), "{error}");
        let said = error.members.iter().find(|(name, _)| name == "Type");
        assert_eq!(
            said.map(|(_, value)| value.clone()),
            Some(Value::Str(kind.into()))
        );
    }
    *bench.roles.revoked.lock().expect("no panic") = true;
    refused(
        invoke("1").await,
        "AccessDeniedException",
        "The role defined for the function cannot be assumed by Lambda.",
    );
}

#[tokio::test]
async fn what_functions_print_goes_to_their_log_group_as_their_role() {
    let fake = Fake::of(|_, _| Ok(Ran::returned("1").printing("hello")));
    let bench = Bench::running(fake).await;
    bench.make("f").await;
    let missing = || ApiError::client("ResourceNotFoundException", "no group");
    bench.logs.refuse("CreateLogStream", missing());
    for _ in 0..2 {
        bench.invoke(json!({"FunctionName": "f"})).await.expect("invoked");
    }
    let asked = bench.logs.asked();
    let operations: Vec<&str> = asked.iter().map(|request| request.operation).collect();
    assert_eq!(
        operations,
        [
            "CreateLogStream",
            "CreateLogGroup",
            "CreateLogStream",
            "PutLogEvents",
            "PutLogEvents"
        ]
    );
    assert!(
        asked
            .iter()
            .all(|request| request.caller.contains("assumed-role/runner/f"))
    );
    let put = &asked[3].input;
    assert_eq!(put["logGroupName"], "/aws/lambda/f");
    assert_eq!(put["logStreamName"], format!("1970/01/01/[$LATEST]{:032x}", 1));
    let lines: Vec<&str> = put["logEvents"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|event| event["message"].as_str())
        .collect();
    assert_eq!(
        lines[..3],
        [
            "START RequestId: request Version: $LATEST",
            "hello",
            "END RequestId: request"
        ]
    );
    assert!(lines[3].starts_with("REPORT RequestId: request\tDuration: 2.50 ms\tBilled Duration: 103 ms"));
}

#[tokio::test]
async fn lines_are_written_again_where_that_can_help_and_others_go_on_where_it_cannot() {
    // Two requests of lines.
    let fake = Fake::of(|_, _| {
        let long = |letter: &str| letter.repeat(600_000);
        Ok(Ran::returned("1").printing(&long("a")).printing(&long("b")))
    });
    let bench = Bench::running(fake).await;
    bench.make("f").await;
    let error = |code: &'static str, status: u16| ApiError::new(code, status, "not now");
    let (make, put) = ("CreateLogStream", "PutLogEvents");
    let mut before = 0;
    for (refused, expected) in [
        (vec![], vec![make, put, put]),
        (vec![error("ServiceUnavailableException", 503)], vec![put; 3]),
        (
            vec![error("ThrottlingException", 400), error("Slow", 429)],
            vec![put; 4],
        ),
        // Its stream was deleted; and it is again and again.
        (
            vec![error("ResourceNotFoundException", 400)],
            vec![put, make, put, put],
        ),
        (
            vec![
                error("ResourceNotFoundException", 400),
                error("ResourceNotFoundException", 400),
            ],
            vec![put, make, put, make, put],
        ),
        // What is refused for good is lost, and what comes behind it is not.
        (vec![error("InvalidParameterException", 400)], vec![put, put]),
        (vec![error("AccessDeniedException", 403)], vec![put, put]),
    ] {
        let shown = format!("{refused:?}");
        for error in refused {
            bench.logs.refuse(put, error);
        }
        bench.invoke(json!({"FunctionName": "f"})).await.expect("invoked");
        let asked = bench.logs.asked();
        let operations: Vec<&str> = asked[before..].iter().map(|request| request.operation).collect();
        assert_eq!(operations, expected, "{shown}");
        let last = asked.last().expect("asked");
        let messages = last.input["logEvents"].as_array().expect("events");
        assert!(
            messages.iter().any(|event| event["message"]
                .as_str()
                .is_some_and(|text| text.starts_with('b'))),
            "{shown}"
        );
        before = asked.len();
    }
}

#[tokio::test]
async fn metrics_are_told_by_the_minute() {
    let fake = Fake::of(|_, invocation| match invocation.payload.as_ref() {
        b"1" => Ok(Ran::failed(Failure::handler("{}"))),
        _ => Ok(Ran::returned("{}")),
    });
    let bench = Bench::running(fake).await;
    bench.make("f").await;
    for payload in ["1", "2", "3"] {
        bench
            .invoke(json!({"FunctionName": "f", "Payload": base64(payload)}))
            .await
            .expect("invoked");
    }
    crate::counts::hand_over(&bench.lambda, false).await;
    assert!(bench.metrics.asked().is_empty(), "the minute is not over");
    bench.clock.advance(60_000);
    crate::counts::hand_over(&bench.lambda, false).await;
    let asked = bench.metrics.asked();
    let [request] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    assert_eq!(request.input["Namespace"], "AWS/Lambda");
    let of = |name: &str, dimensions: Json| {
        let data = request.input["MetricData"].as_array().expect("data");
        let found = data
            .iter()
            .find(|datum| datum["MetricName"] == name && datum["Dimensions"] == dimensions);
        let datum = found.unwrap_or_else(|| panic!("{name} of {dimensions}"));
        (
            datum["Values"].clone(),
            datum["Counts"].clone(),
            datum["Unit"].clone(),
        )
    };
    let function = json!([{"Name": "FunctionName", "Value": "f"}]);
    let resource = json!([{"Name": "FunctionName", "Value": "f"}, {"Name": "Resource", "Value": "f"}]);
    for dimensions in [json!([]), function.clone(), resource] {
        assert_eq!(
            of("Invocations", dimensions.clone()),
            (json!([1.0]), json!([3.0]), json!("Count"))
        );
        assert_eq!(
            of("Errors", dimensions.clone()),
            (json!([0.0, 1.0]), json!([2.0, 1.0]), json!("Count"))
        );
        assert_eq!(
            of("Duration", dimensions),
            (json!([2.5]), json!([3.0]), json!("Milliseconds"))
        );
    }
    assert_eq!(of("ConcurrentExecutions", function).0, json!([1.0]));
}
