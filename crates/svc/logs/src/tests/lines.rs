//! Lines: in order from either end, merged over streams, and gone when too old.

use serde_json::{Value as Json, json};

use crate::harness::{Bench, START};
use crate::sweep::sweep;

const DAY: i64 = 86_400_000;

async fn with_streams(names: &[&str]) -> Bench {
    let bench = Bench::new().await;
    bench.group("/a", names).await;
    bench
}

async fn put(bench: &Bench, stream: &str, lines: &[(i64, &str)]) -> Json {
    let event = |(time, message): &(i64, &str)| json!({"timestamp": START.0 + time, "message": message});
    let events: Vec<Json> = lines.iter().map(event).collect();
    let request = json!({"logGroupName": "/a", "logStreamName": stream, "logEvents": events});
    bench.call("PutLogEvents", request).await.expect("answered")
}

fn messages(page: &Json) -> Vec<String> {
    let events = page["events"].as_array().expect("events").clone();
    let message = |event: &Json| event["message"].as_str().expect("a message").to_owned();
    events.iter().map(message).collect()
}

async fn get(bench: &Bench, more: Json) -> Json {
    let mut request = json!({"logGroupName": "/a", "logStreamName": "s"});
    for (name, value) in more.as_object().expect("members") {
        request[name] = value.clone();
    }
    bench.call("GetLogEvents", request).await.expect("lines")
}

#[tokio::test]
async fn lines_are_read_in_order_from_either_end_also_after_a_restart() {
    let bench = with_streams(&["s", "t"]).await;
    put(&bench, "s", &[(0, "a"), (10, "b"), (10, "c"), (30, "e")]).await;
    put(&bench, "s", &[(10, "d"), (40, "f")]).await;
    put(&bench, "t", &[(10, "other")]).await;
    let bench = bench.restarted().await;
    put(&bench, "s", &[(40, "g")]).await;
    let all = ["a", "b", "c", "d", "e", "f", "g"];
    let whole = get(&bench, json!({})).await;
    assert_eq!(messages(&whole), all);
    assert_eq!(
        whole["events"][0],
        json!({"timestamp": START.0, "ingestionTime": START.0, "message": "a"})
    );
    assert_eq!(
        messages(&get(&bench, json!({"limit": 3})).await),
        ["e", "f", "g"],
        "the latest"
    );
    assert_eq!(
        messages(&get(&bench, json!({"limit": 3, "startFromHead": true})).await),
        ["a", "b", "c"]
    );
    let range = json!({"startTime": START.0 + 10, "endTime": START.0 + 40});
    assert_eq!(
        messages(&get(&bench, range).await),
        ["b", "c", "d", "e"],
        "the end time itself left out"
    );
    let by_arn = json!({"logGroupIdentifier": "arn:aws:logs:us-east-1:000000000000:log-group:/a", "logStreamName": "t"});
    assert_eq!(
        messages(&bench.call("GetLogEvents", by_arn).await.expect("lines")),
        ["other"]
    );
    // Forward to the end, where the token stays; new lines are found behind it.
    let (mut read, mut page) = (
        Vec::new(),
        get(&bench, json!({"limit": 2, "startFromHead": true})).await,
    );
    loop {
        read.extend(messages(&page));
        let token = page["nextForwardToken"].clone();
        page = get(
            &bench,
            json!({"limit": 2, "startFromHead": true, "nextToken": token}),
        )
        .await;
        if page["nextForwardToken"] == token {
            break;
        }
    }
    assert_eq!(read, all);
    assert_eq!(page["events"], json!([]));
    put(&bench, "s", &[(50, "h")]).await;
    let token = page["nextForwardToken"].clone();
    assert_eq!(
        messages(&get(&bench, json!({"startFromHead": true, "nextToken": token})).await),
        ["h"]
    );
    // Backward to the beginning.
    let (mut read, mut page) = (Vec::new(), get(&bench, json!({"limit": 3})).await);
    loop {
        read.splice(0..0, messages(&page));
        let token = page["nextBackwardToken"].clone();
        page = get(&bench, json!({"limit": 3, "nextToken": token})).await;
        if page["nextBackwardToken"] == token {
            break;
        }
    }
    assert_eq!(read, ["a", "b", "c", "d", "e", "f", "g", "h"]);
}

