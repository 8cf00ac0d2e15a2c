//! What the vendor's agent was recorded to say over its telemetry channel, said to this control plane: the same header
//! lines above the same JSON, with only the names of task, instance and account exchanged, and its times moved to now.

use serde_json::{Value as Json, json};

use super::{connect, run};
use crate::harness::{MACHINE, Reporter, cloud};

const EC2_MODE: &str = include_str!("ec2-mode-telemetry.jsonl");
const INSTANCE: &str =
    "arn:aws:ecs:us-east-1:123456789012:container-instance/default/0123456789abcdef0123456789abcdef";
const TASK: &str = "arn:aws:ecs:us-east-1:123456789012:task/default/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[tokio::test]
async fn the_recorded_agent_reports() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 2).await;
    connect(&cloud, &instance).await;
    let task = run(&cloud, "g").await;
    let recording = EC2_MODE.replace(INSTANCE, &instance).replace(TASK, &task);
    let lines: Vec<Json> = recording
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).expect("a line of JSON"))
        .filter(|line| line["channel"] == "tcs")
        .collect();
    // The handshake's own header, as the agent sent it with a key that nobody here issued.
    let event = lines[0]["event"].as_str().expect("a connection");
    let (_, rest) = event.split_once("'Authorization': '").expect("a header");
    let authorization = rest.split('\'').next().expect("its end");
    let mut reporter = Reporter::connect_by(
        &cloud,
        "default",
        &instance,
        Some((authorization, "20261122T101120Z")),
    )
    .await
    .expect("connects");
    let now = cloud.ecs.clock.now().0 as f64 / 1000.0;
    let (mut said, mut kinds) = (0, std::collections::BTreeSet::new());
    for line in lines.iter().filter(|line| line["frame"].is_object()) {
        let mut frame = line["frame"].clone();
        frame["message"]["timestamp"] = json!(now + f64::from(said));
        let head = line["signed_header_lines"].as_array().expect("header lines");
        let head: Vec<&str> = head.iter().map(|line| line.as_str().expect("text")).collect();
        reporter
            .say_text(&format!("{}\r\n\r\n{frame}", head.join("\r\n")))
            .await;
        let metadata = &frame["message"]["metadata"];
        let id = metadata["messageId"]
            .as_str()
            .or(metadata["requestId"].as_str())
            .expect("an id");
        assert_eq!(reporter.acknowledged().await, id);
        kinds.insert(frame["type"].as_str().expect("a type").to_owned());
        said += 1;
    }
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    let kept = cloud.ecs.telemetry.reports_of(&task);
    assert!(!kept.is_empty(), "of {said} frames");
    // 5.46 in 18 samples, of 1024 units.
    let wanted = 5.461_504_325 / 18.0 / 100.0 * 1024.0;
    assert!((kept[0].used.cpu - wanted).abs() < 1e-3, "{:?}", kept[0]);
    assert_eq!(cloud.ecs.telemetry.statuses_of(&instance)[0].status, "OK");
    // Its container is called otherwise than ours: what it says of that is nothing of this task's.
    assert_eq!(cloud.task(&task).await["healthStatus"], "UNKNOWN");
}
