//! An etcd cluster on loopback that can be hurt: members killed, stopped, continued and started again, by pid.
//! The program is `ROADSTEAD_ETCD`, or `etcd` from the path (Debian's `etcd-server`).

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use roadstead_store::Etcd;
use roadstead_store::etcd::{Endpoints, Identity, Options, Tls};
use tempfile::TempDir;

pub struct Cluster {
    members: Vec<Member>,
    dir: TempDir,
    secure: Option<Tls>,
    /// Below which clients that ask for nothing else have their store.
    prefix: &'static str,
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
        Self::start_with(size, false).await
    }

    /// One that holds a stranger's keys around the prefix at which clients have their store.
    pub async fn shared() -> Self {
        let mut cluster = Self::start(1).await;
        cluster.prefix = "/rs/suite";
        for key in ["/rs", "/rs/suit", "/rs/suite", "/rs/suite0", "a", "k", "\x01"] {
            let members = [("key", key), ("value", "a stranger's")];
            cluster.gateway("/v3/kv/put", &members).await;
        }
        cluster
    }

    /// One that serves only TLS, and only those who show a certificate of its authority.
    pub async fn secure() -> Self {
        Self::start_with(1, true).await
    }

    async fn start_with(size: usize, secure: bool) -> Self {
        for _ in 0..5 {
            let ports = ports(2 * size);
            let members = (0..size).map(|at| Member {
                name: format!("rs-{at}"),
                client: ports[2 * at],
                peer: ports[2 * at + 1],
                child: None,
            });
            let dir = TempDir::with_prefix("rs-etcd-").unwrap();
            let mut cluster = Self {
                members: members.collect(),
                secure: secure.then(|| certificates(dir.path())),
                prefix: "",
                dir,
            };
            for at in 0..size {
                cluster.run(at);
            }
            if cluster.ready(Duration::from_secs(60)).await {
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
        let scheme = if self.secure.is_some() { "https" } else { "http" };
        let (client, peer) = (
            format!("{scheme}://127.0.0.1:{}", member.client),
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
        if let Some(tls) = &self.secure {
            let identity = tls.identity.as_ref().unwrap();
            command
                .arg("--client-cert-auth")
                .arg("--trusted-ca-file")
                .arg(&tls.authority)
                .arg("--cert-file")
                .arg(&identity.certificate)
                .arg("--key-file")
                .arg(&identity.key);
        }
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
        let scheme = if self.secure.is_some() { "etcds" } else { "etcd" };
        format!("{scheme}://{}", addresses.join(",")).parse().unwrap()
    }

    /// These members, below a prefix.
    pub fn at(&self, members: &[usize], prefix: &str) -> Endpoints {
        format!("{}{prefix}", self.endpoints(members)).parse().unwrap()
    }

    /// What a client needs to be served.
    pub fn tls(&self) -> Option<Tls> {
        self.secure.clone()
    }

    pub async fn connect(&self) -> Etcd {
        self.connect_with(Options::default()).await
    }

    pub async fn connect_with(&self, options: Options) -> Etcd {
        let all: Vec<usize> = (0..self.size()).collect();
        let endpoints = self.at(&all, self.prefix);
        Etcd::connect(endpoints, options).await.unwrap()
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

/// etcd's own interface for people, for what the store itself must not be able to do.
impl Cluster {
    async fn http(&self, request: String) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", self.members[0].client))
            .await
            .unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200"),
            "{answer}"
        );
        answer
    }

    /// A call of the JSON gateway with these members, whose values are bytes.
    pub async fn gateway(&self, path: &str, members: &[(&str, &str)]) -> String {
        let members: Vec<String> = members
            .iter()
            .map(|(name, value)| format!("\"{name}\":\"{}\"", base64(value.as_bytes())))
            .collect();
        let body = format!("{{{}}}", members.join(","));
        self.http(format!(
            "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await
    }

    pub async fn metric(&self, name: &str) -> f64 {
        let metrics = self
            .http("GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n".into())
            .await;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            out.push(if at <= chunk.len() {
                DIGITS[(word >> (18 - 6 * at)) as usize & 63] as char
            } else {
                '='
            });
        }
    }
    out
}

/// A wire to a member that can be cut: a forwarder on loopback.
pub struct Wire {
    port: u16,
    mode: tokio::sync::watch::Sender<Mode>,
    held: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Whole,
    /// Connections end, new ones are refused.
    Cut,
    /// Connections stay, nothing comes through.
    Silent,
    /// What is asked comes through, what is answered does not.
    OneWay,
}

impl Wire {
    pub async fn to(endpoints: Endpoints) -> Self {
        let target = endpoints.to_string().strip_prefix("etcd://").unwrap().to_owned();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = tokio::sync::watch::Sender::new(Mode::Whole);
        let state = mode.subscribe();
        let held = Arc::new(AtomicUsize::new(0));
        let counts = held.clone();
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if *state.borrow() == Mode::Cut {
                    continue;
                }
                let (target, state, counts) = (target.clone(), state.clone(), counts.clone());
                tokio::spawn(async move {
                    let Ok(server) = tokio::net::TcpStream::connect(target).await else {
                        return;
                    };
                    let (client_read, client_write) = client.into_split();
                    let (server_read, server_write) = server.into_split();
                    let (mut cut, answers) = (state.clone(), AtomicUsize::new(0));
                    tokio::select! {
                        () = carry(client_read, server_write, state.clone(), Mode::OneWay, &counts) => {}
                        () = carry(server_read, client_write, state.clone(), Mode::Whole, &answers) => {}
                        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
                    }
                });
            }
        });
        Self {
            port,
            mode,
            held,
            task,
        }
    }

    /// How often something came from the client that had to wait on the way.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    pub fn endpoints(&self) -> Endpoints {
        format!("etcd://127.0.0.1:{}", self.port).parse().unwrap()
    }

    pub fn mend(&self) {
        self.mode.send_replace(Mode::Whole);
    }

    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    pub fn silence(&self) {
        self.mode.send_replace(Mode::Silent);
    }

    pub fn swallow(&self) {
        self.mode.send_replace(Mode::OneWay);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries bytes while the wire is whole, or in the mode that lets this direction through.
async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut state: tokio::sync::watch::Receiver<Mode>,
    also: Mode,
    held: &AtomicUsize,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let through = |mode: Mode| mode == Mode::Whole || mode == also;
        if !through(*state.borrow()) {
            held.fetch_add(1, Ordering::SeqCst);
        }
        if state.wait_for(|mode| through(*mode)).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// An authority and a certificate of it for 127.0.0.1, which serves members and clients alike.
pub fn certificates(dir: &std::path::Path) -> Tls {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "rs-authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = write("ca.pem", params.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    Tls {
        authority,
        identity: Some(Identity {
            certificate: write("member.pem", certificate.pem()),
            key: write("member.key", key.serialize_pem()),
        }),
    }
}
