//! Task definitions that are deleted while a service has them.

use serde_json::{Value as Json, json};

use super::{Plane, plane};
use crate::harness::{SUBNET_A, awsvpc, definition};
use crate::tasks::Launch;
use crate::tasks::launch::{self, Choice};
use crate::tasks::placement::Placement;
use crate::tasks::request::{self, Asked};

async fn of(plane: &Plane, operation: &str, named: &str) -> Json {
    let input = match operation {
        "DeleteTaskDefinitions" => json!({"taskDefinitions": [named]}),
        _ => json!({"taskDefinition": named}),
    };
    plane.cloud.call(operation, input).await.expect(operation)
}

async fn listed(plane: &Plane, status: &str) -> Json {
    let asked = json!({"status": status});
    let answer = plane
        .cloud
        .call("ListTaskDefinitions", asked)
        .await
        .expect("lists");
    let arns = answer["taskDefinitionArns"].as_array().expect("a list").iter();
    let names = arns.map(|arn| {
        arn.as_str()
            .expect("an ARN")
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    });
    names.collect()
}

async fn sweep(plane: &Plane) {
    let ecs = &plane.cloud.ecs;
    ecs.present().await.expect("reads");
    for key in ecs.going() {
        ecs.let_go(&key).await.expect("looks");
    }
}

#[tokio::test]
async fn a_deleted_definition_stays_while_a_service_or_a_task_has_it() {
    let mut plane = plane().await;
    plane.create(json!({"desiredCount": 1})).await;
    plane.tasks("RUNNING", 1).await;
    let active = of(&plane, "DeleteTaskDefinitions", "web:1").await;
    assert_eq!(active["taskDefinitions"], json!([]));
    let reason = active["failures"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("still in ACTIVE status"), "{reason}");
    of(&plane, "DeregisterTaskDefinition", "web:1").await;
    let asked = of(&plane, "DeleteTaskDefinitions", "web:1").await;
    assert_eq!(asked["failures"], json!([]));
    let shown = &asked["taskDefinitions"][0];
    assert_eq!(shown["status"], "DELETE_IN_PROGRESS");
    assert!(shown["deleteRequestedAt"].is_number(), "{shown:#}");
    assert_eq!(
        of(&plane, "DeleteTaskDefinitions", "web:1").await,
        asked,
        "once more"
    );
    assert_eq!(listed(&plane, "DELETE_IN_PROGRESS").await, json!(["web:1"]));
    assert_eq!(listed(&plane, "INACTIVE").await, json!([]));

    let refused = json!({"taskDefinition": "web:1"});
    let error = plane
        .cloud
        .call("RunTask", refused)
        .await
        .expect_err("nothing new");
    assert_eq!(error.message, "TaskDefinition is inactive");
    plane.update(json!({"desiredCount": 2})).await;
    let tasks = plane.tasks("RUNNING", 2).await;
    sweep(&plane).await;
    assert_eq!(
        of(&plane, "DescribeTaskDefinition", "web:1").await["taskDefinition"]["status"],
        "DELETE_IN_PROGRESS"
    );

    let gone = json!({"service": "web", "force": true});
    plane.cloud.call("DeleteService", gone).await.expect("deletes");
    plane.tasks("STOPPED", 2).await;
    plane
        .service_when("inactive", |service| service["status"] == "INACTIVE")
        .await;
    sweep(&plane).await;
    assert_eq!(
        listed(&plane, "DELETE_IN_PROGRESS").await,
        json!(["web:1"]),
        "its tasks still end"
    );
    for task in &tasks {
        plane.report(task, "STOPPED").await;
        plane.cloud.task_when(task, "STOPPED").await;
    }
    // The loop that sweeps looks at everything when it starts.
    plane = plane.restart().await;
    is_gone(&plane, "web:1").await;
    assert_eq!(listed(&plane, "DELETE_IN_PROGRESS").await, json!([]));
    assert_eq!(listed(&plane, "INACTIVE").await, json!([]));
    let families = plane.cloud.call("ListTaskDefinitionFamilies", json!({})).await;
    assert_eq!(families.expect("lists")["families"], json!([]));
    let next = plane
        .cloud
        .call("RegisterTaskDefinition", definition("web", "bridge", |_| {}))
        .await;
    assert_eq!(next.expect("registers")["taskDefinition"]["revision"], 2);
}

