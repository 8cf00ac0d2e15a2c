//! Functions that are images: run by their own programs, and there for as long as somebody needs them.

mod support;

use std::sync::Arc;

use roadstead_functions::{Error, Image, ImageError, Package, Sandboxes as _, Spec, Why};
use roadstead_image::Error as Fault;
use roadstead_sandbox::Node;
use support::images::config;
use support::{Bench, failed, invocation, returned, supply, until};

/// Of a registry that nobody listens for: what is not here can be had nowhere.
const NAME: &str = "127.0.0.1:1/team/f:latest";
const OTHER: &str = "127.0.0.1:1/other/g:latest";

const SAYING: &str = r#"
n=0
while next; do n=$((n+1)); answer "$n words=$* own=$OWN mine=$MINE region=$AWS_REGION by=$AWS_EXECUTION_ENV \
handler=${_HANDLER-none} place=$(pwd) uid=$(id -u) caps=$(sed -n 's/^CapEff:\t//p' /proc/self/status) \
nnp=$(sed -n 's/^NoNewPrivs:\t//p' /proc/self/status) root=$(touch /app/x 2>/dev/null && echo rw || echo ro) \
tmp=$(touch /tmp/x && echo rw) data=$(ls -d /data 2>/dev/null || echo none) pids=$(ls -d /proc/[0-9]* | wc -l) \
links=$(sed -n 's/ *\([a-z0-9]*\):.*/\1/p' /proc/net/dev | tr '\n' ' ')"; done
"#;

fn image(spec: &mut Spec) -> &mut Image {
    match &mut spec.package {
        Package::Image(image) => image,
        Package::Zip(zip) => panic!("{zip:?} is no image"),
    }
}

