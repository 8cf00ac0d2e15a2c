//! ListSecretVersionIds.

use roadstead_api_secretsmanager::{
    ListSecretVersionIdsRequest, ListSecretVersionIdsResponse, SecretVersionsListEntry,
};
use roadstead_base::Ctx;

use crate::SecretsManager;
use crate::error::Result;
use crate::ops::list::{Cursor, page};

/// What the reference shows for versions that the service's own key seals.
const DEFAULT_KEY: &str = "DefaultEncryptionKey";

pub(crate) async fn list_secret_version_ids(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: ListSecretVersionIdsRequest,
) -> Result<ListSecretVersionIdsResponse> {
    let ListSecretVersionIdsRequest {
        include_deprecated,
        max_results,
        next_token,
        secret_id,
    } = input;
    let secret = manager.find(ctx, &secret_id).await?.value;
    let all = include_deprecated.unwrap_or_default();
    let mut versions: Vec<_> = secret
        .versions
        .iter()
        .filter(|(_, version)| all || !version.labels.is_empty())
        .map(|(id, version)| (Cursor::at(version.created, id), version, id))
        .collect();
    versions.sort_by(|a, b| a.0.cmp(&b.0));
    let scope = format!("versions/{}/{all}", secret.arn(&ctx.partition()));
    let (versions, next_token) = page(ctx, &scope, versions, |item| &item.0, max_results, next_token)?;
    let versions = versions
        .into_iter()
        .map(|(_, version, id)| SecretVersionsListEntry {
            created_date: Some(version.created),
            kms_key_ids: Some(vec![DEFAULT_KEY.to_owned()]),
            last_accessed_date: version.accessed,
            version_id: Some(id.clone()),
            version_stages: Some(version.labels.iter().cloned().collect::<Vec<_>>())
                .filter(|labels| !labels.is_empty()),
        });
    Ok(ListSecretVersionIdsResponse {
        arn: Some(secret.arn(&ctx.partition())),
        versions: Some(versions.collect()),
        name: Some(secret.name.clone()),
        next_token,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    #[tokio::test]
    async fn list_secret_version_ids_pages_and_hides_what_has_no_label() {
        let world = World::new();
        let mut ids = Vec::new();
        world.ok("CreateSecret", json!({"Name": "a"})).await;
        for n in 0..5 {
            world.advance_seconds(1);
            let put = json!({"SecretId": "a", "SecretString": n.to_string()});
            ids.push(world.ok("PutSecretValue", put).await["VersionId"].clone());
        }
        let shown = world.ok("ListSecretVersionIds", json!({"SecretId": "a"})).await;
        let versions = shown["Versions"].as_array().expect("versions");
        let labels: Vec<_> = versions
            .iter()
            .map(|v| (&v["VersionId"], &v["VersionStages"][0]))
            .collect();
        assert_eq!(
            labels,
            [(&ids[3], &json!("AWSPREVIOUS")), (&ids[4], &json!("AWSCURRENT"))]
        );
        assert_eq!(versions[0]["KmsKeyIds"], json!(["DefaultEncryptionKey"]));
        let (mut seen, mut token) = (Vec::new(), Json::Null);
        loop {
            let mut request = json!({"SecretId": "a", "IncludeDeprecated": true, "MaxResults": 2});
            if !token.is_null() {
                request["NextToken"] = token;
            }
            let page = world.restarted().ok("ListSecretVersionIds", request).await;
            seen.extend(
                page["Versions"]
                    .as_array()
                    .expect("a page")
                    .iter()
                    .map(|v| v["VersionId"].clone()),
            );
            token = page["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(seen, ids);
        let forged = json!({"SecretId": "a", "NextToken": "forged"});
        world
            .refused(
                "ListSecretVersionIds",
                forged,
                "InvalidNextTokenException",
                "NextToken",
            )
            .await;
    }
}
