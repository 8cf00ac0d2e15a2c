//! What several clients do at once.

use std::sync::Arc;

use serde_json::json;

use crate::harness::Bench;

/// Whoever is answered that a queue is there finds it there, also when it was another who made it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_queue_that_several_make_at_once_is_there_for_each() {
    let bench = Arc::new(Bench::new().await);
    for round in 0..300 {
        let name = format!("q{round}");
        let make = |_| {
            let (bench, name) = (Arc::clone(&bench), name.clone());
            tokio::spawn(async move {
                bench.queue(&name, json!({})).await;
                bench.call("GetQueueUrl", json!({"QueueName": name})).await
            })
        };
        let makers: Vec<_> = (0..4).map(make).collect();
        for maker in makers {
            maker.await.expect("ran").expect("the queue");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_tasks_that_are_started_at_once_one_is() {
    let bench = Arc::new(Bench::new().await);
    bench.queue("dead", json!({})).await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
    let redrive = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 1}).to_string();
    bench.queue("q", json!({"RedrivePolicy": redrive})).await;
    for _ in 0..300 {
        let start = |_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move {
                bench
                    .call("StartMessageMoveTask", json!({"SourceArn": arn}))
                    .await
            })
        };
        let starts: Vec<_> = (0..4).map(start).collect();
        let mut started = Vec::new();
        for start in starts {
            started.extend(start.await.expect("ran"));
        }
        assert_eq!(started.len(), 1);
        let cancel = json!({"TaskHandle": started[0]["TaskHandle"]});
        bench
            .call("CancelMessageMoveTask", cancel)
            .await
            .expect("cancelled");
    }
}