#[tokio::test]
async fn an_image_runs_by_its_own_word_within_the_limits_of_functions() {
    let bench = Bench::new().await;
    bench.import(NAME, SAYING, config()).await;
    let spec = Arc::new(bench.image_function("f", NAME).await);
    let first = bench.invoke(&spec, "r1", "1").await;
    let said = returned(&first);
    for expected in [
        "1 words=one two ",
        "own=image",
        "mine=1",
        "region=us-east-1",
        "by=AWS_Lambda_Image",
        "handler=none",
        "place=/app/not-there",
        "uid=993",
        "caps=0000000000000000",
        "nnp=1",
        "root=ro",
        "tmp=rw",
        "data=none",
        "links=lo ",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    assert!(first.report.init.is_some());
    let second = bench.invoke(&spec, "r2", "2").await;
    assert!(returned(&second).starts_with("2 words=") && second.report.init.is_none());
    // The function's own word.
    let mut other = bench.image_function("other", NAME).await;
    *image(&mut other) = Image {
        name: image(&mut other).name.clone(),
        entry_point: vec!["/bin/bash".into(), "/app/bootstrap".into()],
        command: vec!["three".into()],
        working_directory: Some("/tmp".into()),
    };
    let said = returned(&bench.invoke(&Arc::new(other), "r3", "3").await);
    assert!(
        said.contains("words=three own") && said.contains("place=/tmp "),
        "{said}"
    );
    bench.node.stop().await.expect("stopped");
    // What runtimes say of themselves, images do not.
    let logged = bench.logged();
    assert!(logged[0].starts_with("START RequestId: r1"), "{logged:?}");
    bench.finish().await;
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let bench = Bench::new().await;
    bench.import(NAME, "", config()).await;
    for (entry_point, words) in [("/not-there", "/not-there"), ("/etc", "/etc")] {
        let mut spec = bench.image_function("f", NAME).await;
        image(&mut spec).entry_point = vec![entry_point.to_owned()];
        let outcome = bench.invoke(&Arc::new(spec), "r", "1").await;
        let (why, message) = failed(&outcome);
        assert!(why == Why::Init && message.contains(words), "{why:?} {message}");
        let roadstead_functions::Ending::Failed(failure) = &outcome.ending else {
            unreachable!("it failed");
        };
        let body: serde_json::Value = serde_json::from_slice(&failure.body).expect("JSON");
        assert_eq!(body["errorType"], "Runtime.InvalidEntrypoint", "{body}");
    }
    bench.finish().await;
}

#[tokio::test]
async fn an_image_stays_while_it_is_needed_whatever_becomes_of_its_name() {
    let mut bench = Bench::new().await;
    let answering = |word: &str| format!("while next; do answer '\"{word}\"'; done");
    bench.import(NAME, &answering("old"), config()).await;
    let old = Arc::new(bench.image_function("old", NAME).await);
    bench.import(NAME, &answering("new"), config()).await;
    let new = Arc::new(bench.image_function("new", NAME).await);
    assert_eq!(returned(&bench.invoke(&old, "r1", "1").await), "\"old\"");
    assert_eq!(returned(&bench.invoke(&new, "r2", "1").await), "\"new\"");
    let names: Vec<String> = [&old, &new]
        .map(|spec| image(&mut Spec::clone(spec)).name.clone())
        .to_vec();
    let of_images = |holders: &[String]| {
        holders
            .iter()
            .filter(|one| one.starts_with("function image "))
            .count()
    };
    assert_eq!((bench.holders().len(), of_images(&bench.holders())), (4, 2));
    let images = bench.images().clone();
    let refused = images.remove(NAME).await.expect_err("in use");
    assert!(refused.to_string().contains("in use by function "), "{refused}");
    // After a restart no environment is left, and what functions need still is.
    bench.take_over(Node::open(bench.options.clone()).await.expect("a node"));
    assert_eq!((bench.holders().len(), of_images(&bench.holders())), (2, 2));
    assert_eq!(returned(&bench.invoke(&old, "r3", "1").await), "\"old\"");
    // Nobody needs the old one any more, but its environment goes on, and can be used again.
    bench.node.keep_images([names[1].clone()].into()).await;
    assert_eq!((bench.holders().len(), of_images(&bench.holders())), (2, 1));
    assert_eq!(returned(&bench.invoke(&old, "r4", "1").await), "\"old\"");
    images.remove(&names[0]).await.expect_err("in use");
    bench.node.retire("old").await;
    assert_eq!(bench.holders().len(), 1);
    images.remove(&names[0]).await.expect("nobody's");
    let refused = bench.node.invoke(&old, invocation("r5", "1")).await;
    let refused = refused.expect_err("it is gone");
    assert!(
        matches!(&refused, Error::NoImage { image, .. } if *image == names[0]),
        "{refused}"
    );
    // Pins are not synced: what a power failure took is pinned again.
    images.retain_pins(|_| false).await.expect("dropped");
    bench.node.keep_images([names[1].clone()].into()).await;
    assert_eq!(
        bench.holders(),
        [format!(
            "function image {}",
            names[1].rsplit_once('@').expect("a digest").1
        )]
    );
    bench.node.keep_images(Default::default()).await;
    images.remove(NAME).await.expect("nobody's");
    assert!(images.list().expect("a list").is_empty());
    until("no layer is left", async || {
        std::fs::read_dir(images.root().join("layers"))
            .expect("a folder")
            .count()
            == 0
    })
    .await;
    bench.finish().await;
}

#[tokio::test]
async fn an_image_stays_a_functions_when_its_own_name_goes_and_another_is_left() {
    let bench = Bench::new().await;
    let answering = "while next; do answer '\"here\"'; done";
    let imported = bench.import_as(&[NAME, OTHER], answering, config()).await;
    imported.expect("imported");
    let spec = Arc::new(bench.image_function("f", NAME).await);
    // The name that is left is of another repository, which the function's digest does not lead to.
    bench.images().remove(NAME).await.expect("not the last name");
    assert_eq!(returned(&bench.invoke(&spec, "r1", "1").await), "\"here\"");
    bench.images().remove(OTHER).await.expect_err("the last name");
    bench.finish().await;
}

#[tokio::test]
async fn an_image_with_larger_layers_than_functions_may_have_is_refused() {
    let mut bench = Bench::new().await;
    bench.import(NAME, "", config()).await;
    let size = bench.node.image(NAME).await.expect("not too large").size;
    for (most, taken) in [(size, true), (size - 1, false)] {
        bench.options.supply = supply(bench.dir.path(), most).await;
        bench.take_over(Node::open(bench.options.clone()).await.expect("a node"));
        match bench.node.image(NAME).await {
            Ok(found) => assert!(taken, "{found:?} of {most}"),
            Err(ImageError::Unsupported(why)) => {
                assert!(!taken && why.contains(&format!("{most} is the most")), "{why}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    // Nor is more than that unpacked to find out.
    bench.images().retain_pins(|_| false).await.expect("nobody's");
    bench.images().remove(NAME).await.expect("nobody's");
    let unpacked = bench.import_as(&[NAME], "", config()).await;
    assert!(matches!(unpacked, Err(Fault::TooLarge { .. })), "{unpacked:?}");
    bench.finish().await;
}

/// Who pulls or removes images holds the store for moments, and may be slow.
#[tokio::test]
async fn nobody_waits_for_the_store_of_images_but_functions_that_are_images() {
    let bench = Bench::new().await;
    let answering = "while next; do answer \"$event\"; done";
    bench.import(NAME, answering, config()).await;
    let of_image = Arc::new(bench.image_function("image", NAME).await);
    let of_archive = Arc::new(bench.function("archive", answering));
    let lock = std::fs::File::open(bench.images().root().join("lock")).expect("a lock");
    lock.lock().expect("held");
    let (release, told) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        // A test that waits for it must end too.
        let told = told.recv_timeout(std::time::Duration::from_secs(60)).is_ok();
        drop(lock);
        told
    });
    let node = bench.node.clone();
    let waits = tokio::spawn(async move { node.invoke(&of_image, invocation("r1", "1")).await });
    tokio::task::yield_now().await;
    assert_eq!(returned(&bench.invoke(&of_archive, "r2", "2").await), "2");
    // Its environment goes without a look at images.
    bench.node.retire("archive").await;
    assert!(!waits.is_finished());
    release.send(()).expect("it holds the lock");
    assert!(holder.join().expect("no panic"), "somebody waited for the store");
    let answered = waits.await.expect("no panic").expect("answered");
    assert_eq!(returned(&answered), "1");
    bench.finish().await;
}

#[tokio::test]
async fn references_that_lead_nowhere_are_told_apart() {
    let bench = Bench::with(|options| {
        options.runtimes = "/not-there".into();
    })
    .await;
    let of = async |uri: &str| bench.node.image(uri).await.expect_err(uri);
    assert!(matches!(of("Not a reference").await, ImageError::Malformed(_)));
    // Nobody listens there.
    assert!(matches!(of(NAME).await, ImageError::Failed(_)));
    bench.finish().await;
}
