//! Service deployments and revisions: what is told of each, how one is stopped, and when they are forgotten.

use serde_json::{Value as Json, json};

use super::{Plane, is_steady, plane};
use crate::harness::text;

const DAY: i64 = 24 * 3_600_000;
const ARN: &str = "arn:aws:ecs:us-east-1:000000000000";

pub(super) async fn list(plane: &Plane, mut filter: Json) -> Json {
    filter["service"] = json!("web");
    let answer = plane.cloud.call("ListServiceDeployments", filter).await;
    answer.expect("lists")
}

/// From the latest to the earliest.
pub(super) async fn all(plane: &Plane) -> Vec<Json> {
    let listed = list(plane, json!({})).await;
    listed["serviceDeployments"].as_array().expect("a list").clone()
}

pub(super) async fn describe(plane: &Plane, arn: &Json) -> Json {
    let answer = plane
        .cloud
        .call(
            "DescribeServiceDeployments",
            json!({"serviceDeploymentArns": [arn]}),
        )
        .await
        .expect("describes");
    assert_eq!(answer["failures"], json!([]));
    answer["serviceDeployments"][0].clone()
}

/// The latest of the service once it is so.
pub(super) async fn latest_when(plane: &Plane, status: &str) -> Json {
    let mut last = Json::Null;
    for _ in 0..12_000 {
        if let Some(latest) = all(plane).await.first() {
            last = describe(plane, &latest["serviceDeploymentArn"]).await;
            if last["status"] == status {
                return last;
            }
        }
        plane.cloud.ecs.wake_services();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("waited in vain for {status}: {last:#}");
}

async fn revision(plane: &Plane, arn: &Json) -> Json {
    let answer = plane
        .cloud
        .call("DescribeServiceRevisions", json!({"serviceRevisionArns": [arn]}))
        .await
        .expect("describes");
    assert_eq!(answer["failures"], json!([]));
    answer["serviceRevisions"][0].clone()
}

#[tokio::test]
async fn each_deployment_is_told_from_its_begin_to_its_end() {
    let plane = plane().await;
    let breaker = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}});
    let created = plane.create(json!({"deploymentConfiguration": breaker})).await;
    plane.all_run(2).await;
    let first = latest_when(&plane, "SUCCESSFUL").await;
    assert!(
        text(&first["serviceDeploymentArn"]).starts_with(&format!("{ARN}:service-deployment/default/web/"))
    );
    assert_eq!(created["currentServiceDeployment"], first["serviceDeploymentArn"]);
    assert_eq!(first["sourceServiceRevisions"], json!([]));
    assert_eq!(first["clusterArn"], format!("{ARN}:cluster/default"));
    assert_eq!(first["serviceArn"], format!("{ARN}:service/default/web"));
    let old = text(&first["targetServiceRevision"]["arn"]);
    let number = text(&created["deployments"][0]["id"]).replace("ecs-svc/", "");
    assert_eq!(old, format!("{ARN}:service-revision/default/web/{number}"));
    assert_eq!(
        first["targetServiceRevision"],
        json!({"arn": old, "requestedTaskCount": 2, "runningTaskCount": 2, "pendingTaskCount": 0})
    );
    for member in ["createdAt", "startedAt", "finishedAt", "updatedAt"] {
        assert!(first[member].is_number(), "{member}");
    }
    assert_eq!(first["stoppedAt"], Json::Null);
    // Another, while it goes on.
    plane.cloud.clock.advance(1_000);
    plane.revise().await;
    let updated = plane.update(json!({"taskDefinition": "web"})).await;
    plane.tasks("RUNNING", 4).await;
    let second = latest_when(&plane, "IN_PROGRESS").await;
    assert_eq!(
        updated["currentServiceDeployment"],
        second["serviceDeploymentArn"]
    );
    let new = text(&second["targetServiceRevision"]["arn"]);
    assert_ne!(old, new);
    assert_eq!(
        second["targetServiceRevision"],
        json!({"arn": new, "requestedTaskCount": 2, "runningTaskCount": 0, "pendingTaskCount": 2})
    );
    assert_eq!(
        second["sourceServiceRevisions"],
        json!([{"arn": old, "requestedTaskCount": 2, "runningTaskCount": 2, "pendingTaskCount": 0}])
    );
    assert_eq!(
        second["deploymentCircuitBreaker"],
        json!({"status": "MONITORING", "failureCount": 0, "threshold": 3})
    );
    assert_eq!(second["finishedAt"], Json::Null);
    let service = plane.service().await;
    assert_eq!(
        service["currentServiceRevisions"],
        json!([
            second["targetServiceRevision"],
            second["sourceServiceRevisions"][0]
        ])
    );
    let plane = plane.restart().await;
    assert_eq!(latest_when(&plane, "IN_PROGRESS").await, second);
    plane.all_run(4).await;
    plane.service_when("steady", is_steady).await;
    let done = latest_when(&plane, "SUCCESSFUL").await;
    assert_eq!(done["serviceDeploymentArn"], second["serviceDeploymentArn"]);
    assert_eq!(done["targetServiceRevision"]["runningTaskCount"], 2);
    assert_eq!(done["sourceServiceRevisions"][0]["runningTaskCount"], 0);
    assert_eq!(done["deploymentCircuitBreaker"]["status"], "MONITORING_COMPLETE");
    assert_eq!(done["deploymentConfiguration"]["maximumPercent"], 200);
    // What has ended does not change any more.
    plane.update(json!({"desiredCount": 1})).await;
    plane.tasks("RUNNING", 1).await;
    assert_eq!(describe(&plane, &done["serviceDeploymentArn"]).await, done);
    assert_eq!(all(&plane).await.len(), 2, "scaling is no deployment");
}

