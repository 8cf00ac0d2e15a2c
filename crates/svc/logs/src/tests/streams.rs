//! Streams: made, described in either order, deleted.

use serde_json::{Value as Json, json};

use crate::harness::{Bench, START};

async fn with_streams(names: &[&str]) -> Bench {
    let bench = Bench::new().await;
    bench.group("/a", names).await;
    bench
}

fn names(page: &Json) -> Vec<String> {
    let streams = page["logStreams"].as_array().expect("streams").clone();
    let name = |stream: &Json| stream["logStreamName"].as_str().expect("a name").to_owned();
    streams.iter().map(name).collect()
}

#[tokio::test]
async fn streams_are_made_once_described_and_deleted() {
    let bench = with_streams(&["s"]).await;
    let request = json!({"logGroupName": "/a", "logStreamName": "s"});
    Bench::refused(
        bench.call("CreateLogStream", request.clone()).await,
        "ResourceAlreadyExistsException",
        "The specified log stream already exists",
    );
    let line = json!({"logGroupName": "/a", "logStreamName": "s",
        "logEvents": [{"timestamp": START.0 - 5, "message": "x"}, {"timestamp": START.0, "message": "yz"}]});
    let put = bench.call("PutLogEvents", line).await.expect("written");
    let bench = bench.restarted().await;
    let shown = bench
        .call("DescribeLogStreams", json!({"logGroupIdentifier": "/a"}))
        .await
        .expect("streams");
    assert_eq!(
        shown,
        json!({"logStreams": [{"logStreamName": "s", "creationTime": START.0, "storedBytes": 0,
            "arn": "arn:aws:logs:us-east-1:000000000000:log-group:/a:log-stream:s",
            "firstEventTimestamp": START.0 - 5, "lastEventTimestamp": START.0, "lastIngestionTime": START.0,
            "uploadSequenceToken": put["nextSequenceToken"]}]})
    );
    let group = bench.call("DescribeLogGroups", json!({})).await.expect("groups");
    assert_eq!(group["logGroups"][0]["storedBytes"], 3 + 2 * 26);
    bench
        .call("DeleteLogStream", request.clone())
        .await
        .expect("deleted");
    let gone = bench.call("DeleteLogStream", request.clone()).await;
    Bench::refused(
        gone,
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    );
    // Another one of the same name has nothing of the old one's.
    bench.call("CreateLogStream", request.clone()).await.expect("new");
    let lines = bench.call("GetLogEvents", request).await.expect("lines");
    assert_eq!(lines["events"], json!([]));
}

#[tokio::test]
async fn describe_log_streams_orders_pages_and_narrows() {
    let bench = with_streams(&["b", "a/2", "a/1", "c"]).await;
    for (stream, time) in [("b", 3), ("a/2", 1), ("c", 2)] {
        let event = json!({"timestamp": START.0 + time, "message": "x"});
        let line = json!({"logGroupName": "/a", "logStreamName": stream, "logEvents": [event]});
        bench.call("PutLogEvents", line).await.expect("written");
    }
    let ask = |more: Json| {
        let mut request = json!({"logGroupName": "/a"});
        for (name, value) in more.as_object().expect("members") {
            request[name] = value.clone();
        }
        let bench = &bench;
        async move { bench.call("DescribeLogStreams", request).await }
    };
    for (request, found) in [
        (json!({}), vec!["a/1", "a/2", "b", "c"]),
        (json!({"descending": true}), vec!["c", "b", "a/2", "a/1"]),
        (json!({"logStreamNamePrefix": "a/"}), vec!["a/1", "a/2"]),
        (json!({"orderBy": "LastEventTime"}), vec!["a/1", "a/2", "c", "b"]),
        (
            json!({"orderBy": "LastEventTime", "descending": true}),
            vec!["b", "c", "a/2", "a/1"],
        ),
    ] {
        assert_eq!(
            names(&ask(request.clone()).await.expect("streams")),
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
            paged.extend(names(&page));
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(paged, found, "{request} page by page");
    }
    for (request, words) in [
        (
            json!({"orderBy": "LastEventTime", "logStreamNamePrefix": "a"}),
            "LastEventTime",
        ),
        (json!({"nextToken": "x"}), "nextToken"),
        (json!({"logGroupIdentifier": "/a"}), "cannot both"),
    ] {
        Bench::refused(ask(request).await, "InvalidParameterException", words);
    }
}
