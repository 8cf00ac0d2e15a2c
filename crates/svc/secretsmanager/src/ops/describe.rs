//! DescribeSecret.

use std::collections::BTreeMap;

use roadstead_api_secretsmanager::{DescribeSecretRequest, DescribeSecretResponse};
use roadstead_base::Ctx;

use crate::SecretsManager;
use crate::error::Result;
use crate::records::Secret;
use crate::tags;

/// The service answers only members that have a value; a secret that does not rotate, is not replicated and is sealed
/// with the service's own key has none for the others.
pub(crate) async fn describe_secret(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: DescribeSecretRequest,
) -> Result<DescribeSecretResponse> {
    let DescribeSecretRequest { secret_id } = input;
    let secret = manager.find(ctx, &secret_id).await?.value;
    Ok(DescribeSecretResponse {
        arn: Some(secret.arn(&ctx.partition())),
        created_date: Some(secret.created),
        deleted_date: secret.deletion.map(|deletion| deletion.until),
        description: secret.description.clone(),
        last_accessed_date: secret.accessed,
        last_changed_date: Some(secret.changed),
        name: Some(secret.name.clone()),
        tags: Some(tags::show(&secret.tags)).filter(|tags| !tags.is_empty()),
        version_ids_to_stages: stages(&secret),
        ..Default::default()
    })
}

/// Labels by version, versions without any left out.
pub(crate) fn stages(secret: &Secret) -> Option<BTreeMap<String, Vec<String>>> {
    let labelled = secret
        .versions
        .iter()
        .filter(|(_, version)| !version.labels.is_empty());
    let stages: BTreeMap<_, _> = labelled
        .map(|(id, version)| (id.clone(), version.labels.iter().cloned().collect()))
        .collect();
    Some(stages).filter(|stages| !stages.is_empty())
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    #[tokio::test]
    async fn describe_secret_tells_all_but_the_value() {
        let world = World::new();
        let tags = json!([{"Key": "team", "Value": "x"}]);
        let request = json!({"Name": "a", "SecretString": "hush", "Description": "d", "Tags": tags});
        let made = world.ok("CreateSecret", request).await;
        let version = made["VersionId"].as_str().expect("a version");
        let expected = json!({
            "ARN": made["ARN"], "Name": "a", "Description": "d", "Tags": tags,
            "CreatedDate": START.0 / 1000, "LastChangedDate": START.0 / 1000,
            "VersionIdsToStages": {version: ["AWSCURRENT"]},
        });
        assert_eq!(
            world
                .restarted()
                .ok("DescribeSecret", json!({"SecretId": made["ARN"]}))
                .await,
            expected
        );
        world
            .refused(
                "DescribeSecret",
                json!({"SecretId": "b"}),
                "ResourceNotFoundException",
                "can't find",
            )
            .await;
        world.ok("CreateSecret", json!({"Name": "bare"})).await;
        let bare = world.ok("DescribeSecret", json!({"SecretId": "bare"})).await;
        assert_eq!((bare.get("Tags"), bare.get("VersionIdsToStages")), (None, None));
    }
}
