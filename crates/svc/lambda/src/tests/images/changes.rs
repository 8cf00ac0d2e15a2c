//! What becomes of images while functions change, and when they go.

use roadstead_functions::Error;

use super::*;

#[tokio::test]
async fn images_are_kept_for_an_hour_after_the_last_that_named_them() {
    let bench = Bench::new().await;
    bench.tag('a');
    bench
        .ok("CreateFunction", image("f", json!({"Publish": true})))
        .await;
    bench.tag('b');
    bench
        .ok(
            "UpdateFunctionCode",
            json!({"FunctionName": "f", "ImageUri": URI}),
        )
        .await;
    assert_eq!(bench.kept().await, [name('a'), name('b')]);
    bench
        .ok("DeleteFunction", json!({"FunctionName": "f", "Qualifier": "1"}))
        .await;
    bench.clock.advance(HOUR - 1);
    assert_eq!(bench.kept().await, [name('a'), name('b')]);
    bench.clock.advance(1);
    assert_eq!(bench.kept().await, [name('b')]);
    // Nothing runs any more after a restart: what no record names goes at once.
    bench.tag('c');
    bench
        .ok(
            "UpdateFunctionCode",
            json!({"FunctionName": "f", "ImageUri": URI}),
        )
        .await;
    assert_eq!(bench.kept().await, [name('b'), name('c')]);
    let bench = bench.restarted(0).await;
    assert_eq!(bench.kept().await, [name('c')]);
    // While somebody resolves one, nothing is let go.
    bench.ok("DeleteFunction", json!({"FunctionName": "f"})).await;
    bench.clock.advance(HOUR);
    let taking = bench.lambda.images.taking().await;
    assert_eq!(bench.kept().await, [name('c')]);
    drop(taking);
    assert!(bench.kept().await.is_empty());
    // Also one that was named for so short that no look at the records saw it.
    bench.ok("CreateFunction", image("f", json!({}))).await;
    bench.ok("DeleteFunction", json!({"FunctionName": "f"})).await;
    assert_eq!(bench.kept().await, [name('c')]);
    bench.clock.advance(HOUR);
    assert!(bench.kept().await.is_empty());
}

/// A pull takes a while: what was right when it began need not be when it ends.
#[tokio::test]
async fn code_is_updated_only_of_what_the_function_is_by_then() {
    let bench = Bench::new().await;
    bench.offer("registry.example/team/bare", 'c', false);
    let words = "has neither ENTRYPOINT nor CMD.";
    for (function, meanwhile, code, words) in [
        (
            "told",
            vec![(
                "UpdateFunctionConfiguration",
                json!({"FunctionName": "told", "ImageConfig": {}}),
            )],
            INVALID,
            words,
        ),
        (
            "anew",
            vec![
                ("DeleteFunction", json!({"FunctionName": "anew"})),
                ("CreateFunction", function("anew", json!({}))),
            ],
            "ResourceConflictException",
            "was made anew of another package",
        ),
    ] {
        bench.tag('a');
        let config = json!({"ImageConfig": {"Command": ["/bin/true"]}});
        bench.ok("CreateFunction", image(function, config)).await;
        let before = bench.fake.resolving();
        bench.fake.hold_registry();
        let update = json!({"FunctionName": function, "ImageUri": "registry.example/team/bare"});
        let others = async {
            while bench.fake.resolving() == before {
                tokio::task::yield_now().await;
            }
            for (operation, request) in meanwhile {
                bench.ok(operation, request).await;
            }
            let there = bench.get(function).await;
            bench.fake.release_registry();
            there
        };
        let (updated, there) = tokio::join!(bench.call("UpdateFunctionCode", update), others);
        refused(updated, code, words);
        assert_eq!(bench.get(function).await["Configuration"], there["Configuration"]);
    }
}

#[tokio::test]
async fn an_image_that_went_is_said() {
    let fake = Fake::of(|_, _| {
        Err(Error::NoImage {
            image: name('a'),
            reason: "no answer".into(),
        })
    });
    let bench = Bench::running(fake).await;
    bench.tag('a');
    bench.ok("CreateFunction", image("f", json!({}))).await;
    let error = bench
        .invoke(json!({"FunctionName": "f"}))
        .await
        .expect_err("it went");
    assert_eq!(
        (error.code.as_ref(), error.status),
        ("ResourceConflictException", 409)
    );
    assert!(
        error
            .message
            .contains(&format!("the image {} cannot be had: no answer", name('a'))),
        "{error}"
    );
}
