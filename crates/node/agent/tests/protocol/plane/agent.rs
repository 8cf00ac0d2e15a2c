//! An agent over a simulated node and an in-memory disk, both of which outlive it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use roadstead_agent::api::register::Node;
use roadstead_agent::api::{Client, Credentials, Endpoint};
use roadstead_agent::channel::Timing;
use roadstead_agent::engine::spec::NetworkMode;
use roadstead_agent::journal::Memory;
use roadstead_agent::node::{Parts, Running, StartError};
use roadstead_agent::run::{Limits, Pace};
use roadstead_agent::sim::SimNode;
use roadstead_base::SystemClock;
use serde_json::{Value, json};

use super::{CLUSTER, INSTANCE, Plane};

pub(crate) struct Machine {
    pub(crate) node: SimNode,
    pub(crate) disk: Arc<Memory>,
    pub(crate) limits: Limits,
    pub(crate) timing: Timing,
    pub(crate) clusters: Vec<String>,
    pub(crate) memory: u64,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let quick = Pace {
            first: Duration::from_millis(10),
            factor: 1.5,
            most: Duration::from_millis(100),
            tries: 50,
            jitter: 0.1,
        };
        Self {
            node: SimNode::new(Arc::new(SystemClock)),
            disk: Arc::default(),
            limits: Limits {
                news: quick,
                logs: quick,
                log_open: Duration::from_secs(15),
                log_flush: Duration::from_secs(15),
                ..Limits::default()
            },
            timing: Timing {
                reconnect: quick,
                register: quick,
                ..Timing::default()
            },
            clusters: vec!["default".to_owned()],
            memory: 4096,
        }
    }

    pub(crate) async fn try_agent(&self, plane: &Plane) -> Result<Running, StartError> {
        let clock = Arc::new(SystemClock);
        let credentials = Credentials {
            access_key: "AKIATEST".to_owned(),
            secret_key: "secret".to_owned(),
        };
        let endpoint = Endpoint::parse(&plane.url).expect("a URL");
        Running::start(Parts {
            driver: Arc::new(self.node.clone()),
            journal: self.disk.clone(),
            client: Client::new(endpoint, credentials, "us-east-1", clock.clone()),
            clock,
            node: Node {
                instance_id: String::new(),
                region: "us-east-1".to_owned(),
                availability_zone: "us-east-1a".to_owned(),
                vpc_id: "vpc-0abc".to_owned(),
                subnet_id: "subnet-0abc".to_owned(),
                cpu: 2048,
                memory: self.memory,
                reserved_tcp: vec![4566],
                reserved_udp: Vec::new(),
                eni_slots: 10,
                attributes: BTreeMap::from([("stack".to_owned(), "test".to_owned())]),
                network_modes: vec![NetworkMode::Awsvpc, NetworkMode::Bridge],
                privileged: true,
                shares_namespaces: true,
            },
            clusters: self.clusters.clone(),
            limits: self.limits.clone(),
            timing: self.timing,
        })
        .await
    }

    pub(crate) async fn agent(&self, plane: &Plane) -> Running {
        self.try_agent(plane).await.expect("the agent starts")
    }
}

pub(crate) fn arn(task: &str) -> String {
    format!("arn:aws:ecs:us-east-1:123456789012:task/default/{task}")
}

pub(crate) fn container(name: &str) -> Value {
    json!({
        "name": name, "image": "busybox", "essential": true, "cpu": 64, "memory": 64,
        "environment": {}, "portMappings": [], "mountPoints": [], "volumesFrom": [], "links": [],
        "overrides": "{}", "dockerConfig": { "version": "1.24", "config": "{}", "hostConfig": "{}" },
    })
}

pub(crate) fn task(id: &str, containers: Value) -> Value {
    json!({
        "arn": arn(id), "taskClusterArn": CLUSTER, "family": "fam", "version": "1", "desiredStatus": "RUNNING",
        "overrides": "{}", "containers": containers, "volumes": [], "launchType": "EC2", "networkMode": "bridge",
    })
}

pub(crate) fn interface(id: &str) -> Value {
    json!({
        "attachmentArn": "arn:aws:ecs:us-east-1:123456789012:attachment/aaaa", "ec2Id": id,
        "macAddress": "02:ec:5e:00:00:01", "ipv4Addresses": [{ "primary": true, "privateAddress": "10.77.1.10" }],
        "ipv6Addresses": [{"address": "fd00:0:0:1::a"}], "subnetGatewayIpv6Address": "fd00:0:0:1::1/64",
        "subnetGatewayIpv4Address": "10.77.1.1/24",
    })
}

pub(crate) fn payload(message: &str, tasks: Value) -> Value {
    json!({
        "messageId": message, "clusterArn": CLUSTER, "containerInstanceArn": INSTANCE,
        "generatedAt": 1, "seqNum": 1, "tasks": tasks,
    })
}

pub(crate) fn ack(message: &str) -> Value {
    json!({ "type": "AckRequest", "message": { "cluster": CLUSTER, "containerInstance": INSTANCE, "messageId": message } })
}