#[tokio::test]
async fn a_revision_says_what_its_tasks_are_made_of() {
    let plane = plane().await;
    let created = plane.create(json!({"desiredCount": 1})).await;
    let task = plane.tasks("RUNNING", 1).await.remove(0);
    let arn = &created["currentServiceRevisions"][0]["arn"];
    let before = revision(&plane, arn).await;
    assert_eq!(before["taskDefinition"], created["taskDefinition"]);
    assert_eq!(
        (&before["launchType"], &before["serviceArn"]),
        (&json!("EC2"), &created["serviceArn"])
    );
    let image = before["containerImages"][0]["image"].clone();
    assert_eq!(
        before["containerImages"],
        json!([{"containerName": "app", "image": image}])
    );
    let digest = json!({
        "task": task, "status": "RUNNING",
        "containers": [{"containerName": "app", "status": "RUNNING", "imageDigest": "sha256:2"}],
    });
    plane
        .cloud
        .call("SubmitTaskStateChange", digest)
        .await
        .expect("reports");
    latest_when(&plane, "SUCCESSFUL").await;
    let plane = plane.restart().await;
    let after = revision(&plane, arn).await;
    assert_eq!(
        after["containerImages"],
        json!([{"containerName": "app", "image": image, "imageDigest": "sha256:2"}])
    );
    // A later one has a revision of its own, and this one stays as it was.
    plane.update(json!({"forceNewDeployment": true})).await;
    assert_eq!(revision(&plane, arn).await, after);
}

