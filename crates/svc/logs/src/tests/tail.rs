//! Live tail: lines as they come in, as a client reads them from the stream.

use std::time::Duration;

use roadstead_protocol::events::PollEvent;
use roadstead_protocol::{ApiError, Event, Handler as _, Value, json};
use serde_json::{Value as Json, json};

use crate::Options;
use crate::harness::{Bench, START, ctx};

const A: &str = "arn:aws:logs:us-east-1:000000000000:log-group:/a";
const B: &str = "arn:aws:logs:us-east-1:000000000000:log-group:/b";

async fn bench() -> Bench {
    let bench = Bench::with(Options {
        tail_tick: Duration::from_millis(1),
        ..Options::default()
    })
    .await;
    for group in ["/a", "/b"] {
        bench.group(group, &["web-1", "db"]).await;
    }
    bench
}

async fn put(bench: &Bench, group: &str, stream: &str, lines: &[&str]) {
    let events: Vec<Json> = lines
        .iter()
        .map(|line| json!({"timestamp": START.0, "message": line}))
        .collect();
    let request = json!({"logGroupName": group, "logStreamName": stream, "logEvents": events});
    bench.call("PutLogEvents", request).await.expect("taken");
}

struct Session(Box<PollEvent>);

impl Session {
    async fn start(bench: &Bench, input: Json) -> Result<Self, ApiError> {
        let operation = roadstead_api_logs::MODEL
            .operation("StartLiveTail")
            .expect("an operation");
        let input = json::decode(
            &roadstead_api_logs::MODEL,
            operation.input,
            input.to_string().as_bytes(),
        );
        let server = roadstead_api_logs::Server(std::sync::Arc::new(crate::Server(bench.logs.clone())));
        let answer = server.call(operation, &ctx(), input.expect("fits")).await?;
        let Some(Value::Events(stream)) = answer.get("responseStream") else {
            panic!("no stream in {answer:?}");
        };
        Ok(Self(stream.take().expect("nobody took it")))
    }

    async fn next(&mut self) -> Option<Result<Event, ApiError>> {
        std::future::poll_fn(|cx| (self.0)(cx)).await
    }

    /// So many lines of updates, and whether any of those was a sample.
    async fn lines(&mut self, count: usize) -> (Vec<String>, bool) {
        let (mut lines, mut sampled) = (Vec::new(), false);
        while lines.len() < count {
            let event = self.next().await.expect("goes on").expect("an event");
            if event.name != "sessionUpdate" {
                continue;
            }
            let Some(Value::List(items)) = event.value.get("sessionResults") else {
                panic!("no results in {event:?}");
            };
            let text = |item: &Value| match item.get("message") {
                Some(Value::Str(text)) => text.clone(),
                other => panic!("{other:?}"),
            };
            lines.extend(items.iter().map(text));
            let metadata = event
                .value
                .get("sessionMetadata")
                .and_then(|metadata| metadata.get("sampled"));
            sampled |= metadata == Some(&Value::Bool(true));
        }
        (lines, sampled)
    }
}

#[tokio::test]
async fn lines_come_as_they_are_taken_those_that_are_wanted() {
    let bench = bench().await;
    for (request, wanted) in [
        (
            json!({"logGroupIdentifiers": [A]}),
            vec!["error 1", "fine", "error 2"],
        ),
        (
            json!({"logGroupIdentifiers": [A, B]}),
            vec!["error 1", "fine", "error 2", "error 3"],
        ),
        (
            json!({"logGroupIdentifiers": [A, B], "logEventFilterPattern": "error"}),
            vec!["error 1", "error 2", "error 3"],
        ),
        (
            json!({"logGroupIdentifiers": [A], "logStreamNames": ["db"]}),
            vec!["error 2"],
        ),
        (
            json!({"logGroupIdentifiers": [A], "logStreamNamePrefixes": ["x", "web-"]}),
            vec!["error 1", "fine"],
        ),
    ] {
        put(&bench, "/a", "web-1", &["before"]).await;
        let mut session = Session::start(&bench, request.clone()).await.expect("started");
        let start = session.next().await.expect("goes on").expect("an event");
        assert_eq!(start.name, "sessionStart");
        for member in request.as_object().expect("members").keys() {
            assert!(start.value.get(member).is_some(), "{member} in {start:?}");
        }
        put(&bench, "/a", "web-1", &["error 1", "fine"]).await;
        put(&bench, "/a", "db", &["error 2"]).await;
        put(&bench, "/b", "db", &["error 3"]).await;
        let (lines, sampled) = session.lines(wanted.len()).await;
        assert_eq!(
            (lines, sampled),
            (wanted.iter().map(|line| (*line).to_owned()).collect(), false),
            "{request}"
        );
    }
}

