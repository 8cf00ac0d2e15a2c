//! ListTaskDefinitionFamilies, those without ACTIVE revisions included unless asked otherwise.

use roadstead_api_ecs::{
    ListTaskDefinitionFamiliesRequest, ListTaskDefinitionFamiliesResponse, TaskDefinitionFamilyStatus,
};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::error::Result;
use crate::paging::Paging;

pub(crate) async fn list_task_definition_families(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListTaskDefinitionFamiliesRequest,
) -> Result<ListTaskDefinitionFamiliesResponse> {
    let ListTaskDefinitionFamiliesRequest {
        family_prefix,
        max_results,
        next_token,
        status,
    } = input;
    let prefix = family_prefix.unwrap_or_default();
    let status = status.unwrap_or(TaskDefinitionFamilyStatus::All);
    let filters = ["ListTaskDefinitionFamilies", &prefix, status.as_str()];
    let paging = Paging::of(ctx, &filters, max_results, next_token.as_deref())?;
    let (entries, _) = ecs
        .families()
        .all(&ecs.families().within(&ctx.partition()))
        .await?;
    let families = entries.into_iter().map(|entry| entry.value).filter(|family| {
        let wanted = match status {
            TaskDefinitionFamilyStatus::Active => !family.active.is_empty(),
            TaskDefinitionFamilyStatus::Inactive => family.active.is_empty(),
            TaskDefinitionFamilyStatus::All => true,
        };
        wanted && !family.is_gone() && family.family.as_str().starts_with(&prefix)
    });
    let page = paging.cut(ctx, families, |family| family.family.to_string(), false);
    let names = page
        .items
        .iter()
        .map(|family| family.family.to_string())
        .collect();
    Ok(ListTaskDefinitionFamiliesResponse {
        families: Some(names),
        next_token: page.next_token,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use crate::definitions::testing::{pages, register};
    use crate::tests::{call, ecs, refused};

    #[tokio::test]
    async fn list_task_definition_families_filters_by_prefix_and_status() {
        let ecs = Arc::new(ecs());
        for family in ["web-b", "db", "web-a", "web", "gone"] {
            register(&ecs, family).await;
        }
        call(
            &ecs,
            "DeregisterTaskDefinition",
            json!({"taskDefinition": "gone:1"}),
        )
        .await
        .expect("deregistered");
        for (filters, wanted) in [
            (json!({}), vec!["db", "gone", "web", "web-a", "web-b"]),
            (
                json!({"status": "ALL"}),
                vec!["db", "gone", "web", "web-a", "web-b"],
            ),
            (json!({"status": "ACTIVE"}), vec!["db", "web", "web-a", "web-b"]),
            (json!({"status": "INACTIVE"}), vec!["gone"]),
            (json!({"familyPrefix": "web-"}), vec!["web-a", "web-b"]),
            (json!({"familyPrefix": "x"}), vec![]),
        ] {
            let names = pages(&ecs, "ListTaskDefinitionFamilies", filters.clone(), "families").await;
            assert_eq!(names, wanted, "{filters}");
        }
    }

    #[tokio::test]
    async fn list_task_definition_families_refuses_odd_pages() {
        let ecs = Arc::new(ecs());
        for (request, words) in [
            (json!({"maxResults": 0}), "maxResults"),
            (json!({"nextToken": "x"}), "nextToken"),
        ] {
            refused(
                call(&ecs, "ListTaskDefinitionFamilies", request).await,
                "InvalidParameterException",
                words,
            );
        }
    }
}
