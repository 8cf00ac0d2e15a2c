//! What follows at once, and what several clients do at once.

use std::sync::Arc;

use serde_json::json;

use super::{Bench, pass};

/// Whoever saw that an execution ended does not find it among those that run.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_described_as_ended_is_not_listed_as_running() {
    let mut bench = Bench::started().await;
    let machine = bench.create("m", &pass()).await.expect("made");
    let running = json!({"stateMachineArn": machine, "statusFilter": "RUNNING"});
    for round in 0..300 {
        let execution = bench.execute(&machine, &format!("x{round}"), json!({})).await;
        while bench.describe(&execution).await["status"] == "RUNNING" {
            tokio::task::yield_now().await;
        }
        let listed = bench
            .call("ListExecutions", running.clone())
            .await
            .expect("listed");
        assert_eq!(listed["executions"], json!([]), "round {round}");
    }
    bench.stop().await;
}

/// Whoever is answered that a machine or an activity is there finds it there, also when it was another who made it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_several_make_at_once_is_there_for_each() {
    let bench = Arc::new(Bench::new().await);
    for round in 0..300 {
        let name = format!("n{round}");
        let make = |_| {
            let (bench, name) = (Arc::clone(&bench), name.clone());
            tokio::spawn(async move {
                let machine = bench.create(&name, &pass()).await.expect("made");
                let tags = bench.call("ListTagsForResource", json!({"resourceArn": machine}));
                tags.await.expect("the machine");
                let made = bench.call("CreateActivity", json!({"name": name})).await;
                let activity = made.expect("made")["activityArn"].clone();
                let described = bench.call("DescribeActivity", json!({"activityArn": activity}));
                described.await.expect("the activity");
            })
        };
        let makers: Vec<_> = (0..4).map(make).collect();
        for maker in makers {
            maker.await.expect("there");
        }
    }
}
