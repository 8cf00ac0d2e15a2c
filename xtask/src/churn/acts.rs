//! What is done to a Roadstead, in an order that follows from a seed: each act is what a user, or bad luck, does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::perf::checked;
use crate::perf::client::{Cloud, Connection};

/// At most so many tasks run at once.
const MOST: usize = 6;
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    RunEc2,
    RunFargate,
    RunBridge,
    RunBrief,
    RunBroken,
    RunMissing,
    Stop,
    KillApplication,
    KillShim,
    Image,
    Group,
    Interface,
    Definition,
    Look,
}

const ACTS: [Act; 14] = [
    Act::RunEc2,
    Act::RunFargate,
    Act::RunBridge,
    Act::RunBrief,
    Act::RunBroken,
    Act::RunMissing,
    Act::Stop,
    Act::KillApplication,
    Act::KillShim,
    Act::Image,
    Act::Group,
    Act::Interface,
    Act::Definition,
    Act::Look,
];

pub(crate) struct Acts {
    connection: Connection,
    instance: String,
    archive: PathBuf,
    dice: u64,
    subnet: String,
    group: String,
    live: Vec<String>,
    done: BTreeMap<Act, u64>,
    number: u64,
}

fn text<'v>(value: &'v Value, path: &str) -> Result<&'v str> {
    let found = value.pointer(path).and_then(Value::as_str);
    found.with_context(|| format!("{path} of {value}"))
}

/// What stands in an answer of EC2's between a tag and its end.
fn tag(answer: &str, name: &str) -> Result<String> {
    let (_, rest) = answer
        .split_once(&format!("<{name}>"))
        .with_context(|| format!("{name} in {answer}"))?;
    Ok(rest.split('<').next().unwrap_or_default().to_owned())
}

impl Acts {
    pub(crate) fn begin(cloud: &Cloud, archive: &Path, instance: &str, seed: u64) -> Result<Self> {
        let mut connection = cloud.connect()?;
        let subnets = connection.ec2("Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=availability-zone&Filter.1.Value.1=us-east-1a")?;
        let group = connection
            .ec2("Action=CreateSecurityGroup&Version=2016-11-15&GroupName=churn&GroupDescription=churn")?;
        let mut acts = Self {
            connection,
            instance: instance.to_owned(),
            archive: archive.to_owned(),
            dice: seed | 1 << 40,
            subnet: tag(&subnets, "subnetId")?,
            group: tag(&group, "groupId")?,
            live: Vec::new(),
            done: BTreeMap::new(),
            number: 0,
        };
        let app = |image: &str, command: &str| {
            json!([{"name": "app", "image": image, "memory": 32, "stopTimeout": 2, "command": ["sh", "-c", command]},
                   {"name": "side", "image": "busybox", "memory": 16, "stopTimeout": 2, "essential": false,
                    "command": ["sleep", "2"]}])
        };
        let missing = format!("127.0.0.1:{}/none:1", 1);
        for (family, mode, containers) in [
            (
                "long",
                "awsvpc",
                app("busybox", "while echo tick; do sleep 1; done"),
            ),
            ("bridge", "bridge", app("busybox", "exec sleep 600")),
            ("brief", "awsvpc", app("busybox", "echo done; exit 3")),
            ("broken", "awsvpc", app("busybox", "exec /nowhere/to/be/found")),
            ("missing", "awsvpc", app(&missing, "true")),
        ] {
            acts.connection.ecs(
                "RegisterTaskDefinition",
                &json!({"family": family, "networkMode": mode, "containerDefinitions": containers}),
            )?;
        }
        acts.connection.ecs(
            "RegisterTaskDefinition",
            &json!({"family": "fargate", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
                    "memory": "512", "containerDefinitions": [{"name": "app", "image": "busybox", "stopTimeout": 2,
                    "command": ["sh", "-c", "while echo tick; do sleep 1; done"]}]}),
        )?;
        Ok(acts)
    }

