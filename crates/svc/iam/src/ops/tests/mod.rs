//! The operations by their service, as a client would call them: good and bad requests, the second identical call,
//! pages, a restart.

mod account;
mod details;
mod gate;
mod life;
mod linked;
mod listing;
mod pages;
mod passwords;
mod policies;
mod providers;
mod rest;
mod roles;
mod simulation;

use roadstead_api_iam::{Iam as _, *};

use crate::testing::Bench;

pub(super) const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

pub(super) fn allow(action: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}]}}"#
    )
}

impl Bench {
    pub(super) async fn user(&self, name: &str) -> User {
        let input = CreateUserRequest {
            user_name: name.into(),
            ..Default::default()
        };
        self.iam
            .create_user(&self.root(), input)
            .await
            .expect("made")
            .user
            .expect("a user")
    }

    pub(super) async fn group(&self, name: &str) -> Group {
        let input = CreateGroupRequest {
            group_name: name.into(),
            ..Default::default()
        };
        self.iam
            .create_group(&self.root(), input)
            .await
            .expect("made")
            .group
    }

    pub(super) async fn role(&self, name: &str) -> Role {
        let input = CreateRoleRequest {
            role_name: name.into(),
            assume_role_policy_document: TRUST.into(),
            ..Default::default()
        };
        self.iam
            .create_role(&self.root(), input)
            .await
            .expect("made")
            .role
    }

    /// Its ARN.
    pub(super) async fn policy(&self, name: &str, document: &str) -> String {
        let input = CreatePolicyRequest {
            policy_name: name.into(),
            policy_document: document.into(),
            ..Default::default()
        };
        let made = self.iam.create_policy(&self.root(), input).await.expect("made");
        made.policy.and_then(|policy| policy.arn).expect("an ARN")
    }

    pub(super) async fn attach_to_user(&self, user: &str, arn: &str) {
        let input = AttachUserPolicyRequest {
            user_name: user.into(),
            policy_arn: arn.into(),
        };
        self.iam
            .attach_user_policy(&self.root(), input)
            .await
            .expect("attached");
    }

    pub(super) async fn key(&self, user: &str) -> AccessKey {
        let input = CreateAccessKeyRequest {
            user_name: Some(user.into()),
        };
        self.iam
            .create_access_key(&self.root(), input)
            .await
            .expect("made")
            .access_key
    }
}
