//! Records of asynchronous invocations, on their way to destinations.

use super::events::{event, picky, ran};
use super::*;

const INVALID: &str = "InvalidParameterValueException";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";
const BUS: &str = "arn:aws:events:us-east-1:000000000000:event-bus/b";
const OTHER: &str = "arn:aws:lambda:us-east-1:000000000000:function:other";

/// A function without a second attempt, and with destinations.
async fn with(bench: &Bench, success: &str, failure: &str) {
    bench.make("f").await;
    let config = json!({"FunctionName": "f", "MaximumRetryAttempts": 0, "DestinationConfig": {
        "OnSuccess": {"Destination": success}, "OnFailure": {"Destination": failure}}});
    bench.ok("PutFunctionEventInvokeConfig", config).await;
}

/// What metrics say, by name, of the function.
async fn counted(bench: &Bench) -> Vec<(String, Json)> {
    crate::counts::hand_over(&bench.lambda, true).await;
    let mut all = Vec::new();
    for request in bench.metrics.asked() {
        for datum in request.input["MetricData"].as_array().expect("a list") {
            if datum["Dimensions"] == json!([{"Name": "FunctionName", "Value": "f"}]) {
                let name = datum["MetricName"].as_str().expect("a name");
                all.push((name.to_owned(), json!([datum["Values"], datum["Counts"]])));
            }
        }
    }
    all
}

#[tokio::test]
async fn destinations_are_set_shown_and_taken_away() {
    let bench = Bench::new().await;
    bench.make("f").await;
    let get = async || {
        let shown = bench
            .ok("GetFunctionEventInvokeConfig", json!({"FunctionName": "f"}))
            .await;
        shown["DestinationConfig"].clone()
    };
    let config = |operation: &'static str, destinations: Json| {
        let request = json!({"FunctionName": "f", "DestinationConfig": destinations});
        bench.call(operation, request)
    };
    let (put, update) = ("PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig");
    config(put, json!({"OnSuccess": {}, "OnFailure": {}}))
        .await
        .expect("set");
    assert_eq!(get().await, json!({"OnSuccess": {}, "OnFailure": {}}));
    for arn in [QUEUE, TOPIC, BUS, OTHER, &format!("{OTHER}:prod")] {
        let to = json!({"Destination": arn});
        config(update, json!({"OnSuccess": to})).await.expect(arn);
        assert_eq!(get().await["OnSuccess"], to);
    }
    config(update, json!({"OnFailure": {"Destination": TOPIC}}))
        .await
        .expect("set");
    assert_eq!(
        get().await["OnSuccess"]["Destination"],
        json!(format!("{OTHER}:prod")),
        "as it was"
    );
    config(update, json!({"OnSuccess": {"Destination": ""}}))
        .await
        .expect("taken away");
    assert_eq!(
        get().await,
        json!({"OnSuccess": {}, "OnFailure": {"Destination": TOPIC}})
    );
    config(put, json!({"OnSuccess": {"Destination": BUS}}))
        .await
        .expect("set");
    assert_eq!(
        get().await,
        json!({"OnSuccess": {"Destination": BUS}, "OnFailure": {}})
    );
    for (arn, words) in [
        (
            "arn:aws:s3:::bucket",
            "Destination arn:aws:s3:::bucket is not supported",
        ),
        ("kafka://cluster", "kafka://cluster is not supported"),
        ("arn:aws:sqs:us-east-1:000000000000:q.fifo", "FIFO"),
        ("arn:aws:sns:us-east-1:000000000000:t.fifo", "FIFO"),
        (
            "arn:aws:sqs:us-east-1:111111111111:q",
            "of another account or region",
        ),
        (
            "arn:aws:lambda:eu-west-1:000000000000:function:g",
            "of another account or region",
        ),
        ("arn:aws:events:us-east-1:000000000000:rule/r", "is invalid"),
        ("arn:aws:lambda:us-east-1:000000000000:layer:l", "is invalid"),
        ("arn:aws:ecs:us-east-1:000000000000:cluster/c", "is invalid"),
        (
            "arn:aws:lambda:us-east-1:000000000000:function:f:1",
            "as a destination for itself",
        ),
    ] {
        for destination in ["OnSuccess", "OnFailure"] {
            for operation in [put, update] {
                let set = config(operation, json!({destination: {"Destination": arn}})).await;
                refused(set, INVALID, words);
            }
        }
    }
}

