//! PutSecretValue.

use roadstead_api_secretsmanager::{PutSecretValueRequest, PutSecretValueResponse};
use roadstead_base::{Ctx, random_uuid};

use crate::SecretsManager;
use crate::error::{Error, Result, refuse};
use crate::ops::value;
use crate::records::{Secret, Value};
use crate::secrets::Values;

/// How often it is begun again when others change the same secret meanwhile.
const MAX_TRIES: u32 = 64;

pub(crate) async fn put_secret_value(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: PutSecretValueRequest,
) -> Result<PutSecretValueResponse> {
    let PutSecretValueRequest {
        client_request_token,
        rotation_token,
        secret_binary,
        secret_id,
        secret_string,
        version_stages,
    } = input;
    refuse("RotationToken", rotation_token)?;
    let value = value(secret_binary, secret_string)?
        .ok_or_else(|| Error::parameter("You must provide either SecretString or SecretBinary."))?;
    let token = client_request_token.unwrap_or_else(random_uuid);
    let secret = add(manager, ctx, &secret_id, &token, &value, version_stages).await?;
    let labels = secret.versions.get(&token).map(|version| version.labels.clone());
    Ok(PutSecretValueResponse {
        arn: Some(secret.arn(&ctx.partition())),
        name: Some(secret.name),
        version_id: Some(token),
        version_stages: labels.map(|labels| labels.into_iter().collect()),
    })
}

/// Adds a version with a value; one that is there with the same value is no error.
async fn add(
    manager: &SecretsManager,
    ctx: &Ctx,
    id: &str,
    token: &str,
    value: &Value,
    labels: Option<Vec<String>>,
) -> Result<Secret> {
    let partition = ctx.partition();
    for _ in 0..MAX_TRIES {
        let entry = manager.live(ctx, id).await?;
        if entry.value.versions.contains_key(token) {
            if manager.value(&partition, &entry.value, token).await? == *value {
                return Ok(entry.value);
            }
            return Err(Error::TokenUsed {
                token: token.to_owned(),
                arn: entry.value.arn(&partition),
            });
        }
        let mut secret = entry.value.clone();
        let values = Values {
            remove: secret.add(token, labels.clone(), manager.now())?,
            add: Some((token.to_owned(), value.clone())),
        };
        if manager.write(ctx, &entry, &secret, values).await? {
            return Ok(secret);
        }
    }
    Err(Error::Contended)
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    #[tokio::test]
    async fn put_secret_value_makes_versions() {
        let world = World::new();
        world.ok("CreateSecret", json!({"Name": "a"})).await;
        let first = world
            .ok("PutSecretValue", json!({"SecretId": "a", "SecretString": "1"}))
            .await;
        assert_eq!(first["VersionStages"], json!(["AWSCURRENT"]));
        let second = world
            .ok("PutSecretValue", json!({"SecretId": "a", "SecretBinary": "AAH/"}))
            .await;
        let labelled = json!({"SecretId": "a", "SecretString": "3", "VersionStages": ["TEST"]});
        let third = world.ok("PutSecretValue", labelled).await;
        assert_eq!(third["VersionStages"], json!(["TEST"]));
        for (label, version) in [("AWSCURRENT", &second), ("AWSPREVIOUS", &first), ("TEST", &third)] {
            let read = world
                .ok("GetSecretValue", json!({"SecretId": "a", "VersionStage": label}))
                .await;
            assert_eq!(read["VersionId"], version["VersionId"], "{label}");
        }
        let parameter = "InvalidParameterException";
        world
            .refused(
                "PutSecretValue",
                json!({"SecretId": "a"}),
                parameter,
                "either SecretString",
            )
            .await;
        let both = json!({"SecretId": "a", "SecretString": "1", "SecretBinary": "AAH/"});
        world
            .refused("PutSecretValue", both, parameter, "both a binary")
            .await;
        let rotation = json!({"SecretId": "a", "SecretString": "1", "RotationToken": "x".repeat(36)});
        world
            .refused(
                "PutSecretValue",
                rotation,
                parameter,
                "RotationToken is not supported",
            )
            .await;
        let absent = json!({"SecretId": "b", "SecretString": "1"});
        world
            .refused(
                "PutSecretValue",
                absent,
                "ResourceNotFoundException",
                "can't find",
            )
            .await;
    }

    #[tokio::test]
    async fn put_secret_value_twice_is_once_also_after_a_restart() {
        let world = World::new();
        world
            .ok("CreateSecret", json!({"Name": "a", "SecretString": "0"}))
            .await;
        let token = "0123456789abcdef0123456789abcdef";
        let request = json!({"SecretId": "a", "SecretString": "1", "ClientRequestToken": token});
        let made = world.ok("PutSecretValue", request.clone()).await;
        world
            .ok("PutSecretValue", json!({"SecretId": "a", "SecretString": "2"}))
            .await;
        let again = world.restarted().ok("PutSecretValue", request.clone()).await;
        assert_eq!(
            (&again["VersionId"], &again["ARN"]),
            (&made["VersionId"], &made["ARN"])
        );
        let read = world.ok("GetSecretValue", json!({"SecretId": "a"})).await;
        assert_eq!(read["SecretString"], "2", "it changed nothing");
        let mut other = request;
        other["SecretString"] = "9".into();
        world
            .refused(
                "PutSecretValue",
                other,
                "ResourceExistsException",
                "already in use for a version",
            )
            .await;
    }

    #[tokio::test]
    async fn put_secret_value_side_by_side_loses_none() {
        let world = World::new();
        world
            .ok("CreateSecret", json!({"Name": "a", "SecretString": "0"}))
            .await;
        let puts = (0..10).map(|n| {
            let world = world.clone();
            tokio::spawn(async move {
                world
                    .ok(
                        "PutSecretValue",
                        json!({"SecretId": "a", "SecretString": n.to_string()}),
                    )
                    .await
            })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.expect("puts");
        }
        let all = json!({"SecretId": "a", "IncludeDeprecated": true});
        let versions = world.ok("ListSecretVersionIds", all).await;
        assert_eq!(versions["Versions"].as_array().map(Vec::len), Some(11));
    }
}
