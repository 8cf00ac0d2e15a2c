//! The references, each on loopback with a folder of its own, and what the system says of a process.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::super::client::Connection;

/// Ticks in a second, as `/proc` counts them on each Linux.
const TICKS: f64 = 100.0;

/// A process that is ended with this.
pub(super) struct Server {
    address: String,
    child: Child,
}

impl Server {
    pub(super) fn prometheus(folder: &Path, target: &str, every: u64) -> Result<Self> {
        let config = folder.join("prometheus.yml");
        let text = format!(
            "scrape_configs:\n- job_name: perf\n  scrape_interval: {every}ms\n  scrape_timeout: {every}ms\n  \
             static_configs:\n  - targets: ['{target}']\n"
        );
        std::fs::write(&config, text)?;
        let address = free()?;
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("prometheus").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .args(["--web.enable-admin-api", "--log.level=warn"]);
        Self::start(command, folder, "prometheus", address)
    }

    pub(super) fn victoria(folder: &Path) -> Result<Self> {
        let address = free()?;
        let mut command = Command::new("victoria-metrics");
        command
            .arg(format!("-storageDataPath={}", folder.join("victoria").display()))
            .arg(format!("-httpListenAddr={address}"))
            .arg("-loggerLevel=WARN");
        Self::start(command, folder, "victoria-metrics", address)
    }

    fn start(mut command: Command, folder: &Path, package: &str, address: String) -> Result<Self> {
        let path = folder.join(format!("{package}.log"));
        let log = std::fs::File::create(&path)?;
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {package}: scripts/setup.sh perf"))?;
        let mut server = Self { address, child };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(&server.address).is_err() {
            if Instant::now() > deadline || server.child.try_wait()?.is_some() {
                bail!("{package} did not start: {}", std::fs::read_to_string(path)?);
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn connect(&self) -> Result<Connection> {
        Connection::to(&self.address)
    }

    /// How many samples can be read.
    pub(super) fn samples(&self) -> Result<usize> {
        let line = "GET /api/v1/query?query=sum(count_over_time(load%5B1h%5D))";
        let (status, answer) = self.connect()?.send(line, "", b"")?;
        let read: Value = serde_json::from_str(&answer).with_context(|| format!("{status} {answer}"))?;
        let count = read["data"]["result"][0]["value"][1].as_str();
        count
            .and_then(|count| count.parse().ok())
            .with_context(|| format!("no count in {answer}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Seconds of processor time that a process has had, all its threads together, and whether it has ended.
fn stat(pid: u32) -> Result<(f64, bool)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before may have any characters.
    let (_, rest) = text.rsplit_once(')').context("the name of a process")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("times of a process")?.parse()?) };
    Ok(((ticks(11)? + ticks(12)?) / TICKS, fields.first() == Some(&"Z")))
}

pub(super) fn cpu(pid: u32) -> Result<f64> {
    Ok(stat(pid)?.0)
}

/// Runs a program to its end: the seconds of processor time it had.
pub(super) fn cpu_of(command: &mut Command, within: Duration) -> Result<f64> {
    let mut child = command.spawn().with_context(|| format!("running {command:?}"))?;
    let deadline = Instant::now() + within;
    // One that has ended keeps its times until somebody waits for it.
    let spent = loop {
        let (spent, ended) = stat(child.id())?;
        if ended {
            break spent;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!("{command:?} took more than {within:?}");
        }
        std::thread::park_timeout(Duration::from_millis(20));
    };
    let status = child.wait()?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(spent)
}

/// Bytes of all files in a folder.
pub(super) fn bytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let about = entry.metadata()?;
        sum += if about.is_dir() {
            bytes(&entry.path())?
        } else {
            about.len()
        };
    }
    Ok(sum)
}
