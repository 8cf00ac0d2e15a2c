//! What describes alarms and their history: filters, pages, relatives.

use serde_json::{Value as Json, json};

use super::alarms::{alarm, history};
use crate::harness::Bench;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";

async fn names(bench: &Bench, request: Json) -> Vec<String> {
    let found = bench.call("DescribeAlarms", request).await.expect("alarms");
    let of = |kind: &str| found[kind].as_array().expect("a list").clone();
    let all = of("MetricAlarms").into_iter().chain(of("CompositeAlarms"));
    all.map(|alarm| alarm["AlarmName"].as_str().expect("a name").to_owned())
        .collect()
}

#[tokio::test]
async fn alarms_are_found_by_what_they_have_in_common() {
    let bench = Bench::new().await;
    for name in ["web-a", "web-b", "db"] {
        alarm(&bench, name, json!({"TreatMissingData": "ignore"})).await;
    }
    alarm(
        &bench,
        "web-a",
        json!({"TreatMissingData": "ignore", "AlarmActions": [TOPIC], "Statistic": "Average"}),
    )
    .await;
    for (name, rule) in [
        ("both", "ALARM(web-a) OR ALARM(web-b)"),
        ("top", "ALARM(both) OR OK(db)"),
    ] {
        let request = json!({"AlarmName": name, "AlarmRule": rule, "OKActions": [TOPIC]});
        bench
            .call("PutCompositeAlarm", request)
            .await
            .expect("a composite alarm");
    }
    let set = json!({"AlarmName": "web-b", "StateValue": "ALARM", "StateReason": ""});
    bench.call("SetAlarmState", set).await.expect("set");
    let both = json!(["MetricAlarm", "CompositeAlarm"]);
    for (request, wanted) in [
        (json!({}), vec!["db", "web-a", "web-b"]),
        (json!({"AlarmTypes": ["CompositeAlarm"]}), vec!["both", "top"]),
        (
            json!({"AlarmTypes": both}),
            vec!["db", "web-a", "web-b", "both", "top"],
        ),
        (json!({"AlarmNames": ["db", "none"]}), vec!["db"]),
        (json!({"AlarmNamePrefix": "web"}), vec!["web-a", "web-b"]),
        (json!({"StateValue": "ALARM"}), vec!["web-b"]),
        (json!({"ActionPrefix": "arn:aws:sns"}), vec!["web-a"]),
        (
            json!({"ActionPrefix": TOPIC, "AlarmTypes": both}),
            vec!["web-a", "both", "top"],
        ),
        (json!({"ChildrenOfAlarmName": "top"}), vec!["db", "both"]),
        (json!({"ParentsOfAlarmName": "web-a"}), vec!["both"]),
        (json!({"ParentsOfAlarmName": "top"}), vec![]),
    ] {
        assert_eq!(names(&bench, request.clone()).await, wanted, "{request}");
    }
    let brief = bench
        .call("DescribeAlarms", json!({"ChildrenOfAlarmName": "both"}))
        .await
        .expect("children");
    let told: Vec<&String> = brief["MetricAlarms"][1]
        .as_object()
        .expect("members")
        .keys()
        .collect();
    assert_eq!(
        told,
        ["AlarmArn", "AlarmName", "StateUpdatedTimestamp", "StateValue"]
    );
    for (request, code, words) in [
        (
            json!({"AlarmNames": ["a"], "AlarmNamePrefix": "a"}),
            "ValidationError",
            "AlarmNamePrefix",
        ),
        (
            json!({"ChildrenOfAlarmName": "top", "StateValue": "OK"}),
            "ValidationError",
            "alone",
        ),
        (
            json!({"ChildrenOfAlarmName": "top", "ParentsOfAlarmName": "top"}),
            "ValidationError",
            "together",
        ),
        (json!({"ChildrenOfAlarmName": "none"}), "ResourceNotFound", "none"),
        (
            json!({"ChildrenOfAlarmName": "db"}),
            "ValidationError",
            "no composite alarm",
        ),
        (json!({"NextToken": "x"}), "InvalidNextToken", "invalid"),
    ] {
        Bench::refused(bench.call("DescribeAlarms", request).await, code, words);
    }
    for (request, wanted) in [
        (json!({}), 3),
        (json!({"Statistic": "Average"}), 1),
        (json!({"Statistic": "Sum", "Period": 10}), 2),
        (json!({"Period": 60}), 0),
        (json!({"Unit": "Count"}), 0),
        (json!({"ExtendedStatistic": "p90"}), 0),
        (json!({"Dimensions": [{"Name": "a", "Value": "b"}]}), 0),
    ] {
        let mut whole = json!({"Namespace": "App", "MetricName": "m"});
        for (name, value) in request.as_object().expect("members") {
            whole[name] = value.clone();
        }
        let found = bench
            .call("DescribeAlarmsForMetric", whole)
            .await
            .expect("alarms");
        assert_eq!(
            found["MetricAlarms"].as_array().map(Vec::len),
            Some(wanted),
            "{request}"
        );
    }
    let two = json!({"Namespace": "App", "MetricName": "m", "Statistic": "Sum", "ExtendedStatistic": "p90"});
    Bench::refused(
        bench.call("DescribeAlarmsForMetric", two).await,
        "ValidationError",
        "At most one",
    );
}