    /// Anything below `most`, by the seed.
    fn below(&mut self, most: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) as usize % most.max(1)
    }

    /// Between almost at once and some seconds.
    pub(crate) fn moment(&mut self) -> Duration {
        Duration::from_millis(50 + self.below(4000) as u64)
    }

    pub(crate) fn told(&self) -> String {
        let acts = self.done.iter().map(|(act, count)| format!("{act:?} {count}"));
        acts.collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn reconnect(&mut self, cloud: &Cloud) -> Result<()> {
        self.connection = cloud.connect()?;
        Ok(())
    }

    pub(crate) fn each_once(&mut self, cloud: &Cloud) -> Result<()> {
        for act in ACTS {
            self.act(cloud, act)?;
        }
        Ok(())
    }

    pub(crate) fn until(&mut self, cloud: &Cloud, end: Instant) -> Result<()> {
        while Instant::now() < end {
            let act = ACTS[self.below(ACTS.len())];
            self.act(cloud, act)?;
        }
        Ok(())
    }

    /// Something that is under way when the daemon ends.
    pub(crate) fn begin_something(&mut self, cloud: &Cloud) -> Result<()> {
        for act in [Act::RunFargate, Act::RunEc2, Act::Stop] {
            self.act(cloud, act)?;
        }
        Ok(())
    }

    /// Tasks end while no daemon watches.
    pub(crate) fn hurt_without_a_daemon(&mut self) {
        if self.below(2) == 0 {
            self.kill("sleep");
        }
        if self.below(4) == 0 {
            self.kill_shim();
        }
    }

    fn act(&mut self, cloud: &Cloud, act: Act) -> Result<()> {
        *self.done.entry(act).or_default() += 1;
        self.number += 1;
        match act {
            Act::RunEc2 => self.run("long", "EC2"),
            Act::RunFargate => self.run("fargate", "FARGATE"),
            Act::RunBridge => self.run("bridge", "EC2"),
            Act::RunBrief => self.run("brief", "EC2"),
            Act::RunBroken => self.run("broken", "EC2"),
            Act::RunMissing => self.run("missing", "EC2"),
            Act::Stop => self.stop(),
            Act::KillApplication => {
                self.kill("sleep");
                Ok(())
            }
            Act::KillShim => {
                self.kill_shim();
                Ok(())
            }
            Act::Image => self.image(cloud),
            Act::Group => self.security_group(),
            Act::Interface => self.interface(),
            Act::Definition => self.definition(),
            Act::Look => self.look(),
        }
        .with_context(|| format!("{act:?}"))
    }

    fn run(&mut self, family: &str, launch: &str) -> Result<()> {
        while self.live.len() >= MOST {
            self.stop()?;
        }
        let mut request = json!({"taskDefinition": family, "launchType": launch});
        if family != "bridge" {
            request["networkConfiguration"] =
                json!({"awsvpcConfiguration": {"subnets": [self.subnet], "securityGroups": [self.group]}});
        }
        // A node that is just being found again has no room yet; a machine that is full, for a moment.
        let begin = Instant::now();
        loop {
            let ran = self.connection.ecs("RunTask", &request)?;
            if let Some(arn) = ran.pointer("/tasks/0/taskArn").and_then(Value::as_str) {
                self.live.push(arn.to_owned());
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                bail!("RunTask of {family}: {ran}");
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// One of those that run, at whatever point it is; now and then a while later.
    fn stop(&mut self) -> Result<()> {
        if self.live.is_empty() {
            return Ok(());
        }
        if self.below(2) == 0 {
            let pause = self.below(700) as u64;
            std::thread::park_timeout(Duration::from_millis(pause));
        }
        let at = self.below(self.live.len());
        let arn = self.live.swap_remove(at);
        self.connection.ecs("StopTask", &json!({"task": arn})).map(|_| ())
    }

    fn own_processes(&self) -> Vec<(u32, String)> {
        let own = format!("rs-{}", self.instance);
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            let read =
                |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
            if read("cgroup").contains(&own) {
                found.push((pid, read("cmdline").replace('\0', " ")));
            }
        }
        found
    }

    fn kill(&mut self, words: &str) {
        let found = self.own_processes();
        let of: Vec<u32> = found
            .iter()
            .filter(|(_, line)| line.contains(words) && !line.starts_with("rs-shim"))
            .map(|(pid, _)| *pid)
            .collect();
        if !of.is_empty() {
            let at = self.below(of.len());
            kill_9(of[at]);
        }
    }

    fn kill_shim(&mut self) {
        let found = self.own_processes();
        let of: Vec<u32> = found
            .iter()
            .filter(|(_, line)| line.starts_with("rs-shim "))
            .map(|(pid, _)| *pid)
            .collect();
        if !of.is_empty() {
            let at = self.below(of.len());
            kill_9(of[at]);
        }
    }

    fn image(&mut self, cloud: &Cloud) -> Result<()> {
        let name = format!("localhost/churn:{}", self.number);
        let archive = self.archive.clone();
        let data = cloud.data().to_owned();
        let command = |words: &[&str]| -> Result<()> {
            checked(
                Command::new(cloud.binary())
                    .arg("image")
                    .args(words)
                    .arg("--data")
                    .arg(&data)
                    .stdout(Stdio::null()),
            )
        };
        let archive = archive.display().to_string();
        command(&["import", &archive, "--name", &name])?;
        command(&["rm", &name])
    }

    fn security_group(&mut self) -> Result<()> {
        let name = format!("churn-{}", self.number);
        let made = self.connection.ec2(&format!(
            "Action=CreateSecurityGroup&Version=2016-11-15&GroupName={name}&GroupDescription=churn"
        ))?;
        let id = tag(&made, "groupId")?;
        for call in [
            format!(
                "Action=AuthorizeSecurityGroupIngress&GroupId={id}&IpProtocol=tcp&FromPort=80&ToPort=80&CidrIp=0.0.0.0/0"
            ),
            format!("Action=DeleteSecurityGroup&GroupId={id}"),
        ] {
            self.connection.ec2(&format!("{call}&Version=2016-11-15"))?;
        }
        Ok(())
    }

    fn interface(&mut self) -> Result<()> {
        let made = self.connection.ec2(&format!(
            "Action=CreateNetworkInterface&Version=2016-11-15&SubnetId={}",
            self.subnet
        ))?;
        let id = tag(&made, "networkInterfaceId")?;
        self.connection.ec2(&format!(
            "Action=DeleteNetworkInterface&Version=2016-11-15&NetworkInterfaceId={id}"
        ))?;
        Ok(())
    }

    /// A further revision, taken back again.
    fn definition(&mut self) -> Result<()> {
        let made = self.connection.ecs(
            "RegisterTaskDefinition",
            &json!({"family": "passing", "networkMode": "awsvpc",
                    "containerDefinitions": [{"name": "app", "image": "busybox", "memory": 32}]}),
        )?;
        let arn = text(&made, "/taskDefinition/taskDefinitionArn")?.to_owned();
        self.connection
            .ecs("DeregisterTaskDefinition", &json!({"taskDefinition": arn}))?;
        Ok(())
    }

    fn look(&mut self) -> Result<()> {
        for operation in [
            "ListTasks",
            "ListContainerInstances",
            "ListTaskDefinitions",
            "ListClusters",
        ] {
            self.connection.ecs(operation, &json!({}))?;
        }
        self.connection
            .ec2("Action=DescribeNetworkInterfaces&Version=2016-11-15")?;
        Ok(())
    }

    fn listed(&mut self, status: &str) -> Result<Vec<String>> {
        let (mut found, mut token) = (Vec::new(), Value::Null);
        loop {
            let mut request = json!({"desiredStatus": status});
            if !token.is_null() {
                request["nextToken"] = token;
            }
            let page = self.connection.ecs("ListTasks", &request)?;
            let arns = page["taskArns"].as_array().into_iter().flatten();
            found.extend(arns.filter_map(Value::as_str).map(str::to_owned));
            token = page["nextToken"].clone();
            if token.is_null() {
                return Ok(found);
            }
        }
    }

    /// How many stopped tasks are shown.
    pub(crate) fn stopped(&mut self, cloud: &Cloud) -> Result<u64> {
        self.reconnect(cloud)?; // the server ends what was idle for long
        Ok(self.listed("STOPPED")?.len() as u64)
    }

    /// Stops everything and waits until it is so.
    pub(crate) fn stop_all(&mut self, cloud: &Cloud) -> Result<()> {
        self.reconnect(cloud)?;
        self.live.clear();
        let begin = Instant::now();
        for arn in self.listed("RUNNING")? {
            self.connection.ecs("StopTask", &json!({"task": arn}))?;
        }
        let mut left = self.listed("STOPPED")?;
        while let Some(arn) = left.last() {
            let shown = self.connection.ecs("DescribeTasks", &json!({"tasks": [arn]}))?;
            // One that is not shown any more was stopped long ago.
            let task = &shown["tasks"][0];
            if task.is_null() || task["lastStatus"] == "STOPPED" {
                left.pop();
            } else if begin.elapsed() > PATIENCE {
                bail!("the task does not stop: {task}");
            } else {
                std::thread::park_timeout(Duration::from_millis(50));
            }
        }
        Ok(())
    }
}

fn kill_9(pid: u32) {
    // It may have ended by itself meanwhile.
    let _ = Command::new("kill")
        .args(["-9", &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}
