//! DeregisterTaskDefinition. The revision stays as INACTIVE: what runs of it goes on, and nothing new is made of
//! it.

use roadstead_api_ecs::{
    DeregisterTaskDefinitionRequest, DeregisterTaskDefinitionResponse, TaskDefinitionStatus,
};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::definitions::lookup::{find, restate};
use crate::error::{Error, Result};
use crate::names::TaskDefinitionRef;
use crate::tables::family_key;

/// How often it looks again when others change the family meanwhile.
const TRIES: usize = 128;

pub(crate) async fn deregister_task_definition(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeregisterTaskDefinitionRequest,
) -> Result<DeregisterTaskDefinitionResponse> {
    let DeregisterTaskDefinitionRequest { task_definition } = input;
    let named = TaskDefinitionRef::of(ctx, &task_definition)?;
    let TaskDefinitionRef::Revision(id) = &named else {
        return Err(Error::client(
            "A revision is required: specify family:revision or the full ARN.",
        ));
    };
    let not_found = || {
        Error::client(
            "The specified task definition does not exist. Specify a valid account, family, revision and try again.",
        )
    };
    for _ in 0..TRIES {
        let entry = find(ecs, ctx, &named).await?.ok_or_else(not_found)?;
        if !entry.value.is_active() {
            return Err(Error::client(
                "The specified task definition is inactive. Specify an active task definition and try again.",
            ));
        }
        let family = ecs
            .families()
            .get(&family_key(&ctx.partition(), &id.family))
            .await?
            .ok_or_else(not_found)?;
        let mut numbered = family.value.clone();
        numbered.active.remove(id.revision);
        let mut record = entry.value.clone();
        record.definition.status = Some(TaskDefinitionStatus::Inactive);
        record.definition.deregistered_at = Some(ecs.clock.now());
        if restate(ecs, (&family, &numbered), (&entry, &record)).await? {
            return Ok(DeregisterTaskDefinitionResponse {
                task_definition: Some(record.definition.0),
            });
        }
    }
    Err(Error::Contended)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use crate::definitions::load;
    use crate::definitions::testing::{arn, register};
    use crate::tests::{START, call, ctx, ecs, memory, over, refused};

    #[tokio::test]
    async fn deregister_task_definition_leaves_it_inactive() {
        let (store, ctx) = (memory(), ctx());
        let ecs = Arc::new(over(&store));
        register(&ecs, "web").await;
        register(&ecs, "web").await;
        assert_eq!(
            load(&ecs, &ctx, "web")
                .await
                .expect("the latest")
                .value
                .id
                .revision,
            2
        );
        let answer = call(
            &ecs,
            "DeregisterTaskDefinition",
            json!({"taskDefinition": arn("web:2")}),
        )
        .await;
        let definition = answer.expect("deregistered")["taskDefinition"].clone();
        assert_eq!(definition["status"], json!("INACTIVE"));
        assert_eq!(definition["deregisteredAt"], json!(START.0 / 1000));
        let restarted = Arc::new(over(&store));
        assert_eq!(
            load(&restarted, &ctx, "web")
                .await
                .expect("the one before")
                .value
                .id
                .revision,
            1
        );
        let error = load(&restarted, &ctx, "web:2")
            .await
            .expect_err("nothing new is made of it");
        assert_eq!(error.to_string(), "TaskDefinition is inactive");
        let again = call(
            &restarted,
            "DeregisterTaskDefinition",
            json!({"taskDefinition": "web:2"}),
        )
        .await;
        refused(
            again,
            "ClientException",
            "The specified task definition is inactive.",
        );
    }

    #[tokio::test]
    async fn deregister_task_definition_refuses_what_is_not_there() {
        let ecs = Arc::new(ecs());
        register(&ecs, "web").await;
        for (named, words) in [
            ("web:2", "The specified task definition does not exist."),
            ("none:1", "The specified task definition does not exist."),
            ("web", "A revision is required"),
            ("", "blank"),
        ] {
            let result = call(&ecs, "DeregisterTaskDefinition", json!({"taskDefinition": named})).await;
            refused(result, "ClientException", words);
        }
        let error = load(&ecs, &ctx(), "none").await.expect_err("is not there");
        assert_eq!(error.to_string(), "TaskDefinition not found.");
    }
}
