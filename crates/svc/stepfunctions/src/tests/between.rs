//! What changes between two readings of one call, or while a caller goes away: a store in which something happens just then.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use roadstead_protocol::BoxFuture;
use roadstead_store::{
    Key, KeyRange, KeyValue, LeaseId, LeaseStatus, RangeRequest, RangeResponse, Result, Revision, Store,
    Transaction, Txn, TxnResponse, Watch,
};
use roadstead_testing::{START, ctx, memory, refused};
use serde_json::json;

use super::{Bench, ROLE, pass, wait};
use crate::records;

/// When something happens, once.
pub(super) enum When {
    /// Before a record of that table is read by its key.
    Reads(&'static str),
    /// After the next write, before its caller learns of it.
    Wrote,
}

type Meanwhile = (When, BoxFuture<'static, ()>);

/// A store with something that happens in between.
pub(super) struct Between {
    inner: Arc<dyn Store>,
    meanwhile: Mutex<Option<Meanwhile>>,
}

impl Between {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: memory(),
            meanwhile: Mutex::default(),
        })
    }

    pub(super) fn then(&self, when: When, happens: impl Future<Output = ()> + Send + 'static) {
        *self.meanwhile.lock().expect("no panic") = Some((when, Box::pin(happens)));
    }

    /// Does all of a transaction before a record of that table is read.
    fn before_reading(&self, table: &'static str, transaction: Transaction) {
        self.then(When::Reads(table), async move {
            let _written = transaction.commit().await.expect("written");
        });
    }

    fn is_over(&self) -> bool {
        self.meanwhile.lock().expect("no panic").is_none()
    }

    async fn happen(&self, now: impl Fn(&When) -> bool) {
        let due = self
            .meanwhile
            .lock()
            .expect("no panic")
            .take_if(|(when, _)| now(when));
        if let Some((_, happens)) = due {
            happens.await;
        }
    }
}

impl fmt::Debug for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Between").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Between {
    async fn get(&self, key: &[u8]) -> Result<Option<KeyValue>> {
        let of = |table: &str| key.windows(table.len()).any(|part| part == table.as_bytes());
        self.happen(|when| matches!(when, When::Reads(table) if of(table)))
            .await;
        self.inner.get(key).await
    }

    async fn range(&self, request: RangeRequest) -> Result<RangeResponse> {
        self.inner.range(request).await
    }

    async fn commit(&self, txn: Txn) -> Result<TxnResponse> {
        let written = self.inner.commit(txn).await;
        self.happen(|when| matches!(when, When::Wrote)).await;
        written
    }

    async fn watch(&self, range: KeyRange, from: Option<Revision>) -> Result<Watch> {
        self.inner.watch(range, from).await
    }

    async fn compact(&self, revision: Revision) -> Result<()> {
        self.inner.compact(revision).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseStatus> {
        self.inner.lease_grant(ttl).await
    }

    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<LeaseStatus> {
        self.inner.lease_keep_alive(lease).await
    }

    async fn lease_revoke(&self, lease: LeaseId) -> Result<Revision> {
        self.inner.lease_revoke(lease).await
    }

    async fn lease_status(&self, lease: LeaseId) -> Result<LeaseStatus> {
        self.inner.lease_status(lease).await
    }

    async fn lease_keys(&self, lease: LeaseId) -> Result<Vec<Bytes>> {
        self.inner.lease_keys(lease).await
    }

    async fn leases(&self) -> Result<Vec<LeaseId>> {
        self.inner.leases().await
    }

    async fn revision(&self) -> Result<Revision> {
        self.inner.revision().await
    }
}

impl Bench {
    /// The same service again, which knows no definition yet.
    pub(super) async fn anew(self, store: &Arc<Between>) -> Self {
        Self::over(store.clone(), self.ecs, self.lambda, START).await
    }
}

/// The machine `m`, with versions, executions and definitions, goes as its deletion ends.
fn end_of_deletion(store: &Arc<Between>) -> Transaction {
    let (inner, partition) = (&store.inner, ctx().partition());
    let below = |table: Key| table.child("m");
    Transaction::new(inner)
        .delete(&records::machines(inner).key(&partition, "m"))
        .delete_below(&below(records::executions(inner).within(&partition)))
        .delete_below(&below(records::histories(inner).within(&partition)))
        .delete_below(&below(records::definitions(inner).within(&partition)))
        .delete_below(&below(records::versions(inner).within(&partition)))
}

