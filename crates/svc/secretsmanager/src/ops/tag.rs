//! TagResource.

use roadstead_api_secretsmanager::TagResourceRequest;
use roadstead_base::Ctx;

use crate::SecretsManager;
use crate::error::Result;
use crate::secrets::Values;
use crate::tags::{check_count, read};

pub(crate) async fn tag_resource(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: TagResourceRequest,
) -> Result<()> {
    let TagResourceRequest { secret_id, tags } = input;
    let tags = read(tags)?;
    let change = manager.change(ctx, &secret_id, |secret, now| {
        secret.tags.extend(tags.clone());
        secret.changed = now;
        check_count(&secret.tags)?;
        Ok((Values::default(), ()))
    });
    change.await.map(drop)
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    #[tokio::test]
    async fn tags_are_added_replaced_and_taken_away() {
        let world = World::new();
        world
            .ok(
                "CreateSecret",
                json!({"Name": "a", "Tags": [{"Key": "x", "Value": "1"}]}),
            )
            .await;
        let tags = json!([{"Key": "x", "Value": "2"}, {"Key": "y", "Value": ""}]);
        world
            .ok("TagResource", json!({"SecretId": "a", "Tags": tags}))
            .await;
        let shown = world
            .restarted()
            .ok("DescribeSecret", json!({"SecretId": "a"}))
            .await;
        assert_eq!(shown["Tags"], tags);
        world
            .ok(
                "UntagResource",
                json!({"SecretId": "a", "TagKeys": ["x", "absent"]}),
            )
            .await;
        let shown = world.ok("DescribeSecret", json!({"SecretId": "a"})).await;
        assert_eq!(shown["Tags"], json!([{"Key": "y", "Value": ""}]));
        let many: Vec<_> = (0..50)
            .map(|n| json!({"Key": n.to_string(), "Value": ""}))
            .collect();
        let request = json!({"SecretId": "a", "Tags": many});
        world
            .refused("TagResource", request, "InvalidParameterException", "at most 50")
            .await;
        for operation in ["TagResource", "UntagResource"] {
            let request = match operation {
                "TagResource" => json!({"SecretId": "b", "Tags": []}),
                _ => json!({"SecretId": "b", "TagKeys": []}),
            };
            world
                .refused(operation, request, "ResourceNotFoundException", "can't find")
                .await;
        }
    }
}