#[tokio::test]
async fn get_log_events_refuses_what_it_cannot_know() {
    let bench = with_streams(&["s", "t"]).await;
    put(&bench, "s", &[(0, "a")]).await;
    let token = get(&bench, json!({})).await["nextForwardToken"].clone();
    let text = token.as_str().expect("a token").to_owned();
    for (request, code, words) in [
        (
            json!({"logGroupName": "/a", "logStreamName": "x"}),
            "ResourceNotFoundException",
            "stream",
        ),
        (
            json!({"logGroupName": "/x", "logStreamName": "s"}),
            "ResourceNotFoundException",
            "group",
        ),
        (
            json!({"logStreamName": "s"}),
            "InvalidParameterException",
            "is required",
        ),
        (
            json!({"logGroupName": "/a", "logStreamName": "s", "unmask": true}),
            "InvalidParameterException",
            "unmask",
        ),
        (
            json!({"logGroupName": "/a", "logStreamName": "s", "nextToken": "f/x"}),
            "InvalidParameterException",
            "nextToken",
        ),
        (
            json!({"logGroupName": "/a", "logStreamName": "t", "nextToken": text}),
            "InvalidParameterException",
            "nextToken",
        ),
        (
            json!({"logGroupName": "/a", "logStreamName": "s", "nextToken": text.replacen('f', "b", 1)}),
            "InvalidParameterException",
            "nextToken",
        ),
    ] {
        Bench::refused(bench.call("GetLogEvents", request).await, code, words);
    }
}