async fn is_gone(plane: &Plane, named: &str) {
    for _ in 0..12_000 {
        let asked = json!({"taskDefinition": named});
        if plane.cloud.call("DescribeTaskDefinition", asked).await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{named} is never gone");
}

#[tokio::test]
async fn one_that_nothing_has_goes_at_once() {
    let plane = plane().await;
    of(&plane, "DeregisterTaskDefinition", "web:1").await;
    of(&plane, "DeleteTaskDefinitions", "web:1").await;
    is_gone(&plane, "web:1").await;
}

/// What was looked at before somebody deregistered the definition is not written afterwards: nothing is made of what goes.
#[tokio::test]
async fn a_task_that_was_begun_with_a_definition_is_not_made_once_it_was_deregistered() {
    let plane = plane().await;
    let ecs = &plane.cloud.ecs;
    let ctx = plane.cloud.ctx(roadstead_base::Caller::Root);
    let asked = Asked {
        cluster: None,
        task_definition: "web:1".to_owned(),
        launch: Launch::Ec2,
        enable_ecs_managed_tags: None,
        group: None,
        network_configuration: None,
        overrides: None,
        placement: Placement::of(Launch::Ec2, None, None).expect("nothing is asked of it"),
        propagate_tags: None,
        started_by: None,
        started_by_max: 128,
        tags: None,
        owner: None,
    };
    let mut wanted = request::check(ecs, &ctx, asked).await.expect("it is ACTIVE");
    of(&plane, "DeregisterTaskDefinition", "web:1").await;
    let made = launch::launch(ecs, &ctx, &mut wanted, &Choice::Anywhere(1), None, None).await;
    assert_eq!(
        made.map(|_| ()).expect_err("too late").to_string(),
        "TaskDefinition is inactive"
    );
    let tasks = plane.cloud.call("ListTasks", json!({})).await.expect("lists");
    assert_eq!(tasks["taskArns"], json!([]));
}

/// Makes the call, and has the definition `own:1` deregistered, deleted and gone after the call has found it ACTIVE and
/// before what comes of it is written.
async fn raced(plane: &Plane, operation: &str, input: Json) -> String {
    let own = definition("own", "awsvpc", |_| {});
    let registered = plane.cloud.call("RegisterTaskDefinition", own).await;
    registered.expect("registers");
    let hold = plane.cloud.network.hold_next("DescribeSubnets");
    let call = plane.cloud.call(operation, input);
    let delete = async {
        hold.made().await;
        of(plane, "DeregisterTaskDefinition", "own:1").await;
        of(plane, "DeleteTaskDefinitions", "own:1").await;
        sweep(plane).await;
        is_gone(plane, "own:1").await;
        hold.let_go();
    };
    let (answer, ()) = tokio::join!(call, delete);
    let error = answer.expect_err("too late");
    assert!(
        ["ClientException", "InvalidParameterException"].contains(&&*error.code),
        "{error:?}"
    );
    error.message
}

fn own() -> Json {
    json!({"taskDefinition": "own:1", "networkConfiguration": awsvpc(&[SUBNET_A], &[])})
}

#[tokio::test]
async fn a_service_that_was_begun_with_a_definition_is_not_made_once_it_is_gone() {
    let plane = plane().await;
    let mut wanted = own();
    wanted["serviceName"] = json!("late");
    wanted["desiredCount"] = json!(1);
    let message = raced(&plane, "CreateService", wanted).await;
    assert_eq!(message, "TaskDefinition not found.");
    let services = plane.cloud.call("ListServices", json!({})).await;
    assert_eq!(services.expect("lists")["serviceArns"], json!([]));
}

#[tokio::test]
async fn a_service_keeps_its_definition_when_the_next_is_gone_in_between() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 1})).await;
    plane.all_run(1).await;
    let mut wanted = own();
    wanted["service"] = json!("web");
    let message = raced(&plane, "UpdateService", wanted).await;
    assert_eq!(message, "TaskDefinition not found.");
    let service = plane.service().await;
    assert!(
        super::text(&service["taskDefinition"]).ends_with("/web:1"),
        "{service:#}"
    );
    assert_eq!(service["deployments"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_task_set_that_was_begun_with_a_definition_is_not_made_once_it_is_gone() {
    let plane = plane().await;
    plane
        .create(json!({"taskDefinition": null, "deploymentController": {"type": "EXTERNAL"}}))
        .await;
    let mut wanted = own();
    wanted["cluster"] = json!("default");
    wanted["service"] = json!("web");
    let message = raced(&plane, "CreateTaskSet", wanted).await;
    assert_eq!(message, "TaskDefinition not found.");
    assert_eq!(plane.service().await["taskSets"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_deleted_is_said_of_each() {
    let plane = plane().await;
    for (named, words) in [
        ("web:9", "does not exist"),
        ("none:1", "does not exist"),
        ("web", "identifier is invalid"),
        ("web:x", "identifier is invalid"),
    ] {
        let answer = of(&plane, "DeleteTaskDefinitions", named).await;
        assert_eq!(answer["taskDefinitions"], json!([]));
        let reason = answer["failures"][0]["reason"].as_str().expect("a reason");
        assert!(reason.contains(words), "{named}: {reason}");
    }
    for many in [json!([]), json!(vec!["web:1"; 11])] {
        let asked = json!({"taskDefinitions": many});
        let error = plane
            .cloud
            .call("DeleteTaskDefinitions", asked)
            .await
            .expect_err("too few or many");
        assert_eq!(error.code, "InvalidParameterException");
    }
}
