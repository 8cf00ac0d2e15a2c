//! Services whose controller is EXTERNAL, and their task sets.

mod faults;
mod refusals;

use roadstead_protocol::ApiError;
use serde_json::{Value as Json, json};

use super::bus::told;
use super::{Plane, is_steady, messages, plane};
use crate::harness::{GROUP, SUBNET_A, awsvpc, definition, text};
use crate::tests::refused;

const INVALID: &str = "InvalidParameterException";

/// With the service `web`, of so many tasks.
async fn external(desired: i32) -> Plane {
    let plane = plane().await;
    let made = plane
        .create(json!({
            "taskDefinition": null, "desiredCount": desired, "deploymentController": {"type": "EXTERNAL"},
        }))
        .await;
    assert_eq!(made["deploymentController"], json!({"type": "EXTERNAL"}));
    assert_eq!(
        (&made["taskSets"], &made["deployments"]),
        (&json!([]), &json!([])),
        "{made:#}"
    );
    for member in [
        "taskDefinition",
        "launchType",
        "networkConfiguration",
        "currentServiceDeployment",
    ] {
        assert_eq!(made[member], Json::Null, "{member}");
    }
    plane
}

async fn call(plane: &Plane, operation: &str, change: Json) -> Result<Json, ApiError> {
    let mut request = json!({"cluster": "default", "service": "web"});
    for (name, value) in change.as_object().expect("members") {
        request[name] = value.clone();
    }
    let answer = plane.cloud.call(operation, request).await?;
    Ok(answer["taskSet"].clone())
}

async fn create(plane: &Plane, percent: f64) -> Json {
    let wanted = json!({"taskDefinition": "web", "scale": {"value": percent, "unit": "PERCENT"}});
    call(plane, "CreateTaskSet", wanted).await.expect("creates")
}

async fn scale(plane: &Plane, set: &str, percent: f64) -> Json {
    let wanted = json!({"taskSet": set, "scale": {"value": percent}});
    call(plane, "UpdateTaskSet", wanted).await.expect("scales")
}

