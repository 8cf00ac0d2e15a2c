//! How quick the API is, against moto's server: an API of the same calls that keeps everything in memory and runs
//! nothing. One client for both: sockets, one request at a time on each, so that what is measured is the servers.
//! moto's server closes each connection after its answer; ours is measured both ways.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::client::Cloud;
use super::{Series, checked};

/// What is measured against, from PyPI, in an environment of its own.
const MOTO: &str = "moto[server]==5.2.5";
/// At most this share of the reference's median latency.
const AIM: f64 = 0.2;
const WARM_UP: usize = 20;
const TURNS: usize = 3;

#[derive(Args)]
pub(crate) struct Options {
    /// How many single requests of each kind.
    #[arg(long, default_value_t = 300)]
    rounds: usize,
    /// Connections at once when requests per second are counted.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// How long each turn of that takes.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
}

fn environment(root: &Path) -> PathBuf {
    root.join("target/perf-moto")
}

/// Installs the reference, where there is a way out.
pub(crate) fn install(root: &Path) -> Result<()> {
    let folder = environment(root);
    let mark = folder.join(".installed");
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == MOTO) {
        return Ok(());
    }
    checked(
        Command::new("/usr/bin/python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    )?;
    checked(Command::new(folder.join("bin/pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        MOTO,
    ]))?;
    Ok(std::fs::write(mark, MOTO)?)
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("rs-perf-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = measure(root, &folder, options);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn measure(root: &Path, folder: &Path, options: &Options) -> Result<()> {
    let image = root.join("target/images/busybox.tar");
    let cloud = Cloud::start(root, folder)?;
    cloud.import(&image)?;
    // Beside the durable one, the like of what the reference is.
    let memory = folder.join("memory");
    std::fs::create_dir(&memory)?;
    let options_of = ["--ephemeral", "--default-vpc-cidr", "172.30.0.0/16"].map(str::to_owned);
    let memory = Cloud::start_with(
        &super::built(root).join("release/roadstead"),
        &memory,
        &options_of,
    )?;
    memory.import(&image)?;
    let moto = Moto::start(root, folder)?;
    let servers = [
        Server::prepare("roadstead", cloud.address(), true)?,
        Server::prepare("roadstead, a connection each", cloud.address(), false)?,
        Server::prepare("roadstead --ephemeral", memory.address(), true)?,
        Server::prepare("moto", &moto.address, true)?,
    ];
    for operation in ["DescribeTasks", "RegisterTaskDefinition"] {
        println!("{operation}, one request at a time");
        let all = latencies(&servers, operation, options.rounds)?;
        for series in &all {
            println!("{}", line(series));
        }
        let (ours, reference) = all.split_at(all.len() - 1);
        for series in ours {
            let ratio = series.median().as_secs_f64() / reference[0].median().as_secs_f64();
            let verdict = if ratio <= AIM { "met" } else { "missed" };
            println!(
                "{}: {ratio:.3} of its median (aim: at most {AIM}): {verdict}",
                series.name
            );
        }
        println!("{operation}, {} connections at once", options.clients);
        let mut rates = vec![Vec::new(); servers.len()];
        for _ in 0..TURNS {
            for (server, rates) in servers.iter().zip(&mut rates) {
                rates.push(rate(server, operation, options)?);
            }
        }
        let middle = |rates: &Vec<f64>| {
            let mut rates = rates.clone();
            rates.sort_by(f64::total_cmp);
            rates[TURNS / 2]
        };
        let reference = middle(&rates[servers.len() - 1]);
        for (server, rates) in servers.iter().zip(&rates) {
            let rate = middle(rates);
            println!(
                "{:<32} {rate:>9.0} requests/s, {:.1} times",
                server.name,
                rate / reference
            );
        }
    }
    Ok(())
}

/// In turns, so that whatever else the machine does falls on all of them.
fn latencies(servers: &[Server], operation: &str, rounds: usize) -> Result<Vec<Series>> {
    let mut clients: Vec<Client> = servers.iter().map(Server::client).collect();
    let mut all: Vec<Series> = servers
        .iter()
        .map(|server| Series {
            name: server.name,
            values: Vec::new(),
        })
        .collect();
    for round in 0..WARM_UP + rounds {
        for ((server, client), series) in servers.iter().zip(&mut clients).zip(&mut all) {
            let body = server.body(operation, 0);
            let from = Instant::now();
            client.ecs(operation, &body)?;
            if round >= WARM_UP {
                series.values.push(from.elapsed());
            }
        }
    }
    Ok(all)
}

fn line(series: &Series) -> String {
    let us = |duration: Duration| duration.as_secs_f64() * 1e6;
    format!(
        "{:<32} n {:>4}   median {:>8.0} us   p90 {:>8.0} us   p99 {:>8.0} us",
        series.name,
        series.values.len(),
        us(series.median()),
        us(series.quantile(0.9)),
        us(series.quantile(0.99))
    )
}

/// Answers per second with several connections at once.
fn rate(server: &Server, operation: &str, options: &Options) -> Result<f64> {
    let stop = AtomicBool::new(false);
    let from = Instant::now();
    let total = std::thread::scope(|scope| -> Result<usize> {
        let workers: Vec<_> = (0..options.clients)
            .map(|number| {
                let stop = &stop;
                scope.spawn(move || -> Result<usize> {
                    let mut client = server.client();
                    let body = server.body(operation, number + 1);
                    let mut count = 0;
                    while !stop.load(Ordering::Relaxed) {
                        client.ecs(operation, &body)?;
                        count += 1;
                    }
                    Ok(count)
                })
            })
            .collect();
        // Parking may end early.
        while let Some(rest) = Duration::from_secs(options.seconds).checked_sub(from.elapsed()) {
            std::thread::park_timeout(rest);
        }
        stop.store(true, Ordering::Relaxed);
        let counts = workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow::anyhow!("a client panicked"))?);
        counts.sum()
    })?;
    Ok(total as f64 / from.elapsed().as_secs_f64())
}

