//! ListTaskDefinitions. Families know which of their revisions are ACTIVE, so a listing reads no definition.

use roadstead_api_ecs::{
    ListTaskDefinitionsRequest, ListTaskDefinitionsResponse, SortOrder, TaskDefinitionStatus,
};
use roadstead_base::Ctx;
use roadstead_store::Entry;

use crate::Ecs;
use crate::definitions::FamilyRecord;
use crate::error::Result;
use crate::names::{Family, TaskDefinitionId};
use crate::paging::Paging;
use crate::tables::family_key;

pub(crate) async fn list_task_definitions(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListTaskDefinitionsRequest,
) -> Result<ListTaskDefinitionsResponse> {
    let ListTaskDefinitionsRequest {
        family_prefix,
        max_results,
        next_token,
        sort,
        status,
    } = input;
    let status = status.unwrap_or(TaskDefinitionStatus::Active);
    let sort = sort.unwrap_or(SortOrder::Asc);
    let filters = [
        "ListTaskDefinitions",
        family_prefix.as_deref().unwrap_or(""),
        status.as_str(),
        sort.as_str(),
    ];
    let paging = Paging::of(ctx, &filters, max_results, next_token.as_deref())?;
    let partition = ctx.partition();
    // Despite its name the prefix is a whole family.
    let mut families = match family_prefix.as_deref() {
        Some(name) if !name.is_empty() => {
            let key = family_key(&partition, &Family::new(name)?);
            ecs.families().get(&key).await?.into_iter().collect()
        }
        _ => ecs.families().all(&ecs.families().within(&partition)).await?.0,
    };
    let descending = sort == SortOrder::Desc;
    if descending {
        families.reverse();
    }
    let revisions = families
        .iter()
        .flat_map(|family| revisions(family, status, descending));
    let page = paging.cut(
        ctx,
        revisions,
        |id| format!("{} {:010}", id.family, id.revision),
        descending,
    );
    let arns = page.items.iter().map(|id| id.arn(&partition)).collect();
    Ok(ListTaskDefinitionsResponse {
        next_token: page.next_token,
        task_definition_arns: Some(arns),
    })
}

fn revisions(
    family: &Entry<FamilyRecord>,
    status: TaskDefinitionStatus,
    descending: bool,
) -> impl Iterator<Item = TaskDefinitionId> {
    let FamilyRecord {
        family: name,
        last_revision,
        active,
        deleting,
        deleted: _,
    } = &family.value;
    let numbers: Box<dyn DoubleEndedIterator<Item = i32>> = match status {
        TaskDefinitionStatus::Active => Box::new(active.iter()),
        TaskDefinitionStatus::Inactive => {
            Box::new((1..=*last_revision).filter(|revision| family.value.is_inactive(*revision)))
        }
        TaskDefinitionStatus::DeleteInProgress => Box::new(deleting.iter()),
    };
    let numbers: Box<dyn Iterator<Item = i32>> = if descending {
        Box::new(numbers.rev())
    } else {
        numbers
    };
    numbers.map(|revision| TaskDefinitionId {
        family: name.clone(),
        revision,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value as Json, json};

    use crate::Ecs;
    use crate::definitions::testing::{arn, pages, register};
    use crate::tests::{call, ecs, refused};

    async fn listed(ecs: &Arc<Ecs>, filters: Json) -> Vec<String> {
        pages(ecs, "ListTaskDefinitions", filters, "taskDefinitionArns").await
    }

    fn arns(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| arn(name)).collect()
    }

    async fn with_revisions() -> Arc<Ecs> {
        let ecs = Arc::new(ecs());
        for (family, revisions) in [("b", 2), ("a-1", 1), ("a", 11), ("aa", 1), ("A", 1)] {
            for _ in 0..revisions {
                register(&ecs, family).await;
            }
        }
        for named in ["a:2", "a:11", "b:1"] {
            call(&ecs, "DeregisterTaskDefinition", json!({"taskDefinition": named}))
                .await
                .expect(named);
        }
        ecs
    }

    #[tokio::test]
    async fn list_task_definitions_goes_by_family_then_number() {
        let ecs = with_revisions().await;
        let active = [
            "A:1", "a:1", "a:3", "a:4", "a:5", "a:6", "a:7", "a:8", "a:9", "a:10", "a-1:1", "aa:1", "b:2",
        ];
        let mut wanted = arns(&active);
        assert_eq!(listed(&ecs, json!({})).await, wanted);
        assert_eq!(
            listed(&ecs, json!({"sort": "ASC", "status": "ACTIVE"})).await,
            wanted
        );
        wanted.reverse();
        assert_eq!(listed(&ecs, json!({"sort": "DESC"})).await, wanted);
        let inactive = json!({"status": "INACTIVE"});
        assert_eq!(listed(&ecs, inactive).await, arns(&["a:2", "a:11", "b:1"]));
        let inactive = json!({"status": "INACTIVE", "sort": "DESC"});
        assert_eq!(listed(&ecs, inactive).await, arns(&["b:1", "a:11", "a:2"]));
        assert!(
            listed(&ecs, json!({"status": "DELETE_IN_PROGRESS"}))
                .await
                .is_empty()
        );
    }

    #[tokio::test]
    async fn list_task_definitions_takes_a_whole_family() {
        let ecs = with_revisions().await;
        let family = |name: &str| json!({"familyPrefix": name, "status": "INACTIVE"});
        assert_eq!(listed(&ecs, family("a")).await, arns(&["a:2", "a:11"]));
        assert!(listed(&ecs, family("none")).await.is_empty());
        let result = call(&ecs, "ListTaskDefinitions", json!({"familyPrefix": "a b"})).await;
        refused(result, "ClientException", "invalid characters");
    }

    #[tokio::test]
    async fn list_task_definitions_refuses_a_token_of_another_listing() {
        let ecs = with_revisions().await;
        let page = call(&ecs, "ListTaskDefinitions", json!({"maxResults": 1}))
            .await
            .expect("a page");
        let carried = json!({"maxResults": 1, "sort": "DESC", "nextToken": page["nextToken"]});
        refused(
            call(&ecs, "ListTaskDefinitions", carried).await,
            "InvalidParameterException",
            "nextToken",
        );
        let odd = json!({"maxResults": 101});
        refused(
            call(&ecs, "ListTaskDefinitions", odd).await,
            "InvalidParameterException",
            "maxResults",
        );
    }
}
