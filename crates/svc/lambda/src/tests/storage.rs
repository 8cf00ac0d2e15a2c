//! What archives take, and when they go.

use roadstead_base::Clock as _;

use super::*;

const FULL: &str = "CodeStorageExceededException";
const HOUR: i64 = 3_600_000;

impl Bench {
    fn folders(&self) -> usize {
        std::fs::read_dir(self.folder.path()).expect("a folder").count()
    }
}

#[tokio::test]
async fn no_archive_is_taken_beyond_what_an_account_may_store() {
    let source = |name: &str| code(&format!("{name} = 1"));
    let size = STANDARD.decode(source("a")).expect("base64").len() as u64;
    let first = Bench::new().await;
    let options = Options {
        code_storage: 3 * size,
        ..Options::default()
    };
    let now = first.clock.now();
    let bench = Bench::over_with(first.store, first.folder, first.fake, now, options).await;
    let make = |name: &str, publish: bool| {
        let more = json!({"Code": {"ZipFile": source(name)}, "Publish": publish});
        bench.call("CreateFunction", function(name, more))
    };
    make("a", true).await.expect("two of three");
    refused(make("b", true).await, FULL, "Code storage limit exceeded.");
    let layer = json!({"LayerName": "l", "Content": {"ZipFile": source("l")}});
    bench.ok("PublishLayerVersion", layer.clone()).await;
    refused(bench.call("PublishLayerVersion", layer).await, FULL, "limit");
    let error = make("b", false).await.expect_err("full");
    assert_eq!((error.code.as_ref(), error.status), (FULL, 400));
    let settings = bench.ok("GetAccountSettings", json!({})).await;
    assert_eq!(settings["AccountLimit"]["TotalCodeSize"], 3 * size);
    assert_eq!(
        settings["AccountUsage"],
        json!({"FunctionCount": 1, "TotalCodeSize": 3 * size})
    );
    // As large as what it replaces, and not more; and no version of it.
    let update = |source: String, publish: bool| {
        let request = json!({"FunctionName": "a", "ZipFile": source, "Publish": publish});
        bench.call("UpdateFunctionCode", request)
    };
    update(source("b"), false).await.expect("in place of the other");
    refused(update(source("bb"), false).await, FULL, "limit");
    refused(update(source("c"), true).await, FULL, "limit");
    refused(
        bench.call("PublishVersion", json!({"FunctionName": "a"})).await,
        FULL,
        "limit",
    );
    bench
        .ok(
            "DeleteLayerVersion",
            json!({"LayerName": "l", "VersionNumber": 1}),
        )
        .await;
    let published = bench.ok("PublishVersion", json!({"FunctionName": "a"})).await;
    assert_eq!(published["Version"], "2");
    // What was refused was not kept either.
    assert_eq!(bench.folders(), 3);
}

#[tokio::test]
async fn an_archive_goes_an_hour_after_the_last_that_named_it() {
    let bench = Bench::new().await;
    bench.make("f").await;
    let other = json!({"FunctionName": "f", "ZipFile": code("x = 2")});
    bench.ok("UpdateFunctionCode", other).await;
    assert_eq!(bench.folders(), 2);
    let after = async |millis: i64| {
        bench.clock.advance(millis);
        bench.lambda.sweep().await.expect("looked");
        bench.folders()
    };
    assert_eq!((after(0).await, after(HOUR - 1).await), (2, 2));
    // Named again meanwhile, and then no more.
    bench.make("g").await;
    assert_eq!(after(HOUR).await, 2);
    bench.ok("DeleteFunction", json!({"FunctionName": "g"})).await;
    assert_eq!((after(0).await, after(HOUR - 1).await, after(1).await), (2, 2, 1));
    let (_, latest) = bench.invoke(json!({"FunctionName": "f"})).await.expect("invoked");
    assert_eq!(latest["StatusCode"], 200);
    // What is being uploaded stays, also when it lay there before.
    let bytes = || STANDARD.decode(code("x = 3")).expect("base64");
    let (_, first) = bench.lambda.contents.put(bytes()).await.expect("kept");
    drop(first);
    assert_eq!((after(0).await, after(HOUR - 1).await), (2, 2));
    let (_, second) = bench.lambda.contents.put(bytes()).await.expect("kept");
    let (_, third) = bench.lambda.contents.put(bytes()).await.expect("kept");
    drop(second);
    assert_eq!((after(1).await, after(HOUR).await), (2, 2));
    bench.lambda.contents.sweep_drafts();
    assert_eq!(bench.folders(), 2);
    drop(third);
    assert_eq!((after(0).await, after(HOUR).await), (2, 1));
}

#[tokio::test]
async fn nothing_goes_while_a_record_cannot_be_read() {
    let bench = Bench::new().await;
    bench.make("f").await;
    let functions = crate::records::functions(&bench.store);
    let key = functions.key(&ctx().partition(), "f");
    let put = roadstead_store::Op::Put {
        key: key.to_bytes(),
        value: (&b"none that this knows"[..]).into(),
        lease: None,
    };
    let spoilt = roadstead_store::Txn {
        then: vec![put],
        ..Default::default()
    };
    bench.store.commit(spoilt).await.expect("written");
    let bench = bench.restarted(0).await;
    for _ in 0..2 {
        bench.lambda.sweep().await.expect_err("a record cannot be read");
        bench.clock.advance(2 * HOUR);
    }
    assert_eq!(bench.folders(), 1);
}

#[tokio::test]
async fn a_dry_run_keeps_nothing() {
    let bench = Bench::new().await;
    bench.make("f").await;
    let dry = json!({"FunctionName": "f", "ZipFile": code("x = 9"), "DryRun": true});
    let shown = bench.ok("UpdateFunctionCode", dry).await;
    assert_ne!(shown["CodeSha256"], json!(null));
    assert_eq!(bench.folders(), 1);
}
