//! Tags of alarms and dashboards, and switching actions on and off.

use serde_json::{Value as Json, json};

use super::alarms::{alarm, described, history};
use crate::harness::Bench;

const ALARM: &str = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a";
const DASHBOARD: &str = "arn:aws:cloudwatch::000000000000:dashboard/d";

async fn tags(bench: &Bench, arn: &str) -> Json {
    let found = bench
        .call("ListTagsForResource", json!({"ResourceARN": arn}))
        .await
        .expect("tags");
    found["Tags"].clone()
}

#[tokio::test]
async fn alarms_and_dashboards_have_tags() {
    let bench = Bench::new().await;
    let team = |value: &str| json!([{"Key": "team", "Value": value}]);
    let dashboard =
        |tags: Json| json!({"DashboardName": "d", "DashboardBody": "{\"widgets\": []}", "Tags": tags});
    alarm(&bench, "a", json!({"Tags": team("x")})).await;
    bench
        .call("PutDashboard", dashboard(team("x")))
        .await
        .expect("a dashboard");
    // Of what is there already, putting it again leaves the tags.
    alarm(&bench, "a", json!({"Tags": team("y")})).await;
    bench
        .call("PutDashboard", dashboard(team("y")))
        .await
        .expect("a dashboard");
    for arn in [ALARM, DASHBOARD] {
        assert_eq!(tags(&bench, arn).await, team("x"));
        let more =
            json!({"ResourceARN": arn, "Tags": [{"Key": "team", "Value": "z"}, {"Key": "b", "Value": ""}]});
        bench.call("TagResource", more.clone()).await.expect("tagged");
        bench.call("TagResource", more).await.expect("tagged again");
        assert_eq!(
            tags(&bench, arn).await,
            json!([{"Key": "b", "Value": ""}, {"Key": "team", "Value": "z"}])
        );
        let fewer = json!({"ResourceARN": arn, "TagKeys": ["b", "none"]});
        bench.call("UntagResource", fewer).await.expect("untagged");
        assert_eq!(tags(&bench, arn).await, team("z"));
        let many: Vec<Json> = (0..50)
            .map(|index| json!({"Key": format!("k{index}"), "Value": ""}))
            .collect();
        let many = bench
            .call("TagResource", json!({"ResourceARN": arn, "Tags": many}))
            .await;
        Bench::refused(many, "InvalidParameterValue", "50");
        let reserved = json!({"ResourceARN": arn, "Tags": [{"Key": "aws:x", "Value": ""}]});
        Bench::refused(
            bench.call("TagResource", reserved).await,
            "InvalidParameterValue",
            "Tags.member.1.Key",
        );
    }
    let bench = bench.restarted().await;
    assert_eq!(tags(&bench, ALARM).await, team("z"));
    for (arn, code) in [
        ("x", "InvalidParameterValue"),
        (
            "arn:aws:cloudwatch:us-east-1:000000000000:alarm:none",
            "ResourceNotFoundException",
        ),
        (
            "arn:aws:cloudwatch:eu-west-1:000000000000:alarm:a",
            "ResourceNotFoundException",
        ),
        (
            "arn:aws:cloudwatch:us-east-1:111111111111:alarm:a",
            "ResourceNotFoundException",
        ),
        (
            "arn:aws:cloudwatch::000000000000:dashboard/none",
            "ResourceNotFoundException",
        ),
        (
            "arn:aws:cloudwatch:us-east-1:000000000000:insight-rule/x",
            "ResourceNotFoundException",
        ),
    ] {
        let listed = bench
            .call("ListTagsForResource", json!({"ResourceARN": arn}))
            .await;
        Bench::refused(listed, code, arn);
    }
}

#[tokio::test]
async fn actions_are_switched_off_and_on() {
    let bench = Bench::new().await;
    let topic = "arn:aws:sns:us-east-1:000000000000:t";
    alarm(
        &bench,
        "a",
        json!({"AlarmActions": [topic], "OKActions": [topic], "TreatMissingData": "ignore", "ActionsEnabled": false}),
    )
    .await;
    let set = async |state: &str| {
        let request = json!({"AlarmName": "a", "StateValue": state, "StateReason": ""});
        bench.call("SetAlarmState", request).await.expect("set");
        bench.look().await;
    };
    for _ in 0..2 {
        bench
            .call("DisableAlarmActions", json!({"AlarmNames": ["a", "none"]}))
            .await
            .expect("off");
    }
    assert_eq!(described(&bench, "a").await["ActionsEnabled"], false);
    set("ALARM").await;
    assert_eq!(history(&bench, "a", "Action").await.len(), 0);
    bench
        .call("EnableAlarmActions", json!({"AlarmNames": ["a"]}))
        .await
        .expect("on");
    assert_eq!(
        history(&bench, "a", "Action").await.len(),
        0,
        "nothing follows by itself"
    );
    set("OK").await;
    assert_eq!(history(&bench, "a", "Action").await.len(), 1);
    let updates = history(&bench, "a", "ConfigurationUpdate").await;
    assert_eq!(
        updates.len(),
        2,
        "created and switched on, for off it was: {updates:?}"
    );
}