#[tokio::test]
async fn of_many_lines_there_is_a_sample() {
    let bench = bench().await;
    let mut session = Session::start(&bench, json!({"logGroupIdentifiers": [A]}))
        .await
        .expect("started");
    let many: Vec<String> = (0..2000).map(|number| format!("line {number}")).collect();
    put(
        &bench,
        "/a",
        "db",
        &many.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    let (lines, sampled) = session.lines(500).await;
    assert_eq!((lines.len(), sampled), (500, true));
    assert!(
        lines.iter().any(|line| line.len() == "line 1000".len()),
        "also of the later ones"
    );
}

#[tokio::test]
async fn a_session_ends_after_three_hours_and_with_the_service() {
    let bench = bench().await;
    let request = json!({"logGroupIdentifiers": [A]});
    let mut timed = Session::start(&bench, request.clone()).await.expect("started");
    timed.next().await.expect("goes on").expect("an event");
    timed.next().await.expect("goes on").expect("an event");
    bench.clock.advance(3 * 3_600_000);
    let error = loop {
        match timed.next().await.expect("an end") {
            Ok(event) => assert_eq!(event.name, "sessionUpdate"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code, "SessionTimeoutException");
    assert!(timed.next().await.is_none());
    let mut ended = Session::start(&bench, request).await.expect("started");
    bench.logs.tails.end();
    while let Some(event) = ended.next().await {
        event.expect("no error");
    }
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused() {
    let bench = bench().await;
    let star = format!("{A}:*");
    let missing = format!("{A}/none");
    for (request, code, words) in [
        (
            json!({"logGroupIdentifiers": ["/a"]}),
            "InvalidParameterException",
            "not the ARN",
        ),
        (
            json!({"logGroupIdentifiers": [star]}),
            "InvalidParameterException",
            "end in *",
        ),
        (
            json!({"logGroupIdentifiers": [missing]}),
            "ResourceNotFoundException",
            "log group",
        ),
        (
            json!({"logGroupIdentifiers": [A, B], "logStreamNames": ["x"]}),
            "InvalidParameterException",
            "one log group",
        ),
        (
            json!({"logGroupIdentifiers": [A], "logStreamNames": ["x"], "logStreamNamePrefixes": ["x"]}),
            "InvalidParameterException",
            "both",
        ),
        (
            json!({"logGroupIdentifiers": [A], "logEventFilterPattern": "{ $.a ="}),
            "InvalidParameterException",
            "position",
        ),
    ] {
        let Err(error) = Session::start(&bench, request).await else {
            panic!("{words}: started");
        };
        assert!(error.code == code && error.message.contains(words), "{error}");
    }
    let mut sessions = Vec::new();
    for _ in 0..15 {
        sessions.push(
            Session::start(&bench, json!({"logGroupIdentifiers": [A]}))
                .await
                .expect("started"),
        );
    }
    let full = Session::start(&bench, json!({"logGroupIdentifiers": [A]})).await;
    assert_eq!(full.err().expect("full").code, "LimitExceededException");
    // Whoever leaves makes room.
    sessions.clear();
    while Session::start(&bench, json!({"logGroupIdentifiers": [A]}))
        .await
        .is_err()
    {
        tokio::task::yield_now().await;
    }
}
