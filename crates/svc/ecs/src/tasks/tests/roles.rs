//! The roles of tasks: who may hand them over, who may be them, and how their keys reach the agent.

use std::sync::Arc;

use roadstead_acs::ToAgent;
use roadstead_base::{AccountId, Caller, RoleSession, Timestamp, User};
use roadstead_dispatch::{
    Asked, Authority, Because, Denial, IssuedKey, KeyError, RoleError, ServiceAssumes, SessionKeys,
};
use serde_json::json;

use crate::harness::{MACHINE, cloud, definition, text};

/// Knows the roles `app` and `exec`; `denied` may not be handed over.
struct Clerk;

impl Authority for Clerk {
    fn find(&self, _access_key: &str, _token: Option<&str>) -> Result<Option<IssuedKey>, KeyError> {
        Ok(None)
    }

    fn account_of(&self, _access_key: &str) -> Option<AccountId> {
        None
    }

    fn decide(&self, asked: Asked<'_>) -> Result<(), Denial> {
        let to_tasks =
            asked.keys.get("iam:PassedToService") == Some(&["ecs-tasks.amazonaws.com".to_owned()][..]);
        if to_tasks && asked.action == "iam:PassRole" && !asked.resource.ends_with("denied") {
            return Ok(());
        }
        Err(Denial {
            caller: asked.ctx.caller.arn(&asked.ctx.account),
            action: asked.action.into(),
            resource: asked.resource.into(),
            because: Because::NoIdentityPolicy,
        })
    }

    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<RoleSession>, RoleError> {
        let known = assumes.role_arn.ends_with("role/app") || assumes.role_arn.ends_with("role/exec");
        if !known || assumes.service != "ecs-tasks.amazonaws.com" {
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

    fn issue(&self, caller: &Caller, _account: &AccountId, expires: Timestamp) -> SessionKeys {
        SessionKeys {
            access_key: format!("ASIA of {caller}"),
            secret: "secret".into(),
            token: "token".into(),
            expires,
        }
    }
}

#[tokio::test]
async fn keys_come_with_the_task_and_again_with_each_connection() {
    let cloud = cloud().await;
    cloud.ecs.dispatcher.set_authority(Arc::new(Clerk));
    let instance = cloud.register("default", MACHINE, 2).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    let mut input = definition("web", "bridge", |_| {});
    input["taskRoleArn"] = json!("app");
    input["executionRoleArn"] = json!("arn:aws:iam::000000000000:role/exec");
    let shown = cloud
        .call("RegisterTaskDefinition", input)
        .await
        .expect("registers");
    assert_eq!(shown["taskDefinition"]["taskRoleArn"], "app");
    let task = cloud.run(json!({"taskDefinition": "web"})).await;
    let arn = text(&task["taskArn"]);
    let (_, payload) = agent.payload().await;
    let id = arn.rsplit('/').next().expect("an id");
    let keys = payload.tasks[0].role_credentials.clone().expect("keys");
    let execution = payload.tasks[0].execution_role_credentials.clone().expect("keys");
    assert_eq!(keys.role_arn, "arn:aws:iam::000000000000:role/app");
    assert_eq!(
        keys.access_key_id,
        format!("ASIA of arn:aws:sts::000000000000:assumed-role/app/{id}")
    );
    assert_ne!(keys.credentials_id, execution.credentials_id);
    assert_eq!(execution.role_arn, "arn:aws:iam::000000000000:role/exec");

    drop(agent);
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    let mut renewed = Vec::new();
    while renewed.len() < 2 {
        match agent.hear().await.expect("a frame") {
            ToAgent::Credentials(message) => {
                renewed.push((message.role_type, message.role_credentials.credentials_id))
            }
            ToAgent::Payload(_) | ToAgent::NetworkMap(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let expected = [
        ("TaskApplication", keys.credentials_id),
        ("TaskExecution", execution.credentials_id),
    ];
    assert_eq!(renewed, expected.map(|(kind, id)| (kind.to_owned(), id)));
}

#[tokio::test]
async fn roles_that_cannot_be_are_refused_when_the_task_is_run() {
    let cloud = cloud().await;
    cloud.ecs.dispatcher.set_authority(Arc::new(Clerk));
    let instance = cloud.register("default", MACHINE, 2).await;
    let _agent = cloud.agent(&instance).await;
    cloud
        .call("RegisterTaskDefinition", definition("web", "bridge", |_| {}))
        .await
        .expect("registers");
    let user = cloud.ctx(Caller::User(Arc::new(User {
        arn: "arn:aws:iam::000000000000:user/ann".into(),
        name: "ann".into(),
        id: "AIDA".into(),
    })));
    let run = |role: &str| json!({"taskDefinition": "web", "overrides": {"taskRoleArn": role}});
    let error = cloud
        .call_as(&user, "RunTask", run("denied"))
        .await
        .expect_err("denied");
    assert_eq!(error.code, "AccessDeniedException");
    assert!(
        error
            .message
            .contains("iam:PassRole on resource: arn:aws:iam::000000000000:role/denied"),
        "{error}"
    );
    let error = cloud
        .call_as(&user, "RunTask", run("none"))
        .await
        .expect_err("none");
    assert_eq!(error.code, "ClientException");
    assert!(
        error
            .message
            .starts_with("ECS was unable to assume the role 'arn:aws:iam::000000000000:role/none'"),
        "{error}"
    );
    let mut host = definition("host", "host", |_| {});
    host["taskRoleArn"] = json!("app");
    let error = cloud
        .call("RegisterTaskDefinition", host)
        .await
        .expect_err("refused");
    assert!(
        error.message.contains("taskRoleArn with networkMode host"),
        "{error}"
    );
}
