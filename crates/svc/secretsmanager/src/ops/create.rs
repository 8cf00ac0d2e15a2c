//! CreateSecret.

use std::collections::BTreeMap;

use roadstead_api_secretsmanager::{CreateSecretRequest, CreateSecretResponse};
use roadstead_base::{Ctx, random_uuid};
use roadstead_store::{Outcome, Transaction};

use crate::SecretsManager;
use crate::error::{Error, Result, refuse};
use crate::names::{check_name, suffix};
use crate::ops::{refuse_other_key, value};
use crate::records::{Secret, Value};
use crate::tags;

pub(crate) async fn create_secret(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: CreateSecretRequest,
) -> Result<CreateSecretResponse> {
    let CreateSecretRequest {
        add_replica_regions,
        client_request_token,
        description,
        force_overwrite_replica_secret,
        kms_key_id,
        name,
        secret_binary,
        secret_string,
        tags: given,
        r#type,
    } = input;
    refuse("AddReplicaRegions", add_replica_regions)?;
    refuse(
        "ForceOverwriteReplicaSecret",
        force_overwrite_replica_secret.filter(|force| *force),
    )?;
    refuse("Type", r#type.filter(|kind| !kind.is_empty()))?;
    refuse_other_key(kms_key_id)?;
    check_name(&name)?;
    let value = value(secret_binary, secret_string)?;
    let token = client_request_token.unwrap_or_else(random_uuid);
    let now = manager.now();
    let mut secret = Secret {
        suffix: suffix()?,
        description: description.filter(|text| !text.is_empty()),
        tags: tags::read(given.unwrap_or_default())?,
        created: now,
        changed: now,
        accessed: None,
        deletion: None,
        versions: BTreeMap::new(),
        policy: None,
        name,
    };
    if value.is_some() {
        secret.add(&token, None, now)?;
    }
    let partition = ctx.partition();
    let key = manager.secrets().key(&partition, &secret.name);
    if manager.named(&partition, &secret.name).await?.is_none() {
        let mut transaction = Transaction::new(&manager.store).insert(&manager.secrets(), &key, &secret);
        if let Some(value) = &value {
            let (key, record) = manager.sealed(&partition, &secret, &token, value)?;
            transaction = transaction.put(&manager.values(), &key, &record);
        }
        if let Outcome::Committed(_) = transaction.commit().await? {
            return Ok(answer(ctx, &secret, value.is_some().then_some(token)));
        }
    }
    existing(manager, ctx, &secret.name, token, value.as_ref()).await
}

/// The same call again is no error.
async fn existing(
    manager: &SecretsManager,
    ctx: &Ctx,
    name: &str,
    token: String,
    value: Option<&Value>,
) -> Result<CreateSecretResponse> {
    let partition = ctx.partition();
    let entry = manager.named(&partition, name).await?.ok_or(Error::Contended)?;
    let secret = entry.value;
    if secret.deletion.is_some() {
        return Err(Error::request(
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        ));
    }
    let exists = || Error::Exists {
        name: name.to_owned(),
    };
    let value = value.ok_or_else(exists)?;
    if !secret.versions.contains_key(&token) {
        return Err(exists());
    }
    if manager.value(&partition, &secret, &token).await? != *value {
        return Err(exists());
    }
    Ok(answer(ctx, &secret, Some(token)))
}

fn answer(ctx: &Ctx, secret: &Secret, version: Option<String>) -> CreateSecretResponse {
    CreateSecretResponse {
        arn: Some(secret.arn(&ctx.partition())),
        name: Some(secret.name.clone()),
        replication_status: None,
        version_id: version,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    #[tokio::test]
    async fn create_secret_keeps_a_string_or_bytes() {
        let world = World::new();
        let made = world
            .ok(
                "CreateSecret",
                json!({"Name": "a/b", "SecretString": "pa55", "Description": "what for"}),
            )
            .await;
        let arn = made["ARN"].as_str().expect("an ARN");
        assert!(
            arn.starts_with("arn:aws:secretsmanager:us-east-1:000000000000:secret:a/b-"),
            "{arn}"
        );
        assert_eq!(made["Name"], "a/b");
        let read = world.ok("GetSecretValue", json!({"SecretId": "a/b"})).await;
        assert_eq!(
            (read["SecretString"].as_str(), read.get("SecretBinary")),
            (Some("pa55"), None)
        );
        assert_eq!(read["VersionId"], made["VersionId"]);
        world
            .ok("CreateSecret", json!({"Name": "bytes", "SecretBinary": "AAH/"}))
            .await;
        let read = world.ok("GetSecretValue", json!({"SecretId": "bytes"})).await;
        assert_eq!(
            (read["SecretBinary"].as_str(), read.get("SecretString")),
            (Some("AAH/"), None)
        );
        let empty = world.ok("CreateSecret", json!({"Name": "empty"})).await;
        assert_eq!(empty.get("VersionId"), None);
        world
            .refused(
                "GetSecretValue",
                json!({"SecretId": "empty"}),
                "ResourceNotFoundException",
                "AWSCURRENT",
            )
            .await;
    }

    #[tokio::test]
    async fn create_secret_twice_is_once_also_after_a_restart() {
        let world = World::new();
        let token = "0123456789abcdef0123456789abcdef";
        let request = json!({"Name": "a", "SecretString": "1", "ClientRequestToken": token});
        let made = world.ok("CreateSecret", request.clone()).await;
        assert_eq!(made["VersionId"], token);
        assert_eq!(world.restarted().ok("CreateSecret", request.clone()).await, made);
        for (member, value) in [
            ("SecretString", "2"),
            ("ClientRequestToken", "x123456789abcdef0123456789abcdef"),
        ] {
            let mut other = request.clone();
            other[member] = value.into();
            world
                .refused(
                    "CreateSecret",
                    other,
                    "ResourceExistsException",
                    "the secret a already exists",
                )
                .await;
        }
        world
            .refused(
                "CreateSecret",
                json!({"Name": "a"}),
                "ResourceExistsException",
                "already exists",
            )
            .await;
        world.ok("DeleteSecret", json!({"SecretId": "a"})).await;
        world
            .refused(
                "CreateSecret",
                request,
                "InvalidRequestException",
                "already scheduled for deletion",
            )
            .await;
    }

    #[tokio::test]
    async fn create_secret_refuses_what_it_cannot_do() {
        let world = World::new();
        let parameter = "InvalidParameterException";
        for (member, value, words) in [
            (
                "AddReplicaRegions",
                json!([{"Region": "eu-west-1"}]),
                "AddReplicaRegions is not supported",
            ),
            (
                "ForceOverwriteReplicaSecret",
                json!(true),
                "ForceOverwriteReplicaSecret is not",
            ),
            ("Type", json!("partner"), "Type is not supported"),
            ("KmsKeyId", json!("alias/mine"), "KmsKeyId other than"),
            ("Name", json!("a b"), "Invalid name"),
            ("SecretBinary", json!("AAH/"), "both a binary"),
            (
                "Tags",
                json!([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]),
                "Duplicate tag key",
            ),
            ("Tags", json!([{"Key": "aws:a"}]), "reserved"),
            ("Tags", json!([{"Value": "a"}]), "must have a Key"),
            ("Tags", json!([{"Key": "a\n"}]), "Invalid character"),
        ] {
            let mut request = json!({"Name": "a", "SecretString": "1"});
            request[member] = value;
            world.refused("CreateSecret", request, parameter, words).await;
        }
        let tags: Vec<_> = (0..51)
            .map(|n| json!({"Key": n.to_string(), "Value": ""}))
            .collect();
        world
            .refused(
                "CreateSecret",
                json!({"Name": "a", "Tags": tags}),
                parameter,
                "at most 50",
            )
            .await;
        let request = json!({"Name": "a", "KmsKeyId": "alias/aws/secretsmanager", "ForceOverwriteReplicaSecret": false});
        world.ok("CreateSecret", request).await;
        let shown = world.ok("DescribeSecret", json!({"SecretId": "a"})).await;
        assert_eq!(shown.get("KmsKeyId"), None);
    }
}
