//! Queries of Insights: run in the background, read in pages, stopped, kept over a restart, forgotten.

mod listings;

use serde_json::{Value as Json, json};

use crate::Options;
use crate::harness::{Bench, START};
use crate::queries::table;
use crate::records::{QueryRecord, QueryStatus, Statistics};

const SECONDS: i64 = START.0 / 1000;

/// Two groups; of each a stream with lines a second apart.
async fn filled(options: Options) -> Bench {
    let bench = Bench::with(options).await;
    for (group, count) in [("/a", 5), ("/b", 2)] {
        let named = json!({"logGroupName": group, "logStreamName": "s"});
        bench.group(group, &["s"]).await;
        let event = |number: i64| {
            let message = json!({"group": group, "inner": {"list": [number, "x"]}, "n": number}).to_string();
            json!({"timestamp": START.0 - 10_000 + number * 1000, "message": message})
        };
        let mut put = named;
        put["logEvents"] = (0..count).map(event).collect();
        bench.call("PutLogEvents", put).await.expect("lines");
    }
    bench
}

fn request(more: Json) -> Json {
    let mut request = json!({"logGroupName": "/a", "startTime": SECONDS - 60, "endTime": SECONDS,
        "queryString": "fields n"});
    for (name, value) in more.as_object().expect("members") {
        request[name] = value.clone();
    }
    request
        .as_object_mut()
        .expect("members")
        .retain(|_, value| !value.is_null());
    request
}

async fn started(bench: &Bench, more: Json) -> String {
    let answer = bench.call("StartQuery", request(more)).await.expect("started");
    answer["queryId"].as_str().expect("an id").to_owned()
}

