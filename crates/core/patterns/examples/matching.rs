//! How the cost of matching grows with the number of rules: events of a cluster against rules as users write them,
//! each want some of one task, family, state or alarm. Run by `cargo xtask perf patterns`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use roadstead_patterns::{Matcher, Pattern};
use serde_json::{Value, json};

const EVENTS: usize = 2_000;
const ROUNDS: usize = 15;

/// The `index`th rule: eight kinds by turns.
fn rule(index: usize) -> String {
    let state = ["RUNNING", "STOPPED", "PENDING"][index % 3];
    let kind = index / 8;
    match index % 8 {
        0 => json!({"source": ["aws.ecs"], "detail": {"group": [format!("family:app-{kind}")], "lastStatus": [state]}}),
        1 => json!({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
            "detail": {"clusterArn": [format!("arn:aws:ecs:us-east-1:000000000000:cluster/c-{kind}")]}}),
        2 => json!({"resources": [{"prefix": format!("arn:aws:ecs:us-east-1:000000000000:task/c-{kind}/")}]}),
        3 => json!({"source": ["aws.cloudwatch"], "detail": {"alarmName": [format!("alarm-{kind}")],
            "state": {"value": ["ALARM"]}}}),
        4 => json!({"source": ["aws.ecs"], "detail": {"stoppedReason": [{"wildcard": format!("*code {kind}*")}],
            "group": [{"equals-ignore-case": format!("FAMILY:job-{kind}")}]}}),
        5 => json!({"source": [format!("shop.orders-{kind}")], "detail": {"amount": [{"numeric": [">", 100]}]}}),
        6 => json!({"detail": {"containers": {"name": [format!("web-{kind}")], "exitCode": [{"anything-but": 0}]}}}),
        _ => json!({"$or": [{"detail": {"group": [format!("service:s-{kind}")]}},
            {"source": [format!("shop.returns-{kind}")]}]}),
    }
    .to_string()
}

fn event(index: usize) -> Value {
    let of = index % 1_500;
    let status = ["RUNNING", "STOPPED"][index % 2];
    json!({
        "version": "0", "id": format!("{index:08x}"), "source": "aws.ecs", "detail-type": "ECS Task State Change",
        "account": "000000000000", "time": "2026-01-31T08:00:00Z", "region": "us-east-1",
        "resources": [format!("arn:aws:ecs:us-east-1:000000000000:task/c-{of}/0123456789abcdef")],
        "detail": {
            "clusterArn": format!("arn:aws:ecs:us-east-1:000000000000:cluster/c-{of}"),
            "group": format!("family:app-{of}"), "lastStatus": status,
            "containers": [{"name": format!("web-{of}"), "exitCode": index % 2}, {"name": "side"}],
            "cpu": "256", "memory": "512", "launchType": "FARGATE", "stoppedReason": "Essential container exited",
            "attachments": [{"type": "eni", "details": [{"name": "subnetId", "value": "subnet-1"}]}],
        },
    })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn main() {
    let counts = [1, 100, 10_000];
    let patterns: Vec<Pattern> = (0..10_000)
        .map(|index| rule(index).parse().expect("a pattern"))
        .collect();
    let matchers = counts.map(|count| {
        let mut matcher = Matcher::default();
        for (index, pattern) in patterns[..count].iter().enumerate() {
            matcher.insert(index, pattern.clone());
        }
        matcher
    });
    let events: Vec<Value> = (0..EVENTS).map(event).collect();
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut alone = Vec::new();
    // In turns, so that whatever else the machine does falls on all.
    for _ in 0..ROUNDS {
        for (matcher, times) in matchers.iter().zip(&mut times) {
            let start = Instant::now();
            for event in &events {
                black_box(matcher.matching(event));
            }
            times.push(start.elapsed());
        }
        let start = Instant::now();
        for event in &events[..20] {
            black_box(patterns.iter().filter(|pattern| pattern.matches(event)).count());
        }
        alone.push(start.elapsed() * u32::try_from(EVENTS / 20).expect("small"));
    }
    let [one, hundred, many] = times.map(median);
    let rate = |time: Duration| EVENTS as f64 / time.as_secs_f64();
    for (name, time) in [("1 rule", one), ("100 rules", hundred), ("10,000 rules", many)] {
        println!("{name:>14}: {:>10.0} events/s", rate(time));
    }
    println!("{:>14}: {:>10.0} events/s", "each in turn", rate(median(alone)));
    println!(
        "10,000 rules cost {:.2} times what 100 cost (aim: at most 3)",
        many.as_secs_f64() / hundred.as_secs_f64()
    );
}
