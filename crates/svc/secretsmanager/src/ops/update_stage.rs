//! UpdateSecretVersionStage.

use roadstead_api_secretsmanager::{UpdateSecretVersionStageRequest, UpdateSecretVersionStageResponse};
use roadstead_base::Ctx;

use crate::SecretsManager;
use crate::error::Result;
use crate::secrets::Values;

pub(crate) async fn update_secret_version_stage(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: UpdateSecretVersionStageRequest,
) -> Result<UpdateSecretVersionStageResponse> {
    let UpdateSecretVersionStageRequest {
        move_to_version_id,
        remove_from_version_id,
        secret_id,
        version_stage,
    } = input;
    let (to, from) = (move_to_version_id.as_deref(), remove_from_version_id.as_deref());
    let (secret, ()) = manager
        .change(ctx, &secret_id, |secret, now| {
            secret.move_label(&version_stage, to, from, now)?;
            Ok((Values::default(), ()))
        })
        .await?;
    Ok(UpdateSecretVersionStageResponse {
        arn: Some(secret.arn(&ctx.partition())),
        name: Some(secret.name),
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    #[tokio::test]
    async fn update_secret_version_stage_moves_labels() {
        let world = World::new();
        let first = world
            .ok("CreateSecret", json!({"Name": "a", "SecretString": "1"}))
            .await;
        let second = world
            .ok("PutSecretValue", json!({"SecretId": "a", "SecretString": "2"}))
            .await;
        let (first, second) = (&first["VersionId"], &second["VersionId"]);
        let back = json!({
            "SecretId": "a", "VersionStage": "AWSCURRENT", "MoveToVersionId": first, "RemoveFromVersionId": second,
        });
        world.ok("UpdateSecretVersionStage", back.clone()).await;
        assert_eq!(
            world.ok("GetSecretValue", json!({"SecretId": "a"})).await["SecretString"],
            "1"
        );
        let previous = json!({"SecretId": "a", "VersionStage": "AWSPREVIOUS"});
        assert_eq!(world.ok("GetSecretValue", previous).await["SecretString"], "2");
        let parameter = "InvalidParameterException";
        world
            .refused("UpdateSecretVersionStage", back, parameter, "isn't attached")
            .await;
        let alone = json!({"SecretId": "a", "VersionStage": "AWSCURRENT", "MoveToVersionId": second});
        world
            .refused(
                "UpdateSecretVersionStage",
                alone,
                parameter,
                "RemoveFromVersionId can't be empty",
            )
            .await;
        let own = json!({"SecretId": "a", "VersionStage": "MINE", "MoveToVersionId": second});
        world.ok("UpdateSecretVersionStage", own).await;
        let off = json!({"SecretId": "a", "VersionStage": "MINE", "RemoveFromVersionId": second});
        world.ok("UpdateSecretVersionStage", off).await;
        let gone = json!({"SecretId": "a", "VersionStage": "MINE"});
        world
            .refused(
                "GetSecretValue",
                gone,
                "ResourceNotFoundException",
                "staging label: MINE",
            )
            .await;
        let nowhere = json!({"SecretId": "a", "VersionStage": "X", "MoveToVersionId": "z".repeat(32)});
        world
            .refused(
                "UpdateSecretVersionStage",
                nowhere,
                "ResourceNotFoundException",
                "VersionId: z",
            )
            .await;
    }
}
