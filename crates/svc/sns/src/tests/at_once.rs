//! What several clients do at once.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_subscription_stays_of_a_topic_that_is_deleted_meanwhile() {
    let bench = Arc::new(Bench::new().await);
    for _ in 0..500 {
        bench
            .call("CreateTopic", json!({"Name": "t"}))
            .await
            .expect("made");
        let topic = "arn:aws:sns:us-east-1:000000000000:t";
        let call = |operation, input| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { bench.call(operation, input).await })
        };
        let subscription = json!({"TopicArn": topic, "Protocol": "sqs", "Endpoint": arn("q")});
        let subscribed = call("Subscribe", subscription);
        let deleted = call("DeleteTopic", json!({"TopicArn": topic}));
        deleted.await.expect("ran").expect("deleted");
        if let Err(error) = subscribed.await.expect("ran") {
            assert_eq!(error.code, "NotFound");
        }
        let left = bench.call("ListSubscriptions", json!({})).await.expect("listed");
        assert_eq!(left["Subscriptions"], json!([]));
    }
}
