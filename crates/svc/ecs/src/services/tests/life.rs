//! A service from its making to its end.

use serde_json::{Value as Json, json};

use super::{idle, is_steady, messages, plane};
use crate::harness::text;

#[tokio::test]
async fn a_service_keeps_as_many_tasks_as_desired() {
    let plane = plane().await;
    let service = plane.create(json!({})).await;
    assert_eq!(service["status"], "ACTIVE");
    assert_eq!(
        service["serviceArn"],
        "arn:aws:ecs:us-east-1:000000000000:service/default/web"
    );
    assert_eq!(
        (&service["desiredCount"], &service["schedulingStrategy"]),
        (&json!(2), &json!("REPLICA"))
    );
    let primary = &service["deployments"][0];
    assert_eq!(
        (&primary["status"], &primary["rolloutState"]),
        (&json!("PRIMARY"), &json!("IN_PROGRESS"))
    );
    let tasks = plane.all_run(2).await;
    for arn in &tasks {
        let task = plane.cloud.task(arn).await;
        assert_eq!(
            (&task["group"], &task["startedBy"]),
            (&json!("service:web"), &primary["id"])
        );
    }
    let service = plane.service_when("steady", is_steady).await;
    let deployment = text(&primary["id"]);
    assert_eq!(
        (&service["runningCount"], &service["pendingCount"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    let said = messages(&service);
    assert_eq!(
        said[1],
        format!("(service web) (deployment {deployment}) deployment completed.")
    );
    assert!(
        said[2].starts_with("(service web) has started 2 tasks: (task "),
        "{said:?}"
    );

    // One ends by itself, one is stopped by its user: both are replaced.
    plane.report(&tasks[0], "STOPPED").await;
    plane
        .cloud
        .call("StopTask", json!({"task": tasks[1]}))
        .await
        .expect("stops");
    plane.cloud.clock.advance(60_000);
    plane.report(&tasks[1], "STOPPED").await;
    plane.tasks("STOPPED", 2).await;
    let replaced = plane.all_run(2).await;
    assert!(replaced.iter().all(|task| !tasks.contains(task)));
    plane.service_when("steady again", is_steady).await;
}

#[tokio::test]
async fn scaling_follows_the_desired_count() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 1})).await;
    let first = plane.all_run(1).await;
    plane.service_when("steady", is_steady).await;
    plane.cloud.clock.advance(1_000);
    plane.update(json!({"desiredCount": 3})).await;
    plane.all_run(3).await;
    let service = plane.service_when("steady", is_steady).await;
    assert_eq!(
        service["deployments"].as_array().map(Vec::len),
        Some(1),
        "a count is no deployment"
    );
    plane.update(json!({"desiredCount": 1})).await;
    let left = plane.tasks("RUNNING", 1).await;
    assert_eq!(left, first, "the eldest stays");
    let stopped = plane.tasks("STOPPED", 2).await;
    let task = plane.cloud.task(&stopped[0]).await;
    assert_eq!(task["stopCode"], "ServiceSchedulerInitiated");
    let reason = text(&task["stoppedReason"]);
    assert!(
        reason.starts_with("Scaling activity initiated by (deployment ecs-svc/"),
        "{reason}"
    );
    plane
        .service_that_says("has stopped 2 running tasks: (task ")
        .await;
}

#[tokio::test]
async fn a_second_identical_call_is_the_first() {
    let plane = plane().await;
    let request = json!({"tags": [{"key": "team", "value": "a"}], "clientToken": "one"});
    let first = plane.create(request.clone()).await;
    let second = plane.create(request).await;
    for member in ["serviceArn", "createdAt", "tags"] {
        assert_eq!(first[member], second[member]);
    }
    assert_eq!(second["tags"], json!([{"key": "team", "value": "a"}]));
    let plane = plane.restart().await;
    let other = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 3});
    let error = plane
        .cloud
        .call("CreateService", other)
        .await
        .expect_err("is another");
    assert_eq!(error.code, "InvalidParameterException");
    assert_eq!(error.message, "Creation of service was not idempotent.");
    plane.tasks("RUNNING", 2).await;
}

