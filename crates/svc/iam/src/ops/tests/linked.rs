//! What keeps a service's own role.

use std::sync::Arc;

use roadstead_api_ecs::ListClustersResponse;
use roadstead_api_iam::{Iam as _, *};
use roadstead_base::{Ctx, Pager, Partition};
use roadstead_dispatch::Dispatcher;
use roadstead_protocol::{ApiError, BoxFuture, Handler, Operation, ServiceModel, Value, Wire};
use roadstead_store::Table;

use crate::testing::{ACCOUNT, Bench, fails};

/// A container service with clusters in one region.
struct Clusters(std::sync::Mutex<Vec<String>>);

impl Handler for Clusters {
    fn model(&self) -> &'static ServiceModel {
        &roadstead_api_ecs::MODEL
    }

    fn call<'a>(
        &'a self,
        operation: &'static Operation,
        ctx: &'a Ctx,
        _input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        assert_eq!(operation.name, "ListClusters");
        let here = ctx.region.as_str() == "eu-home-1" && ctx.account.as_str() == ACCOUNT;
        let clusters = self.0.lock().expect("no panic holds it").clone();
        let answer = ListClustersResponse {
            cluster_arns: Some(if here { clusters } else { Vec::new() }),
            next_token: None,
        };
        Box::pin(async move { Ok(answer.into_value()) })
    }
}

#[tokio::test]
async fn a_service_linked_role_stays_while_its_service_has_clusters_in_any_region() {
    let mut bench = Bench::new().await;
    let root = bench.root();
    let arn = "arn:aws:ecs:eu-home-1:123456789012:cluster/a";
    let clusters = Arc::new(Clusters(std::sync::Mutex::new(vec![arn.to_owned()])));
    let dispatcher = Dispatcher::new(
        bench.clock.clone(),
        Pager::new([7; 32]),
        ACCOUNT.parse().expect("an account"),
    );
    dispatcher.register(clusters.clone());
    bench.iam.ask_through(dispatcher.clone());
    // What the other service keeps in that region.
    let partition = Partition {
        account: root.account.clone(),
        region: "eu-home-1".parse().expect("a region"),
    };
    let table = Table::<String>::new(bench.store.clone(), "ecs-cluster");
    let kept = table.insert(&table.key(&partition, "a"), &"a".to_owned()).await;
    kept.expect("is written");
    let create = CreateServiceLinkedRoleRequest {
        aws_service_name: "ecs.amazonaws.com".into(),
        custom_suffix: None,
        description: None,
    };
    let made = bench.iam.create_service_linked_role(&root, create).await;
    let role_name = made.expect("made").role.expect("a role").role_name;
    let delete = DeleteServiceLinkedRoleRequest {
        role_name: role_name.clone(),
    };
    let failed = bench.iam.delete_service_linked_role(&root, delete.clone()).await;
    let failed = GetServiceLinkedRoleDeletionStatusRequest {
        deletion_task_id: failed.expect("is taken").deletion_task_id,
    };
    clusters.0.lock().expect("no panic holds it").clear();
    bench.restart().await;
    bench.iam.ask_through(dispatcher);
    let said = bench
        .iam
        .get_service_linked_role_deletion_status(&root, failed)
        .await;
    let said = said.expect("a status");
    assert_eq!(said.status, DeletionTaskStatusType::Failed);
    let reason = said.reason.expect("a reason");
    assert!(reason.reason.expect("words").contains("in use"));
    assert_eq!(
        reason.role_usage_list,
        Some(vec![RoleUsageType {
            region: Some("eu-home-1".into()),
            resources: Some(vec![arn.into()]),
        }])
    );
    let get = GetRoleRequest { role_name };
    bench.iam.get_role(&root, get.clone()).await.expect("it is there");
    // Nothing uses it any more.
    let done = bench.iam.delete_service_linked_role(&root, delete).await;
    let done = GetServiceLinkedRoleDeletionStatusRequest {
        deletion_task_id: done.expect("is taken").deletion_task_id,
    };
    let said = bench
        .iam
        .get_service_linked_role_deletion_status(&root, done)
        .await;
    assert_eq!(said.expect("a status").status, DeletionTaskStatusType::Succeeded);
    fails(bench.iam.get_role(&root, get).await, "NoSuchEntity", "role");
}
