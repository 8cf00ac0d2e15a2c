//! What reports become: metrics of clusters and services, a minute at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use roadstead_base::{Clock as _, Timestamp};
use serde_json::{Value as Json, json};

use super::{connect, metrics, of_task, regroup, reporting, run};
use crate::harness::{Cloud, Metrics, Reporter, SUBNET_A, awsvpc, cloud, definition, text};

/// Name and dimensions of each datum, with its value or its set.
type Data = BTreeMap<(String, Vec<String>), Json>;

/// What the minute in which the cloud's clock stands makes.
async fn minute(cloud: &Cloud, metrics: &Arc<Metrics>) -> Data {
    let begin = cloud.clock.now().0.div_euclid(60_000) * 60_000;
    cloud.ecs.publish_minute(Timestamp(begin)).await.expect("is made");
    let mut found = Data::new();
    for (caller, input) in metrics.taken() {
        assert_eq!(
            (caller.as_str(), &input["Namespace"]),
            ("ecs.amazonaws.com", &json!("AWS/ECS"))
        );
        for datum in input["MetricData"].as_array().expect("data") {
            assert_eq!(
                (&datum["Unit"], &datum["Timestamp"]),
                (&json!("Percent"), &json!(begin / 1000))
            );
            let dimensions = datum["Dimensions"].as_array().expect("dimensions");
            let named = |one: &Json| format!("{}={}", text(&one["Name"]), text(&one["Value"]));
            let key = (text(&datum["MetricName"]), dimensions.iter().map(named).collect());
            let value = if datum["Value"].is_null() {
                &datum["StatisticValues"]
            } else {
                &datum["Value"]
            };
            assert!(found.insert(key, value.clone()).is_none(), "each once");
        }
    }
    found
}

fn of(name: &str, dimensions: &[&str]) -> (String, Vec<String>) {
    (
        name.to_owned(),
        dimensions.iter().map(|text| (*text).to_owned()).collect(),
    )
}

fn with_metrics(cloud: &Cloud) -> Arc<Metrics> {
    let metrics = Arc::new(Metrics::default());
    cloud.ecs.dispatcher.register(metrics.clone());
    metrics
}

#[tokio::test]
async fn a_cluster_is_as_busy_as_its_tasks_and_a_service_as_its_own() {
    let (cloud, instance, mut reporter, one) = reporting("service:web").await;
    let store = with_metrics(&cloud);
    let other = run(&cloud, "family:fama").await;
    // Two reports in this minute: 25 and 75 percent of 1024 units.
    for percent in [25.0, 75.0] {
        let frame = metrics(
            &cloud,
            &instance,
            json!([of_task(&one, percent, 50.0), of_task(&other, 10.0, 100.0)]),
        );
        reporter.say(&cloud, &frame).await;
        reporter.acknowledged().await;
        cloud.clock.advance(10_000);
    }
    let found = minute(&cloud, &store).await;
    let cluster = ["ClusterName=default"];
    let service = ["ClusterName=default", "ServiceName=web"];
    let set = |value: f64| json!({"SampleCount": 1.0, "Sum": value, "Minimum": value, "Maximum": value});
    let wanted = Data::from([
        // Two tasks of 256 units and 100 MiB on a machine of 1024 and 1000.
        (of("CPUReservation", &cluster), json!(50.0)),
        (of("MemoryReservation", &cluster), json!(20.0)),
        (of("CPUUtilization", &cluster), json!(60.0)),
        (of("MemoryUtilization", &cluster), json!(15.0)),
        // 512 units of the 256 that it reserved.
        (of("CPUUtilization", &service), set(200.0)),
        (of("MemoryUtilization", &service), set(50.0)),
    ]);
    assert_eq!(found, wanted);
    // The next minute has no reports, and the tasks still reserve.
    cloud.clock.advance(60_000);
    let found = minute(&cloud, &store).await;
    let names: Vec<&str> = found.keys().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["CPUReservation", "MemoryReservation"]);
    let (partition, name) = (
        crate::tests::ctx().partition(),
        crate::ClusterName::new("default").expect("a name"),
    );
    let begin = cloud.clock.now().0.div_euclid(60_000) * 60_000 - 60_000;
    let groups = cloud
        .ecs
        .utilization_by_group(&partition, &name, Timestamp(begin), Timestamp(begin + 60_000))
        .await
        .expect("answers");
    assert_eq!(groups.keys().collect::<Vec<_>>(), ["family:fama", "service:web"]);
}

