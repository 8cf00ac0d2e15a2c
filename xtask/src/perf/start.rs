//! How long from RunTask to RUNNING, against what the same container costs by hand: a network namespace, the
//! reference `bridge` plugin's ADD, `runc run`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::client::{Cloud, Connection};
use super::{Series, checked, compare};

const AIM: f64 = 2.0;
pub(super) const BRIDGE: &str = "rsperf0";

#[derive(Args)]
pub(crate) struct Options {
    /// How many of each.
    #[arg(long, default_value_t = 30)]
    rounds: usize,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("rs-perf-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(root, &folder, options);
    let _ = Command::new("ip")
        .args(["link", "del", BRIDGE])
        .stderr(Stdio::null())
        .status();
    std::fs::remove_dir_all(&folder)?;
    result
}

fn measure(root: &Path, folder: &Path, options: &Options) -> Result<()> {
    let archive = root.join("target/images/busybox.tar");
    let cloud = Cloud::start(root, folder)?;
    cloud.import(&archive)?;
    let mut connection = cloud.connect()?;
    let subnet = subnet(&mut connection)?;
    connection.ecs(
        "RegisterTaskDefinition",
        &json!({"family": "perf", "networkMode": "awsvpc", "containerDefinitions": [
            {"name": "app", "image": "busybox", "memory": 32, "command": ["sleep", "300"], "stopTimeout": 2}]}),
    )?;
    let reference = Reference::prepare(folder, "bundle")?;
    let mut ours = Series {
        name: "RunTask to RUNNING (awsvpc)",
        values: Vec::new(),
    };
    let mut theirs = Series {
        name: "netns, bridge ADD, runc run",
        values: Vec::new(),
    };
    // In turns, so that whatever else the machine does falls on both; the first of each only warms up.
    for round in 0..=options.rounds {
        let (a, b) = (one(&mut connection, &subnet)?, reference.one()?);
        if round > 0 {
            ours.values.push(a);
            theirs.values.push(b);
        }
    }
    compare(&ours, &theirs, AIM);
    Ok(())
}

pub(super) fn subnet(connection: &mut Connection) -> Result<String> {
    let answer = connection.ec2("Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=availability-zone&Filter.1.Value.1=us-east-1a")?;
    let (_, rest) = answer.split_once("<subnetId>").context("a subnet")?;
    Ok(rest.split('<').next().unwrap_or_default().to_owned())
}

fn one(connection: &mut Connection, subnet: &str) -> Result<Duration> {
    let from = Instant::now();
    let ran = connection.ecs(
        "RunTask",
        &json!({"taskDefinition": "perf", "networkConfiguration": {"awsvpcConfiguration": {"subnets": [subnet]}}}),
    )?;
    let Some(arn) = ran["tasks"][0]["taskArn"].as_str() else {
        bail!("RunTask: {ran}")
    };
    until(connection, arn, "RUNNING", from)?;
    let took = from.elapsed();
    connection.ecs("StopTask", &json!({"task": arn}))?;
    until(connection, arn, "STOPPED", Instant::now())?;
    Ok(took)
}

fn until(connection: &mut Connection, arn: &str, status: &str, from: Instant) -> Result<()> {
    loop {
        let shown: Value = connection.ecs("DescribeTasks", &json!({"tasks": [arn]}))?;
        let task = &shown["tasks"][0];
        if task["lastStatus"] == status {
            return Ok(());
        }
        if task["lastStatus"] == "STOPPED" || from.elapsed() > Duration::from_secs(60) {
            bail!("the task is not {status}: {task}");
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// The same busybox in a bundle for runc.
pub(super) struct Reference {
    bundle: std::path::PathBuf,
    network: String,
}

impl Reference {
    /// A bundle of this name, for one container at a time to be made of; addresses are shared within the folder.
    pub(super) fn prepare(folder: &Path, name: &str) -> Result<Self> {
        let bundle = folder.join(name);
        let bin = bundle.join("rootfs/bin");
        std::fs::create_dir_all(&bin)?;
        for folder in ["proc", "sys", "dev", "tmp"] {
            std::fs::create_dir_all(bundle.join("rootfs").join(folder))?;
        }
        std::fs::copy("/bin/busybox", bin.join("sleep"))
            .context("copying busybox: apt-get install busybox-static")?;
        if !bundle.join("config.json").exists() {
            checked(Command::new("runc").arg("spec").current_dir(&bundle))?;
        }
        let network = json!({
            "cniVersion": "0.4.0", "name": "rs-perf", "type": "bridge", "bridge": BRIDGE, "isGateway": true,
            "ipMasq": false,
            "ipam": {"type": "host-local", "dataDir": folder.join("ipam"), "ranges": [[{"subnet": "10.222.0.0/16"}]],
                     "routes": [{"dst": "0.0.0.0/0"}]},
        });
        Ok(Self {
            bundle,
            network: network.to_string(),
        })
    }

    pub(super) fn one(&self) -> Result<Duration> {
        let name = format!("rs-perf-{}", std::process::id());
        let from = Instant::now();
        self.up(&name)?;
        let took = from.elapsed();
        self.down(&name)?;
        Ok(took)
    }

    pub(super) fn up(&self, name: &str) -> Result<()> {
        let netns = format!("/run/netns/{name}");
        checked(Command::new("ip").args(["netns", "add", name]))?;
        self.bridge("ADD", name, &netns)?;
        self.configure(&netns)?;
        checked(
            Command::new("runc")
                .args(["run", "--detach", "--bundle"])
                .arg(&self.bundle)
                .arg(name)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
    }

    pub(super) fn down(&self, name: &str) -> Result<()> {
        checked(Command::new("runc").args(["delete", "--force", name]))?;
        self.bridge("DEL", name, &format!("/run/netns/{name}"))?;
        checked(Command::new("ip").args(["netns", "del", name]))
    }

    fn configure(&self, netns: &str) -> Result<()> {
        let path = self.bundle.join("config.json");
        let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["sleep", "300"]);
        for namespace in config["linux"]["namespaces"].as_array_mut().into_iter().flatten() {
            if namespace["type"] == "network" {
                namespace["path"] = json!(netns);
            }
        }
        Ok(std::fs::write(&path, config.to_string())?)
    }

    fn bridge(&self, command: &str, id: &str, netns: &str) -> Result<()> {
        let mut child = Command::new("/usr/lib/cni/bridge")
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", id)
            .env("CNI_NETNS", netns)
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", "/usr/lib/cni")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the bridge plugin: apt-get install containernetworking-plugins")?;
        child
            .stdin
            .take()
            .context("a pipe")?
            .write_all(self.network.as_bytes())?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("bridge {command}: {}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(())
    }
}
