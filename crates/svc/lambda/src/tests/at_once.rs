//! What several clients do at once.

use super::*;

/// Of the same code and settings there is one version, and whoever is told its number finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_several_publish_at_once_is_one_version() {
    let bench = Arc::new(Bench::new().await);
    bench.make("f").await;
    for round in 1..=300 {
        let change = json!({"FunctionName": "f", "Timeout": round});
        bench.ok("UpdateFunctionConfiguration", change).await;
        let publish = |_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move {
                let made = bench.ok("PublishVersion", json!({"FunctionName": "f"})).await;
                let version = made["Version"].as_str().expect("a number").to_owned();
                let named = json!({"FunctionName": "f", "Qualifier": version});
                bench.ok("GetFunctionConfiguration", named).await;
                version
            })
        };
        let publishers: Vec<_> = (0..4).map(publish).collect();
        for publisher in publishers {
            assert_eq!(publisher.await.expect("published"), round.to_string());
        }
    }
}

/// An alias that moves on always names a version that is there, also when the one before goes at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_alias_that_moves_is_never_without_a_version() {
    let bench = Arc::new(Bench::new().await);
    bench
        .ok("CreateFunction", function("f", json!({"Publish": true})))
        .await;
    let alias = json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1"});
    bench.ok("CreateAlias", alias).await;
    let look = |_| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move {
            loop {
                let named = json!({"FunctionName": "f", "Qualifier": "live"});
                bench.ok("GetFunctionConfiguration", named).await;
                tokio::task::yield_now().await;
            }
        })
    };
    let lookers: Vec<tokio::task::JoinHandle<()>> = (0..3).map(look).collect();
    for round in 1..=300 {
        let change = json!({"FunctionName": "f", "Timeout": round + 3, "Description": "d"});
        bench.ok("UpdateFunctionConfiguration", change).await;
        bench.ok("PublishVersion", json!({"FunctionName": "f"})).await;
        let (old, new) = (round.to_string(), (round + 1).to_string());
        let moved = json!({"FunctionName": "f", "Name": "live", "FunctionVersion": new});
        bench.ok("UpdateAlias", moved).await;
        bench
            .ok("DeleteFunction", json!({"FunctionName": "f", "Qualifier": old}))
            .await;
    }
    for looker in lookers {
        looker.abort();
        if let Err(ended) = looker.await {
            assert!(ended.is_cancelled(), "it always found a version");
        }
    }
}

/// Whoever is told that a function is there, as whoever makes it, finds it there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_function_that_several_make_at_once_is_there_for_each() {
    let bench = Arc::new(Bench::new().await);
    for round in 0..200 {
        let make = |_| {
            let (bench, name) = (Arc::clone(&bench), format!("f{round}"));
            tokio::spawn(async move {
                let made = bench.call("CreateFunction", function(&name, json!({}))).await;
                if let Err(error) = made {
                    assert_eq!(error.code, "ResourceConflictException");
                }
                bench
                    .ok("GetFunctionConfiguration", json!({"FunctionName": name}))
                    .await;
            })
        };
        let makers: Vec<_> = (0..4).map(make).collect();
        for maker in makers {
            maker.await.expect("there");
        }
    }
}