#[tokio::test]
async fn deployments_are_listed_by_status_and_time_in_pages() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 0})).await;
    latest_when(&plane, "SUCCESSFUL").await;
    for _ in 0..2 {
        plane.cloud.clock.advance(1_000);
        plane.update(json!({"forceNewDeployment": true})).await;
        latest_when(&plane, "SUCCESSFUL").await;
    }
    plane.cloud.clock.advance(1_000);
    plane
        .update(json!({"forceNewDeployment": true, "desiredCount": 1}))
        .await;
    latest_when(&plane, "IN_PROGRESS").await;
    let all = all(&plane).await;
    let created: Vec<f64> = all
        .iter()
        .map(|it| it["createdAt"].as_f64().expect("a time"))
        .collect();
    assert!(created.windows(2).all(|pair| pair[0] > pair[1]), "{created:?}");
    let check = async |filter: Json, places: &[usize]| {
        let listed = list(&plane, filter.clone()).await;
        let wanted: Vec<Json> = places.iter().map(|place| all[*place].clone()).collect();
        assert_eq!(listed["serviceDeployments"], json!(wanted), "{filter}");
        listed["nextToken"].clone()
    };
    check(json!({"status": ["IN_PROGRESS"]}), &[0]).await;
    check(json!({"status": ["IN_PROGRESS", "SUCCESSFUL"]}), &[0, 1, 2, 3]).await;
    check(json!({"status": ["ROLLBACK_FAILED"]}), &[]).await;
    check(json!({"createdAt": {"after": created[2]}}), &[0, 1]).await;
    check(json!({"createdAt": {"before": created[1]}}), &[2, 3]).await;
    check(
        json!({"createdAt": {"after": created[3], "before": created[0]}}),
        &[1, 2],
    )
    .await;
    let token = check(json!({"maxResults": 3}), &[0, 1, 2]).await;
    check(json!({"maxResults": 3, "nextToken": token}), &[3]).await;
    let foreign = json!({"service": "web", "nextToken": token, "status": ["SUCCESSFUL"]});
    let error = plane.cloud.call("ListServiceDeployments", foreign).await;
    assert_eq!(error.expect_err("is refused").code, "InvalidParameterException");
}

#[tokio::test]
async fn a_page_that_asks_for_no_number_has_twenty() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 0})).await;
    for _ in 0..20 {
        plane.update(json!({"forceNewDeployment": true})).await;
    }
    let first = list(&plane, json!({})).await;
    assert_eq!(first["serviceDeployments"].as_array().map(Vec::len), Some(20));
    let rest = list(&plane, json!({"nextToken": first["nextToken"]})).await;
    assert_eq!(rest["serviceDeployments"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_is_replaced_before_it_has_arrived_is_stopped() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 1})).await;
    plane.tasks("RUNNING", 1).await;
    let first = latest_when(&plane, "IN_PROGRESS").await;
    plane.update(json!({"forceNewDeployment": true})).await;
    let first = describe(&plane, &first["serviceDeploymentArn"]).await;
    assert_eq!(
        (&first["status"], &first["statusReason"]),
        (
            &json!("STOPPED"),
            &json!("Service deployment was replaced by a newer one.")
        )
    );
    assert!(first["stoppedAt"].is_number() && first["finishedAt"].is_number());
    assert_eq!(first["deploymentCircuitBreaker"]["status"], "DISABLED");
    let second = latest_when(&plane, "IN_PROGRESS").await;
    assert_eq!(
        second["sourceServiceRevisions"][0]["arn"],
        first["targetServiceRevision"]["arn"]
    );
}

