//! `versionConsistency`: all tasks of a deployment run what the tags led to for the first of them.

use std::collections::BTreeSet;
use std::time::Duration;

use roadstead_acs as acs;
use serde_json::{Value as Json, json};

use super::MACHINE;
use crate::harness::{Agent, Cloud, cloud, definition, text};

const IMAGE: &str = "registry.local/app:1";

/// A machine with a connected agent, and the definition `web`: one container as by default, one that opted out, and
/// one whose image is a digest's.
async fn world() -> (Cloud, Agent) {
    furnished(cloud().await).await
}

async fn furnished(cloud: Cloud) -> (Cloud, Agent) {
    let instance = cloud.register("default", MACHINE, 8).await;
    let web = definition("web", "bridge", |it| {
        let container = |name: &str, image: &str| json!({"name": name, "image": image, "memory": 16});
        let mut free = container("free", "registry.local/free:1");
        free["versionConsistency"] = json!("disabled");
        let fixed = format!("registry.local/fixed@{}", digest('f'));
        it["containerDefinitions"] = json!([container("app", IMAGE), free, container("fixed", &fixed)]);
    });
    let registered = cloud.call("RegisterTaskDefinition", web).await;
    registered.expect("registers");
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    (cloud, agent)
}

fn digest(letter: char) -> String {
    format!("sha256:{}", std::iter::repeat_n(letter, 64).collect::<String>())
}

async fn create(cloud: &Cloud, count: u32) -> Json {
    let request = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": count});
    cloud.call("CreateService", request).await.expect("creates")["service"].clone()
}

/// The next task that the agent is told to start: its ARN, the images that are to be pulled, and what they are called.
async fn told(agent: &mut Agent) -> (String, Vec<String>, Vec<String>) {
    loop {
        let task = agent.payload().await.1.tasks.remove(0);
        if task.desired_status == "RUNNING" {
            let of =
                |image: fn(&acs::Container) -> &String| task.containers.iter().map(image).cloned().collect();
            return (task.arn.clone(), of(|it| &it.image), of(|it| &it.defined_image));
        }
    }
}

fn by_tags() -> Vec<String> {
    let fixed = format!("registry.local/fixed@{}", digest('f'));
    vec![IMAGE.to_owned(), "registry.local/free:1".to_owned(), fixed]
}

fn by_digest(app: char) -> Vec<String> {
    let mut images = by_tags();
    images[0] = format!("{IMAGE}@{}", digest(app));
    images
}

/// As agents do once they have the manifest.
async fn resolved(cloud: &Cloud, task: &str, app: char) {
    let container = |name: &str, digest: String| json!({"containerName": name, "status": "PENDING", "imageDigest": digest});
    let report = json!({"task": task, "status": "PENDING", "containers": [
        container("app", digest(app)), container("free", digest('e')), container("fixed", digest('f')),
    ]});
    let answer = cloud.call("SubmitTaskStateChange", report).await;
    answer.expect("is acknowledged");
}

async fn report(cloud: &Cloud, task: &str, status: &str) {
    let report = json!({"task": task, "status": status});
    let answer = cloud.call("SubmitTaskStateChange", report).await;
    answer.expect("is acknowledged");
}

async fn images_of(cloud: &Cloud, revision: &Json) -> Json {
    let request = json!({"serviceRevisionArns": [revision]});
    let answer = cloud.call("DescribeServiceRevisions", request).await;
    answer.expect("describes")["serviceRevisions"][0]["containerImages"].clone()
}

