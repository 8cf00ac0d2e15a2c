//! A whole control plane for tests of tasks: the service behind a real gate on a real socket, its reconcilers
//! running, a network service that keeps its interfaces in a map, and agents that say what a test tells them to.

mod agent;
mod alarms;
mod network;
mod signed;
mod telemetry;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use roadstead_acs::{ATTRIBUTE_ENI_SLOTS, CAPABILITY_NETWORK_MAP};
use roadstead_api_ecs::Server;
use roadstead_base::{Caller, Ctx, ManualClock, Pager};
use roadstead_dispatch::{Dispatcher, IssuedKey, Limits, Listener, Trust};
use roadstead_protocol::{ApiError, Handler as _, json};
use roadstead_store::Store;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

pub(crate) use agent::Agent;
pub(crate) use alarms::Alarms;
pub(crate) use network::Network;
pub(crate) use telemetry::{Metrics, Reporter};

use crate::tests::{START, ctx, memory};
use crate::{ACS_PATH, Ecs, Options, Parts, Running, TCS_PATH, USAGE_PATH};

pub(crate) const SUBNET_A: &str = "subnet-0000000000000000a";
pub(crate) const SUBNET_B: &str = "subnet-0000000000000000b";
/// In another VPC, in zone a.
pub(crate) const SUBNET_OTHER: &str = "subnet-0000000000000000c";
/// It has one address.
pub(crate) const SUBNET_TINY: &str = "subnet-0000000000000000d";
/// With an IPv6 block, fd00:0:0:1::/64.
pub(crate) const SUBNET_DUAL: &str = "subnet-0000000000000000e";
pub(crate) const GROUP: &str = "sg-0000000000000000a";
pub(crate) const GROUP_OTHER: &str = "sg-0000000000000000c";
pub(crate) const MACHINE: &str = "i-0000000000000000a";
pub(crate) const NODE_KEY: &str = "RSNODE";
pub(crate) const NODE_SECRET: &str = "secret";

pub(crate) struct Cloud {
    pub(crate) ecs: Arc<Ecs>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) network: Arc<Network>,
    pub(crate) address: SocketAddr,
    store: Arc<dyn Store>,
    running: Running,
    _stop: watch::Sender<bool>,
}

/// With a cluster `default`.
pub(crate) async fn cloud() -> Cloud {
    let cloud = Cloud::over(
        memory(),
        Arc::new(Network::new()),
        Arc::new(ManualClock::at(START)),
    )
    .await;
    cloud.call("CreateCluster", json!({})).await.expect("a cluster");
    cloud
}

impl Cloud {
    async fn over(store: Arc<dyn Store>, network: Arc<Network>, clock: Arc<ManualClock>) -> Self {
        Self::over_with(store, network, clock, |_| {}).await
    }