#[tokio::test]
async fn names_that_are_none_are_refused_and_those_of_nothing_are_missing() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 0})).await;
    latest_when(&plane, "SUCCESSFUL").await;
    let nobody = |kind: &str| format!("{ARN}:service-{kind}/default/web/1");
    for (operation, member, kind) in [
        (
            "DescribeServiceDeployments",
            "serviceDeploymentArns",
            "deployment",
        ),
        ("DescribeServiceRevisions", "serviceRevisionArns", "revision"),
    ] {
        for arn in [nobody(kind), nobody(kind).replace("web", "none")] {
            let answer = plane
                .cloud
                .call(operation, json!({member: [arn]}))
                .await
                .expect("answers");
            assert_eq!(answer["failures"], json!([{"arn": arn, "reason": "MISSING"}]));
        }
        let many: Vec<String> = (0..21).map(|_| nobody(kind)).collect();
        let other = if kind == "deployment" {
            "revision"
        } else {
            "deployment"
        };
        for arns in [
            json!([]),
            json!(many),
            json!(["web"]),
            json!([nobody(other)]),
            json!([nobody(kind).replace("us-east-1", "eu-west-1")]),
            json!([format!("{ARN}:service-{kind}/default/1")]),
        ] {
            let error = plane
                .cloud
                .call(operation, json!({member: arns}))
                .await
                .expect_err("is refused");
            assert_eq!(error.code, "InvalidParameterException", "{operation} {arns}");
        }
    }
    let current = plane.service().await["currentServiceDeployment"].clone();
    for (operation, request, code, words) in [
        (
            "StopServiceDeployment",
            json!({"serviceDeploymentArn": nobody("deployment")}),
            "ServiceDeploymentNotFoundException",
            "not found",
        ),
        (
            "StopServiceDeployment",
            json!({"serviceDeploymentArn": "web"}),
            "InvalidParameterException",
            "no ARN",
        ),
        (
            "StopServiceDeployment",
            json!({"serviceDeploymentArn": current, "stopType": "ABORT"}),
            "InvalidParameterException",
            "ABORT is not valid",
        ),
        (
            "StopServiceDeployment",
            json!({"serviceDeploymentArn": current}),
            "ConflictException",
            "it is SUCCESSFUL",
        ),
        (
            "ContinueServiceDeployment",
            json!({"serviceDeploymentArn": nobody("deployment"), "hookId": "h"}),
            "ServiceDeploymentNotFoundException",
            "not found",
        ),
        (
            "ContinueServiceDeployment",
            json!({"serviceDeploymentArn": current, "hookId": "h"}),
            "InvalidParameterException",
            "CONTINUE is not possible: the service deployment is SUCCESSFUL",
        ),
        (
            "ContinueServiceDeployment",
            json!({"serviceDeploymentArn": current, "hookId": "h", "action": "ROLLBACK"}),
            "InvalidParameterException",
            "ROLLBACK is not possible",
        ),
        (
            "ListServiceDeployments",
            json!({"service": "none"}),
            "ServiceNotFoundException",
            "Service not found.",
        ),
        (
            "ListServiceDeployments",
            json!({"service": "web", "cluster": "none"}),
            "ClusterNotFoundException",
            "Cluster",
        ),
        (
            "ListServiceDeployments",
            json!({"service": "web", "maxResults": 101}),
            "InvalidParameterException",
            "100",
        ),
    ] {
        let error = plane
            .cloud
            .call(operation, request.clone())
            .await
            .expect_err("is refused");
        assert_eq!(error.code, code, "{operation} {request}: {error}");
        assert!(error.message.contains(words), "{operation} {request}: {error}");
    }
}

