//! Composite alarms: they follow the alarms they name at once, and a suppressor holds their actions back.

use serde_json::{Value as Json, json};

use super::alarms::{alarm, described, history, state};
use crate::harness::Bench;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";

/// Three alarms that stay in whatever state they are set to.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    for name in ["a", "b", "s"] {
        alarm(&bench, name, json!({"TreatMissingData": "ignore"})).await;
    }
    bench
}

async fn set(bench: &Bench, name: &str, state: &str) {
    let request = json!({"AlarmName": name, "StateValue": state, "StateReason": "a test"});
    bench.call("SetAlarmState", request).await.expect("set");
    bench.look().await;
}

async fn composite(bench: &Bench, name: &str, rule: &str, more: Json) {
    let mut request =
        json!({"AlarmName": name, "AlarmRule": rule, "AlarmActions": [TOPIC], "OKActions": [TOPIC]});
    for (name, value) in more.as_object().expect("members") {
        request[name] = value.clone();
    }
    bench
        .call("PutCompositeAlarm", request)
        .await
        .expect("a composite alarm");
    bench.look().await;
}

#[tokio::test]
async fn a_composite_alarm_follows_the_others_at_once() {
    let bench = bench().await;
    let arn = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:b";
    composite(
        &bench,
        "c",
        &format!("ALARM(a) AND NOT ALARM(\"{arn}\")"),
        json!({}),
    )
    .await;
    composite(&bench, "above", "ALARM(c) OR FALSE", json!({})).await;
    assert_eq!(
        (state(&bench, "c").await, state(&bench, "above").await),
        ("OK".into(), "OK".into())
    );
    assert_eq!(
        described(&bench, "c").await["StateReason"],
        "arn:aws:cloudwatch:us-east-1:000000000000:alarm:c was created and its alarm rule evaluates to OK"
    );
    set(&bench, "a", "ALARM").await;
    let fired = described(&bench, "c").await;
    assert_eq!(fired["StateValue"], "ALARM");
    assert_eq!(
        fired["StateReason"],
        "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a transitioned to ALARM at Tuesday 14 November, 2023 22:13:20 UTC"
    );
    let data: Json = serde_json::from_str(fired["StateReasonData"].as_str().expect("data")).expect("JSON");
    assert_eq!(data["triggeringAlarms"][0]["state"]["value"], "ALARM");
    assert_eq!(state(&bench, "above").await, "ALARM", "also what depends on it");
    bench.pass(1).await;
    set(&bench, "b", "ALARM").await;
    assert_eq!(
        (state(&bench, "c").await, state(&bench, "above").await),
        ("OK".into(), "OK".into())
    );
    // Set by hand it stays, also over a restart, until one that it names changes.
    set(&bench, "c", "ALARM").await;
    bench.pass(30).await;
    let bench = bench.restarted().await;
    bench.look().await;
    assert_eq!(state(&bench, "c").await, "ALARM");
    set(&bench, "b", "INSUFFICIENT_DATA").await;
    set(&bench, "a", "OK").await;
    assert_eq!(state(&bench, "c").await, "OK");
}

/// How often actions were tried; nobody takes them here.
async fn tried(bench: &Bench) -> usize {
    history(bench, "c", "Action").await.len()
}

