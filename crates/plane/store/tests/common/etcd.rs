//! An etcd cluster on loopback that can be hurt: members killed, stopped, continued and started again, by pid.
//! The program is `ROADSTEAD_ETCD`, or `etcd` from the path (Debian's `etcd-server`).

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use roadstead_store::Etcd;
use roadstead_store::etcd::{Endpoints, Options};
use tempfile::TempDir;

pub struct Cluster {
    members: Vec<Member>,
    dir: TempDir,
}

struct Member {
    name: String,
    client: u16,
    peer: u16,
    child: Option<Child>,
}

fn program() -> String {
    std::env::var("ROADSTEAD_ETCD").unwrap_or_else(|_| "etcd".into())
}

/// Two free ports for each member: they may be taken again before etcd listens, so starting is tried again.
fn ports(count: usize) -> Vec<u16> {
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    held.iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect()
}

impl Cluster {
    pub async fn start(size: usize) -> Self {
        for _ in 0..5 {
            let ports = ports(2 * size);
            let members = (0..size).map(|at| Member {
                name: format!("rs-{at}"),
                client: ports[2 * at],
                peer: ports[2 * at + 1],
                child: None,
            });
            let mut cluster = Self {
                members: members.collect(),
                dir: TempDir::with_prefix("rs-etcd-").unwrap(),
            };
            for at in 0..size {
                cluster.run(at);
            }
            if cluster.ready(Duration::from_secs(20)).await {
                return cluster;
            }
            eprintln!("etcd did not start; its log:\n{}", cluster.log(0));
        }
        panic!("etcd did not start five times over");
    }

    /// Starts a member, again with the data it had.
    pub fn run(&mut self, at: usize) {
        let peers: Vec<String> = self
            .members
            .iter()
            .map(|member| format!("{}=http://127.0.0.1:{}", member.name, member.peer))
            .collect();
        let member = &self.members[at];
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join(format!("{}.log", member.name)))
            .unwrap();
        let (client, peer) = (
            format!("http://127.0.0.1:{}", member.client),
            format!("http://127.0.0.1:{}", member.peer),
        );
        let mut command = Command::new(program());
        command
            .env_clear()
            .args(["--name", &member.name])
            .arg("--data-dir")
            .arg(self.dir.path().join(&member.name))
            .args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ])
            .args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ])
            .args([
                "--initial-cluster",
                &peers.join(","),
                "--initial-cluster-state",
                "new",
            ])
            .args(["--logger", "zap", "--log-level", "warn"])
            .args(["--heartbeat-interval", "100", "--election-timeout", "1000"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!(
                "cannot start {}: {error}; install etcd-server or set ROADSTEAD_ETCD",
                program()
            )
        });
        self.members[at].child = Some(child);
    }

    /// Waits until every member answers; false if one ended or did not in time.
    async fn ready(&mut self, within: Duration) -> bool {
        let end = Instant::now() + within;
        for member in &mut self.members {
            loop {
                let over = member
                    .child
                    .as_mut()
                    .is_none_or(|child| child.try_wait().unwrap().is_some());
                if over || Instant::now() > end {
                    return false;
                }
                let socket = tokio::net::TcpStream::connect(("127.0.0.1", member.client));
                if socket.await.is_ok() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        true
    }

    pub fn log(&self, at: usize) -> String {
        std::fs::read_to_string(self.dir.path().join(format!("rs-{at}.log"))).unwrap_or_default()
    }

    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// These members, in this order.
    pub fn endpoints(&self, members: &[usize]) -> Endpoints {
        let addresses: Vec<String> = members
            .iter()
            .map(|at| format!("127.0.0.1:{}", self.members[*at].client))
            .collect();
        format!("etcd://{}", addresses.join(",")).parse().unwrap()
    }

    pub async fn connect(&self) -> Etcd {
        self.connect_with(Options::default()).await
    }

    pub async fn connect_with(&self, options: Options) -> Etcd {
        let all: Vec<usize> = (0..self.size()).collect();
        Etcd::connect(self.endpoints(&all), options).await.unwrap()
    }

    fn signal(&self, at: usize, signal: &str) {
        let pid = self.members[at].child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Makes a member stand still, with its sockets open.
    pub fn pause(&self, at: usize) {
        self.signal(at, "-STOP");
    }

    pub fn resume(&self, at: usize) {
        self.signal(at, "-CONT");
    }

    pub fn kill(&mut self, at: usize) {
        if let Some(mut child) = self.members[at].child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for at in 0..self.members.len() {
            self.kill(at);
        }
    }
}
