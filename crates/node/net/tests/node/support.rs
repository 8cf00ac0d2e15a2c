//! A machine for one test: a namespace that plays the host, an instance id of its own, and sockets in any
//! namespace. Everything is removed when it drops, also when the test fails.

#![allow(unreachable_pub)]

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use roadstead_acs::network::{Interface, Peer, Protocol, Rule, SecurityGroup, Subnet, VpcMap};
use roadstead_net::netns::{self, Netns};
use roadstead_net::{
    Connected, Eni, EniIpv6, InstanceId, InterfaceId, MacAddr, Network, Options, TaskNet, VpcId,
};

/// Long enough for what must come, on a machine that does much else.
pub const LONG: Duration = Duration::from_secs(60);
/// Long enough for what would come, short enough to wait for it when it must not.
pub const PATIENCE: Duration = Duration::from_millis(400);

static COUNTER: AtomicU32 = AtomicU32::new(0);

pub fn instance() -> InstanceId {
    let number = std::process::id() as u64 * 64 + u64::from(COUNTER.fetch_add(1, Ordering::Relaxed)) % 64;
    let mut text = String::new();
    let mut rest = number;
    for _ in 0..6 {
        text.push(char::from(
            b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize],
        ));
        rest /= 36;
    }
    InstanceId::parse(&text).unwrap()
}

pub struct Machine {
    pub id: InstanceId,
    pub host: String,
    owns_host: bool,
    on_node: bool,
    pub state: tempfile::TempDir,
    net: Option<Network>,
}

impl Machine {
    pub async fn new() -> Self {
        let id = instance();
        let host = format!("rs-host-{id}");
        Netns::create(&host).expect("tests need root");
        ip(&host, "link set lo up");
        Self::on(id, host, true, false).await
    }

    /// A second instance on the same host.
    pub async fn beside(other: &Machine) -> Self {
        Self::on(instance(), other.host.clone(), false, other.on_node).await
    }

    /// One where interfaces show up on the node, for plugins of other programs.
    pub async fn with_devices_on_the_node() -> Self {
        let id = instance();
        let host = format!("rs-host-{id}");
        Netns::create(&host).expect("tests need root");
        ip(&host, "link set lo up");
        Self::on(id, host, true, true).await
    }

    async fn on(id: InstanceId, host: String, owns_host: bool, on_node: bool) -> Self {
        let state = tempfile::tempdir().unwrap();
        let guard = Cleaner {
            id: id.clone(),
            host: owns_host.then(|| host.clone()),
        };
        let net = open(&id, &host, state.path(), on_node).await;
        std::mem::forget(guard);
        Self {
            id,
            host,
            owns_host,
            on_node,
            state,
            net: Some(net),
        }
    }

    /// What a new process of the same instance would see.
    pub async fn reopen(&mut self) {
        self.close().await;
        self.open().await;
    }

    pub async fn close(&mut self) {
        self.net = None;
        // The resolver's sockets close a moment after the last handle went, as they do with a process.
        tokio::time::sleep(PATIENCE / 2).await;
    }

    pub async fn open(&mut self) {
        self.net = Some(open(&self.id, &self.host, self.state.path(), self.on_node).await);
    }

    /// As when a container's last process ended with the daemon away.
    pub fn net_namespace_gone(&self, task: &str) {
        Netns::remove(&self.id.task_namespace(task)).unwrap();
    }

    pub fn net(&self) -> &Network {
        self.net.as_ref().unwrap()
    }

    /// Attaches and connects a task in a namespace of its own.
    pub async fn start(&self, eni: &Eni, name: &str) -> Task {
        self.net().attach(eni).await.unwrap();
        let task = self.task(eni, name).await;
        let connected = self.net().connect(&task).await.unwrap();
        Task {
            net: task,
            ns: self.id.task_namespace(name),
            connected,
        }
    }

    pub async fn task(&self, eni: &Eni, name: &str) -> TaskNet {
        let netns = self.net().make_task_namespace(name).await.unwrap();
        TaskNet {
            container: name.into(),
            netns,
            eni: eni.clone(),
            block_instance_metadata: true,
            mtu: None,
        }
    }

    /// Devices of this instance in the host's namespace, and its namespaces.
    pub fn traces(&self) -> Vec<String> {
        traces(&self.id, &self.host)
    }
}

pub fn traces(id: &InstanceId, host: &str) -> Vec<String> {
    let mut found = Netns::list(&format!("rs-{id}-")).unwrap();
    let links = ip(host, "-br link");
    found.extend(
        links
            .lines()
            .filter(|l| l.starts_with(&id.device_prefix()))
            .map(str::to_owned),
    );
    found
}

