//! A node for one test, with everything removed at the end, also when the test fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use roadstead_agent::api::Credentials;
use roadstead_agent::logs::Logs;
use roadstead_agent::{Agent, Handle, Options};
use roadstead_image::Images;
use roadstead_net::netns::{self, Netns};
use roadstead_runtime::LogQuery;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::plane::agent::{ack, payload};
use crate::plane::{CLUSTER, Connection, INSTANCE, PATIENCE, Plane};

static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) const IMAGE: &str = "busybox:test";

pub(crate) struct Bench {
    pub(crate) plane: Plane,
    pub(crate) options: Options,
    pub(crate) connection: Option<Connection>,
    agent: Option<Handle>,
    instance: String,
    host: String,
    _dir: tempfile::TempDir,
    generation: u64,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A node with other options than the usual ones.
    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests make containers: run them as root"
        );
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let instance = format!("{:04x}{:02x}", std::process::id() & 0xffff, number & 0xff);
        let host = format!("rs-agenthost-{instance}");
        Netns::create(&host).expect("a namespace");
        let dir = tempfile::Builder::new()
            .prefix("rs-agent-")
            .tempdir()
            .expect("a directory");
        let plane = Plane::start().await;
        let credentials = Credentials {
            access_key: "AKIATEST".to_owned(),
            secret_key: "secret".to_owned(),
        };
        let mut options = Options::new(&plane.url, credentials, dir.path(), &instance);
        options.fargate = false;
        options.vpc_id = "vpc-1".to_owned();
        options.availability_zone = "us-east-1a".to_owned();
        options.shim = PathBuf::from(env!("CARGO_BIN_EXE_rs-agent-shim"));
        options.node_namespace = Some(netns::path_of(&host));
        change(&mut options);
        import_busybox(&options, dir.path()).await;
        let mut bench = Self {
            plane,
            options,
            connection: None,
            agent: None,
            instance,
            host,
            _dir: dir,
            generation: 0,
        };
        bench.start().await;
        bench
    }

    pub(crate) async fn start(&mut self) {
        let agent = Agent::start(self.options.clone())
            .await
            .expect("the agent starts");
        agent.connected(PATIENCE).await.expect("it connects");
        self.agent = Some(agent);
        self.connection = Some(self.plane.accept().await);
    }

    pub(crate) fn agent(&self) -> &Handle {
        self.agent.as_ref().expect("an agent")
    }

    /// As `kill -9`: the process is gone, its containers are not.
    pub(crate) async fn kill(&mut self) {
        let agent = self.agent.take().expect("an agent");
        let engine = agent.engine().clone();
        drop(agent);
        engine.shut_down().await;
        // Listeners close with the last task of theirs.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    pub(crate) async fn run(&mut self, tasks: Value) {
        let connection = self.connection.as_mut().expect("a connection");
        connection.send("PayloadMessage", payload("p", tasks)).await;
        assert_eq!(connection.receive().await, ack("p"));
    }

    pub(crate) async fn stop(&mut self, task: &Value) -> Value {
        let mut task = task.clone();
        task["desiredStatus"] = json!("STOPPED");
        let id = task["arn"]
            .as_str()
            .expect("an ARN")
            .rsplit('/')
            .next()
            .expect("an id")
            .to_owned();
        self.run(json!([task])).await;
        self.plane.until_status(&id, "STOPPED").await
    }

    /// The map of one VPC with these interfaces: (id, MAC, address).
    pub(crate) async fn map(&mut self, interfaces: &[(&str, &str, &str)]) {
        self.generation += 1;
        let instance_id = self.agent().instance_id().to_owned();
        let interface = |(id, mac, ip): &(&str, &str, &str)| {
            json!({
                "interfaceId": id, "mac": mac, "privateIps": [ip], "subnetId": "subnet-1", "groups": ["sg-1"],
                "instanceId": instance_id, "sourceDestCheck": true,
            })
        };
        let vpc = json!({
            "vpcId": "vpc-1", "generation": self.generation, "region": "us-east-1", "cidrs": ["10.77.0.0/16"],
            "subnets": [{ "subnetId": "subnet-1", "cidr": "10.77.1.0/24", "availabilityZone": "us-east-1a" }],
            "interfaces": interfaces.iter().map(interface).collect::<Vec<_>>(),
            "groups": [{
                "groupId": "sg-1", "egress": [{ "protocol": "all", "peer": { "cidr": "0.0.0.0/0" } }],
                "ingress": [{ "protocol": { "tcp": { "from": 80, "to": 80 } }, "peer": { "cidr": "0.0.0.0/0" } }],
            }],
        });
        let map = json!({ "messageId": "map", "generation": self.generation, "vpcs": [vpc] });
        let connection = self.connection.as_mut().expect("a connection");
        connection.send("RoadsteadNetworkMapMessage", map).await;
        let answer = connection.receive().await;
        assert_eq!(answer["type"], "AckRequest", "{answer}");
    }

    /// Everything the container has printed, read from disk as `roadstead logs` does.
    pub(crate) async fn log(&self, task: &str, container: &str) -> String {
        let logs = Logs::open(&self.options.data, &self.instance)
            .await
            .expect("logs");
        let target = logs.find(task, Some(container)).expect("a container").remove(0);
        let mut reader = logs.read(&target, LogQuery::default()).expect("a log");
        let mut text = String::new();
        while let Some(line) = reader.next().await.expect("a line") {
            text.push_str(&String::from_utf8_lossy(&line.bytes));
            text.push('\n');
        }
        text
    }

    /// Waits until the log has this text; answers all of it.
    pub(crate) async fn log_with(&self, task: &str, container: &str, wanted: &str) -> String {
        let mut text = String::new();
        for _ in 0..3_000 {
            text = self.log(task, container).await;
            if text.contains(wanted) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{container} of {task} did not print {wanted:?} but {text}");
    }

    /// Waits until the agent has written down that all news of the task were taken: a kill before that has them
    /// told again, which is right.
    pub(crate) async fn settled(&self, task: &str) {
        let record = self.options.data.join(format!("agent/tasks/{task}.json"));
        for _ in 0..3_000 {
            let text = std::fs::read_to_string(&record).unwrap_or_default();
            let value: Value = serde_json::from_str(&text).unwrap_or_default();
            if value["record"]["state"]["outbox"] == json!([]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the news of {task} are not settled");
    }

    /// Runs a program of the machine in the namespace that plays the host.
    pub(crate) fn in_host(&self, args: &[&str]) -> String {
        let output = Command::new("nsenter")
            .arg(format!("--net={}", netns::path_of(&self.host).display()))
            .args(args)
            .output()
            .expect("nsenter runs");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// What is on the machine under this instance's name, beyond what an idle agent has.
    pub(crate) fn traces(&self) -> Vec<String> {
        let mut found = Netns::list(&format!("rs-{}-", self.instance)).expect("a listing");
        found.retain(|name| name != &format!("rs-{}-agent", self.instance));
        for hierarchy in ["cpu", "memory", "pids"] {
            let base = Path::new("/sys/fs/cgroup")
                .join(hierarchy)
                .join(format!("rs-{}", self.instance));
            let below = std::fs::read_dir(base).into_iter().flatten().flatten();
            found.extend(
                below
                    .filter_map(|entry| entry.file_name().into_string().ok())
                    .filter(|name| name.starts_with("g-")),
            );
        }
        let tasks = std::fs::read_dir(self.options.data.join("tasks"))
            .into_iter()
            .flatten()
            .flatten();
        found.extend(tasks.map(|entry| entry.path().display().to_string()));
        found
    }

    /// Ends the node and shows that nothing is left of it.
    pub(crate) async fn end(mut self) {
        self.agent
            .take()
            .expect("an agent")
            .stop_all()
            .await
            .expect("stops");
        let left = Netns::list(&format!("rs-{}-", self.instance)).expect("a listing");
        assert_eq!(left, [] as [&str; 0]);
        for hierarchy in ["cpu", "memory", "pids"] {
            let base = Path::new("/sys/fs/cgroup")
                .join(hierarchy)
                .join(format!("rs-{}", self.instance));
            assert!(!base.exists(), "{}", base.display());
        }
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
        assert!(
            !mounts.contains(self.options.data.to_str().expect("text")),
            "{mounts}"
        );
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if self.agent.take().is_some() {
            // The test failed: what it left is removed by a process of its own kind, in a runtime of its own.
            let options = self.options.clone();
            let cleaned = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
                runtime.map(|runtime| runtime.block_on(Agent::remove_all(options)))
            });
            if let Ok(Ok(Err(error))) = cleaned.join() {
                eprintln!("not everything was removed: {error}");
            }
        }
        let _ = Netns::remove(&self.host);
    }
}

/// An awsvpc task's interface in `10.77.1.0/24`.
pub(crate) fn interface((id, mac, ip): (&str, &str, &str)) -> Value {
    json!({
        "attachmentArn": format!("arn:aws:ecs:us-east-1:123456789012:attachment/{id}"), "ec2Id": id,
        "macAddress": mac, "ipv4Addresses": [{ "primary": true, "privateAddress": ip }],
        "subnetGatewayIpv4Address": "10.77.1.1/24", "domainNameServers": ["10.77.0.2"],
        "domainName": ["ec2.internal"], "privateDnsName": format!("ip-{}.ec2.internal", ip.replace('.', "-")),
    })
}

pub(crate) fn announce(task_arn: &str, interface: &Value) -> Value {
    json!({
        "messageId": "attach", "clusterArn": CLUSTER, "containerInstanceArn": INSTANCE, "taskArn": task_arn,
        "taskClusterArn": CLUSTER, "waitTimeoutMs": 60_000, "elasticNetworkInterfaces": [interface],
    })
}

/// A container that runs a shell script.
pub(crate) fn script(name: &str, script: &str) -> Value {
    let mut container = crate::plane::agent::container(name);
    container["image"] = json!(IMAGE);
    container["command"] = json!(["sh", "-c", script]);
    container["stopTimeout"] = json!(2);
    container
}

/// A task without a network, which needs no map.
pub(crate) fn plain(id: &str, containers: Value) -> Value {
    let mut task = crate::plane::agent::task(id, containers);
    task["networkMode"] = json!("none");
    task
}

async fn import_busybox(options: &Options, dir: &Path) {
    let mut layer = tar::Builder::new(Vec::new());
    let busybox = std::fs::read("/bin/busybox").expect("busybox is installed");
    let header = |kind: tar::EntryType, mode: u32, size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header
    };
    for path in ["bin", "etc", "tmp"] {
        layer
            .append_data(&mut header(tar::EntryType::Directory, 0o755, 0), path, &[][..])
            .expect("appends");
    }
    let size = busybox.len() as u64;
    layer
        .append_data(
            &mut header(tar::EntryType::Regular, 0o755, size),
            "bin/busybox",
            &busybox[..],
        )
        .expect("appends");
    for name in [
        "sh", "ip", "cat", "env", "sleep", "wget", "nc", "true", "hostname", "nslookup", "dd", "ls", "id",
        "grep",
    ] {
        let mut link = header(tar::EntryType::Symlink, 0o777, 0);
        layer
            .append_link(&mut link, format!("bin/{name}"), "busybox")
            .expect("appends");
    }
    let layer = layer.into_inner().expect("a layer");
    let config = json!({
        "architecture": roadstead_image::Platform::host().architecture, "os": "linux",
        "config": { "Cmd": ["sh"], "Env": ["PATH=/bin", "ORIGIN=image"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex::encode(Sha256::digest(&layer)))] },
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"] }]);
    let files: BTreeMap<&str, Vec<u8>> = [
        ("config.json", config.to_string().into_bytes()),
        ("layer.tar", layer),
        ("manifest.json", manifest.to_string().into_bytes()),
    ]
    .into();
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let size = content.len() as u64;
        archive
            .append_data(
                &mut header(tar::EntryType::Regular, 0o644, size),
                name,
                &content[..],
            )
            .expect("appends");
    }
    let path = dir.join("busybox.tar");
    std::fs::write(&path, archive.into_inner().expect("an archive")).expect("writes");
    let images = Images::open(options.images.clone()).await.expect("a store");
    images.import(&path, None).await.expect("imports");
}

/// Runs a program of the machine in a network namespace of the test's own.
pub(crate) fn nsenter(netns: &str, args: &[&str]) -> String {
    assert!(
        netns.starts_with("/proc/"),
        "never in the machine's own namespace"
    );
    let output = Command::new("nsenter")
        .arg(format!("--net={netns}"))
        .args(args)
        .output()
        .expect("nsenter runs");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
