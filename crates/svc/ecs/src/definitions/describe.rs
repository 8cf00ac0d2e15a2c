//! DescribeTaskDefinition: a revision by number, ACTIVE or not, or the latest ACTIVE one of a family.

use roadstead_api_ecs::{DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse, TaskDefinitionField};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::definitions::lookup::find;
use crate::error::{Error, Result};
use crate::names::TaskDefinitionRef;

pub(crate) async fn describe_task_definition(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DescribeTaskDefinitionRequest,
) -> Result<DescribeTaskDefinitionResponse> {
    let DescribeTaskDefinitionRequest {
        task_definition,
        include,
    } = input;
    let named = TaskDefinitionRef::of(ctx, &task_definition)?;
    let entry = find(ecs, ctx, &named)
        .await?
        .ok_or_else(|| Error::client("Unable to describe task definition."))?;
    let with_tags = include.unwrap_or_default().contains(&TaskDefinitionField::Tags);
    let record = entry.value;
    Ok(DescribeTaskDefinitionResponse {
        tags: with_tags.then(|| record.tags.to_api()),
        task_definition: Some(record.definition.0),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use crate::definitions::testing::{arn, register};
    use crate::tests::{call, ecs, refused};

    #[tokio::test]
    async fn describe_task_definition_finds_the_latest_active_or_the_one_named() {
        let ecs = Arc::new(ecs());
        for _ in 0..3 {
            register(&ecs, "web").await;
        }
        call(
            &ecs,
            "DeregisterTaskDefinition",
            json!({"taskDefinition": "web:3"}),
        )
        .await
        .expect("deregistered");
        for (named, revision, status) in [
            ("web", 2, "ACTIVE"),
            ("web:1", 1, "ACTIVE"),
            ("web:3", 3, "INACTIVE"),
            (&arn("web:3"), 3, "INACTIVE"),
            (&arn("web"), 2, "ACTIVE"),
        ] {
            let answer = call(&ecs, "DescribeTaskDefinition", json!({"taskDefinition": named}))
                .await
                .expect(named);
            let definition = &answer["taskDefinition"];
            assert_eq!(
                (&definition["revision"], &definition["status"]),
                (&json!(revision), &json!(status)),
                "{named}"
            );
            assert_eq!(answer.get("tags"), None);
        }
    }

    #[tokio::test]
    async fn describe_task_definition_shows_tags_when_asked() {
        let ecs = Arc::new(ecs());
        register(&ecs, "web").await;
        let tags = json!([{"key": "a", "value": "1"}]);
        let tag = json!({"resourceArn": arn("web:1"), "tags": tags});
        call(&ecs, "TagResource", tag).await.expect("tagged");
        let request = json!({"taskDefinition": "web", "include": ["TAGS"]});
        let answer = call(&ecs, "DescribeTaskDefinition", request)
            .await
            .expect("answers");
        assert_eq!(answer["tags"], tags);
    }

    #[tokio::test]
    async fn describe_task_definition_refuses_what_is_not_there() {
        let ecs = Arc::new(ecs());
        register(&ecs, "web").await;
        call(
            &ecs,
            "DeregisterTaskDefinition",
            json!({"taskDefinition": "web:1"}),
        )
        .await
        .expect("deregistered");
        for (named, words) in [
            ("none", "Unable to describe task definition."),
            ("web", "Unable to describe task definition."),
            ("web:2", "Unable to describe task definition."),
            ("", "blank"),
            ("web:0", "Invalid revision number"),
            ("web:01", "Invalid revision number"),
            ("web:+1", "Invalid revision number"),
            ("web:x", "Invalid revision number"),
            ("web:99999999999", "Invalid revision number"),
            ("a b", "invalid characters"),
            (
                "arn:aws:ecs:eu-west-1:000000000000:task-definition/web:1",
                "Your region is us-east-1",
            ),
        ] {
            let result = call(&ecs, "DescribeTaskDefinition", json!({"taskDefinition": named})).await;
            refused(result, "ClientException", words);
        }
        let cluster = "arn:aws:ecs:us-east-1:000000000000:cluster/web";
        let result = call(&ecs, "DescribeTaskDefinition", json!({"taskDefinition": cluster})).await;
        refused(
            result,
            "InvalidParameterException",
            "Unsupported resource type: cluster",
        );
    }
}
