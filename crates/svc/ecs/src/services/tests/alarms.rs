//! Deployments that fail by alarms.

use std::sync::Arc;

use roadstead_api_cloudwatch::StateValue::{Alarm, Ok as Quiet};
use serde_json::{Value as Json, json};

use super::deployments::latest_when;
use super::{Plane, is_steady, messages, plane};
use crate::harness::{Alarms, text};

/// With the alarm `slow`, which looks at two minutes.
async fn with_alarms() -> (Plane, Arc<Alarms>) {
    let plane = plane().await;
    let alarms = Arc::new(Alarms::default());
    alarms.set("slow", Quiet, Some(60));
    plane.cloud.ecs.dispatcher.register(alarms.clone());
    (plane, alarms)
}

fn rule(names: &[&str], rollback: bool) -> Json {
    json!({"alarms": {"alarmNames": names, "enable": true, "rollback": rollback}})
}

/// With two tasks that run, and all done.
async fn deployed(plane: &Plane, rule: Json) -> Vec<String> {
    plane.create(json!({"deploymentConfiguration": rule})).await;
    let tasks = plane.all_run(2).await;
    for _ in 0..12_000 {
        let service = plane.service().await;
        if service["deployments"][0]["rolloutState"] == "COMPLETED" {
            break;
        }
        plane.cloud.clock.advance(10_000);
        plane.cloud.ecs.wake_services();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    latest_when(plane, "SUCCESSFUL").await;
    plane.service_when("steady", is_steady).await;
    tasks
}

#[tokio::test]
async fn alarms_are_watched_for_a_while_after_all_runs() {
    let (plane, alarms) = with_alarms().await;
    let shown = plane
        .create(json!({"deploymentConfiguration": rule(&["slow"], false)}))
        .await;
    assert_eq!(
        shown["deploymentConfiguration"]["alarms"],
        json!({"alarmNames": ["slow"], "enable": true, "rollback": false})
    );
    plane.all_run(2).await;
    let bakes = async |plane: &Plane| {
        let below = crate::tests::ctx().partition();
        let table = plane.cloud.ecs.services();
        let (services, _) = table.all(&table.within(&below)).await.expect("reads");
        let current = services[0].value.current.clone();
        current
            .and_then(|current| current.watch)
            .and_then(|watch| watch.since)
    };
    for _ in 0..12_000 {
        if bakes(&plane).await.is_some() {
            break;
        }
        plane.cloud.ecs.wake_services();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let since = bakes(&plane).await;
    assert!(since.is_some());
    plane.cloud.clock.advance(119_999);
    let plane = plane.restart().await;
    plane.cloud.ecs.dispatcher.register(alarms.clone());
    plane.cloud.ecs.wake_services();
    let going = latest_when(&plane, "IN_PROGRESS").await;
    assert_eq!(
        going["alarms"],
        json!({"alarmNames": ["slow"], "status": "MONITORING"})
    );
    assert_eq!(
        plane.service().await["deployments"][0]["rolloutState"],
        "IN_PROGRESS"
    );
    assert_eq!(bakes(&plane).await, since, "a restart does not begin anew");
    plane.cloud.clock.advance(1);
    let done = latest_when(&plane, "SUCCESSFUL").await;
    assert_eq!(done["alarms"]["status"], "MONITORING_COMPLETE");
    plane.service_when("steady", is_steady).await;
    assert!(
        alarms
            .callers()
            .iter()
            .all(|caller| caller.contains("ecs.amazonaws.com"))
    );
}

#[tokio::test]
async fn an_alarm_during_a_deployment_rolls_it_back() {
    let (plane, alarms) = with_alarms().await;
    alarms.set("all", Quiet, None);
    let old = deployed(&plane, rule(&["slow", "all"], true)).await;
    let before = plane.service().await;
    plane.revise().await;
    let updated = plane.update(json!({"taskDefinition": "web"})).await;
    let four = plane.tasks("RUNNING", 4).await;
    latest_when(&plane, "IN_PROGRESS").await;
    // It does not count before the first new task runs.
    alarms.set("all", Alarm, None);
    plane.cloud.ecs.wake_services();
    latest_when(&plane, "IN_PROGRESS").await;
    let new = four.iter().find(|task| !old.contains(task)).expect("a new one");
    plane.report(new, "RUNNING").await;
    let done = latest_when(&plane, "ROLLBACK_SUCCESSFUL").await;
    assert_eq!(
        done["alarms"],
        json!({"alarmNames": ["slow", "all"], "status": "TRIGGERED", "triggeredAlarmNames": ["all"]})
    );
    assert_eq!(
        (&done["statusReason"], &done["rollback"]["serviceRevisionArn"]),
        (
            &json!("Service deployment rolled back because a CloudWatch alarm went into the ALARM state."),
            &before["currentServiceRevisions"][0]["arn"]
        )
    );
    let service = plane.service_when("steady", is_steady).await;
    assert_eq!(service["taskDefinition"], before["taskDefinition"]);
    let failed = text(&updated["deployments"][0]["id"]);
    let said = format!("(service web) (deployment {failed}) deployment failed: alarm detected.");
    assert!(messages(&service).contains(&said), "{:?}", messages(&service));
    let events = super::bus::told(&plane).await;
    let mut failures = events
        .iter()
        .filter(|event| event.detail["eventName"] == "SERVICE_DEPLOYMENT_FAILED");
    let failure = failures.next().expect("is told");
    assert_eq!(
        (&failure.detail["deploymentId"], &failure.detail["reason"]),
        (&json!(failed), &json!("ECS deployment alarms: alarm detected."))
    );
    assert!(failures.next().is_none());
}

#[tokio::test]
async fn without_rollback_an_alarm_only_stops_a_deployment() {
    let (plane, alarms) = with_alarms().await;
    let old = deployed(&plane, rule(&["slow"], false)).await;
    plane.update(json!({"forceNewDeployment": true})).await;
    let four = plane.tasks("RUNNING", 4).await;
    latest_when(&plane, "IN_PROGRESS").await;
    let new = four.iter().find(|task| !old.contains(task)).expect("a new one");
    plane.report(new, "RUNNING").await;
    let three = plane.tasks("RUNNING", 3).await;
    alarms.set("slow", Alarm, Some(60));
    let stopped = latest_when(&plane, "STOPPED").await;
    assert_eq!(
        stopped["statusReason"],
        "Service deployment failed because a CloudWatch alarm went into the ALARM state."
    );
    let service = plane.service().await;
    assert_eq!(service["deployments"][0]["rolloutState"], "FAILED");
    let left = plane.tasks("RUNNING", 2).await;
    assert!(
        left.iter().all(|task| three.contains(task)),
        "nothing more is started"
    );
}

#[tokio::test]
async fn an_alarm_that_rang_before_is_not_listened_to() {
    let (plane, alarms) = with_alarms().await;
    alarms.set("slow", Alarm, Some(60));
    plane
        .create(json!({"deploymentConfiguration": rule(&["slow"], true)}))
        .await;
    plane.all_run(2).await;
    let done = latest_when(&plane, "SUCCESSFUL").await;
    assert_eq!(
        done["alarms"],
        json!({"alarmNames": ["slow"], "status": "DISABLED"})
    );
    let service = plane.service_when("steady", is_steady).await;
    let said = "does not monitor its alarms because these were in the ALARM state when it started: slow.";
    assert_eq!(
        messages(&service)
            .iter()
            .filter(|message| message.contains(said))
            .count(),
        1
    );
}

#[tokio::test]
async fn an_alarm_that_is_not_there_is_told_and_counts_once_it_is() {
    let (plane, alarms) = with_alarms().await;
    plane
        .create(json!({"deploymentConfiguration": rule(&["slow", "later", "never"], true)}))
        .await;
    let said = "was unable to find these CloudWatch alarms: later, never.";
    plane.service_that_says(said).await;
    plane.all_run(2).await;
    alarms.set("later", Quiet, Some(10));
    plane
        .service_that_says("was unable to find these CloudWatch alarms: never.")
        .await;
    alarms.set("later", Alarm, Some(10));
    // Nothing ran before.
    let failed = latest_when(&plane, "ROLLBACK_FAILED").await;
    assert_eq!(failed["alarms"]["triggeredAlarmNames"], json!(["later"]));
    let service = plane.service().await;
    assert_eq!(
        messages(&service)
            .iter()
            .filter(|message| message.contains(said))
            .count(),
        1
    );
}

#[tokio::test]
async fn alarms_are_what_the_last_request_says() {
    let (plane, _alarms) = with_alarms().await;
    let configured = |service: Json| service["deploymentConfiguration"]["alarms"].clone();
    let created = plane.create(json!({"desiredCount": 0})).await;
    assert_eq!(configured(created), Json::Null);
    let asked = json!({"alarmNames": ["slow"], "enable": false, "rollback": true});
    let off = plane
        .update(json!({"deploymentConfiguration": {"alarms": asked}}))
        .await;
    assert_eq!(configured(off), asked);
    let kept = plane
        .update(json!({"deploymentConfiguration": {"maximumPercent": 150}}))
        .await;
    assert_eq!(configured(kept), asked);
    let done = latest_when(&plane, "SUCCESSFUL").await;
    assert_eq!(done["alarms"]["status"], "DISABLED");
    let many: Vec<String> = (0..101).map(|number| format!("a{number}")).collect();
    for (names, words) in [
        (json!([]), "cannot be empty when enable is true."),
        (json!(many), "at most 100"),
        (json!([""]), "between 1 and 255"),
        (json!(["a".repeat(256)]), "between 1 and 255"),
    ] {
        let alarms = json!({"alarmNames": names, "enable": true, "rollback": false});
        let request = json!({"service": "web", "deploymentConfiguration": {"alarms": alarms}});
        let error = plane
            .cloud
            .call("UpdateService", request)
            .await
            .expect_err("is refused");
        assert_eq!(error.code, "InvalidParameterException");
        assert!(error.message.contains(words), "{error}");
    }
}