pub async fn open(id: &InstanceId, host: &str, state: &Path, on_node: bool) -> Network {
    let options = Options {
        instance: id.clone(),
        state_dir: state.to_path_buf(),
        node_namespace: Some(netns::path_of(host)),
        on_node,
        helper: Some(binary()),
    };
    // The sockets of the one before it close a moment after the last handle went, as they do with a process.
    let begun = std::time::Instant::now();
    loop {
        match Network::open(options.clone()).await {
            Ok(network) => return network,
            Err(error) => assert!(begun.elapsed() < LONG, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

struct Cleaner {
    id: InstanceId,
    host: Option<String>,
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        for pid in forwarders(&format!("{}-", self.id)) {
            kill(pid);
        }
        for name in Netns::list(&format!("rs-{}-", self.id)).unwrap_or_default() {
            let _ = Netns::remove(&name);
        }
        if let Some(host) = &self.host {
            let _ = Netns::remove(host);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(Cleaner {
            id: self.id.clone(),
            host: self.owns_host.then(|| self.host.clone()),
        });
    }
}

/// Waits for what must come to be.
pub async fn until(what: &str, mut good: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !good() {
        assert!(begun.elapsed() < LONG * 2, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Ends a process that is this test's. One that ended by itself is fine.
pub fn kill(pid: i32) {
    let pid = nix::unistd::Pid::from_raw(pid);
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
}

/// Processes that forward for containers whose names begin so; tests let them begin with their instance's id.
pub fn forwarders(prefix: &str) -> Vec<i32> {
    let of = |entry: std::fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        line.starts_with(format!("rs-forward\0{prefix}").as_bytes())
            .then_some(pid)
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| of(entry.ok()?))
        .collect()
}

pub struct Task {
    pub net: TaskNet,
    pub ns: String,
    pub connected: Connected,
}

/// Runs `ip` inside a namespace; fails the test when it fails.
pub fn ip(ns: &str, arguments: &str) -> String {
    let output = Command::new("ip")
        .args(["-n", ns])
        .args(arguments.split(' '))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "ip -n {ns} {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub fn inside<T: Send>(ns: &str, work: impl FnOnce() -> T + Send) -> T {
    Netns::named(ns).unwrap().expect(ns).run(work).unwrap()
}

/// A TCP server that answers each connection with the caller's address. Ends with the test.
pub fn serve(ns: &str, port: u16) {
    let listener = inside(ns, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
    answer_on(listener);
}

pub fn answer_on(listener: TcpListener) {
    listener.set_nonblocking(false).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let peer = stream.peer_addr().unwrap().ip().to_string();
            let _ = stream.write_all(peer.as_bytes());
        }
    });
}

/// Connects from inside `ns`; the address that the server saw, or why there is none.
pub fn call(ns: &str, to: IpAddr, port: u16) -> Result<String, std::io::ErrorKind> {
    call_within(LONG, ns, to, port)
}

/// As [`call`], where no answer is expected.
pub fn call_briefly(ns: &str, to: IpAddr, port: u16) -> Result<String, std::io::ErrorKind> {
    call_within(PATIENCE, ns, to, port)
}

fn call_within(patience: Duration, ns: &str, to: IpAddr, port: u16) -> Result<String, std::io::ErrorKind> {
    inside(ns, || {
        let mut stream =
            TcpStream::connect_timeout(&SocketAddr::new(to, port), patience).map_err(|e| e.kind())?;
        stream.set_read_timeout(Some(patience)).map_err(|e| e.kind())?;
        let mut seen = String::new();
        stream.read_to_string(&mut seen).map_err(|e| e.kind())?;
        Ok(seen)
    })
}

pub fn reaches(ns: &str, to: Ipv4Addr, port: u16) -> bool {
    call(ns, to.into(), port).is_ok()
}

pub fn blocked(ns: &str, to: Ipv4Addr, port: u16) -> bool {
    call_briefly(ns, to.into(), port).is_err()
}

/// An echo request from inside `ns`; true when the answer came.
pub fn pings(ns: &str, to: Ipv4Addr) -> bool {
    pings_within(LONG, ns, to)
}

pub fn unanswered(ns: &str, to: Ipv4Addr) -> bool {
    !pings_within(PATIENCE, ns, to)
}

fn pings_within(patience: Duration, ns: &str, to: Ipv4Addr) -> bool {
    use nix::sys::socket::*;
    inside(ns, || {
        let raw = socket(
            AddressFamily::Inet,
            SockType::Raw,
            SockFlag::empty(),
            SockProtocol::Icmp,
        )
        .unwrap();
        let patience = nix::sys::time::TimeVal::new(patience.as_secs() as _, patience.subsec_micros().into());
        setsockopt(&raw, sockopt::ReceiveTimeout, &patience).unwrap();
        let raw = UdpSocket::from(raw);
        // Type 8, code 0, checksum, identifier, sequence 1. A new identifier each time: the firewall tracks
        // pings by it, and a tracked one outlives its rule.
        let identifier = 0x4000 + COUNTER.fetch_add(1, Ordering::Relaxed) as u16 % 0x1000;
        let [high, low] = (!(0x0800 + identifier + 1)).to_be_bytes();
        let [id_high, id_low] = identifier.to_be_bytes();
        let request = [8, 0, high, low, id_high, id_low, 0, 1];
        if raw.send_to(&request, (to, 0)).is_err() {
            return false;
        }
        let mut buffer = [0u8; 128];
        // Other ICMP may come first; the socket's patience bounds the wait.
        for _ in 0..8 {
            match raw.recv_from(&mut buffer) {
                Ok((28, from)) if from.ip() == to && buffer[20] == 0 && buffer[24..28] == request[4..] => {
                    return true;
                }
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        false
    })
}

pub fn udp<A: Into<IpAddr> + Send>(ns: &str, (host, port): (A, u16)) -> UdpSocket {
    let bind = SocketAddr::new(host.into(), port);
    let socket = inside(ns, || UdpSocket::bind(bind).unwrap());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// What must come.
pub fn heard(socket: &UdpSocket) -> (String, SocketAddr) {
    socket.set_read_timeout(Some(LONG)).unwrap();
    let heard = received(socket).expect("a datagram");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    heard
}

/// What may come.
pub fn received(socket: &UdpSocket) -> Option<(String, SocketAddr)> {
    let mut buffer = [0u8; 64];
    let (length, from) = socket.recv_from(&mut buffer).ok()?;
    Some((String::from_utf8_lossy(&buffer[..length]).into_owned(), from))
}

pub fn vpc(number: u8) -> VpcId {
    VpcId::parse(&format!("vpc-{number:017x}")).unwrap()
}

/// The interface with address 172.31.0.`host`.
pub fn eni(vpc_id: &VpcId, host: u8) -> Eni {
    let vpc_number = vpc_id.as_str().bytes().last().unwrap();
    Eni {
        interface_id: InterfaceId::parse(&format!("eni-{vpc_number:08x}{host:09x}")).unwrap(),
        vpc_id: vpc_id.clone(),
        mac: MacAddr([0x02, vpc_number, 0, 0, 0, host]),
        ips: vec![address(host)],
        prefix: 20,
        gateway: Ipv4Addr::new(172, 31, 0, 1),
        ipv6: None,
    }
}

/// The interface with address fd00:0:0:1::`host` too.
pub fn dual(vpc_id: &VpcId, host: u8) -> Eni {
    Eni {
        ipv6: Some(EniIpv6 {
            addresses: vec![address6(host)],
            prefix: 64,
            gateway: address6(1),
        }),
        ..eni(vpc_id, host)
    }
}

pub fn address6(host: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, host.into())
}

pub fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(172, 31, 0, host)
}

/// A map under construction.
pub struct MapOf(pub VpcMap);

impl MapOf {
    pub fn new(vpc: &VpcId, generation: u64) -> Self {
        Self(VpcMap {
            vpc_id: vpc.to_string(),
            generation,
            region: "eu-west-1".into(),
            cidrs: vec!["172.31.0.0/16".parse().unwrap()],
            subnets: vec![Subnet {
                subnet_id: "subnet-1".into(),
                cidr: "172.31.0.0/20".parse().unwrap(),
                ipv6_cidr: None,
                availability_zone: "eu-west-1a".into(),
            }],
            interfaces: vec![],
            groups: vec![],
        })
    }

    /// With IPv6 blocks of the VPC and its subnet.
    pub fn dual(vpc: &VpcId, generation: u64) -> Self {
        let mut map = Self::new(vpc, generation);
        map.0.cidrs.push("fd00::/56".parse().unwrap());
        map.0.subnets[0].ipv6_cidr = Some("fd00:0:0:1::/64".parse().unwrap());
        map
    }

    pub fn wears(mut self, eni: &Eni, groups: &[&str]) -> Self {
        self.0.interfaces.push(Interface {
            interface_id: eni.interface_id.to_string(),
            mac: eni.mac.to_string(),
            private_ips: eni.ips.clone(),
            ipv6_addresses: eni.ipv6.iter().flat_map(|ipv6| ipv6.addresses.clone()).collect(),
            subnet_id: "subnet-1".into(),
            groups: groups.iter().map(|g| (*g).to_owned()).collect(),
            instance_id: Some("i-1".into()),
            source_dest_check: true,
        });
        self
    }

    /// A group that lets everything out and `ingress` in.
    pub fn group(mut self, id: &str, ingress: &[Rule]) -> Self {
        let egress = vec![anywhere(Protocol::All), anywhere6(Protocol::All)];
        self.0.groups.push(SecurityGroup {
            group_id: id.into(),
            ingress: ingress.to_vec(),
            egress,
        });
        self
    }
}

pub fn anywhere(protocol: Protocol) -> Rule {
    Rule {
        protocol,
        peer: Peer::Cidr("0.0.0.0/0".parse().unwrap()),
    }
}

pub fn anywhere6(protocol: Protocol) -> Rule {
    Rule {
        protocol,
        peer: Peer::Cidr("::/0".parse().unwrap()),
    }
}

pub fn from_group(protocol: Protocol, id: &str) -> Rule {
    Rule {
        protocol,
        peer: Peer::Group(id.into()),
    }
}

pub fn tcp(port: u16) -> Protocol {
    Protocol::Tcp { from: port, to: port }
}

pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_rs-cni-test"))
}