#[tokio::test]
async fn alarms_and_history_come_in_pages() {
    let bench = Bench::new().await;
    for index in 0..5 {
        alarm(&bench, &format!("a{index}"), json!({})).await;
        bench.clock.advance(1000);
    }
    let pages = async |operation: &str, items: &str, request: Json| {
        let (mut seen, mut token) = (Vec::new(), Json::Null);
        loop {
            let mut request = request.clone();
            if !token.is_null() {
                request["NextToken"] = token;
            }
            let page = bench.call(operation, request).await.expect("a page");
            seen.extend(
                page[items]
                    .as_array()
                    .expect("items")
                    .iter()
                    .map(|item| item["AlarmName"].clone()),
            );
            token = page["NextToken"].clone();
            if token.is_null() {
                return seen;
            }
        }
    };
    let names: Vec<String> = (0..5).map(|index| format!("a{index}")).collect();
    let backwards: Vec<&String> = names.iter().rev().collect();
    assert_eq!(
        json!(pages("DescribeAlarms", "MetricAlarms", json!({"MaxRecords": 2})).await),
        json!(names)
    );
    let request = json!({"MaxRecords": 2, "ScanBy": "TimestampAscending"});
    let found = pages("DescribeAlarmHistory", "AlarmHistoryItems", request).await;
    assert_eq!(json!(found), json!(names));
    let found = pages(
        "DescribeAlarmHistory",
        "AlarmHistoryItems",
        json!({"MaxRecords": 2}),
    )
    .await;
    assert_eq!(
        json!(found),
        json!(backwards),
        "the newest first, unless asked otherwise"
    );
}

#[tokio::test]
async fn history_is_narrowed_outlives_its_alarm_and_ends() {
    let bench = Bench::new().await;
    let start = bench.now().0 / 1000;
    alarm(&bench, "a", json!({})).await;
    bench.clock.advance(10_000);
    let set =
        json!({"AlarmName": "a", "StateValue": "OK", "StateReason": "r", "StateReasonData": "{\"k\": 1}"});
    bench.call("SetAlarmState", set).await.expect("set");
    bench.clock.advance(10_000);
    bench
        .call("DeleteAlarms", json!({"AlarmNames": ["a"]}))
        .await
        .expect("deleted");
    let bench = bench.restarted().await;
    let count = async |request: Json| {
        let found = bench
            .call("DescribeAlarmHistory", request)
            .await
            .expect("history");
        found["AlarmHistoryItems"].as_array().map_or(0, Vec::len)
    };
    for (request, wanted) in [
        (json!({}), 3),
        (json!({"AlarmName": "a"}), 3),
        (json!({"AlarmName": "b"}), 0),
        (json!({"AlarmTypes": ["CompositeAlarm"]}), 0),
        (json!({"HistoryItemType": "StateUpdate"}), 1),
        (json!({"StartDate": start + 5}), 2),
        (json!({"EndDate": start + 15}), 2),
        (json!({"StartDate": start + 5, "EndDate": start + 15}), 1),
    ] {
        assert_eq!(count(request.clone()).await, wanted, "{request}");
    }
    let found = bench
        .call("DescribeAlarmHistory", json!({"HistoryItemType": "StateUpdate"}))
        .await
        .expect("history");
    let data = found["AlarmHistoryItems"][0]["HistoryData"]
        .as_str()
        .expect("data");
    let data: Json = serde_json::from_str(data).expect("JSON");
    assert_eq!(
        data["newState"],
        json!({"stateValue": "OK", "stateReason": "r", "stateReasonData": {"k": 1}})
    );
    assert_eq!(data["oldState"]["stateValue"], "INSUFFICIENT_DATA");
    for (request, words) in [(json!({"StartDate": start, "EndDate": start - 1}), "StartDate")] {
        Bench::refused(
            bench.call("DescribeAlarmHistory", request).await,
            "ValidationError",
            words,
        );
    }
    let contributor = json!({"AlarmContributorId": "x"});
    Bench::refused(
        bench.call("DescribeAlarmHistory", contributor).await,
        "InvalidParameterValue",
        "AlarmContributorId",
    );
    let clear = async || {
        crate::alarms::history::clear(&bench.metrics)
            .await
            .expect("cleared")
    };
    assert_eq!(clear().await, 0);
    bench.clock.advance(30 * 86_400_000 - 5_000);
    assert_eq!(clear().await, 2, "what is older than 30 days");
    assert_eq!(
        history(&bench, "a", "ConfigurationUpdate").await,
        ["Alarm \"a\" deleted"]
    );
}