#[tokio::test]
async fn a_suppressor_holds_actions_back() {
    let bench = bench().await;
    let by = json!({"ActionsSuppressor": "s", "ActionsSuppressorWaitPeriod": 20, "ActionsSuppressorExtensionPeriod": 30});
    composite(&bench, "c", "ALARM(a)", by).await;
    let before = tried(&bench).await;
    // Into ALARM: it waits for the suppressor, which comes in time.
    set(&bench, "a", "ALARM").await;
    assert_eq!(described(&bench, "c").await["ActionsSuppressedBy"], "WaitPeriod");
    bench.pass(19).await;
    set(&bench, "s", "ALARM").await;
    let held = described(&bench, "c").await;
    assert_eq!(held["ActionsSuppressedBy"], "Alarm");
    assert_eq!(held["ActionsSuppressedReason"], "Actions suppressed by Alarm");
    bench.pass(100).await;
    assert_eq!(tried(&bench).await, before);
    // The suppressor goes; the composite alarm is still there at the end of the extension.
    set(&bench, "s", "OK").await;
    assert_eq!(
        described(&bench, "c").await["ActionsSuppressedBy"],
        "ExtensionPeriod"
    );
    let bench = bench.restarted().await;
    bench.pass(29).await;
    assert_eq!(tried(&bench).await, before);
    bench.pass(1).await;
    assert_eq!(tried(&bench).await, before + 1, "now it acts");
    assert!(described(&bench, "c").await.get("ActionsSuppressedBy").is_none());
    set(&bench, "a", "OK").await;
    assert_eq!(
        tried(&bench).await,
        before + 2,
        "with nothing to hold it back it acts at once"
    );
    // Nobody comes while it waits.
    set(&bench, "a", "ALARM").await;
    bench.pass(19).await;
    assert_eq!(tried(&bench).await, before + 2);
    bench.pass(1).await;
    assert_eq!(tried(&bench).await, before + 3);
}

#[tokio::test]
async fn what_others_depend_on_cannot_be_deleted() {
    let bench = bench().await;
    let by = json!({"ActionsSuppressor": "s", "ActionsSuppressorWaitPeriod": 0, "ActionsSuppressorExtensionPeriod": 0});
    composite(&bench, "c", "ALARM(a)", by).await;
    composite(&bench, "d", "ALARM(c)", json!({})).await;
    let delete = async |names: Json| bench.call("DeleteAlarms", json!({"AlarmNames": names})).await;
    for (names, words) in [
        (
            json!(["a"]),
            "Cannot delete a as there are composite alarm(s) depending on it: c.",
        ),
        (json!(["s"]), "depending on it: c."),
        (json!(["c"]), "depending on it: d."),
        (json!(["c", "d"]), "At most one composite alarm"),
    ] {
        Bench::refused(delete(names).await, "ValidationError", words);
    }
    delete(json!(["d"])).await.expect("gone");
    delete(json!(["c", "a"]))
        .await
        .expect("the composite alarm goes first");
    Bench::refused(delete(json!(["s", "x"])).await, "ResourceNotFound", "x");
    let left = bench.call("DescribeAlarms", json!({})).await.expect("alarms");
    assert_eq!(
        left["MetricAlarms"].as_array().map(Vec::len),
        Some(1),
        "s is gone all the same"
    );
}

#[tokio::test]
async fn composite_alarms_are_described_as_they_were_put() {
    let bench = bench().await;
    let other = "arn:aws:sns:us-east-1:000000000000:other";
    let request = json!({"AlarmName": "c", "AlarmRule": "ALARM(a)", "ActionsEnabled": false, "AlarmDescription": "both",
        "AlarmActions": [TOPIC], "OKActions": [other], "InsufficientDataActions": [other, TOPIC],
        "ActionsSuppressor": "s", "ActionsSuppressorWaitPeriod": 1, "ActionsSuppressorExtensionPeriod": 2,
        "Tags": [{"Key": "team", "Value": "x"}]});
    bench
        .call("PutCompositeAlarm", request.clone())
        .await
        .expect("a composite alarm");
    let bench = bench.restarted().await;
    let found = described(&bench, "c").await;
    for (member, wanted) in request.as_object().expect("members") {
        if member != "Tags" {
            assert_eq!(&found[member], wanted, "{member}");
        }
    }
    let arn = json!({"ResourceARN": found["AlarmArn"]});
    let tags = bench.call("ListTagsForResource", arn).await.expect("tags");
    assert_eq!(tags["Tags"], request["Tags"]);
    // Without actions there is nothing to tell.
    set(&bench, "a", "ALARM").await;
    bench.pass(5).await;
    assert_eq!(
        (state(&bench, "c").await.as_str(), tried(&bench).await),
        ("ALARM", 0)
    );
}
