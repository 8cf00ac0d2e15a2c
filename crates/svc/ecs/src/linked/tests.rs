//! When the role is made, and what is said of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use roadstead_base::{AccountId, Caller, Ctx, RoleSession, Timestamp};
use roadstead_dispatch::{
    Asked, Authority, Denial, IssuedKey, KeyError, RoleError, ServiceAssumes, SessionKeys,
};
use roadstead_protocol::{ApiError, BoxFuture, Handler, Operation, ServiceModel, Value, json as wire};
use serde_json::json;

use crate::harness::{Cloud, SUBNET_A, awsvpc, cloud, definition};
use crate::tests::refused;

const ARN: &str = "arn:aws:iam::000000000000:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS";

/// An identity service with that role or without, which lets it be made or not.
#[derive(Default)]
struct Roles {
    there: AtomicBool,
    denies: AtomicBool,
    made: AtomicUsize,
}

impl Authority for Roles {
    fn find(&self, _access_key: &str, _token: Option<&str>) -> Result<Option<IssuedKey>, KeyError> {
        Ok(None)
    }

    fn account_of(&self, _access_key: &str) -> Option<AccountId> {
        None
    }

    fn decide(&self, _asked: Asked<'_>) -> Result<(), Denial> {
        Ok(())
    }

    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<RoleSession>, RoleError> {
        if assumes.role_arn != ARN || !self.there.load(Ordering::SeqCst) {
            return Err(RoleError::NoSuchRole(assumes.role_arn.to_owned()));
        }
        Ok(Arc::new(RoleSession {
            role_arn: assumes.role_arn.to_owned(),
            role_id: "AROA".into(),
            name: assumes.session_name.to_owned(),
            issued: Timestamp(0),
            expires: Timestamp(i64::MAX),
            policies: Vec::new(),
            policy_arns: Vec::new(),
            tags: Vec::new(),
            transitive: Vec::new(),
            source_identity: None,
            chained: false,
        }))
    }

    fn issue(&self, _caller: &Caller, _account: &AccountId, _expires: Timestamp) -> SessionKeys {
        unreachable!("no keys are handed out here")
    }
}

impl Handler for Roles {
    fn model(&self) -> &'static ServiceModel {
        &roadstead_api_iam::MODEL
    }

    fn call<'a>(
        &'a self,
        operation: &'static Operation,
        _ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        assert_eq!(operation.name, "CreateServiceLinkedRole");
        let shape = operation.input.expect("has one");
        let input = wire::to_json(&roadstead_api_iam::MODEL, shape, input);
        assert_eq!(input, json!({"AWSServiceName": "ecs.amazonaws.com"}));
        let answer = if self.denies.load(Ordering::SeqCst) {
            Err(ApiError::client("AccessDenied", "No."))
        } else {
            self.there.store(true, Ordering::SeqCst);
            self.made.fetch_add(1, Ordering::SeqCst);
            Ok(Value::empty())
        };
        Box::pin(async { answer })
    }
}

async fn with_roles() -> (Cloud, Arc<Roles>) {
    let cloud = cloud().await;
    let roles = Arc::new(Roles::default());
    cloud.ecs.dispatcher.register(roles.clone());
    cloud.ecs.dispatcher.set_authority(roles.clone());
    for (family, mode) in [("own", "awsvpc"), ("web", "bridge")] {
        let made = definition(family, mode, |_| {});
        cloud
            .call("RegisterTaskDefinition", made)
            .await
            .expect("registers");
    }
    (cloud, roles)
}

#[tokio::test]
async fn the_role_is_made_on_first_use_and_once() {
    let (cloud, roles) = with_roles().await;
    for name in ["a", "b"] {
        cloud
            .call("CreateCluster", json!({"clusterName": name}))
            .await
            .expect("creates");
        assert_eq!(roles.made.load(Ordering::SeqCst), 1);
    }
    roles.there.store(false, Ordering::SeqCst);
    let web = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 0});
    let service = cloud.call("CreateService", web).await.expect("creates")["service"].clone();
    assert_eq!(service["roleArn"], json!(null), "it needs none");
    assert_eq!(roles.made.load(Ordering::SeqCst), 2);
    let network = awsvpc(&[SUBNET_A], &[]);
    for request in [
        json!({"serviceName": "own", "taskDefinition": "own", "desiredCount": 0, "networkConfiguration": network}),
        json!({"serviceName": "external", "deploymentController": {"type": "EXTERNAL"}}),
    ] {
        let name = request["serviceName"].clone();
        let service = cloud.call("CreateService", request).await.expect("creates")["service"].clone();
        assert_eq!(service["roleArn"], ARN);
        let shown = cloud.call("DescribeServices", json!({"services": [name]})).await;
        assert_eq!(shown.expect("describes")["services"][0]["roleArn"], ARN);
    }
    let moved = json!({"service": "web", "taskDefinition": "own", "networkConfiguration": network});
    let service = cloud.call("UpdateService", moved).await.expect("updates")["service"].clone();
    assert_eq!(service["roleArn"], ARN);
    assert_eq!(roles.made.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn who_may_not_make_the_role_is_refused_what_needs_it_alone() {
    let (cloud, roles) = with_roles().await;
    roles.denies.store(true, Ordering::SeqCst);
    cloud
        .call("CreateCluster", json!({"clusterName": "a"}))
        .await
        .expect("creates");
    let web = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 0});
    cloud.call("CreateService", web).await.expect("creates");
    let network = awsvpc(&[SUBNET_A], &[]);
    let words =
        "Unable to assume the service linked role. Please verify that the ECS service linked role exists.";
    for (operation, request) in [
        (
            "CreateService",
            json!({"serviceName": "own", "taskDefinition": "own", "desiredCount": 0, "networkConfiguration": network}),
        ),
        (
            "CreateService",
            json!({"serviceName": "external", "deploymentController": {"type": "EXTERNAL"}}),
        ),
        (
            "UpdateService",
            json!({"service": "web", "taskDefinition": "own", "networkConfiguration": network}),
        ),
    ] {
        refused(
            cloud.call(operation, request).await,
            "InvalidParameterException",
            words,
        );
    }
}