#[tokio::test]
async fn what_is_older_than_ninety_days_is_forgotten() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 0})).await;
    let old = latest_when(&plane, "SUCCESSFUL").await;
    plane.cloud.clock.advance(45 * DAY);
    plane.update(json!({"forceNewDeployment": true})).await;
    let middle = latest_when(&plane, "SUCCESSFUL").await;
    plane.cloud.clock.advance(45 * DAY - 1);
    assert_eq!(all(&plane).await.len(), 2);
    plane.cloud.clock.advance(1);
    assert_eq!(all(&plane).await.len(), 1, "it is not told of any more");
    plane.update(json!({"forceNewDeployment": true})).await;
    latest_when(&plane, "SUCCESSFUL").await;
    let kept = async || {
        let below = crate::tests::ctx().partition();
        let ecs = &plane.cloud.ecs;
        let (deployments, _) = ecs
            .service_deployments()
            .all(&ecs.service_deployments().within(&below))
            .await
            .expect("reads");
        let (revisions, _) = ecs
            .revisions()
            .all(&ecs.revisions().within(&below))
            .await
            .expect("reads");
        (deployments.len(), revisions.len())
    };
    for _ in 0..12_000 {
        if kept().await.0 == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // Its revision is what the second one came from, and goes with that.
    assert_eq!(kept().await, (2, 3));
    let request = json!({"serviceDeploymentArns": [old["serviceDeploymentArn"]]});
    let answer = plane
        .cloud
        .call("DescribeServiceDeployments", request)
        .await
        .expect("answers");
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
    assert_eq!(describe(&plane, &middle["serviceDeploymentArn"]).await, middle);
    plane.cloud.clock.advance(45 * DAY);
    plane.update(json!({"forceNewDeployment": true})).await;
    latest_when(&plane, "SUCCESSFUL").await;
    for _ in 0..12_000 {
        if kept().await.0 == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(kept().await, (2, 3));
}

#[tokio::test]
async fn what_goes_on_is_told_however_old_it_is() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 1})).await;
    plane.tasks("RUNNING", 1).await;
    let first = latest_when(&plane, "IN_PROGRESS").await;
    plane.cloud.clock.advance(91 * DAY);
    assert_eq!(
        describe(&plane, &first["serviceDeploymentArn"]).await["status"],
        "IN_PROGRESS"
    );
    plane.all_run(1).await;
    for _ in 0..12_000 {
        if all(&plane).await.is_empty() {
            return;
        }
        plane.cloud.ecs.wake_services();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it is over, and still told of");
}

#[tokio::test]
async fn a_service_takes_its_deployments_with_it() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 2})).await;
    let task = plane.tasks("RUNNING", 2).await.remove(0);
    plane.report(&task, "RUNNING").await;
    latest_when(&plane, "IN_PROGRESS").await;
    plane
        .cloud
        .call("DeleteService", json!({"service": "web", "force": true}))
        .await
        .expect("deletes");
    plane.tasks("STOPPED", 2).await;
    plane.report(&task, "STOPPED").await;
    plane
        .service_when("gone", |service| service["status"] == "INACTIVE")
        .await;
    let error = plane
        .cloud
        .call("ListServiceDeployments", json!({"service": "web"}))
        .await;
    assert_eq!(error.expect_err("is gone").code, "ServiceNotFoundException");
    let below = crate::tests::ctx().partition();
    let ecs = &plane.cloud.ecs;
    let (deployments, _) = ecs
        .service_deployments()
        .all(&ecs.service_deployments().within(&below))
        .await
        .expect("reads");
    let (revisions, _) = ecs
        .revisions()
        .all(&ecs.revisions().within(&below))
        .await
        .expect("reads");
    assert_eq!((deployments.len(), revisions.len()), (0, 0));
    // One of the same name begins anew.
    plane.create(json!({"desiredCount": 0})).await;
    latest_when(&plane, "SUCCESSFUL").await;
    assert_eq!(all(&plane).await.len(), 1);
}

#[tokio::test]
async fn a_service_that_is_deleted_ends_what_is_under_way() {
    let ecs = std::sync::Arc::new(crate::tests::ecs());
    let call = async |operation: &str, input: Json| {
        let answer = crate::tests::call(&ecs, operation, input).await;
        answer.expect("answers")
    };
    call("CreateCluster", json!({})).await;
    let web = crate::harness::definition("web", "bridge", |_| {});
    call("RegisterTaskDefinition", web).await;
    let request = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1});
    call("CreateService", request).await;
    let told = async || {
        let listed = call("ListServiceDeployments", json!({"service": "web"})).await;
        listed["serviceDeployments"][0].clone()
    };
    let pending = told().await;
    assert_eq!(
        (&pending["status"], &pending["startedAt"]),
        (&json!("PENDING"), &Json::Null)
    );
    call("DeleteService", json!({"service": "web", "force": true})).await;
    let stopped = told().await;
    assert_eq!(
        (&stopped["status"], &stopped["statusReason"]),
        (&json!("STOPPED"), &json!("The service was deleted."))
    );
}
