//! The name and password that an image of a private registry is pulled with: from a secret that the task
//! definition names, and which is read as the task's execution role.

use roadstead_acs::RoleCredentials;
use roadstead_api_secretsmanager::{GetSecretValueRequest, GetSecretValueResponse};
use roadstead_image::Auth;
use serde::Deserialize;

use crate::api::Client;
use crate::driver::{Failure, Result};
use crate::engine::spec::RegistrySecret;

/// What the secret holds. More members are of no concern.
#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

pub(super) async fn fetch(
    client: Option<&Client>,
    of: &RegistrySecret,
    keys: Option<&RoleCredentials>,
) -> Result<Auth> {
    let RegistrySecret { secret, region } = of;
    let failed = |why: &dyn std::fmt::Display| {
        Failure(format!(
            "unable to retrieve the registry's credentials from the secret {secret} in {region}: {why}"
        ))
    };
    let client = client.ok_or_else(|| failed(&"this node has no control plane to ask"))?;
    let keys = keys.ok_or_else(|| failed(&"the task's execution role has given no keys"))?;
    let request = GetSecretValueRequest {
        secret_id: secret.clone(),
        version_id: None,
        version_stage: None,
    };
    let answer: GetSecretValueResponse = client
        .acting_as(keys)
        .in_region(region)
        .call_secrets("GetSecretValue", request)
        .await
        .map_err(|error| failed(&error))?;
    login(answer.secret_string.as_deref().unwrap_or_default()).map_err(|why| failed(&why))
}

fn login(text: &str) -> std::result::Result<Auth, &'static str> {
    // The parser's words would tell the secret.
    match serde_json::from_str::<Login>(text) {
        Ok(Login { username, password }) if !username.is_empty() && !password.is_empty() => {
            Ok(Auth::Basic { username, password })
        }
        _ => Err(r#"it does not hold JSON as {"username": "…", "password": "…"}"#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_holds_a_name_and_a_password() {
        let read = login(r#"{"username": "robot", "password": "s3cret", "note": 1}"#);
        let expected = Auth::Basic {
            username: "robot".to_owned(),
            password: "s3cret".to_owned(),
        };
        assert_eq!(read, Ok(expected));
        for text in [
            "",
            "s3cret",
            "[]",
            r#"{"username": "robot"}"#,
            r#"{"username": "", "password": "s3cret"}"#,
            r#"{"username": "robot", "password": 5}"#,
        ] {
            let why = login(text).expect_err(text);
            assert!(why.contains("username") && !why.contains("s3cret"), "{why}");
        }
    }

    #[tokio::test]
    async fn without_a_control_plane_the_reason_says_so() {
        let of = RegistrySecret {
            secret: "registry".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let error = fetch(None, &of, None).await.expect_err("nobody to ask");
        assert!(
            error
                .0
                .contains("secret registry in us-east-1: this node has no control plane"),
            "{error}"
        );
    }
}
