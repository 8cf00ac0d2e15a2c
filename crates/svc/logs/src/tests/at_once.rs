//! What comes at once after what it depends on.

use std::sync::Arc;

use serde_json::json;

use crate::groups::{group_key, table};
use crate::harness::{Bench, START, ctx};

/// Lines can be written as soon as the store has their group, which is before memory shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lines_of_a_group_that_was_just_made_are_not_cleared_away() {
    let bench = Bench::new().await;
    bench.group("/a", &["s"]).await;
    let (table, partition) = (table(&bench.logs.store), ctx().partition());
    let first = table.get(&group_key(&partition, "/a")).await.expect("read");
    let mut record = first.expect("the group").value;
    let lines = &bench.logs.lines;
    let stream = lines.stream(record.id, "s").expect("read").expect("the stream");
    for round in 1..=300 {
        (record.id, record.name) = (round, format!("/b{round}"));
        lines.put_stream(round, "s", &stream).await.expect("written");
        let key = group_key(&partition, &record.name);
        table.insert(&key, &record).await.expect("written");
        crate::sweep::sweep(&bench.logs).await.expect("swept");
        assert!(lines.stream(round, "s").expect("read").is_some(), "round {round}");
    }
}

/// A query goes on to its end: once it runs, nobody is told that it waits for its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_query_never_goes_back() {
    let bench = Bench::new().await;
    bench.group("/a", &["s"]).await;
    let seconds = START.0 / 1000;
    let request = json!({"logGroupName": "/a", "startTime": seconds - 60, "endTime": seconds, "queryString": "fields n"});
    for _ in 0..300 {
        let started = bench.call("StartQuery", request.clone()).await.expect("started");
        let asked = json!({"queryId": started["queryId"]});
        let mut seen = "Scheduled".to_owned();
        while seen != "Complete" {
            let answer = bench
                .call("GetQueryResults", asked.clone())
                .await
                .expect("an answer");
            let now = answer["status"].as_str().expect("a status").to_owned();
            assert!((seen.as_str(), now.as_str()) != ("Running", "Scheduled"));
            seen = now;
        }
    }
}

/// Whoever is told that a group is there, as whoever makes it, finds it there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_group_that_several_make_at_once_is_there_for_each() {
    let bench = Arc::new(Bench::new().await);
    for round in 0..300 {
        let name = format!("/g{round}/");
        let make = |_| {
            let (bench, name) = (Arc::clone(&bench), name.clone());
            tokio::spawn(async move {
                let made = bench.call("CreateLogGroup", json!({"logGroupName": name})).await;
                if let Err(error) = made {
                    assert_eq!(error.code, "ResourceAlreadyExistsException");
                }
                let asked = json!({"logGroupNamePrefix": name});
                let found = bench.call("DescribeLogGroups", asked).await.expect("described");
                assert_eq!(found["logGroups"].as_array().map(Vec::len), Some(1), "{found}");
            })
        };
        let makers: Vec<_> = (0..4).map(make).collect();
        for maker in makers {
            maker.await.expect("there");
        }
    }
}
