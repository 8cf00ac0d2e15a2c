//! Schedules over restarts: each tick is owed once, whatever happens in between.

use std::collections::BTreeSet;

use roadstead_base::Timestamp;
use serde_json::{Value as Json, json};

use crate::harness::{Bench, START, ctx};
use crate::schedule::once;

const GROUP: &str = "arn:aws:logs:us-east-1:000000000000:log-group:/events/x";

async fn with_schedule(schedule: &str) -> Bench {
    let bench = Bench::new().await;
    bench
        .call("PutRule", json!({"Name": "r", "ScheduleExpression": schedule}))
        .await
        .expect("a rule");
    let targets = json!({"Rule": "r", "Targets": [{"Id": "t", "Arn": GROUP}, {"Id": "u", "Arn": GROUP}]});
    bench.call("PutTargets", targets).await.expect("targets");
    bench
}

/// The times of the events that are owed, to each target the same.
async fn owed(bench: &Bench) -> Vec<String> {
    let table = crate::tables::deliveries(&bench.store);
    let (entries, _) = table
        .all(&table.within(&ctx().partition()))
        .await
        .expect("deliveries");
    let times = |id: &str| {
        let of = entries.iter().filter(|entry| entry.value.target.id == id);
        let events = of.map(|entry| serde_json::from_str::<Json>(&entry.value.event).expect("an event"));
        let times: Vec<String> = events
            .map(|event| event["time"].as_str().expect("a time").to_owned())
            .collect();
        let once: BTreeSet<String> = times.iter().cloned().collect();
        assert_eq!(times.len(), once.len(), "no tick twice: {times:?}");
        once
    };
    assert_eq!(times("t"), times("u"));
    times("t").into_iter().collect()
}

#[tokio::test]
async fn each_tick_is_owed_once_across_restarts() {
    // 22:13:20
    let bench = with_schedule("cron(0/1 * * * ? *)").await;
    assert_eq!(
        once(&bench.events).await,
        Some(Timestamp(START.0 + 40_000)),
        "22:14:00"
    );
    assert!(owed(&bench).await.is_empty());
    bench.clock.advance(40_000);
    once(&bench.events).await;
    once(&bench.events).await;
    assert_eq!(owed(&bench).await, ["2023-11-14T22:14:00Z"]);
    // Down for two minutes and a half, and twice up at the same time.
    let now = START.plus_millis(40_000 + 150_000);
    let second = Bench::over(bench.store.clone(), now).await;
    let third = Bench::over(bench.store.clone(), now).await;
    tokio::join!(once(&second.events), once(&third.events));
    once(&second.events).await;
    once(&third.events).await;
    let wanted = [
        "2023-11-14T22:14:00Z",
        "2023-11-14T22:15:00Z",
        "2023-11-14T22:16:00Z",
    ];
    assert_eq!(owed(&second).await, wanted);
    let event = &second.events.owed.snapshot();
    let event: Json = serde_json::from_str(&event.iter().next().expect("one").value.event).expect("an event");
    assert_eq!(event["detail-type"], "Scheduled Event");
    assert_eq!(event["source"], "aws.events");
    assert_eq!(
        event["resources"],
        json!(["arn:aws:events:us-east-1:000000000000:rule/r"])
    );
    assert_eq!(event["detail"], json!({}));
}

#[tokio::test]
async fn a_night_with_the_lid_closed_is_not_made_up_for() {
    let bench = with_schedule("rate(1 minute)").await;
    once(&bench.events).await;
    let morning = Bench::over(bench.store.clone(), START.plus_millis(8 * 3_600_000)).await;
    once(&morning.events).await;
    let owed = owed(&morning).await;
    assert_eq!(owed.len(), 15, "of the last quarter of an hour: {owed:?}");
    assert_eq!(owed.last().map(String::as_str), Some("2023-11-15T06:13:20Z"));
}

#[tokio::test]
async fn what_was_off_or_is_gone_owes_nothing() {
    let bench = with_schedule("rate(1 minute)").await;
    bench
        .call("DisableRule", json!({"Name": "r"}))
        .await
        .expect("off");
    bench.clock.advance(300_000);
    assert_eq!(once(&bench.events).await, None);
    bench.call("EnableRule", json!({"Name": "r"})).await.expect("on");
    once(&bench.events).await;
    assert!(owed(&bench).await.is_empty(), "it begins anew");
    bench.clock.advance(60_000);
    once(&bench.events).await;
    assert_eq!(owed(&bench).await.len(), 1);
    // The same rule again does not begin anew.
    bench.clock.advance(30_000);
    let same = json!({"Name": "r", "ScheduleExpression": "rate(1 minute)"});
    bench.call("PutRule", same).await.expect("the same");
    bench.clock.advance(30_000);
    once(&bench.events).await;
    assert_eq!(owed(&bench).await.len(), 2);
    bench
        .call("RemoveTargets", json!({"Rule": "r", "Ids": ["t", "u"]}))
        .await
        .expect("removed");
    bench
        .call("DeleteRule", json!({"Name": "r"}))
        .await
        .expect("deleted");
    bench.clock.advance(300_000);
    assert_eq!(once(&bench.events).await, None);
    assert_eq!(owed(&bench).await.len(), 2);
    // A new rule of the old name has nothing of the old one's.
    let fresh = json!({"Name": "r", "ScheduleExpression": "rate(2 minutes)"});
    bench.call("PutRule", fresh).await.expect("new");
    assert_eq!(
        once(&bench.events).await,
        Some(Timestamp(bench.now().0 + 120_000))
    );
}