#[tokio::test]
async fn the_first_task_says_what_all_run() {
    let (cloud, mut agent) = world().await;
    let created = create(&cloud, 3).await;
    let (first, images, _) = told(&mut agent).await;
    assert_eq!(images, by_tags(), "nobody knows better yet");
    resolved(&cloud, &first, 'a').await;
    let mut tasks = vec![first.clone()];
    for _ in 0..2 {
        let (task, images, names) = told(&mut agent).await;
        assert_eq!(images, by_digest('a'));
        assert_eq!(
            names,
            [IMAGE, "", ""],
            "what it is called is what the definition says"
        );
        assert_eq!(cloud.task(&task).await["containers"][0]["image"], IMAGE);
        tasks.push(task);
    }
    let revision = created["currentServiceRevisions"][0]["arn"].clone();
    let wanted = json!([
        {"containerName": "app", "image": IMAGE, "imageDigest": digest('a')},
        {"containerName": "free", "image": "registry.local/free:1"},
        {"containerName": "fixed", "image": by_tags()[2], "imageDigest": digest('f')},
    ]);
    assert_eq!(images_of(&cloud, &revision).await, wanted);
    // Who says otherwise later changes nothing, and another daemon knows it as well.
    resolved(&cloud, &tasks[1], 'b').await;
    let cloud = cloud.restart().await;
    let instance = text(&cloud.task(&first).await["containerInstanceArn"]);
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    for task in &tasks {
        report(&cloud, task, "RUNNING").await;
    }
    let grow = json!({"service": "web", "desiredCount": 4});
    cloud.call("UpdateService", grow).await.expect("updates");
    loop {
        let (task, images, _) = told(&mut agent).await;
        assert_eq!(images, by_digest('a'));
        if !tasks.contains(&task) {
            report(&cloud, &task, "RUNNING").await;
            break;
        }
    }
    // Another deployment asks anew, and a standalone task is nobody's.
    let again = json!({"service": "web", "forceNewDeployment": true});
    cloud.call("UpdateService", again).await.expect("updates");
    let (first, images, _) = told(&mut agent).await;
    assert_eq!(images, by_tags());
    resolved(&cloud, &first, 'c').await;
    assert_eq!(told(&mut agent).await.1, by_digest('c'));
    assert_eq!(images_of(&cloud, &revision).await, wanted);
    let alone = text(&cloud.run(json!({"taskDefinition": "web"})).await["taskArn"]);
    loop {
        let (task, images, _) = told(&mut agent).await;
        if task == alone {
            assert_eq!(images, by_tags());
            break;
        }
    }
}

#[tokio::test]
async fn a_first_task_that_fails_leaves_it_to_the_next_three_times() {
    let (cloud, mut agent) = world().await;
    create(&cloud, 5).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (task, images, _) = told(&mut agent).await;
        assert_eq!(images, by_tags());
        assert!(!seen.contains(&task));
        report(&cloud, &task, "STOPPED").await;
        seen.push(task);
    }
    // The deployment goes on without digests: nobody waits for anybody.
    for _ in 0..2 {
        let (task, images, _) = told(&mut agent).await;
        assert_eq!(images, by_tags());
        assert!(!seen.contains(&task));
        seen.push(task);
    }
}

#[tokio::test]
async fn an_agent_that_does_not_say_what_images_are_holds_nobody_back() {
    let (cloud, mut agent) = world().await;
    create(&cloud, 2).await;
    let (first, _, _) = told(&mut agent).await;
    report(&cloud, &first, "RUNNING").await;
    assert_eq!(told(&mut agent).await.1, by_tags());
}

#[tokio::test]
async fn an_agent_that_comes_to_nothing_holds_nobody_back_for_ever() {
    let patience = |options: &mut crate::Options| options.first_patience = Duration::from_secs(1);
    let (cloud, mut agent) = furnished(cloud().await.restart_with(patience).await).await;
    create(&cloud, 3).await;
    let (first, _, _) = told(&mut agent).await;
    // It has it, and is heard of no more.
    let mut others = BTreeSet::new();
    while others.len() < 2 {
        let (task, images, _) = told(&mut agent).await;
        assert_eq!(images, by_tags());
        others.insert(task);
    }
    assert!(!others.contains(&first));
    assert_eq!(cloud.task(&first).await["lastStatus"], "PENDING");
}

#[tokio::test]
async fn an_agent_that_goes_away_leaves_it_to_another() {
    let (cloud, mut agent) = world().await;
    let other = cloud.register("default", "i-0000000000000000b", 8).await;
    let mut second = cloud.agent(&other).await;
    second.manifest().await;
    let request = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 2,
        "placementStrategy": [{"type": "spread", "field": "instanceId"}]});
    cloud.call("CreateService", request).await.expect("creates");
    let (first, gone, mut next) = tokio::select! {
        it = told(&mut agent) => (it, agent, second),
        it = told(&mut second) => (it, second, agent),
    };
    assert_eq!(first.1, by_tags());
    drop(gone);
    let (task, images, _) = told(&mut next).await;
    assert_ne!(task, first.0);
    assert_eq!(images, by_tags());
}