async fn sets(plane: &Plane) -> Vec<Json> {
    let request = json!({"cluster": "default", "service": "web", "include": ["TAGS"]});
    let answer = plane.cloud.call("DescribeTaskSets", request).await;
    answer.expect("describes")["taskSets"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn id_of(set: &Json) -> String {
    text(&set["id"])
}

/// The service's task set of that id once it is so.
async fn set_when(plane: &Plane, id: &str, what: &str, is: impl Fn(&Json) -> bool) -> Json {
    let find = |service: &Json| {
        let sets = service["taskSets"].as_array().cloned().unwrap_or_default();
        sets.into_iter().find(|set| set["id"] == id)
    };
    let service = plane
        .service_when(what, |service| find(service).is_some_and(|set| is(&set)))
        .await;
    find(&service).expect("is there")
}

fn counts(set: &Json) -> [i64; 3] {
    ["computedDesiredCount", "runningCount", "pendingCount"]
        .map(|count| set[count].as_i64().expect("a number"))
}

fn is_stable(set: &Json) -> bool {
    set["stabilityStatus"] == "STEADY_STATE"
}

#[tokio::test]
async fn a_task_set_runs_its_part_of_the_desired_count() {
    let plane = external(3).await;
    let made = create(&plane, 50.0).await;
    let id = id_of(&made);
    let digits = id.strip_prefix("ecs-svc/").expect("as documented");
    assert!(
        digits.len() == 19 && digits.bytes().all(|it| it.is_ascii_digit()),
        "{id}"
    );
    assert_eq!(
        made["taskSetArn"],
        format!("arn:aws:ecs:us-east-1:000000000000:task-set/default/web/{id}")
    );
    assert_eq!(
        made["serviceArn"],
        "arn:aws:ecs:us-east-1:000000000000:service/default/web"
    );
    assert_eq!(
        made["clusterArn"],
        "arn:aws:ecs:us-east-1:000000000000:cluster/default"
    );
    assert_eq!(
        (&made["status"], &made["launchType"], &made["stabilityStatus"]),
        (&json!("ACTIVE"), &json!("EC2"), &json!("STABILIZING"))
    );
    assert_eq!(made["scale"], json!({"value": 50.0, "unit": "PERCENT"}));
    assert_eq!(
        (&made["startedBy"], &made["loadBalancers"]),
        (&Json::Null, &json!([]))
    );
    // Half of three, rounded up.
    let tasks = plane.tasks("RUNNING", 2).await;
    assert_eq!(counts(&sets(&plane).await[0]), [2, 0, 2]);
    for arn in &tasks {
        let task = plane.cloud.task(arn).await;
        assert_eq!(
            (&task["group"], &task["startedBy"]),
            (&json!("service:web"), &json!(id))
        );
    }
    plane.all_run(2).await;
    let set = set_when(&plane, &id, "stable", is_stable).await;
    assert_eq!(counts(&set), [2, 2, 0]);
    let service = plane.service_when("steady", is_steady).await;
    let said = messages(&service);
    assert_eq!(said[0], "(service web) has reached a steady state.");
    assert_eq!(
        said[1],
        format!("(service web, taskSet {id}) has reached a steady state.")
    );
    let begin = format!("(service web, taskSet {id}) has started 2 tasks: (task ");
    assert!(said[2].starts_with(&begin), "{said:?}");
    assert_eq!(
        (&service["desiredCount"], &service["runningCount"]),
        (&json!(3), &json!(2))
    );

    let events = told(&plane).await;
    let names: Vec<&Json> = events.iter().map(|event| &event.detail["eventName"]).collect();
    assert_eq!(names, ["TASKSET_STEADY_STATE", "SERVICE_STEADY_STATE"]);
    assert_eq!(events[0].detail["taskSetArns"], json!([set["taskSetArn"]]));

    let set = scale(&plane, &id, 100.0).await;
    assert_eq!((counts(&set)[0], is_stable(&set)), (3, false));
    plane.all_run(3).await;
    set_when(&plane, &id, "stable again", is_stable).await;
    plane.update(json!({"desiredCount": 1})).await;
    plane.tasks("RUNNING", 1).await;
    set_when(&plane, &id, "smaller", |set| counts(set) == [1, 1, 0]).await;
    let same = scale(&plane, &id, 100.0).await;
    let again = scale(&plane, &id, 100.0).await;
    assert_eq!(same["updatedAt"], again["updatedAt"]);
}

#[tokio::test]
async fn each_task_set_keeps_its_own_tasks_also_after_a_restart() {
    let plane = external(2).await;
    let (blue, green) = (
        id_of(&create(&plane, 100.0).await),
        id_of(&create(&plane, 50.0).await),
    );
    assert_ne!(blue, green);
    let tasks = plane.all_run(3).await;
    plane.service_when("steady", is_steady).await;
    let plane = plane.restart().await;
    let mut of_green = Vec::new();
    for arn in &tasks {
        if plane.cloud.task(arn).await["startedBy"] == green.as_str() {
            of_green.push(arn.clone());
        }
    }
    assert_eq!(of_green.len(), 1);
    plane.report(&of_green[0], "STOPPED").await;
    // What ends is replaced by one of the same task set.
    plane.cloud.clock.advance(60_000);
    plane.tasks("STOPPED", 1).await;
    plane.all_run(3).await;
    set_when(&plane, &green, "as before", |set| counts(set) == [1, 1, 0]).await;
    set_when(&plane, &blue, "untouched", |set| counts(set) == [2, 2, 0]).await;
    scale(&plane, &blue, 0.0).await;
    plane.tasks("RUNNING", 1).await;
    set_when(&plane, &blue, "empty", |set| {
        counts(set) == [0, 0, 0] && is_stable(set)
    })
    .await;
    set_when(&plane, &green, "untouched", |set| counts(set) == [1, 1, 0]).await;
}

#[tokio::test]
async fn a_machine_that_leaves_makes_its_task_sets_unstable() {
    let plane = external(1).await;
    let id = id_of(&create(&plane, 100.0).await);
    plane.all_run(1).await;
    set_when(&plane, &id, "stable", is_stable).await;
    plane.drain().await;
    set_when(&plane, &id, "unstable", |set| !is_stable(set)).await;
}

#[tokio::test]
async fn the_primary_task_set_is_what_its_service_shows() {
    let plane = external(1).await;
    let own = definition("own", "awsvpc", |_| {});
    plane
        .cloud
        .call("RegisterTaskDefinition", own)
        .await
        .expect("registers");
    let mut network = awsvpc(&[SUBNET_A], &[GROUP]);
    network["awsvpcConfiguration"]["assignPublicIp"] = json!("DISABLED");
    let blue = id_of(&create(&plane, 0.0).await);
    let made = call(
        &plane,
        "CreateTaskSet",
        json!({"taskDefinition": "own", "networkConfiguration": network.clone(), "externalId": "green"}),
    )
    .await
    .expect("creates");
    assert_eq!(made["networkConfiguration"], network);
    let shown = &made["networkConfiguration"]["awsvpcConfiguration"];
    assert_eq!(shown["securityGroups"], json!([GROUP]));
    // Without a scale it has none of the tasks.
    assert_eq!(
        (&made["externalId"], &made["scale"]["value"]),
        (&json!("green"), &json!(0.0))
    );
    let primary = |id: String| {
        let plane = &plane;
        async move {
            call(
                plane,
                "UpdateServicePrimaryTaskSet",
                json!({"primaryTaskSet": id}),
            )
            .await
        }
    };
    let set = primary(blue.clone()).await.expect("is PRIMARY");
    assert_eq!(set["status"], "PRIMARY");
    let service = plane.service().await;
    assert_eq!(
        service["taskDefinition"],
        "arn:aws:ecs:us-east-1:000000000000:task-definition/web:1"
    );
    assert_eq!(
        (&service["launchType"], &service["networkConfiguration"]),
        (&json!("EC2"), &Json::Null)
    );
    for _ in 0..2 {
        // By its ARN, and once more.
        let set = primary(text(&made["taskSetArn"])).await.expect("is PRIMARY");
        assert_eq!(set["status"], "PRIMARY");
    }
    let service = plane.service().await;
    assert_eq!(
        service["taskDefinition"],
        "arn:aws:ecs:us-east-1:000000000000:task-definition/own:1"
    );
    let shown = &service["networkConfiguration"]["awsvpcConfiguration"]["subnets"];
    assert_eq!(shown, &json!([SUBNET_A]));
    let statuses: Vec<Json> = sets(&plane)
        .await
        .iter()
        .map(|set| set["status"].clone())
        .collect();
    assert_eq!(statuses, ["ACTIVE", "PRIMARY"]);
    refused(
        primary("ecs-svc/1234567890123456789".to_owned()).await,
        "TaskSetNotFoundException",
        "TaskSet not found.",
    );
}

#[tokio::test]
async fn a_deleted_task_set_drains_and_is_gone() {
    let plane = external(1).await;
    let id = id_of(&create(&plane, 100.0).await);
    let tasks = plane.all_run(1).await;
    let delete = |force: bool| {
        let (plane, id) = (&plane, id.clone());
        async move { call(plane, "DeleteTaskSet", json!({"taskSet": id, "force": force})).await }
    };
    refused(delete(false).await, INVALID, "while it is scaled above 0");
    call(
        &plane,
        "UpdateServicePrimaryTaskSet",
        json!({"primaryTaskSet": id}),
    )
    .await
    .expect("is PRIMARY");
    refused(delete(false).await, INVALID, "PRIMARY");
    for _ in 0..2 {
        let set = delete(true).await.expect("drains");
        assert_eq!((&set["status"], counts(&set)[0]), (&json!("DRAINING"), 0));
        let again = json!({"taskSet": id, "scale": {"value": 1}});
        refused(call(&plane, "UpdateTaskSet", again).await, INVALID, "Draining");
    }
    plane.tasks("STOPPED", 1).await;
    assert_eq!(sets(&plane).await.len(), 1, "its task still runs down");
    plane.report(&tasks[0], "STOPPED").await;
    plane
        .service_when("gone", |service| service["taskSets"] == json!([]))
        .await;
    assert_eq!(plane.service().await["taskDefinition"], Json::Null);
    refused(
        delete(true).await,
        "TaskSetNotFoundException",
        "TaskSet not found.",
    );
    let request = json!({"cluster": "default", "service": "web", "taskSets": [id]});
    let answer = plane
        .cloud
        .call("DescribeTaskSets", request)
        .await
        .expect("answers");
    assert_eq!(answer["taskSets"], json!([]));
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
}

#[tokio::test]
async fn a_service_goes_with_its_task_sets_when_forced() {
    let plane = external(1).await;
    let id = id_of(&create(&plane, 100.0).await);
    let tasks = plane.all_run(1).await;
    let delete = |force: bool| {
        let request = json!({"service": "web", "force": force});
        plane.cloud.call("DeleteService", request)
    };
    refused(delete(false).await, INVALID, "scaled above 0");
    plane.update(json!({"desiredCount": 0})).await;
    refused(
        delete(false).await,
        INVALID,
        "The service cannot be stopped while deployments are active.",
    );
    let answer = delete(true).await.expect("deletes");
    assert_eq!(answer["service"]["status"], "DRAINING");
    assert_eq!(answer["service"]["taskSets"][0]["status"], "DRAINING");
    let request = json!({"taskSet": id, "scale": {"value": 100}});
    refused(
        call(&plane, "UpdateTaskSet", request).await,
        "ServiceNotActiveException",
        "not ACTIVE",
    );
    plane.tasks("STOPPED", 1).await;
    plane.report(&tasks[0], "STOPPED").await;
    let service = plane
        .service_when("gone", |service| service["status"] == "INACTIVE")
        .await;
    assert_eq!(service["taskSets"], json!([]));
}

#[tokio::test]
async fn a_token_makes_one_task_set() {
    let plane = external(1).await;
    let request = |definition: &str| json!({"taskDefinition": definition, "clientToken": "one"});
    let first = call(&plane, "CreateTaskSet", request("web"))
        .await
        .expect("creates");
    let plane = plane.restart().await;
    let second = call(&plane, "CreateTaskSet", request("web"))
        .await
        .expect("is there");
    assert_eq!(first["id"], second["id"]);
    refused(
        call(&plane, "CreateTaskSet", request("web:1")).await,
        INVALID,
        "Creation of task set was not idempotent.",
    );
    assert_eq!(sets(&plane).await.len(), 1);
    let third = call(&plane, "CreateTaskSet", json!({"taskDefinition": "web"})).await;
    assert_ne!(third.expect("another")["id"], first["id"]);
    assert_eq!(sets(&plane).await.len(), 2);
}

#[tokio::test]
async fn task_sets_are_tagged_as_everything_is() {
    let plane = external(1).await;
    let team = json!({"key": "team", "value": "a"});
    let made = call(
        &plane,
        "CreateTaskSet",
        json!({"taskDefinition": "web", "tags": [team]}),
    )
    .await
    .expect("creates");
    assert_eq!(made["tags"], json!([team]));
    let arn = text(&made["taskSetArn"]);
    let more = json!({"resourceArn": arn, "tags": [{"key": "b", "value": "1"}]});
    plane.cloud.call("TagResource", more).await.expect("tags");
    let less = json!({"resourceArn": arn, "tagKeys": ["team"]});
    plane.cloud.call("UntagResource", less).await.expect("untags");
    let left = json!([{"key": "b", "value": "1"}]);
    let listed = plane
        .cloud
        .call("ListTagsForResource", json!({"resourceArn": arn}))
        .await;
    assert_eq!(listed.expect("lists")["tags"], left);
    assert_eq!(sets(&plane).await[0]["tags"], left);
    let bare = json!({"cluster": "default", "service": "web"});
    let answer = plane
        .cloud
        .call("DescribeTaskSets", bare)
        .await
        .expect("describes");
    assert_eq!(answer["taskSets"][0]["tags"], Json::Null);
    let other = arn.replace("ecs-svc/", "ecs-svc/9");
    let tag = json!({"resourceArn": other, "tags": [team]});
    refused(
        plane.cloud.call("TagResource", tag).await,
        "ResourceNotFoundException",
        "The specified task set could not be found",
    );
}