#[tokio::test]
async fn put_log_events_leaves_out_what_is_too_old_or_too_new_and_says_so() {
    let bench = with_streams(&["s"]).await;
    let hour = 3_600_000;
    let answer = put(
        &bench,
        "s",
        &[
            (-14 * DAY - 1, "old"),
            (-14 * DAY, "just"),
            (-14 * DAY + 5, "fine"),
        ],
    )
    .await;
    assert_eq!(
        answer["rejectedLogEventsInfo"],
        json!({"tooOldLogEventEndIndex": 1})
    );
    let answer = put(
        &bench,
        "s",
        &[(0, "now"), (2 * hour, "soon"), (2 * hour + 1, "new")],
    )
    .await;
    assert_eq!(
        answer["rejectedLogEventsInfo"],
        json!({"tooNewLogEventStartIndex": 2})
    );
    // What is left out counts for nothing: neither too old a line nor too new a one makes the rest span too long.
    let answer = put(
        &bench,
        "s",
        &[(-20 * DAY, "old"), (0, "between"), (3 * DAY, "new")],
    )
    .await;
    assert_eq!(
        answer["rejectedLogEventsInfo"],
        json!({"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2})
    );
    let keep = json!({"logGroupName": "/a", "retentionInDays": 3});
    bench
        .call("PutRetentionPolicy", keep)
        .await
        .expect("kept for three days");
    let answer = put(&bench, "s", &[(-3 * DAY - 1, "expired"), (-3 * DAY, "kept")]).await;
    assert_eq!(
        answer["rejectedLogEventsInfo"],
        json!({"expiredLogEventEndIndex": 1})
    );
    assert!(
        put(&bench, "s", &[(1, "x")])
            .await
            .get("rejectedLogEventsInfo")
            .is_none()
    );
    assert_eq!(
        messages(&get(&bench, json!({})).await),
        ["kept", "now", "between", "x", "soon"],
        "older ones are not read"
    );
    bench
        .call("DeleteRetentionPolicy", json!({"logGroupName": "/a"}))
        .await
        .expect("kept for ever");
    assert_eq!(
        messages(&get(&bench, json!({})).await),
        ["just", "fine", "kept", "now", "between", "x", "soon"]
    );
}

#[tokio::test]
async fn put_log_events_refuses_batches_that_cannot_be() {
    let bench = with_streams(&["s"]).await;
    let event = |time: i64, message: &str| json!({"timestamp": START.0 + time, "message": message});
    let large = "x".repeat(600_000);
    for (events, words) in [
        (json!([event(5, "a"), event(4, "b")]), "chronological order"),
        (json!([event(-DAY - 1, "a"), event(0, "b")]), "more than 24 hours"),
        (json!([event(0, &large), event(0, &large)]), "Upload too large"),
    ] {
        let request = json!({"logGroupName": "/a", "logStreamName": "s", "logEvents": events});
        Bench::refused(
            bench.call("PutLogEvents", request).await,
            "InvalidParameterException",
            words,
        );
    }
    let line = json!([event(0, "a")]);
    let request = json!({"logGroupName": "/a", "logStreamName": "s", "logEvents": line, "entity": {"attributes": {"a": "b"}}});
    Bench::refused(
        bench.call("PutLogEvents", request).await,
        "InvalidParameterException",
        "entity",
    );
    let request =
        json!({"logGroupName": "/a", "logStreamName": "s", "logEvents": line, "sequenceToken": "anything"});
    bench
        .call("PutLogEvents", request)
        .await
        .expect("the token is ignored, as documented");
    let request = json!({"logGroupName": "/a", "logStreamName": "x", "logEvents": line});
    Bench::refused(
        bench.call("PutLogEvents", request).await,
        "ResourceNotFoundException",
        "stream",
    );
    assert_eq!(messages(&get(&bench, json!({})).await), ["a"]);
}

#[tokio::test]
async fn filter_log_events_merges_streams_and_pages() {
    let bench = with_streams(&["s", "t", "web/1"]).await;
    put(&bench, "s", &[(0, "ERROR one"), (20, "fine"), (40, "ERROR four")]).await;
    put(&bench, "t", &[(10, "ERROR two"), (30, "ERROR three")]).await;
    put(&bench, "web/1", &[(40, "ERROR five"), (50, "{\"status\": 500}")]).await;
    let ask = |more: Json| {
        let mut request = json!({"logGroupName": "/a"});
        for (name, value) in more.as_object().expect("members") {
            request[name] = value.clone();
        }
        let bench = &bench;
        async move { bench.call("FilterLogEvents", request).await }
    };
    let errors = [
        "ERROR one",
        "ERROR two",
        "ERROR three",
        "ERROR four",
        "ERROR five",
    ];
    for (request, found) in [
        (json!({"filterPattern": "ERROR"}), errors.to_vec()),
        (
            json!({"filterPattern": "ERROR", "interleaved": true}),
            errors.to_vec(),
        ),
        (
            json!({"filterPattern": "{ $.status = 5* }"}),
            vec!["{\"status\": 500}"],
        ),
        (json!({"logStreamNames": ["t"]}), vec!["ERROR two", "ERROR three"]),
        (
            json!({"logStreamNamePrefix": "web/"}),
            vec!["ERROR five", "{\"status\": 500}"],
        ),
        (
            json!({"startTime": START.0 + 10, "endTime": START.0 + 30}),
            vec!["ERROR two", "fine", "ERROR three"],
        ),
        (json!({"filterPattern": "nothing"}), vec![]),
    ] {
        assert_eq!(
            messages(&ask(request.clone()).await.expect("lines")),
            found,
            "{request}"
        );
        let (mut paged, mut token) = (Vec::new(), Json::Null);
        loop {
            let mut request = request.clone();
            request["limit"] = json!(1);
            if !token.is_null() {
                request["nextToken"] = token;
            }
            let page = ask(request).await.expect("a page");
            assert!(page["events"].as_array().is_some_and(|events| events.len() <= 1));
            paged.extend(messages(&page));
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(paged, found, "{request} page by page");
    }
    let one = ask(json!({"logStreamNames": ["t"], "limit": 1}))
        .await
        .expect("a line");
    let event = &one["events"][0];
    assert_eq!(event["logStreamName"], "t");
    assert_eq!(event["eventId"].as_str().map(str::len), Some(40));
    assert_eq!(one["searchedLogStreams"], json!([]));
    let by_arn = json!({"logGroupIdentifier": "arn:aws:logs:us-east-1:000000000000:log-group:/a", "filterPattern": "four"});
    let found = bench.call("FilterLogEvents", by_arn).await.expect("lines");
    assert_eq!(messages(&found), ["ERROR four"]);
    for (request, code, words) in [
        (
            json!({"filterPattern": "a:b"}),
            "InvalidParameterException",
            "position 1",
        ),
        (
            json!({"logStreamNames": ["t"], "logStreamNamePrefix": "t"}),
            "InvalidParameterException",
            "both",
        ),
        (
            json!({"logStreamNames": ["x"]}),
            "ResourceNotFoundException",
            "stream",
        ),
        (json!({"unmask": true}), "InvalidParameterException", "unmask"),
        (
            json!({"nextToken": "x"}),
            "InvalidParameterException",
            "nextToken",
        ),
        (
            json!({"nextToken": one["nextToken"]}),
            "InvalidParameterException",
            "nextToken",
        ),
    ] {
        Bench::refused(ask(request).await, code, words);
    }
}

#[tokio::test]
async fn what_is_deleted_or_too_old_is_cleared_away() {
    let bench = with_streams(&["s", "t"]).await;
    for stream in ["s", "t"] {
        put(&bench, stream, &[(-2 * DAY, "old"), (-2 * DAY, "old")]).await;
        put(&bench, stream, &[(0, "new")]).await;
    }
    assert_eq!(sweep(&bench.logs).await.expect("swept"), 0);
    let keep = json!({"logGroupName": "/a", "retentionInDays": 1});
    bench
        .call("PutRetentionPolicy", keep)
        .await
        .expect("kept for a day");
    assert_eq!(sweep(&bench.logs).await.expect("swept"), 4);
    let group = bench.call("DescribeLogGroups", json!({})).await.expect("groups");
    assert_eq!(group["logGroups"][0]["storedBytes"], 2 * (3 + 26));
    bench
        .call(
            "DeleteLogStream",
            json!({"logGroupName": "/a", "logStreamName": "s"}),
        )
        .await
        .expect("deleted");
    let bench = bench.restarted().await;
    assert_eq!(sweep(&bench.logs).await.expect("swept"), 1);
    bench
        .call("DeleteLogGroup", json!({"logGroupName": "/a"}))
        .await
        .expect("deleted");
    bench
        .call("CreateLogGroup", json!({"logGroupName": "/a"}))
        .await
        .expect("new");
    let streams = bench
        .call("DescribeLogStreams", json!({"logGroupName": "/a"}))
        .await
        .expect("streams");
    assert_eq!(streams, json!({"logStreams": []}));
    assert_eq!(
        sweep(&bench.logs).await.expect("swept"),
        2,
        "a line and its stream"
    );
    assert_eq!(sweep(&bench.logs).await.expect("swept"), 0);
}

#[tokio::test]
async fn writers_of_one_stream_lose_nothing() {
    let bench = with_streams(&["s"]).await;
    let bench = std::sync::Arc::new(bench);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let bench = bench.clone();
        writers.spawn(async move {
            for number in 0..10 {
                put(&bench, "s", &[(number, &format!("{writer}/{number}"))]).await;
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.expect("a writer");
    }
    let mut all = messages(&get(&bench, json!({})).await);
    assert_eq!(all.len(), 80);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 80);
    let group = bench.call("DescribeLogGroups", json!({})).await.expect("groups");
    assert_eq!(group["logGroups"][0]["storedBytes"], 80 * (3 + 26));
}