#[tokio::test]
async fn what_goes_while_it_is_read_is_not_there() {
    let (machine, execution) = ("StateMachineDoesNotExist", "ExecutionDoesNotExist");
    let arn = "arn:aws:states:us-east-1:000000000000:stateMachine:m";
    let of_it = "arn:aws:states:us-east-1:000000000000:execution:m:x";
    let token = "arn:aws:states:::aws-sdk:ecs:listClusters.waitForTaskToken";
    for (operation, input, reads, code) in [
        (
            "DescribeStateMachine",
            json!({"stateMachineArn": arn}),
            "states-definition",
            machine,
        ),
        (
            "DescribeStateMachine",
            json!({"stateMachineArn": format!("{arn}:1")}),
            "states-definition",
            machine,
        ),
        (
            "DescribeStateMachineForExecution",
            json!({"executionArn": of_it}),
            "states-definition",
            execution,
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": arn}),
            "states-definition",
            machine,
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": format!("{arn}:1")}),
            "states-definition",
            machine,
        ),
        (
            "StartSyncExecution",
            json!({"stateMachineArn": arn}),
            "states-definition",
            machine,
        ),
        (
            "StopExecution",
            json!({"executionArn": of_it}),
            "states-definition",
            execution,
        ),
        (
            "RedriveExecution",
            json!({"executionArn": of_it}),
            "states-definition",
            execution,
        ),
        (
            "GetExecutionHistory",
            json!({"executionArn": of_it}),
            "states-history",
            execution,
        ),
        (
            "SendTaskSuccess",
            json!({"output": "1"}),
            "states-definition",
            "TaskDoesNotExist",
        ),
    ] {
        let store = Between::new();
        let bench = Bench::new().await.anew(&store).await;
        let definition = super::task(token, json!({"NextToken.$": "$$.Task.Token"}));
        let kind = match operation {
            "StartSyncExecution" => ("EXPRESS", pass()),
            _ => ("STANDARD", definition),
        };
        let make = json!({"name": "m", "definition": kind.1.to_string(), "type": kind.0, "roleArn": ROLE, "publish": true});
        bench.call("CreateStateMachine", make).await.expect("made");
        let mut input = input;
        if kind.0 == "STANDARD" {
            bench.execute(arn, "x", json!({})).await;
            bench.step("m").await;
            let executions = bench.states.executions.snapshot();
            let order = executions
                .iter()
                .find_map(|entry| entry.value.orders.first().cloned());
            if operation == "SendTaskSuccess" {
                input["taskToken"] = json!(order.expect("an order").token);
            }
        }
        if operation == "RedriveExecution" {
            let stop = json!({"executionArn": of_it});
            bench.call("StopExecution", stop).await.expect("stopped");
        }
        let bench = bench.anew(&store).await;
        store.before_reading(reads, end_of_deletion(&store));
        refused(bench.call(operation, input).await, code, "");
        assert!(store.is_over(), "{operation}");
    }
}

#[tokio::test]
async fn what_is_replaced_while_it_is_read_is_read_again() {
    let store = Between::new();
    let bench = Bench::new().await.anew(&store).await;
    let arn = bench.create("m", &pass()).await.expect("made");
    let other = bench.create("n", &wait(1)).await.expect("made");
    let (partition, inner) = (ctx().partition(), store.inner.clone());
    let (machines, definitions) = (records::machines(&inner), records::definitions(&inner));
    let replaced = async || {
        let found = async |name: &str| machines.get(&machines.key(&partition, name)).await;
        let (entry, by) = (found("m").await.expect("read"), found("n").await.expect("read"));
        let (entry, by) = (entry.expect("m").clone(), by.expect("n").value.definition);
        let old = definitions.key(&partition, "m").child(&entry.value.definition);
        let new = definitions.key(&partition, "m").child(&by);
        let text = records::DefinitionRecord {
            text: wait(1).to_string(),
        };
        let value = records::MachineRecord {
            definition: by,
            ..entry.value.clone()
        };
        Transaction::new(&inner)
            .replace(&machines, &entry, &value)
            .delete(&old)
            .put(&definitions, &new, &text)
    };
    store.before_reading("states-definition", replaced().await);
    let shown = bench
        .call("DescribeStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("shown");
    assert_eq!(shown["definition"], wait(1).to_string());
    assert!(store.is_over());
    // One that is not there although it is named is no machine that is not there.
    let gone = definitions.key(&partition, "n");
    let lost = Transaction::new(&inner).delete_below(&gone).commit().await;
    assert!(lost.is_ok());
    refused(
        bench
            .call("DescribeStateMachine", json!({"stateMachineArn": other}))
            .await,
        "InternalFailure",
        "",
    );
}

/// The machine `m` is changed before it is read to be changed.
async fn changed_meanwhile(store: &Arc<Between>, change: impl FnOnce(&mut records::MachineRecord)) {
    let machines = records::machines(&store.inner);
    let key = machines.key(&ctx().partition(), "m");
    let entry = machines.get(&key).await.expect("read").expect("there");
    let mut value = entry.value.clone();
    change(&mut value);
    let transaction = Transaction::new(&store.inner).replace(&machines, &entry, &value);
    store.before_reading("states-machine", transaction);
}

#[tokio::test]
async fn an_update_is_held_to_the_machine_that_it_changes() {
    let store = Between::new();
    let bench = Bench::new().await.anew(&store).await;
    let arn = bench.create("m", &pass()).await.expect("made");
    // Made again as another type.
    changed_meanwhile(&store, |machine| machine.workflow = records::Workflow::Express).await;
    let waits = super::task(
        "arn:aws:states:::aws-sdk:ecs:listClusters.waitForTaskToken",
        json!({"NextToken.$": "$$.Task.Token"}),
    );
    let update = json!({"stateMachineArn": arn, "definition": waits.to_string()});
    refused(
        bench.call("UpdateStateMachine", update).await,
        "InvalidDefinition",
        "waitForTaskToken",
    );
    // Its role was replaced by one that may not log.
    let role = "arn:aws:iam::000000000000:role/other";
    changed_meanwhile(&store, |machine| role.clone_into(&mut machine.role_arn)).await;
    let logging = json!({"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup":
        {"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:/g:*"}}]});
    let update = json!({"stateMachineArn": arn, "loggingConfiguration": logging});
    refused(
        bench.call("UpdateStateMachine", update).await,
        "AccessDeniedException",
        "",
    );
    assert!(store.is_over());
}
