//! Records outlive what they are of, for thirteen months.

use http_body_util::BodyExt as _;
use roadstead_base::{Caller, Clock as _};
use serde_json::{Value as Json, json};

use crate::harness::{Agent, Cloud, SUBNET_A, awsvpc, cloud, definition, text};
use crate::usage::{KEEP_MILLIS, PATH, UsageRecord};

/// What is kept, oldest first.
async fn kept(cloud: &Cloud) -> Vec<UsageRecord> {
    let table = cloud.ecs.usage();
    let below = table.within(&crate::tests::ctx().partition());
    let (entries, _) = table.all(&below).await.expect("reads");
    entries.into_iter().map(|entry| entry.value).collect()
}

async fn capacity(cloud: &Cloud) -> Agent {
    let machine = "i-0000000000000000a";
    let instance = cloud
        .register_in(Caller::Node, "AWSFargate", machine, 2, "us-east-1a")
        .await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    agent
}

/// A FARGATE task whose pull began now.
async fn pulling(cloud: &Cloud, agent: &mut Agent) -> String {
    let one = definition("small", "awsvpc", |d| {
        d["cpu"] = json!("256");
        d["memory"] = json!("512");
        d["requiresCompatibilities"] = json!(["FARGATE"]);
        d["ephemeralStorage"] = json!({"sizeInGiB": 30});
        d["containerDefinitions"][0]["cpu"] = json!(0);
    });
    cloud
        .call("RegisterTaskDefinition", one)
        .await
        .expect("registers");
    let network = awsvpc(&[SUBNET_A], &[]);
    let run = json!({"taskDefinition": "small", "launchType": "FARGATE", "group": "g", "networkConfiguration": network});
    let task = text(&cloud.run(run).await["taskArn"]);
    agent.payload().await;
    submit(cloud, &task, "RUNNING").await;
    task
}

async fn submit(cloud: &Cloud, task: &str, status: &str) {
    let seconds = cloud.clock.now().0 as f64 / 1000.0;
    let mut body = json!({"cluster": "default", "task": task, "status": status,
        "containers": [{"containerName": "app", "status": status, "exitCode": 0}]});
    if status == "RUNNING" {
        body["pullStartedAt"] = json!(seconds);
        body["containers"][0]
            .as_object_mut()
            .expect("an object")
            .remove("exitCode");
    }
    let ctx = cloud.ctx(Caller::Node);
    cloud
        .call_as(&ctx, "SubmitTaskStateChange", body)
        .await
        .expect("is taken");
}

async fn get(cloud: &Cloud, query: &str) -> (u16, Json) {
    let stream = tokio::net::TcpStream::connect(cloud.address)
        .await
        .expect("connects");
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.expect("speaks");
    tokio::spawn(connection);
    let authorization = "AWS4-HMAC-SHA256 Credential=000000000000/20231114/us-east-1/ecs/aws4_request, \
                         SignedHeaders=host;x-amz-date, Signature=00";
    let request = http::Request::get(format!("{PATH}?{query}"))
        .header("host", cloud.address.to_string())
        .header("x-amz-date", "20231114T221320Z")
        .header("authorization", authorization)
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .expect("a request");
    let answer = sender.send_request(request).await.expect("answers");
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&body).expect("JSON"))
}

#[tokio::test]
async fn a_fargate_task_is_metered_while_it_runs_and_long_after() {
    let cloud = cloud().await;
    let mut agent = capacity(&cloud).await;
    let begun = cloud.clock.now().0;
    let task = pulling(&cloud, &mut agent).await;
    let (_, running) = get(&cloud, "cluster=default").await;
    assert_eq!(running["tasks"][0]["taskArn"], json!(task));
    assert_eq!(
        (&running["tasks"][0]["stoppedAt"], &running["now"]),
        (&Json::Null, &json!(begun))
    );
    assert!(kept(&cloud).await.is_empty());
    cloud.clock.advance(90_000);
    submit(&cloud, &task, "STOPPED").await;
    let stopped = cloud.task_when(&task, "STOPPED").await;
    let wanted = UsageRecord {
        task_arn: task.clone(),
        cluster: "default".into(),
        group: "g".into(),
        task_definition: text(&stopped["taskDefinitionArn"]),
        architecture: "x86_64".into(),
        cpu: 256,
        memory: 512,
        storage: 30,
        pull_started_at: begun,
        stopped_at: Some(begun + 90_000),
    };
    assert_eq!(kept(&cloud).await.as_slice(), std::slice::from_ref(&wanted));
    // When nobody can describe the task any more, also after a restart.
    cloud.clock.advance(30 * 86_400_000);
    let cloud = cloud.restart().await;
    let (status, found) = get(&cloud, "").await;
    assert_eq!((status, &found["tasks"]), (200, &json!([wanted])));
    for (query, count) in [
        ("cluster=default", 1),
        ("cluster=other", 0),
        (format!("until={begun}").as_str(), 0),
        (format!("since={}", begun + 60_000).as_str(), 1),
        (format!("since={}", begun + 900_000).as_str(), 0),
    ] {
        let (_, found) = get(&cloud, query).await;
        assert_eq!(found["tasks"].as_array().map(Vec::len), Some(count), "{query}");
    }
    for query in ["since=yesterday", "after=forged", "price=1", "cluster=a/b/c"] {
        let (status, body) = get(&cloud, query).await;
        assert_eq!(status, 400, "{query}: {body}");
    }
    cloud
        .ecs
        .forget_old_usage(cloud.clock.now())
        .await
        .expect("looks");
    assert_eq!(kept(&cloud).await.len(), 1);
    cloud.clock.advance(KEEP_MILLIS);
    cloud
        .ecs
        .forget_old_usage(cloud.clock.now())
        .await
        .expect("removes");
    assert!(kept(&cloud).await.is_empty());
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let cloud = cloud().await;
    let table = cloud.ecs.usage();
    let partition = crate::tests::ctx().partition();
    for number in 0..1500_i64 {
        let usage = UsageRecord {
            task_arn: number.to_string(),
            cluster: "default".into(),
            group: String::new(),
            task_definition: String::new(),
            architecture: "arm64".into(),
            cpu: 1,
            memory: 1,
            storage: 20,
            pull_started_at: 0,
            stopped_at: Some(number + 1),
        };
        let key = table
            .within(&partition)
            .child(super::time(number + 1))
            .child(number.to_string());
        table.insert(&key, &usage).await.expect("is kept");
    }
    let (_, first) = get(&cloud, "").await;
    let token = text(&first["next"]);
    let (_, second) = get(&cloud, &format!("after={token}")).await;
    assert!(second["next"].is_null());
    let of = |page: &Json| {
        page["tasks"]
            .as_array()
            .expect("tasks")
            .iter()
            .map(|one| text(&one["taskArn"]))
            .collect::<Vec<_>>()
    };
    let all: Vec<String> = of(&first).into_iter().chain(of(&second)).collect();
    assert_eq!(
        all,
        (0..1500).map(|number| number.to_string()).collect::<Vec<_>>()
    );
}
