//! Asynchronous invocations: kept, tried again, given up, put aside.

use roadstead_functions::Failure;

use super::*;

/// Fails for events that are not `true`.
pub(super) fn picky() -> Arc<Fake> {
    Fake::of(|_, invocation| match invocation.payload.as_ref() {
        b"true" => Ok(Ran::returned("1")),
        _ => Ok(Ran::failed(Failure::handler(r#"{"errorMessage": "no"}"#))),
    })
}

pub(super) async fn event(bench: &Bench, payload: &str) -> Json {
    bench
        .ok(
            "Invoke",
            json!({"FunctionName": "f", "InvocationType": "Event", "Payload": base64(payload)}),
        )
        .await
}

/// Until the code ran so often in all and what is owed is so many.
pub(super) async fn ran(bench: &Bench, times: usize, owed: usize) {
    for _ in 0..24_000 {
        if bench.fake.invoked().len() == times && bench.lambda.events.snapshot().len() == owed {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!(
        "ran {} times, owes {:?}",
        bench.fake.invoked().len(),
        bench.lambda.events.snapshot().len()
    );
}

#[tokio::test]
async fn an_event_that_was_taken_is_run_also_after_a_restart() {
    let bench = Bench::running(picky()).await;
    bench.make("f").await;
    assert_eq!(event(&bench, "true").await["StatusCode"], 202);
    assert!(bench.fake.invoked().is_empty(), "nobody pays what is owed yet");
    let bench = bench.restarted(0).await;
    let running = bench.lambda.start();
    ran(&bench, 1, 0).await;
    running.stop().await;
    assert_eq!(bench.fake.invoked()[0].1.request_id, "request");
}

#[tokio::test]
async fn a_failed_event_is_tried_after_one_and_two_minutes_and_then_put_aside() {
    let bench = Bench::running(picky()).await;
    let dead = json!({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}});
    bench.ok("CreateFunction", function("f", dead)).await;
    bench.make("beside").await;
    event(&bench, r#"{"n": 1}"#).await;
    let attempts = |bench: &Bench| -> Vec<String> {
        let invoked = bench.fake.invoked();
        let of_f = invoked.iter().filter(|(spec, _)| spec.function == "f");
        of_f.map(|(_, one)| one.request_id.clone()).collect()
    };
    let mut bench = bench;
    for (round, (wait, times)) in [(0, 1), (59_999, 1), (1, 2), (119_999, 2), (1, 3)]
        .into_iter()
        .enumerate()
    {
        bench = bench.restarted(wait).await;
        // This one is due at once: when it has run, what is due was looked at, and the other was due or was not.
        let beside = json!({"FunctionName": "beside", "InvocationType": "Event", "Payload": base64("true")});
        bench.ok("Invoke", beside).await;
        let running = bench.lambda.start();
        ran(&bench, times + round + 1, usize::from(times < 3)).await;
        running.stop().await;
        assert_eq!(attempts(&bench).len(), times, "{wait} ms later");
    }
    let asked = bench.queues.asked();
    let [letter] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    assert!(
        letter.caller.contains("assumed-role/runner/f"),
        "{}",
        letter.caller
    );
    assert_eq!(letter.operation, "SendMessage");
    assert_eq!(letter.input["MessageBody"], r#"{"n": 1}"#);
    let attribute = |name: &str| letter.input["MessageAttributes"][name]["StringValue"].clone();
    assert_eq!(attribute("RequestID"), "request");
    assert_eq!(attribute("ErrorCode"), "200");
    assert_eq!(attribute("ErrorMessage"), r#"{"errorMessage": "no"}"#);
    assert_eq!(
        attempts(&bench),
        ["request"; 3],
        "attempts of an event have one id"
    );
}

#[tokio::test]
async fn event_invoke_config_says_how_often_and_how_long() {
    let bench = Bench::running(picky()).await;
    let dead = json!({"DeadLetterConfig": {"TargetArn": "arn:aws:sns:us-east-1:000000000000:dead"}, "Publish": true});
    bench.ok("CreateFunction", function("f", dead)).await;
    let missing = bench
        .call("GetFunctionEventInvokeConfig", json!({"FunctionName": "f"}))
        .await;
    refused(
        missing,
        "ResourceNotFoundException",
        "The function arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST doesn't have an EventInvokeConfig",
    );
    for operation in ["PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig"] {
        let nothing = json!({"FunctionName": "f", "DestinationConfig": {}});
        refused(
            bench.call(operation, nothing).await,
            "InvalidParameterValueException",
            "You must specify at least one of error handling or destination setting.",
        );
        for gone in ["g", "f:none"] {
            let request = json!({"FunctionName": gone, "MaximumRetryAttempts": 1});
            refused(
                bench.call(operation, request).await,
                "ResourceNotFoundException",
                "The function doesn't exist.",
            );
        }
    }
    for operation in ["GetFunctionEventInvokeConfig", "DeleteFunctionEventInvokeConfig"] {
        refused(
            bench.call(operation, json!({"FunctionName": "g"})).await,
            "ResourceNotFoundException",
            "The function arn:aws:lambda:us-east-1:000000000000:function:g:$LATEST doesn't have an EventInvokeConfig",
        );
    }
    let gone = bench
        .call("ListFunctionEventInvokeConfigs", json!({"FunctionName": "g"}))
        .await;
    refused(gone, "ResourceNotFoundException", "The function doesn't exist.");
    let missing = bench
        .call(
            "UpdateFunctionEventInvokeConfig",
            json!({"FunctionName": "f", "MaximumRetryAttempts": 1}),
        )
        .await;
    refused(
        missing,
        "ResourceNotFoundException",
        "doesn't have an EventInvokeConfig",
    );
    let put = json!({"FunctionName": "f", "MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60, "DestinationConfig": {}});
    let set = bench.ok("PutFunctionEventInvokeConfig", put).await;
    assert_eq!(
        set["FunctionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"
    );
    assert_eq!(
        (&set["MaximumRetryAttempts"], &set["MaximumEventAgeInSeconds"]),
        (&json!(0), &json!(60))
    );
    event(&bench, "false").await;
    let running = bench.lambda.start();
    ran(&bench, 1, 0).await;
    running.stop().await;
    assert_eq!(bench.topics.asked().len(), 1, "no second attempt");
    // One that waited for longer than it may is not run at all.
    event(&bench, "true").await;
    let bench = bench.restarted(60_001).await;
    let running = bench.lambda.start();
    ran(&bench, 1, 0).await;
    running.stop().await;
    let letter = bench.topics.asked().remove(0).input;
    assert_eq!(letter["Message"], "true");
    assert_eq!(letter["MessageAttributes"]["ErrorCode"]["StringValue"], "429");
    let update = json!({"FunctionName": "f", "MaximumRetryAttempts": 1, "DestinationConfig": {"OnFailure": {"Destination": ""}}});
    let updated = bench.ok("UpdateFunctionEventInvokeConfig", update).await;
    assert_eq!(
        (
            &updated["MaximumRetryAttempts"],
            &updated["MaximumEventAgeInSeconds"]
        ),
        (&json!(1), &json!(60))
    );
    bench
        .ok(
            "PutFunctionEventInvokeConfig",
            json!({"FunctionName": "f", "Qualifier": "1", "MaximumEventAgeInSeconds": 70}),
        )
        .await;
    let got = bench
        .ok(
            "GetFunctionEventInvokeConfig",
            json!({"FunctionName": "f", "Qualifier": "1"}),
        )
        .await;
    assert_eq!(
        (&got["MaximumRetryAttempts"], &got["MaximumEventAgeInSeconds"]),
        (&Json::Null, &json!(70))
    );
    let page = bench
        .ok(
            "ListFunctionEventInvokeConfigs",
            json!({"FunctionName": "f", "MaxItems": 1}),
        )
        .await;
    let rest = bench
        .ok(
            "ListFunctionEventInvokeConfigs",
            json!({"FunctionName": "f", "Marker": page["NextMarker"]}),
        )
        .await;
    assert_eq!(page["FunctionEventInvokeConfigs"], json!([updated]));
    assert_eq!(rest["FunctionEventInvokeConfigs"], json!([got]));
    bench
        .ok(
            "DeleteFunctionEventInvokeConfig",
            json!({"FunctionName": "f", "Qualifier": "1"}),
        )
        .await;
    refused(
        bench
            .call(
                "DeleteFunctionEventInvokeConfig",
                json!({"FunctionName": "f", "Qualifier": "1"}),
            )
            .await,
        "ResourceNotFoundException",
        "doesn't have",
    );
}

#[tokio::test]
async fn what_cannot_run_now_waits_and_what_never_can_is_put_aside() {
    let bench = Bench::running(picky()).await;
    let dead = json!({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}});
    bench.ok("CreateFunction", function("f", dead)).await;
    *bench.roles.revoked.lock().expect("no panic") = true;
    event(&bench, "true").await;
    let running = bench.lambda.start();
    let setbacks = || {
        bench
            .lambda
            .events
            .snapshot()
            .iter()
            .map(|entry| entry.value.setbacks)
            .sum::<u32>()
    };
    for _ in 0..24_000 {
        if setbacks() == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!((setbacks(), bench.fake.invoked().len()), (1, 0));
    running.stop().await;
    let bench = bench.restarted(1_000).await;
    bench
        .ok(
            "PutFunctionConcurrency",
            json!({"FunctionName": "f", "ReservedConcurrentExecutions": 0}),
        )
        .await;
    let running = bench.lambda.start();
    ran(&bench, 0, 0).await;
    running.stop().await;
    assert_eq!(bench.queues.asked().len(), 1);
    let large = json!({"FunctionName": "f", "InvocationType": "Event", "Payload": base64(&format!("\"{}\"", "x".repeat(1024 * 1024)))});
    refused(
        bench.call("Invoke", large).await,
        "RequestTooLargeException",
        "limit 1048576 bytes",
    );
    // As documented, both are of synchronous invocations alone: they do not get in the way of others.
    let more = json!({
        "FunctionName": "f", "InvocationType": "Event", "LogType": "Tail", "ClientContext": base64("{}"),
    });
    let taken = bench.ok("Invoke", more).await;
    assert_eq!(
        (&taken["StatusCode"], &taken["LogResult"]),
        (&json!(202), &Json::Null)
    );
}

#[tokio::test]
async fn what_a_function_says_of_its_failure_may_be_large() {
    // More than a record in the store may have.
    let body = format!(r#"{{"errorMessage": "{}"}}"#, "é".repeat(1024 * 1024));
    let said = body.clone();
    let fake = Fake::of(move |_, _| Ok(Ran::failed(Failure::handler(said.clone()))));
    let bench = Bench::running(fake).await;
    let dead = json!({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}});
    bench.ok("CreateFunction", function("f", dead)).await;
    let once = json!({"FunctionName": "f", "MaximumRetryAttempts": 0});
    bench.ok("PutFunctionEventInvokeConfig", once).await;
    event(&bench, "1").await;
    let running = bench.lambda.start();
    ran(&bench, 1, 0).await;
    running.stop().await;
    let letter = bench.queues.asked().remove(0).input;
    let shown: String = body.chars().take(1024).collect();
    assert_eq!(
        letter["MessageAttributes"]["ErrorMessage"]["StringValue"],
        json!(shown)
    );
}

#[tokio::test]
async fn a_slow_function_with_many_events_leaves_room_for_others() {
    let (slow, release) = (250, Arc::new(tokio::sync::Semaphore::new(0)));
    let gate = Arc::clone(&release);
    let fake = Fake::doing(move |spec, _| {
        let gate = Arc::clone(&gate);
        Box::pin(async move {
            if spec.function == "f" {
                gate.acquire().await.expect("a permit").forget();
            }
            Ok(Ran::returned("1"))
        })
    });
    let bench = Bench::running(fake).await;
    bench.make("f").await;
    bench.make("quick").await;
    for _ in 0..slow {
        event(&bench, "1").await;
    }
    let running = bench.lambda.start();
    // As many as run at a time wait in their environments, and the rest for them.
    let begun = |name: &str| {
        let invoked = bench.fake.invoked();
        invoked.iter().filter(|(spec, _)| spec.function == name).count()
    };
    let until = async |what: &str, holds: &dyn Fn() -> bool| {
        for _ in 0..24_000 {
            if holds() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("waited in vain until {what}");
    };
    until("many run", &|| begun("f") >= 100).await;
    for _ in 0..3 {
        bench
            .ok(
                "Invoke",
                json!({"FunctionName": "quick", "InvocationType": "Event"}),
            )
            .await;
    }
    until("the others ran", &|| begun("quick") == 3).await;
    assert_eq!(begun("f"), 100);
    release.add_permits(1);
    until("it is the next one's turn", &|| begun("f") == 101).await;
    release.add_permits(slow);
    ran(&bench, slow + 3, 0).await;
    running.stop().await;
}

#[tokio::test]
async fn an_account_has_so_many_bytes_of_events_waiting() {
    let first = Bench::running(picky()).await;
    first.make("f").await;
    let parts = (first.store.clone(), first.folder.clone(), first.fake.clone());
    let over = async || {
        let options = Options {
            owed_bytes: 10,
            ..Options::default()
        };
        Bench::over_with(parts.0.clone(), parts.1.clone(), parts.2.clone(), START, options).await
    };
    let bench = over().await;
    let invoke = async |bench: &Bench, payload: &str| {
        let input = json!({"FunctionName": "f", "InvocationType": "Event", "Payload": base64(payload)});
        bench.call("Invoke", input).await
    };
    for _ in 0..2 {
        invoke(&bench, "true").await.expect("taken");
    }
    refused(
        invoke(&bench, "true").await,
        "TooManyRequestsException",
        "Rate Exceeded.",
    );
    let bench = over().await;
    refused(
        invoke(&bench, "true").await,
        "TooManyRequestsException",
        "Rate Exceeded.",
    );
    invoke(&bench, "11").await.expect("taken");
    let running = bench.lambda.start();
    // One of them failed, and waits.
    ran(&bench, 3, 1).await;
    running.stop().await;
    for _ in 0..2 {
        invoke(&bench, "true").await.expect("there is room again");
    }
    refused(
        invoke(&bench, "1").await,
        "TooManyRequestsException",
        "Rate Exceeded.",
    );
}

#[tokio::test]
async fn an_account_has_so_many_events_waiting() {
    let first = Bench::new().await;
    first.make("f").await;
    let options = Options {
        owed_events: 2,
        ..Options::default()
    };
    let bench = Bench::over_with(
        first.store.clone(),
        first.folder.clone(),
        first.fake.clone(),
        START,
        options,
    )
    .await;
    let input = json!({"FunctionName": "f", "InvocationType": "Event", "Payload": base64("1")});
    for _ in 0..2 {
        bench.call("Invoke", input.clone()).await.expect("taken");
    }
    refused(
        bench.call("Invoke", input).await,
        "TooManyRequestsException",
        "Rate Exceeded.",
    );
}
