//! How long a launch takes on this machine, from the payload to the news that the task runs. Run by hand:
//! `cargo test --release -p roadstead-agent --test real -- --ignored --nocapture launch`.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bench::{Bench, interface, plain, script};

const ROUNDS: usize = 20;

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
async fn launch_latency() {
    // Without syncing its records, to see what that costs.
    let mut bench = Bench::with(|options| options.ephemeral = std::env::var_os("EPHEMERAL").is_some()).await;
    let (mut without, mut with, mut stops) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let id = format!("n{round}");
        let task = plain(&id, json!([script("web", "exec sleep 600")]));
        let begun = Instant::now();
        bench.run(json!([task])).await;
        bench.plane.until_status(&id, "RUNNING").await;
        without.push(begun.elapsed());
        kill(&mut bench, &task).await;
    }
    let eni = ("eni-0000000000000001", "0a:00:00:00:00:01", "10.77.1.10");
    for round in 0..ROUNDS {
        bench.map(&[eni]).await;
        let id = format!("a{round}");
        let mut task = plain(&id, json!([script("web", "exec sleep 600")]));
        task["networkMode"] = json!("awsvpc");
        task["elasticNetworkInterfaces"] = json!([interface(eni)]);
        let begun = Instant::now();
        bench.run(json!([task])).await;
        bench.plane.until_status(&id, "RUNNING").await;
        with.push(begun.elapsed());
        let begun = Instant::now();
        kill(&mut bench, &task).await;
        stops.push(begun.elapsed());
    }
    println!(
        "none {:?}, awsvpc {:?}, stop of awsvpc {:?} (medians of {ROUNDS})",
        median(without),
        median(with),
        median(stops)
    );
    bench.end().await;
}

/// `sleep` as the first process pays no heed to SIGTERM, so it is not waited for.
async fn kill(bench: &mut Bench, task: &serde_json::Value) {
    let mut task = task.clone();
    task["containers"][0]["stopTimeout"] = json!(0);
    let id = task["arn"]
        .as_str()
        .expect("an ARN")
        .rsplit('/')
        .next()
        .expect("an id")
        .to_owned();
    let all = bench.agent().runtime().list().await.expect("lists");
    let container = all
        .iter()
        .find(|it| it.id.as_str().starts_with(&format!("{id}-")) && !it.id.as_str().ends_with("pause"));
    bench
        .agent()
        .runtime()
        .kill(&container.expect("is there").id)
        .await
        .expect("kills");
    bench.plane.until_status(&id, "STOPPED").await;
}