    async fn over_with(
        store: Arc<dyn Store>,
        network: Arc<Network>,
        clock: Arc<ManualClock>,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let dispatcher = Dispatcher::new(clock.clone(), Pager::new([7; 32]), ctx().account);
        let key = IssuedKey {
            secret: NODE_SECRET.into(),
            account: ctx().account,
            caller: Caller::Node,
        };
        dispatcher.credentials().issue(NODE_KEY, key);
        dispatcher.register(network.clone());
        let mut options = Options {
            heartbeat: Duration::from_millis(200),
            resend: Duration::from_millis(400),
            settle_millis: 0,
            ..Options::default()
        };
        change(&mut options);
        let parts = Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            maps: network.clone(),
            options,
        };
        let ecs = Arc::new(Ecs::new(parts));
        dispatcher.register(Arc::new(Server(ecs.clone())));
        dispatcher.mount(ACS_PATH, "ecs", ecs.acs());
        dispatcher.mount(TCS_PATH, "ecs", ecs.tcs());
        dispatcher.mount(USAGE_PATH, "ecs", ecs.meter());
        let running = ecs.start().await.expect("starts");
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a socket");
        let address = socket.local_addr().expect("an address");
        let (stop, stopped) = watch::channel(false);
        let listener = Listener {
            socket,
            trust: Trust::UnknownIsRoot,
            limits: Limits::default(),
            security: Default::default(),
        };
        tokio::spawn(listener.serve(dispatcher, stopped));
        Self {
            ecs,
            clock,
            network,
            address,
            store,
            running,
            _stop: stop,
        }
    }

    /// Another daemon over the same store and network.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// As [`Self::restart`], run otherwise.
    pub(crate) async fn restart_with(self, change: impl FnOnce(&mut Options)) -> Self {
        let Self {
            ecs,
            clock,
            network,
            store,
            running,
            ..
        } = self;
        running.stop().await;
        drop(ecs);
        Self::over_with(store, network, clock, change).await
    }

    pub(crate) async fn call(&self, operation: &str, input: Json) -> Result<Json, ApiError> {
        self.call_as(&self.ctx(Caller::Root), operation, input).await
    }

    pub(crate) fn ctx(&self, caller: Caller) -> Ctx {
        Ctx {
            caller,
            endpoint: format!("http://{}", self.address),
            ..ctx()
        }
    }

    pub(crate) async fn call_as(&self, ctx: &Ctx, operation: &str, input: Json) -> Result<Json, ApiError> {
        let model = &roadstead_api_ecs::MODEL;
        let operation = model.operation(operation).expect("an operation");
        let value =
            json::decode(model, operation.input, input.to_string().as_bytes()).expect("fits the model");
        if let Some(shape) = operation.input {
            roadstead_protocol::check(model, shape, &value).expect("keeps the model's constraints");
        }
        let answer = Server(self.ecs.clone()).call(operation, ctx, value).await?;
        Ok(operation
            .output
            .map_or(Json::Null, |shape| json::to_json(model, shape, answer)))
    }

    /// Registers a machine of 1024 CPU units and 1000 MiB in zone a.
    pub(crate) async fn register(&self, cluster: &str, machine: &str, slots: u32) -> String {
        self.register_in(Caller::Root, cluster, machine, slots, "us-east-1a")
            .await
    }

    pub(crate) async fn register_in(
        &self,
        caller: Caller,
        cluster: &str,
        machine: &str,
        slots: u32,
        zone: &str,
    ) -> String {
        let answer = self
            .call_as(
                &self.ctx(caller),
                "RegisterContainerInstance",
                registration(cluster, machine, slots, zone),
            )
            .await
            .expect("registers");
        text(&answer["containerInstance"]["containerInstanceArn"])
    }

    /// A connected agent of that instance.
    pub(crate) async fn agent(&self, instance: &str) -> Agent {
        let agent = Agent::connect(self, instance).await.expect("connects");
        self.until(
            || self.ecs.agents.is_connected(instance),
            "the agent to be connected",
        )
        .await;
        agent
    }

    /// Waits for what must come; how often it looks only bounds a failure.
    pub(crate) async fn until(&self, done: impl Fn() -> bool, what: &str) {
        for _ in 0..12_000 {
            if done() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited in vain for {what}");
    }

    pub(crate) async fn task(&self, arn: &str) -> Json {
        let answer = self
            .call("DescribeTasks", json!({"tasks": [arn], "include": ["TAGS"]}))
            .await
            .expect("answers");
        answer["tasks"][0].clone()
    }

    /// The task once it has this `lastStatus`.
    pub(crate) async fn task_when(&self, arn: &str, status: &str) -> Json {
        let mut last = Json::Null;
        for _ in 0..12_000 {
            last = self.task(arn).await;
            if last["lastStatus"] == status {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the task never became {status}: {last:#}");
    }

    /// Registers a task definition `web` of one container `app` and runs one task of it.
    pub(crate) async fn run(&self, input: Json) -> Json {
        let answer = self.call("RunTask", input).await.expect("runs");
        assert_eq!(answer["failures"], json!([]), "{answer:#}");
        answer["tasks"][0].clone()
    }

    /// What is left of an instance, by the name of the resource.
    pub(crate) async fn remaining(&self, instance: &str, name: &str) -> Json {
        let answer = self
            .call(
                "DescribeContainerInstances",
                json!({"containerInstances": [instance]}),
            )
            .await
            .expect("describes");
        let list = answer["containerInstances"][0]["remainingResources"]
            .as_array()
            .cloned()
            .expect("a list");
        let found = list
            .into_iter()
            .find(|resource| resource["name"] == name)
            .expect("the resource");
        if found["type"] == "STRINGSET" {
            found["stringSetValue"].clone()
        } else {
            found["integerValue"].clone()
        }
    }
}

pub(crate) fn registration(cluster: &str, machine: &str, slots: u32, zone: &str) -> Json {
    let document = json!({"instanceId": machine, "availabilityZone": zone, "region": "us-east-1"});
    json!({
        "cluster": cluster,
        "instanceIdentityDocument": document.to_string(),
        "attributes": [
            {"name": "ecs.vpc-id", "value": "vpc-0000000000000000a"},
            {"name": "ecs.subnet-id", "value": SUBNET_A},
            {"name": "ecs.cpu-architecture", "value": "x86_64"},
            {"name": "ecs.os-type", "value": "linux"},
            {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"},
            {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.21"},
            {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.24"},
            {"name": "com.amazonaws.ecs.capability.logging-driver.json-file"},
            {"name": "com.amazonaws.ecs.capability.logging-driver.syslog"},
            {"name": "ecs.capability.container-health-check"},
            {"name": "ecs.capability.container-ordering"},
            {"name": "ecs.capability.task-eni"},
            {"name": CAPABILITY_NETWORK_MAP},
            {"name": ATTRIBUTE_ENI_SLOTS, "value": slots.to_string()},
        ],
        "totalResources": [
            {"name": "CPU", "type": "INTEGER", "integerValue": 1024},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": 1000},
            {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"]},
            {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []},
        ],
        "versionInfo": {"agentVersion": "1", "agentHash": "h", "dockerVersion": "d"},
    })
}

/// A definition of one container `app`, changed as the test likes.
pub(crate) fn definition(family: &str, mode: &str, change: impl FnOnce(&mut Json)) -> Json {
    let mut definition = json!({
        "family": family,
        "networkMode": mode,
        "containerDefinitions": [{"name": "app", "image": "app:1", "cpu": 100, "memory": 200, "essential": true}],
    });
    change(&mut definition);
    definition
}

pub(crate) fn awsvpc(subnets: &[&str], groups: &[&str]) -> Json {
    json!({"awsvpcConfiguration": {"subnets": subnets, "securityGroups": groups}})
}

/// With a public address, which there is none of.
pub(crate) fn public() -> Json {
    let mut network = awsvpc(&[SUBNET_A], &[]);
    network["awsvpcConfiguration"]["assignPublicIp"] = json!("ENABLED");
    network
}

#[track_caller]
pub(crate) fn text(value: &Json) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}