#[tokio::test]
async fn records_of_what_succeeded_and_what_failed_go_to_their_destinations_as_the_role() {
    let bench = Bench::running(picky()).await;
    with(&bench, QUEUE, TOPIC).await;
    event(&bench, "true").await;
    event(&bench, r#"{"n": 1}"#).await;
    let running = bench.lambda.start();
    ran(&bench, 2, 0).await;
    running.stop().await;
    let sent = bench.queues.asked().remove(0);
    assert_eq!(sent.operation, "SendMessage");
    assert!(sent.caller.contains("assumed-role/runner/f"), "{}", sent.caller);
    assert_eq!(sent.input.get("MessageAttributes"), None);
    let record: Json =
        serde_json::from_str(sent.input["MessageBody"].as_str().expect("a text")).expect("JSON");
    assert_eq!(
        record,
        json!({
            "version": "1.0", "timestamp": "2023-11-14T22:13:20.000Z",
            "requestContext": {
                "requestId": "request", "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
                "condition": "Success", "approximateInvokeCount": 1,
            },
            "requestPayload": true,
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
            "responsePayload": 1,
        })
    );
    let told = bench.topics.asked().remove(0);
    assert_eq!(
        (told.operation, &told.input["TopicArn"]),
        ("Publish", &json!(TOPIC))
    );
    let record: Json = serde_json::from_str(told.input["Message"].as_str().expect("a text")).expect("JSON");
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestPayload"], json!({"n": 1}));
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["responsePayload"], json!({"errorMessage": "no"}));
    let counted = counted(&bench).await;
    for (name, expected) in [
        ("AsyncEventsReceived", json!([[1.0], [2.0]])),
        ("AsyncEventAge", json!([[0.0], [2.0]])),
        ("AsyncEventsDropped", json!([[1.0], [1.0]])),
    ] {
        assert!(
            counted.contains(&(name.to_owned(), expected)),
            "{name}: {counted:?}"
        );
    }
    assert!(
        !counted
            .iter()
            .any(|(name, _)| name.contains("Failures") || name.contains("DeadLetter"))
    );
}

#[tokio::test]
async fn functions_and_buses_get_records_too() {
    let bench = Bench::running(picky()).await;
    with(&bench, OTHER, BUS).await;
    bench.make("other").await;
    event(&bench, "true").await;
    event(&bench, "0").await;
    let running = bench.lambda.start();
    // The other one fails for what is not `true`, and is tried again in a minute.
    ran(&bench, 3, 1).await;
    running.stop().await;
    let (spec, invocation) = bench
        .fake
        .invoked()
        .into_iter()
        .find(|(spec, _)| spec.function == "other")
        .expect("invoked");
    assert_eq!(spec.function, "other");
    let record: Json = serde_json::from_slice(&invocation.payload).expect("JSON");
    assert_eq!(record["requestContext"]["condition"], "Success");
    let told = bench.buses.asked().remove(0);
    assert!(told.caller.contains("assumed-role/runner/f"), "{}", told.caller);
    let entry = &told.input["Entries"][0];
    assert_eq!(
        (
            &entry["EventBusName"],
            &entry["Source"],
            &entry["DetailType"],
            &entry["Resources"]
        ),
        (
            &json!(BUS),
            &json!("lambda"),
            &json!("Lambda Function Invocation Result - Failure"),
            &json!([BUS, "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"]),
        )
    );
    let record: Json = serde_json::from_str(entry["Detail"].as_str().expect("a text")).expect("JSON");
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
}