/// How it ended.
async fn ended(bench: &Bench, id: &str) -> Json {
    loop {
        let answer = bench
            .call("GetQueryResults", json!({"queryId": id}))
            .await
            .expect("an answer");
        if !matches!(answer["status"].as_str(), Some("Scheduled" | "Running")) {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}

/// The values of the results, without pointers.
fn values(answer: &Json) -> Vec<Vec<String>> {
    let rows = answer["results"].as_array().expect("results");
    let row = |row: &Json| {
        let fields = row
            .as_array()
            .expect("fields")
            .iter()
            .filter(|field| field["field"] != "@ptr");
        fields
            .map(|field| field["value"].as_str().expect("a value").to_owned())
            .collect()
    };
    rows.iter().map(row).collect()
}

#[tokio::test]
async fn a_query_runs_in_the_background_and_tells_what_it_looked_at() {
    let bench = filled(Options::default()).await;
    let id = started(
        &bench,
        json!({"queryString": "filter n > 1 | fields n | sort n asc"}),
    )
    .await;
    let answer = ended(&bench, &id).await;
    assert_eq!(answer["status"], "Complete");
    assert_eq!(values(&answer), [["2"], ["3"], ["4"]]);
    let statistics = &answer["statistics"];
    assert_eq!(
        (&statistics["recordsScanned"], &statistics["recordsMatched"]),
        (&json!(5.0), &json!(3.0))
    );
    assert_eq!(statistics["logGroupsScanned"], json!(1.0));
    assert!(statistics["bytesScanned"].as_f64().expect("bytes") > 100.0);
    assert_eq!(answer["queryLanguage"], "CWLI");
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/b";
    for (more, wanted) in [
        // Both ends count, the last second as a whole.
        (
            json!({"startTime": SECONDS - 9, "endTime": SECONDS - 7}),
            vec![["3"], ["2"], ["1"]],
        ),
        (json!({"limit": 2}), vec![["4"], ["3"]]),
        (
            json!({"limit": 2, "queryString": "fields n | limit 1"}),
            vec![["4"]],
        ),
        (json!({"queryLanguage": "CWLI", "limit": 1}), vec![["4"]]),
        (
            json!({"logGroupName": null, "logGroupNames": ["/a", "/b"], "queryString": "stats count(*)"}),
            vec![["7"]],
        ),
        (
            json!({"logGroupName": null, "logGroupIdentifiers": ["/a", arn, "/a"], "queryString": "stats count_distinct(@log)"}),
            vec![["2"]],
        ),
        (
            json!({"logGroupName": null, "logGroupIdentifiers": [arn], "queryString": "fields @log | limit 1"}),
            vec![["000000000000:/b"]],
        ),
    ] {
        let id = started(&bench, more.clone()).await;
        assert_eq!(values(&ended(&bench, &id).await), wanted, "{more}");
    }
}

#[tokio::test]
async fn a_pointer_leads_to_the_whole_event() {
    let bench = filled(Options::default()).await;
    let id = started(&bench, json!({"limit": 1})).await;
    let answer = ended(&bench, &id).await;
    let pointer = answer["results"][0][1].clone();
    assert_eq!(pointer["field"], "@ptr");
    let request = json!({"logRecordPointer": pointer["value"], "unmask": false});
    let record = bench
        .call("GetLogRecord", request.clone())
        .await
        .expect("a record");
    assert_eq!(
        record["logRecord"],
        json!({"@ingestionTime": START.0.to_string(), "@log": "000000000000:/a", "@logStream": "s",
            "@message": r#"{"group":"/a","inner":{"list":[4,"x"]},"n":4}"#, "@ptr": pointer["value"],
            "@timestamp": (START.0 - 6000).to_string(), "group": "/a", "inner.list.0": "4", "inner.list.1": "x", "n": "4"})
    );
    let unmask = json!({"logRecordPointer": pointer["value"], "unmask": true});
    Bench::refused(
        bench.call("GetLogRecord", unmask).await,
        "InvalidParameterException",
        "unmask",
    );
    let forged = bench.call("GetLogRecord", json!({"logRecordPointer": "x"})).await;
    Bench::refused(forged, "InvalidParameterException", "logRecordPointer");
    bench
        .call("DeleteLogGroup", json!({"logGroupName": "/a"}))
        .await
        .expect("deleted");
    Bench::refused(
        bench.call("GetLogRecord", request).await,
        "ResourceNotFoundException",
        "log record",
    );
}

#[tokio::test]
async fn results_come_in_pages_also_after_a_restart() {
    let bench = filled(Options::default()).await;
    let id = started(&bench, json!({"queryString": "fields n | sort n asc"})).await;
    ended(&bench, &id).await;
    let bench = bench.restarted().await;
    let (mut read, mut token) = (Vec::new(), Json::Null);
    loop {
        let mut request = json!({"queryId": id, "maxItems": 2});
        if !token.is_null() {
            request["nextToken"] = token;
        }
        let page = bench.call("GetQueryResults", request).await.expect("a page");
        assert_eq!(page["status"], "Complete");
        read.extend(values(&page).concat());
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(read, ["0", "1", "2", "3", "4"]);
    let forged = bench
        .call("GetQueryResults", json!({"queryId": id, "nextToken": "forged"}))
        .await;
    Bench::refused(forged, "InvalidParameterException", "nextToken");
    let unknown = bench.call("GetQueryResults", json!({"queryId": "none"})).await;
    Bench::refused(unknown, "ResourceNotFoundException", "query");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let bench = filled(Options::default()).await;
    let many: Vec<String> = (0..51).map(|number| format!("g{number}")).collect();
    for (more, code, words) in [
        (
            json!({"queryLanguage": "SQL"}),
            "InvalidParameterException",
            "queryLanguage SQL",
        ),
        (
            json!({"queryLanguage": "PPL"}),
            "InvalidParameterException",
            "queryLanguage PPL",
        ),
        (
            json!({"logGroupName": null}),
            "InvalidParameterException",
            "Exactly one",
        ),
        (
            json!({"logGroupNames": ["/b"]}),
            "InvalidParameterException",
            "Exactly one",
        ),
        (
            json!({"logGroupName": null, "logGroupNames": []}),
            "InvalidParameterException",
            "1 to 50",
        ),
        (
            json!({"logGroupName": null, "logGroupNames": many}),
            "InvalidParameterException",
            "1 to 50",
        ),
        (
            json!({"startTime": SECONDS + 1}),
            "InvalidParameterException",
            "startTime",
        ),
        (
            json!({"logGroupName": "/none"}),
            "ResourceNotFoundException",
            "/none",
        ),
        (
            json!({"queryString": "felds n"}),
            "MalformedQueryException",
            "there is no command felds",
        ),
        (
            json!({"queryString": "SOURCE logGroups()"}),
            "MalformedQueryException",
            "source is not supported",
        ),
    ] {
        Bench::refused(bench.call("StartQuery", request(more)).await, code, words);
    }
    let error = bench
        .call(
            "StartQuery",
            request(json!({"queryString": "fields n | felds n"})),
        )
        .await;
    let members = format!("{:?}", error.expect_err("malformed").members);
    assert!(
        members.contains("startCharOffset\", Int(11)") && members.contains("endCharOffset\", Int(16)"),
        "{members}"
    );
    let listed = bench.call("DescribeQueries", json!({})).await.expect("queries");
    assert_eq!(listed["queries"], json!([]), "nothing refused is kept");
}

#[tokio::test]
async fn a_query_waits_its_turn_and_can_be_stopped() {
    // Without a place none ever runs.
    let options = Options {
        queries_at_once: 0,
        max_queries: 2,
        ..Options::default()
    };
    let bench = filled(options).await;
    let first = started(&bench, json!({})).await;
    let second = started(&bench, json!({})).await;
    let full = bench.call("StartQuery", request(json!({}))).await;
    Bench::refused(full, "LimitExceededException", "2 queries");
    let waiting = bench
        .call("GetQueryResults", json!({"queryId": first}))
        .await
        .expect("an answer");
    assert_eq!(
        (&waiting["status"], &waiting["results"]),
        (&json!("Scheduled"), &json!([]))
    );
    let stopped = bench
        .call("StopQuery", json!({"queryId": first}))
        .await
        .expect("stopped");
    assert_eq!(stopped, json!({"success": true}));
    let again = bench.call("StopQuery", json!({"queryId": first})).await;
    Bench::refused(again, "InvalidParameterException", "not running");
    let unknown = bench.call("StopQuery", json!({"queryId": "none"})).await;
    Bench::refused(unknown, "ResourceNotFoundException", "query");
    assert_eq!(ended(&bench, &first).await["status"], "Cancelled");
    // Its place is free as soon as its end is written.
    while bench.call("StartQuery", request(json!({}))).await.is_err() {
        tokio::task::yield_now().await;
    }
    // The other one has not ended when the process does.
    let bench = bench.restarted().await;
    let failed = bench
        .call("GetQueryResults", json!({"queryId": second}))
        .await
        .expect("an answer");
    assert_eq!(failed["status"], "Failed");
    let ended = bench.call("StopQuery", json!({"queryId": second})).await;
    Bench::refused(ended, "InvalidParameterException", "not running");
}

#[tokio::test]
async fn a_query_ends_when_it_takes_too_long_or_too_much() {
    let timed = Options {
        query_time: std::time::Duration::ZERO,
        ..Options::default()
    };
    let small = Options {
        query_bytes: 100,
        ..Options::default()
    };
    for (options, status) in [(timed, "Timeout"), (small, "Failed")] {
        let bench = filled(options).await;
        let id = started(&bench, json!({})).await;
        let answer = ended(&bench, &id).await;
        assert_eq!(
            (&answer["status"], &answer["results"]),
            (&json!(status), &json!([]))
        );
        // Its place is free again.
        let listed = bench
            .call("DescribeQueries", json!({"status": status}))
            .await
            .expect("queries");
        assert_eq!(listed["queries"][0]["queryId"], json!(id));
    }
}

#[tokio::test]
async fn a_query_that_a_former_process_began_has_failed() {
    let bench = Bench::new().await;
    let record = QueryRecord {
        id: "q".into(),
        number: 1,
        text: "fields a".into(),
        groups: vec!["/a".into()],
        user: "u".into(),
        status: QueryStatus::Scheduled,
        created_at: START,
        took: 0,
        rows: 0,
        bytes: 0,
        statistics: Statistics::default(),
    };
    let table = table(&bench.store);
    let key = table.key(&crate::harness::ctx().partition(), "q");
    table.insert(&key, &record).await.expect("written");
    let bench = bench.restarted().await;
    let answer = bench
        .call("GetQueryResults", json!({"queryId": "q"}))
        .await
        .expect("an answer");
    assert_eq!(answer["status"], "Failed");
}