/// An API with one task in it.
struct Server {
    name: &'static str,
    address: String,
    keep: bool,
    /// Before the families' names, since two of the servers are one.
    families: &'static str,
    task: String,
}

impl Server {
    fn prepare(name: &'static str, address: &str, keep: bool) -> Result<Self> {
        let mut server = Self {
            name,
            address: address.to_owned(),
            keep,
            families: if keep { "kept" } else { "each" },
            task: String::new(),
        };
        let mut client = server.client();
        client.ecs("CreateCluster", &json!({"clusterName": "default"}))?;
        let subnets = client.ec2(
            "Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=default-for-az&Filter.1.Value.1=true",
        )?;
        let subnet = first(&subnets, "<subnetId>")?;
        // The reference wants a group by its id where the default one would do.
        let groups = client.ec2(
            "Action=DescribeSecurityGroups&Version=2016-11-15&Filter.1.Name=group-name&Filter.1.Value.1=default",
        )?;
        let group = first(&groups, "<groupId>")?;
        client.ecs("RegisterTaskDefinition", &definition("perf"))?;
        let ran = client.ecs(
            "RunTask",
            &json!({"cluster": "default", "taskDefinition": "perf", "launchType": "FARGATE", "count": 1,
                    "networkConfiguration": {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}}}),
        )?;
        let Some(task) = ran["tasks"][0]["taskArn"].as_str() else {
            bail!("{name}: RunTask: {ran}")
        };
        server.task = task.to_owned();
        let from = Instant::now();
        loop {
            let shown = client.ecs("DescribeTasks", &server.body("DescribeTasks", 0))?;
            let status = shown["tasks"][0]["lastStatus"].as_str().unwrap_or_default();
            // Each look at one of the reference's tasks moves it on: its last state is the one that stays.
            if status == "RUNNING" || (status == "STOPPED" && name == "moto") {
                return Ok(server);
            }
            if from.elapsed() > Duration::from_secs(30) {
                bail!("{name}: the task does not run: {shown}");
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn client(&self) -> Client {
        Client {
            address: self.address.clone(),
            keep: self.keep,
            open: None,
        }
    }

    /// `number` gives each client a family of its own.
    fn body(&self, operation: &str, number: usize) -> Value {
        if operation == "DescribeTasks" {
            json!({"cluster": "default", "tasks": [self.task]})
        } else {
            definition(&format!("{}-{number}", self.families))
        }
    }
}

/// The first text in an element of that name.
fn first<'a>(answer: &'a str, element: &str) -> Result<&'a str> {
    let (_, rest) = answer
        .split_once(element)
        .with_context(|| format!("{element} in {answer}"))?;
    Ok(rest.split('<').next().unwrap_or_default())
}

fn definition(family: &str) -> Value {
    json!({
        "family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [{
            "name": "app", "image": "busybox", "memory": 128, "command": ["sleep", "300"], "essential": true, "stopTimeout": 2,
            "environment": [{"name": "MODE", "value": "perf"}],
            "portMappings": [{"containerPort": 80, "protocol": "tcp"}],
        }],
    })
}

/// One request at a time, on one connection as long as the server keeps it.
struct Client {
    address: String,
    keep: bool,
    open: Option<BufReader<TcpStream>>,
}

impl Client {
    fn ecs(&mut self, operation: &str, input: &Value) -> Result<Value> {
        let head = format!(
            "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: AmazonEC2ContainerServiceV20141113.{operation}\r\n"
        );
        let answer = self.post("ecs", &head, &input.to_string())?;
        Ok(serde_json::from_str(&answer)?)
    }

    fn ec2(&mut self, form: &str) -> Result<String> {
        self.post("ec2", "Content-Type: application/x-www-form-urlencoded\r\n", form)
    }

    fn post(&mut self, service: &str, head: &str, body: &str) -> Result<String> {
        let connection = if self.keep { "" } else { "Connection: close\r\n" };
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\n{head}{connection}Authorization: AWS4-HMAC-SHA256 Credential=perf/20260101/us-east-1/\
             {service}/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut reader = match self.open.take() {
            Some(reader) => reader,
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        reader.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut length, mut kept) = (0, self.keep);
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            match line.trim_end().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", value)) => length = value.parse()?,
                Some(("connection", "close")) => kept = false,
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body)?;
        if status != "200" {
            bail!("{}: {status} {body}", self.address);
        }
        self.open = kept.then_some(reader);
        Ok(body)
    }
}

/// The reference's server.
pub(super) struct Moto {
    address: String,
    child: Child,
}

impl Moto {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn start(root: &Path, folder: &Path) -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = std::fs::File::create(folder.join("moto.log"))?;
        let child = Command::new(environment(root).join("bin/moto_server"))
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting moto's server")?;
        let moto = Self {
            address: format!("127.0.0.1:{port}"),
            child,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(&moto.address).is_err() {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(folder.join("moto.log"))?;
                bail!("moto's server is not there after a minute: {log}");
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        Ok(moto)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
