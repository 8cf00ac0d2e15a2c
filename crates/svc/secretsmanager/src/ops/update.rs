//! UpdateSecret.

use roadstead_api_secretsmanager::{UpdateSecretRequest, UpdateSecretResponse};
use roadstead_base::{Ctx, random_uuid};

use crate::SecretsManager;
use crate::error::{Error, Result, refuse};
use crate::ops::{refuse_other_key, value};
use crate::secrets::Values;

pub(crate) async fn update_secret(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: UpdateSecretRequest,
) -> Result<UpdateSecretResponse> {
    let UpdateSecretRequest {
        client_request_token,
        description,
        kms_key_id,
        secret_binary,
        secret_id,
        secret_string,
        r#type,
    } = input;
    refuse("Type", r#type.filter(|kind| !kind.is_empty()))?;
    refuse_other_key(kms_key_id)?;
    let value = value(secret_binary, secret_string)?;
    let token = client_request_token.unwrap_or_else(random_uuid);
    let partition = ctx.partition();
    let (secret, version) = manager
        .change(ctx, &secret_id, |secret, now| {
            let mut values = Values::default();
            if let Some(text) = &description {
                secret.description = Some(text.clone()).filter(|text| !text.is_empty());
                secret.changed = now;
            }
            let Some(value) = &value else {
                return Ok((values, None));
            };
            if secret.versions.contains_key(&token) {
                return Err(Error::TokenUsed {
                    token: token.clone(),
                    arn: secret.arn(&partition),
                });
            }
            values.remove = secret.add(&token, None, now)?;
            values.add = Some((token.clone(), value.clone()));
            Ok((values, Some(token.clone())))
        })
        .await?;
    Ok(UpdateSecretResponse {
        arn: Some(secret.arn(&partition)),
        name: Some(secret.name),
        version_id: version,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    #[tokio::test]
    async fn update_secret_changes_description_and_value() {
        let world = World::new();
        let first = world
            .ok("CreateSecret", json!({"Name": "a", "SecretString": "1"}))
            .await;
        world.advance_seconds(5);
        let described = world
            .ok("UpdateSecret", json!({"SecretId": "a", "Description": "d"}))
            .await;
        assert_eq!(described.get("VersionId"), None);
        let token = "0123456789abcdef0123456789abcdef";
        let request = json!({"SecretId": "a", "SecretBinary": "AAH/", "ClientRequestToken": token});
        let second = world.ok("UpdateSecret", request.clone()).await;
        assert_eq!(
            (&second["VersionId"], &second["ARN"]),
            (&json!(token), &first["ARN"])
        );
        let shown = world.ok("DescribeSecret", json!({"SecretId": "a"})).await;
        assert_eq!(shown["Description"], "d");
        assert_eq!(shown["LastChangedDate"].as_f64(), Some(START.as_seconds() + 5.0));
        assert_eq!(shown["VersionIdsToStages"][token], json!(["AWSCURRENT"]));
        let read = world.ok("GetSecretValue", json!({"SecretId": "a"})).await;
        assert_eq!(read["SecretBinary"], "AAH/");
        // The reference: an existing version cannot be modified, not even to what it is.
        world
            .refused(
                "UpdateSecret",
                request,
                "ResourceExistsException",
                "already in use",
            )
            .await;
        world
            .ok(
                "UpdateSecret",
                json!({"SecretId": "a", "SecretString": "3", "Description": ""}),
            )
            .await;
        assert_eq!(
            world
                .ok("DescribeSecret", json!({"SecretId": "a"}))
                .await
                .get("Description"),
            None
        );
    }

    #[tokio::test]
    async fn update_secret_refuses_what_it_cannot_do() {
        let world = World::new();
        world.ok("CreateSecret", json!({"Name": "a"})).await;
        for (member, value, words) in [
            ("Type", "partner", "Type is not supported"),
            ("KmsKeyId", "1234abcd", "KmsKeyId other than"),
            ("SecretBinary", "AAH/", "both a binary"),
        ] {
            let mut request = json!({"SecretId": "a", "SecretString": "1"});
            request[member] = value.into();
            world
                .refused("UpdateSecret", request, "InvalidParameterException", words)
                .await;
        }
        world
            .refused(
                "UpdateSecret",
                json!({"SecretId": "b"}),
                "ResourceNotFoundException",
                "can't find",
            )
            .await;
        world
            .ok(
                "UpdateSecret",
                json!({"SecretId": "a", "KmsKeyId": "alias/aws/secretsmanager"}),
            )
            .await;
    }
}