#[tokio::test]
async fn a_dead_letter_and_a_record_are_sent_each_by_itself_also_after_a_restart() {
    let bench = Bench::running(picky()).await;
    with(&bench, "", TOPIC).await;
    let dead = json!({"FunctionName": "f", "DeadLetterConfig": {"TargetArn": QUEUE}});
    bench.ok("UpdateFunctionConfiguration", dead).await;
    let busy = || ApiError::new("ServiceUnavailable", 503, "not now");
    bench.topics.refuse("Publish", busy());
    // The largest event there is, of what JSON takes two bytes for.
    let quotes = format!("[{}\"\"]", "\"\",".repeat(349_523));
    assert!(
        (1024 * 1024 - 10..=1024 * 1024).contains(&quotes.len()),
        "{}",
        quotes.len()
    );
    event(&bench, &quotes).await;
    let running = bench.lambda.start();
    for _ in 0..24_000 {
        let waiting: Vec<u32> = bench
            .lambda
            .events
            .snapshot()
            .iter()
            .map(|entry| entry.value.setbacks)
            .collect();
        if waiting == [1] && bench.queues.asked().len() == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    running.stop().await;
    assert_eq!((bench.queues.asked().len(), bench.topics.asked().len()), (1, 1));
    assert_eq!(
        bench.queues.asked()[0].input["MessageBody"]
            .as_str()
            .map(str::len),
        Some(quotes.len())
    );
    let failures = ("DestinationDeliveryFailures".to_owned(), json!([[1.0], [1.0]]));
    assert!(counted(&bench).await.contains(&failures));
    let bench = bench.restarted(1_000).await;
    let running = bench.lambda.start();
    ran(&bench, 1, 0).await;
    running.stop().await;
    let told = bench.topics.asked().remove(0);
    let record: Json = serde_json::from_str(told.input["Message"].as_str().expect("a text")).expect("JSON");
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(
        record.get("requestPayload"),
        None,
        "a topic takes no such payload"
    );
}

#[tokio::test]
async fn what_does_not_arrive_is_counted_and_given_up_when_it_never_can() {
    let bench = Bench::running(picky()).await;
    with(&bench, QUEUE, BUS).await;
    let denied = || ApiError::new("AccessDeniedException", 403, "no");
    bench.queues.refuse("SendMessage", denied());
    let entry = json!({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ResourceNotFoundException", "ErrorMessage": "no bus"}]});
    bench.buses.answer("PutEvents", entry);
    event(&bench, "true").await;
    event(&bench, "false").await;
    let running = bench.lambda.start();
    ran(&bench, 2, 0).await;
    running.stop().await;
    assert_eq!((bench.queues.asked().len(), bench.buses.asked().len()), (1, 1));
    let failures = ("DestinationDeliveryFailures".to_owned(), json!([[1.0], [2.0]]));
    let counted = counted(&bench).await;
    assert!(counted.contains(&failures), "{counted:?}");
}

#[tokio::test]
async fn records_say_why_the_code_did_not_run() {
    let bench = Bench::running(picky()).await;
    with(&bench, "", QUEUE).await;
    let dead = json!({"FunctionName": "f", "DeadLetterConfig": {"TargetArn": TOPIC}});
    bench.ok("UpdateFunctionConfiguration", dead).await;
    bench
        .topics
        .refuse("Publish", ApiError::new("NotFound", 404, "no topic"));
    event(&bench, "true").await;
    let bench = bench.restarted(6 * 3600 * 1000 + 1).await;
    bench
        .topics
        .refuse("Publish", ApiError::new("NotFound", 404, "no topic"));
    let none = json!({"FunctionName": "f", "ReservedConcurrentExecutions": 0});
    bench.ok("PutFunctionConcurrency", none).await;
    event(&bench, "1").await;
    let running = bench.lambda.start();
    for _ in 0..24_000 {
        if bench.queues.asked().len() == 2
            && bench.topics.asked().len() == 2
            && bench.lambda.events.snapshot().is_empty()
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    running.stop().await;
    let mut said: Vec<Json> = Vec::new();
    for sent in bench.queues.asked() {
        let record: Json =
            serde_json::from_str(sent.input["MessageBody"].as_str().expect("a text")).expect("JSON");
        assert_eq!(record.get("responseContext"), None);
        said.push(json!([
            record["requestContext"]["condition"],
            record["requestContext"]["approximateInvokeCount"]
        ]));
    }
    said.sort_by_key(Json::to_string);
    assert_eq!(
        said,
        [
            json!(["EventAgeExceeded", 0]),
            json!(["ZeroReservedConcurrency", 0])
        ]
    );
    assert!(bench.fake.invoked().is_empty());
    let counted = counted(&bench).await;
    for (name, expected) in [
        ("AsyncEventsDropped", json!([[1.0], [2.0]])),
        ("DeadLetterErrors", json!([[1.0], [1.0]])),
    ] {
        assert!(
            counted.contains(&(name.to_owned(), expected)),
            "{name}: {counted:?}"
        );
    }
}
