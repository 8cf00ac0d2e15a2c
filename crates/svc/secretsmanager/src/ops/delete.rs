//! DeleteSecret.

use roadstead_api_secretsmanager::{DeleteSecretRequest, DeleteSecretResponse};
use roadstead_base::{Ctx, Timestamp};

use crate::SecretsManager;
use crate::error::{Error, Result};
use crate::names::{SecretId, partial_arn};
use crate::records::Deletion;
use crate::secrets::Values;

const DAY_MILLIS: i64 = 86_400_000;
const WINDOW: std::ops::RangeInclusive<i64> = 7..=30;
/// How often a removal at once is tried again when others change the secret meanwhile.
const MAX_TRIES: u32 = 64;

pub(crate) async fn delete_secret(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: DeleteSecretRequest,
) -> Result<DeleteSecretResponse> {
    let DeleteSecretRequest {
        force_delete_without_recovery,
        recovery_window_in_days,
        secret_id,
    } = input;
    let days = recovery_window_in_days.unwrap_or(*WINDOW.end());
    match force_delete_without_recovery {
        Some(true) if recovery_window_in_days.is_some() => {
            return Err(Error::parameter(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            ));
        }
        Some(true) => return at_once(manager, ctx, &secret_id).await,
        _ if !WINDOW.contains(&days) => {
            return Err(Error::parameter(
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            ));
        }
        _ => {}
    }
    let (secret, until) = manager
        .change(ctx, &secret_id, |secret, at| {
            let until = at.plus_millis(days * DAY_MILLIS);
            secret.deletion = Some(Deletion { at, until });
            Ok((Values::default(), until))
        })
        .await?;
    Ok(answer(secret.arn(&ctx.partition()), secret.name, until))
}

/// Also of a secret that is marked already; one that is not there is as good as removed.
async fn at_once(manager: &SecretsManager, ctx: &Ctx, id: &str) -> Result<DeleteSecretResponse> {
    let partition = ctx.partition();
    for _ in 0..MAX_TRIES {
        let entry = match manager.find(ctx, id).await {
            Ok(entry) => entry,
            Err(Error::NotFound) => {
                let candidates = SecretId::parse(&partition, id).map(|id| id.candidates);
                let name = candidates.ok().and_then(|names| names.into_iter().next());
                let name = name.map_or_else(|| id.to_owned(), |(name, _)| name);
                let arn = if id.starts_with("arn:") {
                    id.to_owned()
                } else {
                    partial_arn(&partition, &name)
                };
                return Ok(answer(arn, name, manager.now()));
            }
            Err(error) => return Err(error),
        };
        if manager.remove(&partition, &entry).await? {
            let secret = entry.value;
            return Ok(answer(secret.arn(&partition), secret.name, manager.now()));
        }
    }
    Err(Error::Contended)
}

fn answer(arn: String, name: String, at: Timestamp) -> DeleteSecretResponse {
    DeleteSecretResponse {
        arn: Some(arn),
        deletion_date: Some(at),
        name: Some(name),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    #[tokio::test]
    async fn delete_secret_keeps_it_for_the_recovery_window() {
        for (days, window) in [(json!({}), 30), (json!({"RecoveryWindowInDays": 7}), 7)] {
            let world = World::new();
            world
                .ok("CreateSecret", json!({"Name": "a", "SecretString": "old-value"}))
                .await;
            let mut request = days;
            request["SecretId"] = "a".into();
            let until = START.as_seconds() + f64::from(window * 86_400);
            let deleted = world.ok("DeleteSecret", request.clone()).await;
            assert_eq!(deleted["DeletionDate"].as_f64(), Some(until));
            let invalid = "InvalidRequestException";
            for operation in ["DeleteSecret", "GetSecretValue"] {
                world
                    .refused(
                        operation,
                        json!({"SecretId": "a"}),
                        invalid,
                        "marked for deletion",
                    )
                    .await;
            }
            let put = json!({"SecretId": "a", "SecretString": "x"});
            world
                .refused("PutSecretValue", put, invalid, "marked for deletion")
                .await;
            let shown = world.ok("DescribeSecret", json!({"SecretId": "a"})).await;
            assert_eq!(shown["DeletedDate"].as_f64(), Some(until));
            world.advance_days(window.into());
            let gone = "ResourceNotFoundException";
            world
                .restarted()
                .refused("DescribeSecret", json!({"SecretId": "a"}), gone, "can't find")
                .await;
            assert_eq!(world.everything().await, "");
            world.ok("CreateSecret", json!({"Name": "a"})).await;
        }
    }

    #[tokio::test]
    async fn delete_secret_by_force_is_at_once() {
        let world = World::new();
        let first = world
            .ok("CreateSecret", json!({"Name": "a", "SecretString": "1"}))
            .await;
        let force = json!({"SecretId": "a", "ForceDeleteWithoutRecovery": true});
        let deleted = world.ok("DeleteSecret", force.clone()).await;
        assert_eq!(
            (&deleted["ARN"], deleted["DeletionDate"].as_f64()),
            (&first["ARN"], Some(START.as_seconds()))
        );
        assert_eq!(world.everything().await, "");
        // The reference: one that is not there is no error then.
        let partial = "arn:aws:secretsmanager:us-east-1:000000000000:secret:a";
        for (named, arn) in [
            (json!("a"), json!(partial)),
            (json!(partial), json!(partial)),
            (first["ARN"].clone(), first["ARN"].clone()),
        ] {
            let force = json!({"SecretId": named, "ForceDeleteWithoutRecovery": true});
            let deleted = world.ok("DeleteSecret", force).await;
            assert_eq!((&deleted["ARN"], &deleted["Name"]), (&arn, &json!("a")));
        }
        let second = world
            .ok("CreateSecret", json!({"Name": "a", "SecretString": "2"}))
            .await;
        assert_ne!(first["ARN"], second["ARN"], "another secret of the same name");
        let old = json!({"SecretId": first["ARN"]});
        world
            .refused("GetSecretValue", old, "ResourceNotFoundException", "can't find")
            .await;
        world.ok("DeleteSecret", json!({"SecretId": "a"})).await;
        world.ok("DeleteSecret", force).await;
        assert_eq!(world.everything().await, "");
    }

    #[tokio::test]
    async fn delete_secret_refuses_odd_windows() {
        let world = World::new();
        world.ok("CreateSecret", json!({"Name": "a"})).await;
        let parameter = "InvalidParameterException";
        for days in [0, 6, 31, -1] {
            let request = json!({"SecretId": "a", "RecoveryWindowInDays": days});
            world
                .refused("DeleteSecret", request, parameter, "between 7 and 30")
                .await;
        }
        let both = json!({"SecretId": "a", "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": true});
        world
            .refused("DeleteSecret", both, parameter, "in conjunction with")
            .await;
        world
            .refused(
                "DeleteSecret",
                json!({"SecretId": "b"}),
                "ResourceNotFoundException",
                "can't find",
            )
            .await;
    }
}