#[tokio::test]
async fn reservations_need_instances_and_no_tasks() {
    let cloud = cloud().await;
    let store = with_metrics(&cloud);
    assert!(
        minute(&cloud, &store).await.is_empty(),
        "a cluster without instances"
    );
    let instance = cloud.register("default", "i-0000000000000000a", 2).await;
    let found = minute(&cloud, &store).await;
    let cluster = ["ClusterName=default"];
    let wanted = Data::from([
        (of("CPUReservation", &cluster), json!(0.0)),
        (of("MemoryReservation", &cluster), json!(0.0)),
    ]);
    assert_eq!(found, wanted);
    let input = json!({"containerInstance": instance, "force": true});
    cloud
        .call("DeregisterContainerInstance", input)
        .await
        .expect("deregisters");
    assert!(minute(&cloud, &store).await.is_empty(), "the instance is gone");
}

#[tokio::test]
async fn fargate_counts_for_services_and_for_no_cluster() {
    let cloud = cloud().await;
    let store = with_metrics(&cloud);
    let instance = cloud
        .register_in(
            roadstead_base::Caller::Node,
            "AWSFargate",
            "i-0000000000000000a",
            2,
            "us-east-1a",
        )
        .await;
    let one = definition("small", "awsvpc", |d| {
        d["cpu"] = json!("256");
        d["memory"] = json!("512");
        d["requiresCompatibilities"] = json!(["FARGATE"]);
        d["containerDefinitions"][0]["cpu"] = json!(0);
    });
    cloud
        .call("RegisterTaskDefinition", one)
        .await
        .expect("registers");
    let run = json!({"taskDefinition": "small", "launchType": "FARGATE", 
        "networkConfiguration": awsvpc(&[SUBNET_A], &[])});
    connect(&cloud, &instance).await;
    let task = text(&cloud.run(run).await["taskArn"]);
    regroup(&cloud, &task, "service:api").await;
    let mut reporter = Reporter::connect(&cloud, "AWSFargate", &instance)
        .await
        .expect("connects");
    let mut frame = metrics(&cloud, &instance, json!([of_task(&task, 12.5, 128.0)]));
    frame["message"]["metadata"]["cluster"] = json!("AWSFargate");
    reporter.say(&cloud, &frame).await;
    reporter.acknowledged().await;
    let found = minute(&cloud, &store).await;
    let service = ["ClusterName=default", "ServiceName=api"];
    let keys: Vec<_> = found.keys().cloned().collect();
    assert_eq!(
        keys,
        [of("CPUUtilization", &service), of("MemoryUtilization", &service)]
    );
    assert_eq!(found[&of("CPUUtilization", &service)]["Sum"], 50.0);
    assert_eq!(found[&of("MemoryUtilization", &service)]["Sum"], 25.0);
}

#[tokio::test]
async fn what_is_gone_is_forgotten() {
    let (cloud, _, _, task) = reporting("g").await;
    let report = crate::tcs::reports::Report {
        at: cloud.clock.now(),
        used: Default::default(),
    };
    cloud.ecs.telemetry.report(&task, report);
    cloud
        .ecs
        .telemetry
        .report("arn:aws:ecs:us-east-1:000000000000:task/default/0", report);
    cloud.ecs.telemetry.instance("nobody", vec![Default::default()]);
    with_metrics(&cloud);
    cloud.ecs.publish_minute(Timestamp(0)).await.expect("is made");
    assert_eq!(cloud.ecs.telemetry.reports_of(&task).len(), 1);
    assert!(
        cloud
            .ecs
            .telemetry
            .reports_of("arn:aws:ecs:us-east-1:000000000000:task/default/0")
            .is_empty()
    );
    assert!(cloud.ecs.telemetry.statuses_of("nobody").is_empty());
}

#[tokio::test]
async fn minutes_are_published_as_they_pass() {
    let cloud = cloud().await;
    let store = with_metrics(&cloud);
    cloud.register("default", "i-0000000000000000a", 2).await;
    cloud.clock.advance(120_000);
    let mut times = Vec::new();
    for _ in 0..12_000 {
        for (_, input) in store.taken() {
            times.push(input["MetricData"][0]["Timestamp"].as_i64().expect("a time"));
        }
        if !times.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let last = cloud.clock.now().0.div_euclid(60_000) * 60 - 60;
    assert_eq!(
        times,
        [last],
        "the minute that has just passed, and none of those before"
    );
}
