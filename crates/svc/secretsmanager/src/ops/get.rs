//! GetSecretValue.

use roadstead_api_secretsmanager::{GetSecretValueRequest, GetSecretValueResponse};
use roadstead_base::Ctx;
use roadstead_protocol::Blob;
use roadstead_store::Entry;

use crate::SecretsManager;
use crate::error::{Error, Result};
use crate::labels::CURRENT;
use crate::records::{Secret, Value, day};
use crate::secrets::Values;

pub(crate) async fn get_secret_value(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: GetSecretValueRequest,
) -> Result<GetSecretValueResponse> {
    let GetSecretValueRequest {
        secret_id,
        version_id,
        version_stage,
    } = input;
    let entry = manager.live(ctx, &secret_id).await?;
    let id = choose(&entry.value, version_id, version_stage)?;
    let partition = ctx.partition();
    let value = manager.value(&partition, &entry.value, &id).await?;
    note_access(manager, ctx, &entry, &id).await?;
    let secret = entry.value;
    let version = secret.versions.get(&id).ok_or(Error::NotFound)?;
    let Value { binary, bytes } = value;
    let (secret_binary, secret_string) = match binary {
        true => (Some(Blob(bytes)), None),
        false => {
            let text = String::from_utf8(bytes).map_err(|_| Error::Decryption {
                why: "it is no text".to_owned(),
            })?;
            (None, Some(text))
        }
    };
    Ok(GetSecretValueResponse {
        arn: Some(secret.arn(&partition)),
        created_date: Some(version.created),
        name: Some(secret.name.clone()),
        secret_binary,
        secret_string,
        version_stages: Some(version.labels.iter().cloned().collect()),
        version_id: Some(id),
    })
}

fn choose(secret: &Secret, id: Option<String>, label: Option<String>) -> Result<String> {
    let missing = |what: String| Error::NoSuchVersion { what };
    match (id, label) {
        (Some(id), label) => {
            let version = secret
                .versions
                .get(&id)
                .ok_or_else(|| missing(format!("VersionId: {id}")))?;
            match label {
                Some(label) if !version.labels.contains(&label) => Err(Error::request(
                    "You provided a VersionStage that is not associated to the provided VersionId.",
                )),
                _ => Ok(id),
            }
        }
        (None, label) => {
            let label = label.unwrap_or_else(|| CURRENT.to_owned());
            let found = secret.labelled(&label).map(str::to_owned);
            found.ok_or_else(|| missing(format!("staging label: {label}")))
        }
    }
}

/// Once a day; when somebody else writes in between, the next reader does it.
async fn note_access(manager: &SecretsManager, ctx: &Ctx, entry: &Entry<Secret>, id: &str) -> Result<()> {
    let today = Some(day(manager.now()));
    let mut secret = entry.value.clone();
    secret.accessed = today;
    if let Some(version) = secret.versions.get_mut(id) {
        version.accessed = today;
    }
    if secret != entry.value {
        manager.write(ctx, entry, &secret, Values::default()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    #[tokio::test]
    async fn get_secret_value_finds_versions_by_id_and_label() {
        let world = World::new();
        let made = world
            .ok("CreateSecret", json!({"Name": "a-abcdef", "SecretString": "1"}))
            .await;
        let (arn, first) = (made["ARN"].as_str().expect("arn"), &made["VersionId"]);
        let second = world
            .ok(
                "PutSecretValue",
                json!({"SecretId": "a-abcdef", "SecretString": "2"}),
            )
            .await;
        let partial = &arn[..arn.len() - 7];
        for id in [arn, partial, "a-abcdef"] {
            let read = world.ok("GetSecretValue", json!({"SecretId": id})).await;
            assert_eq!(
                (read["SecretString"].as_str(), read["ARN"].as_str()),
                (Some("2"), Some(arn)),
                "{id}"
            );
            assert_eq!(read["CreatedDate"].as_f64(), Some(START.as_seconds()));
        }
        let get = |more: Json| {
            let mut request = json!({"SecretId": "a-abcdef"});
            request
                .as_object_mut()
                .expect("object")
                .extend(more.as_object().expect("object").clone());
            request
        };
        let read = world.ok("GetSecretValue", get(json!({"VersionId": first}))).await;
        assert_eq!(
            (read["SecretString"].as_str(), &read["VersionStages"]),
            (Some("1"), &json!(["AWSPREVIOUS"]))
        );
        let both = get(json!({"VersionId": first, "VersionStage": "AWSPREVIOUS"}));
        assert_eq!(world.ok("GetSecretValue", both).await["SecretString"], "1");
        for (more, code, words) in [
            (
                json!({"VersionId": second["VersionId"], "VersionStage": "AWSPREVIOUS"}),
                "InvalidRequestException",
                "not associated to the provided VersionId",
            ),
            (
                json!({"VersionStage": "X"}),
                "ResourceNotFoundException",
                "staging label: X",
            ),
            (
                json!({"VersionId": "z".repeat(32)}),
                "ResourceNotFoundException",
                "VersionId: zzz",
            ),
        ] {
            world.refused("GetSecretValue", get(more), code, words).await;
        }
        let wrong = format!("{partial}-Zz9Zz9");
        for (id, code) in [
            (wrong.as_str(), "ResourceNotFoundException"),
            ("b", "ResourceNotFoundException"),
            ("a b", "InvalidParameterException"),
            (
                "arn:aws:ecs:us-east-1:000000000000:cluster/a",
                "InvalidParameterException",
            ),
        ] {
            world
                .refused("GetSecretValue", json!({"SecretId": id}), code, "")
                .await;
        }
    }

    #[tokio::test]
    async fn get_secret_value_tells_the_day_it_was_read() {
        let world = World::new();
        world
            .ok("CreateSecret", json!({"Name": "a", "SecretString": "1"}))
            .await;
        assert_eq!(
            world
                .ok("DescribeSecret", json!({"SecretId": "a"}))
                .await
                .get("LastAccessedDate"),
            None
        );
        world.ok("GetSecretValue", json!({"SecretId": "a"})).await;
        let day = START.0 / 86_400_000 * 86_400;
        let shown = world.ok("DescribeSecret", json!({"SecretId": "a"})).await;
        assert_eq!(shown["LastAccessedDate"].as_f64(), Some(day as f64));
        world.advance_days(3);
        world.ok("GetSecretValue", json!({"SecretId": "a"})).await;
        let versions = world.ok("ListSecretVersionIds", json!({"SecretId": "a"})).await;
        let accessed = &versions["Versions"][0]["LastAccessedDate"];
        assert_eq!(accessed.as_f64(), Some((day + 3 * 86_400) as f64));
    }

    #[tokio::test]
    async fn values_lie_sealed_in_the_store() {
        let world = World::new();
        let secret = "very-secret-words";
        world
            .ok(
                "CreateSecret",
                json!({"Name": "a", "SecretString": secret, "Description": "shown"}),
            )
            .await;
        let everything = world.everything().await;
        assert!(
            everything.contains("shown") && !everything.contains(secret),
            "{everything}"
        );
        let other = world.with_key([9; 32]);
        other
            .refused(
                "GetSecretValue",
                json!({"SecretId": "a"}),
                "DecryptionFailure",
                "secrets-key",
            )
            .await;
        assert_eq!(
            world
                .restarted()
                .ok("GetSecretValue", json!({"SecretId": "a"}))
                .await["SecretString"],
            secret
        );
    }
}