#[tokio::test]
async fn a_deleted_service_drains_and_can_be_made_again() {
    let plane = plane().await;
    plane.create(json!({})).await;
    plane.all_run(2).await;
    let delete = |force: bool| json!({"service": "web", "force": force});
    let error = plane
        .cloud
        .call("DeleteService", delete(false))
        .await
        .expect_err("is scaled");
    assert!(error.message.contains("scaled above 0"), "{error}");
    let answer = plane
        .cloud
        .call("DeleteService", delete(true))
        .await
        .expect("deletes");
    assert_eq!(
        (&answer["service"]["status"], &answer["service"]["desiredCount"]),
        (&json!("DRAINING"), &json!(0))
    );
    let again = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1});
    let services = plane.cloud.call("ListServices", json!({})).await.expect("lists");
    assert_eq!(services["serviceArns"], json!([]));
    let stopping = plane.tasks("STOPPED", 2).await;
    plane
        .service_when("inactive", |service| service["status"] == "INACTIVE")
        .await;
    for task in &stopping {
        plane.report(task, "STOPPED").await;
    }
    for call in ["DeleteService", "UpdateService"] {
        let error = plane
            .cloud
            .call(call, json!({"service": "web"}))
            .await
            .expect_err("is gone");
        let wanted = if call == "UpdateService" {
            "ServiceNotActiveException"
        } else {
            "ServiceNotFoundException"
        };
        assert_eq!(error.code, wanted);
    }
    let made = plane
        .cloud
        .call("CreateService", again)
        .await
        .expect("comes back");
    assert_eq!(made["service"]["events"], json!([]));
    plane.tasks("RUNNING", 1).await;
}

/// Nobody works in the background here, so that it stays as it is said.
#[tokio::test]
async fn a_draining_service_is_still_there() {
    let ecs = std::sync::Arc::new(crate::tests::ecs());
    let call = async |operation: &str, input: Json| crate::tests::call(&ecs, operation, input).await;
    call("CreateCluster", json!({})).await.expect("a cluster");
    let web = crate::harness::definition("web", "bridge", |_| {});
    call("RegisterTaskDefinition", web).await.expect("registers");
    let request = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 0});
    call("CreateService", request.clone()).await.expect("creates");
    for _ in 0..2 {
        let answer = call("DeleteService", json!({"service": "web"}))
            .await
            .expect("deletes");
        assert_eq!(answer["service"]["status"], "DRAINING");
    }
    let error = call("CreateService", request).await.expect_err("is draining");
    assert_eq!(error.message, "Unable to Start a service that is still Draining.");
    let error = call("DeleteCluster", json!({"cluster": "default"}))
        .await
        .expect_err("is not empty");
    assert_eq!(error.code, "ClusterContainsServicesException");
}

#[tokio::test]
async fn a_cluster_with_services_stays() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 0})).await;
    let force = json!({"containerInstance": plane.instance, "force": true});
    plane
        .cloud
        .call("DeregisterContainerInstance", force)
        .await
        .expect("goes");
    let count = async || {
        let answer = plane
            .cloud
            .call("DescribeClusters", json!({"include": ["STATISTICS"]}))
            .await
            .expect("shows");
        let cluster = answer["clusters"][0].clone();
        let statistics = cluster["statistics"].as_array().cloned().expect("statistics");
        let of = |name: &str| {
            let found = statistics.iter().find(|it| it["name"] == name);
            found.map(|it| text(&it["value"])).expect("a statistic")
        };
        (
            cluster["activeServicesCount"].clone(),
            of("activeEC2ServiceCount"),
        )
    };
    assert_eq!(count().await, (json!(1), "1".to_owned()));
    let delete = json!({"cluster": "default"});
    let error = plane
        .cloud
        .call("DeleteCluster", delete.clone())
        .await
        .expect_err("is not empty");
    assert_eq!(error.code, "ClusterContainsServicesException");
    plane
        .cloud
        .call("DeleteService", json!({"service": "web"}))
        .await
        .expect("deletes");
    plane
        .service_when("inactive", |service| service["status"] == "INACTIVE")
        .await;
    assert_eq!(count().await, (json!(0), "0".to_owned()));
    plane.cloud.call("DeleteCluster", delete).await.expect("is empty");
}

#[tokio::test]
async fn tags_are_propagated_as_asked() {
    let plane = plane().await;
    let tags = json!([{"key": "team", "value": "a"}]);
    plane
        .create(json!({"desiredCount": 1, "tags": tags, "propagateTags": "SERVICE", "enableECSManagedTags": true}))
        .await;
    let task = plane.cloud.task(&plane.tasks("RUNNING", 1).await[0]).await;
    let wanted: Json = json!([
        {"key": "aws:ecs:clusterName", "value": "default"},
        {"key": "aws:ecs:serviceName", "value": "web"},
        {"key": "team", "value": "a"},
    ]);
    assert_eq!(task["tags"], wanted);
    let arn = text(&plane.service().await["serviceArn"]);
    let more = json!({"resourceArn": arn, "tags": [{"key": "team", "value": "b"}]});
    plane.cloud.call("TagResource", more).await.expect("tags");
    assert_eq!(
        plane.service().await["tags"],
        json!([{"key": "team", "value": "b"}])
    );
    let update = json!({"propagateTags": "NONE", "enableECSManagedTags": false, "desiredCount": 2});
    plane.update(update).await;
    let second = plane.tasks("RUNNING", 2).await;
    let mut all = Vec::new();
    for arn in second {
        all.push(plane.cloud.task(&arn).await["tags"].clone());
    }
    assert!(all.contains(&json!([])), "{all:?}");
}

