//! RestoreSecret.

use roadstead_api_secretsmanager::{RestoreSecretRequest, RestoreSecretResponse};
use roadstead_base::Ctx;

use crate::SecretsManager;
use crate::error::{Error, Result};
use crate::secrets::Values;

/// How often it is tried again when others change the secret meanwhile.
const MAX_TRIES: u32 = 64;

/// A secret that is not marked for deletion stays as it is.
pub(crate) async fn restore_secret(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: RestoreSecretRequest,
) -> Result<RestoreSecretResponse> {
    let RestoreSecretRequest { secret_id } = input;
    for _ in 0..MAX_TRIES {
        let entry = manager.find(ctx, &secret_id).await?;
        let mut secret = entry.value.clone();
        secret.deletion = None;
        if secret == entry.value || manager.write(ctx, &entry, &secret, Values::default()).await? {
            return Ok(RestoreSecretResponse {
                arn: Some(secret.arn(&ctx.partition())),
                name: Some(secret.name),
            });
        }
    }
    Err(Error::Contended)
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    #[tokio::test]
    async fn restore_secret_brings_it_back_and_twice_is_once() {
        let world = World::new();
        let made = world
            .ok("CreateSecret", json!({"Name": "a", "SecretString": "1"}))
            .await;
        world.ok("DeleteSecret", json!({"SecretId": "a"})).await;
        world.advance_days(29);
        for _ in 0..2 {
            let restored = world
                .restarted()
                .ok("RestoreSecret", json!({"SecretId": made["ARN"]}))
                .await;
            assert_eq!(
                (&restored["ARN"], &restored["Name"]),
                (&made["ARN"], &made["Name"])
            );
        }
        world.advance_days(300);
        assert_eq!(
            world.ok("GetSecretValue", json!({"SecretId": "a"})).await["SecretString"],
            "1"
        );
        world
            .refused(
                "RestoreSecret",
                json!({"SecretId": "b"}),
                "ResourceNotFoundException",
                "can't find",
            )
            .await;
    }
}
