//! Deployments that are stopped: the way back.

use serde_json::{Value as Json, json};

use super::deployments::latest_when;
use super::{Plane, is_steady, messages, plane};

async fn stop(plane: &Plane, arn: &Json) -> Result<Json, roadstead_protocol::ApiError> {
    let request = json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"});
    plane.cloud.call("StopServiceDeployment", request).await
}

#[tokio::test]
async fn a_deployment_that_is_stopped_goes_back() {
    let plane = plane().await;
    plane.create(json!({})).await;
    let old = plane.all_run(2).await;
    let first = latest_when(&plane, "SUCCESSFUL").await;
    let before = plane.service_when("steady", is_steady).await;
    plane.revise().await;
    plane.update(json!({"taskDefinition": "web"})).await;
    plane.tasks("RUNNING", 4).await;
    let second = latest_when(&plane, "IN_PROGRESS").await;
    let arn = &second["serviceDeploymentArn"];
    assert_eq!(
        stop(&plane, arn).await.expect("stops"),
        json!({"serviceDeploymentArn": arn})
    );
    // The second identical call changes nothing, wherever the first one has come to by now.
    let again = stop(&plane, arn).await;
    assert!(again.is_ok() || again.is_err_and(|error| error.code == "ConflictException"));
    plane.tasks("RUNNING", 2).await;
    let done = latest_when(&plane, "ROLLBACK_SUCCESSFUL").await;
    assert_eq!(
        done["serviceDeploymentArn"], *arn,
        "a rollback is no deployment of its own"
    );
    assert_eq!(
        done["rollback"]["serviceRevisionArn"],
        first["targetServiceRevision"]["arn"]
    );
    assert!(done["rollback"]["startedAt"].is_number());
    assert_eq!(
        (&done["statusReason"], &done["rollback"]["reason"]),
        (
            &done["rollback"]["reason"],
            &json!("Service deployment rolled back because a rollback was requested.")
        )
    );
    assert_eq!(done["targetServiceRevision"]["runningTaskCount"], 0);
    assert_eq!(done["sourceServiceRevisions"][0]["runningTaskCount"], 2);
    assert_eq!(plane.tasks("RUNNING", 2).await, old, "what ran runs on");
    let service = plane.service_when("steady", is_steady).await;
    assert_eq!(service["taskDefinition"], before["taskDefinition"]);
    assert!(
        messages(&service)
            .iter()
            .any(|it| it.contains("rolling back to deployment"))
    );
    let error = stop(&plane, arn).await.expect_err("is over");
    assert_eq!(
        (error.code.as_ref(), error.message.as_str()),
        (
            "ConflictException",
            "The service deployment cannot be stopped because it is ROLLBACK_SUCCESSFUL."
        )
    );
    let plane = plane.restart().await;
    assert_eq!(latest_when(&plane, "ROLLBACK_SUCCESSFUL").await, done);
}

#[tokio::test]
async fn what_ran_before_is_started_again_when_nothing_of_it_is_left() {
    let plane = plane().await;
    // Old ones go first, so that none is left when the new one is stopped.
    plane
        .create(json!({"desiredCount": 1, "deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}}))
        .await;
    let old = plane.all_run(1).await;
    let first = latest_when(&plane, "SUCCESSFUL").await;
    let before = plane.service_when("steady", is_steady).await;
    plane.revise().await;
    plane.update(json!({"taskDefinition": "web"})).await;
    let started = |service: &Json| {
        service["currentServiceRevisions"].as_array().map(Vec::len) == Some(1) && service["pendingCount"] == 1
    };
    plane.service_when("the new one alone", started).await;
    let second = latest_when(&plane, "IN_PROGRESS").await;
    stop(&plane, &second["serviceDeploymentArn"])
        .await
        .expect("stops");
    latest_when(&plane, "ROLLBACK_IN_PROGRESS").await;
    let plane = plane.restart().await;
    let back = |service: &Json| {
        service["taskDefinition"] == before["taskDefinition"] && service["pendingCount"] == 1
    };
    plane.tasks("STOPPED", 2).await;
    let service = plane.service_when("the old one again", back).await;
    assert_eq!(
        service["currentServiceRevisions"][0]["arn"],
        first["targetServiceRevision"]["arn"]
    );
    assert_eq!(service["deployments"][0]["id"], before["deployments"][0]["id"]);
    let new = plane.all_run(1).await;
    assert_ne!(new, old);
    latest_when(&plane, "ROLLBACK_SUCCESSFUL").await;
}

#[tokio::test]
async fn there_is_no_way_back_from_the_first() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 1})).await;
    plane.tasks("RUNNING", 1).await;
    let first = latest_when(&plane, "IN_PROGRESS").await;
    stop(&plane, &first["serviceDeploymentArn"]).await.expect("stops");
    let failed = latest_when(&plane, "ROLLBACK_FAILED").await;
    assert_eq!(
        failed["statusReason"],
        "No rollback candidate was found to run the rollback."
    );
    assert_eq!(failed["rollback"], Json::Null);
    let service = plane.service().await;
    assert_eq!(service["deployments"][0]["rolloutState"], "FAILED");
    // Another deployment is another try.
    plane.update(json!({"forceNewDeployment": true})).await;
    plane.tasks("STOPPED", 1).await;
    plane.all_run(1).await;
    latest_when(&plane, "SUCCESSFUL").await;
}
