//! State machines and executions that go, with all that is of them.

use roadstead_testing::{refused, until};
use serde_json::json;

use super::versions::{ARN, alias, numbered, versions, with_versions};
use super::{Bench, ROLE, pass, wait};

/// Of an execution that ended, so many more events than it had.
async fn lengthen(bench: &Bench, execution: &str, events: u64) {
    let table = crate::records::executions(&bench.store);
    let (entries, _) = table
        .all(&table.within(&roadstead_testing::ctx().partition()))
        .await
        .expect("reads");
    let found = entries
        .into_iter()
        .find(|entry| execution.ends_with(&format!(":{}", entry.value.name)))
        .expect("the execution");
    let histories = crate::records::histories(&bench.store);
    let first = histories
        .get(&bench.states.event_key(&found.key, 1))
        .await
        .expect("reads");
    let event = first.expect("its first event").value;
    let mut at = 0;
    while at < events {
        let page = at..(at + 100).min(events);
        at = page.end;
        let transaction = page.fold(
            roadstead_store::Transaction::new(&bench.store),
            |transaction, number| {
                transaction.put(
                    &histories,
                    &bench.states.event_key(&found.key, number + 100),
                    &event,
                )
            },
        );
        assert!(matches!(
            transaction.commit().await,
            Ok(roadstead_store::Outcome::Committed(_))
        ));
    }
    let mut longer = serde_json::to_value(&found.value).expect("JSON");
    longer["execution"]["events"] = json!(events + 100);
    let longer = serde_json::from_value(longer).expect("a record");
    let longer = roadstead_store::Transaction::new(&bench.store).replace(&table, &found, &longer);
    assert!(matches!(
        longer.commit().await,
        Ok(roadstead_store::Outcome::Committed(_))
    ));
}

async fn records(bench: &Bench) -> usize {
    let partition = roadstead_testing::ctx().partition();
    let histories = crate::records::histories(&bench.store);
    let events = histories
        .all(&histories.within(&partition))
        .await
        .expect("reads")
        .0
        .len();
    let executions = crate::records::executions(&bench.store);
    events
        + executions
            .all(&executions.within(&partition))
            .await
            .expect("reads")
            .0
            .len()
}

#[tokio::test]
async fn long_histories_go_page_by_page() {
    let mut bench = Bench::started().await;
    let arn = bench.create("m", &pass()).await.expect("made");
    let (first, second) = (
        bench.execute(&arn, "x", json!({})).await,
        bench.execute(&arn, "y", json!({})).await,
    );
    bench.ended(&first).await;
    bench.ended(&second).await;
    bench.stop().await;
    lengthen(&bench, &first, 12_000).await;
    // After 90 days its name is free.
    let mut bench = bench.restarted(91 * 86_400_000).await;
    lengthen(&bench, &second, 11_000).await;
    bench.start();
    until("nothing to be left of them", || {
        bench.states.executions.snapshot().is_empty()
    })
    .await;
    assert_eq!(records(&bench).await, 0);
    let third = bench.execute(&arn, "x", json!({})).await;
    bench.ended(&third).await;
    bench.stop().await;
    lengthen(&bench, &third, 12_000).await;
    let mut bench = bench.restarted(0).await;
    bench.start();
    bench
        .call("DeleteStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("deleted");
    until("the deletion", || bench.states.machines.snapshot().is_empty()).await;
    assert_eq!(records(&bench).await, 0);
    bench.stop().await;
}

#[tokio::test]
async fn a_deleted_machine_takes_its_executions_along() {
    let mut bench = Bench::started().await;
    let arn = bench.create("m", &wait(1000)).await.expect("made");
    let kept = bench.create("m2", &wait(1000)).await.expect("made");
    let execution = bench.execute(&arn, "x", json!({})).await;
    let other = bench.execute(&kept, "x", json!({})).await;
    until("the first step", || {
        bench
            .states
            .executions
            .snapshot()
            .iter()
            .all(|entry| entry.value.execution.last_event() > 0)
    })
    .await;
    bench
        .call("DeleteStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("deleted");
    until("the deletion", || {
        bench.states.machines.snapshot().len() == 1 && bench.states.executions.snapshot().len() == 1
    })
    .await;
    refused(
        bench
            .call("DescribeExecution", json!({"executionArn": execution}))
            .await,
        "ExecutionDoesNotExist",
        "m:x",
    );
    refused(
        bench
            .call("StartExecution", json!({"stateMachineArn": arn}))
            .await,
        "StateMachineDoesNotExist",
        "m",
    );
    bench
        .call("DeleteStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("deleted once more");
    let outbox = roadstead_outbox::table(&bench.store);
    let (told, _) = outbox
        .all(&outbox.within(&roadstead_testing::ctx().partition()))
        .await
        .expect("reads");
    let aborted =
        |event: &roadstead_outbox::Event| event.subject == execution && event.detail["status"] == "ABORTED";
    assert!(
        told.iter().any(|entry| aborted(&entry.value)),
        "the bus is told of the end"
    );
    assert_eq!(bench.describe(&other).await["status"], "RUNNING");
    assert_eq!(
        bench.types(&other).await,
        ["ExecutionStarted", "WaitStateEntered"]
    );
    bench.create("m", &pass()).await.expect("the name is free again");
    bench.stop().await;
}

#[tokio::test]
async fn a_machine_that_is_being_deleted_takes_nothing_more() {
    // Nobody works in the background here, so it stays as it is.
    let bench = Bench::new().await;
    let arn = bench.create("m", &pass()).await.expect("made");
    bench
        .call("DeleteStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("deleted");
    let shown = bench
        .call("DescribeStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("shown");
    assert_eq!(shown["status"], "DELETING");
    refused(
        bench
            .call("StartExecution", json!({"stateMachineArn": arn}))
            .await,
        "StateMachineDeleting",
        "m",
    );
    refused(
        bench
            .call(
                "UpdateStateMachine",
                json!({"stateMachineArn": arn, "roleArn": ROLE}),
            )
            .await,
        "StateMachineDeleting",
        "m",
    );
    refused(bench.create("m", &pass()).await, "StateMachineDeleting", "m");
}

#[tokio::test]
async fn a_deleted_machine_takes_its_versions_and_aliases_along() {
    let mut bench = Bench::started().await;
    with_versions(&bench, 2).await;
    alias(&bench, "PROD", &[(1, 100)]).await;
    bench
        .call("DeleteStateMachine", json!({"stateMachineArn": ARN}))
        .await
        .expect("deleted");
    until("the deletion", || bench.states.machines.snapshot().is_empty()).await;
    bench.create("m", &pass()).await.expect("the name is free again");
    assert_eq!(versions(&bench).await, [""; 0]);
    refused(
        bench
            .call(
                "DescribeStateMachineAlias",
                json!({"stateMachineAliasArn": format!("{ARN}:PROD")}),
            )
            .await,
        "ResourceNotFound",
        "PROD",
    );
    let published = bench
        .call("PublishStateMachineVersion", json!({"stateMachineArn": ARN}))
        .await
        .expect("published");
    assert_eq!(published["stateMachineVersionArn"], numbered(1));
    bench.stop().await;
}