#[tokio::test]
async fn the_tags_of_the_definition_go_to_tasks_when_that_is_asked() {
    let plane = plane().await;
    let tag = |value: &str| json!([{"key": "team", "value": value}]);
    let tagged = |value: &str| crate::harness::definition("tagged", "bridge", |it| it["tags"] = tag(value));
    let register = async |value: &str| {
        let answer = plane.cloud.call("RegisterTaskDefinition", tagged(value)).await;
        answer.expect("registers");
    };
    register("definition").await;
    plane
        .create(
            json!({"taskDefinition": "tagged", "desiredCount": 1, "propagateTags": "TASK_DEFINITION",
                       "tags": tag("service")}),
        )
        .await;
    let first = plane.all_run(1).await;
    assert_eq!(plane.cloud.task(&first[0]).await["tags"], tag("definition"));
    // A new revision's tags are those of the tasks that it starts, and a change alone starts none.
    register("revised").await;
    plane.update(json!({"taskDefinition": "tagged"})).await;
    let both = plane.all_run(2).await;
    let second = both.iter().find(|task| !first.contains(task)).expect("a new one");
    assert_eq!(plane.cloud.task(second).await["tags"], tag("revised"));
    plane.tasks("RUNNING", 1).await;
    plane.update(json!({"propagateTags": "SERVICE"})).await;
    assert_eq!(&plane.tasks("RUNNING", 1).await[0], second);
    plane.update(json!({"desiredCount": 2})).await;
    let both = plane.tasks("RUNNING", 2).await;
    let third = both.iter().find(|task| *task != second).expect("a new one");
    assert_eq!(plane.cloud.task(third).await["tags"], tag("service"));
}

#[tokio::test]
async fn services_are_listed_by_what_they_are() {
    let plane = plane().await;
    for (name, more) in [
        ("a", json!({})),
        ("b", json!({"schedulingStrategy": "DAEMON"})),
        ("c", json!({})),
    ] {
        let mut change = json!({"serviceName": name});
        change["desiredCount"] = if name == "b" { Json::Null } else { json!(0) };
        for (key, value) in more.as_object().expect("members") {
            change[key] = value.clone();
        }
        plane.create(change).await;
    }
    let list = async |request: Json| {
        let answer = plane.cloud.call("ListServices", request).await.expect("lists");
        let arns = answer["serviceArns"].as_array().cloned().expect("a list");
        let name = |arn: &Json| text(arn).rsplit('/').next().unwrap_or_default().to_owned();
        (
            arns.iter().map(name).collect::<Vec<_>>().join(""),
            answer["nextToken"].clone(),
        )
    };
    assert_eq!(list(json!({})).await.0, "abc");
    assert_eq!(list(json!({"schedulingStrategy": "DAEMON"})).await.0, "b");
    assert_eq!(list(json!({"launchType": "FARGATE"})).await.0, "");
    assert_eq!(
        list(json!({"launchType": "EC2", "schedulingStrategy": "REPLICA"}))
            .await
            .0,
        "ac"
    );
    assert_eq!(list(json!({"resourceManagementType": "ECS"})).await.0, "");
    let (first, token) = list(json!({"maxResults": 2})).await;
    assert_eq!(first, "ab");
    assert_eq!(list(json!({"maxResults": 2, "nextToken": token})).await.0, "c");
}

#[tokio::test]
async fn a_restart_in_the_middle_goes_on_and_starts_nothing_twice() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 4})).await;
    let tasks = plane.tasks("RUNNING", 4).await;
    plane.report(&tasks[0], "RUNNING").await;
    let plane = plane.restart().await;
    assert_eq!(plane.all_run(4).await, tasks);
    plane.service_when("steady", is_steady).await;
    plane.report(&tasks[1], "STOPPED").await;
    plane.cloud.clock.advance(60_000);
    let plane = plane.restart().await;
    plane.tasks("RUNNING", 4).await;
}

#[tokio::test]
async fn daemons_run_on_every_instance() {
    let plane = plane().await;
    plane
        .create(json!({"schedulingStrategy": "DAEMON", "desiredCount": null}))
        .await;
    plane.all_run(1).await;
    plane.service_when("steady", is_steady).await;
    let second = plane.cloud.register("default", "i-0000000000000000b", 2).await;
    let _agent = idle(&plane.cloud, &second).await;
    plane.all_run(2).await;
    let service = plane.service_when("steady", is_steady).await;
    assert_eq!(service["desiredCount"], 2);
    let force = json!({"containerInstance": second, "force": true});
    plane
        .cloud
        .call("DeregisterContainerInstance", force)
        .await
        .expect("goes");
    plane.tasks("RUNNING", 1).await;
}
