//! How long a task waits for its network, beside the reference `bridge` plugin on the same machine in the
//! same run. As root: `cargo run --release -p roadstead-net --example latency [ROUNDS]`.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use roadstead_acs::network::{Interface, Peer, Protocol, Rule, SecurityGroup, Subnet, VpcMap};
use roadstead_net::netns::{self, Netns};
use roadstead_net::{Eni, InstanceId, InterfaceId, MacAddr, Network, Options, TaskNet, VpcId};

const PLUGINS: &str = "/usr/lib/cni";

struct Host(String);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = Netns::remove(&self.0);
    }
}

#[derive(Default)]
struct Series(Vec<f64>);

impl Series {
    fn since(&mut self, begun: Instant) {
        self.0.push(begun.elapsed().as_secs_f64() * 1000.0);
    }

    fn show(mut self, name: &str) -> f64 {
        self.0.sort_by(f64::total_cmp);
        let at = |part: f64| self.0[((self.0.len() - 1) as f64 * part) as usize];
        println!("{name:<44} median {:7.2} ms   p90 {:7.2} ms", at(0.5), at(0.9));
        at(0.5)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds: u8 = std::env::args().nth(1).map_or(Ok(30), |text| text.parse())?;
    let id = InstanceId::parse(&format!("l{:05}", std::process::id() % 100_000))?;
    let host = Host(format!("rs-host-{id}"));
    let node = Netns::create(&host.0)?;
    let state = tempfile::tempdir()?;
    let ours = measure_ours(&id, &host.0, state.path(), rounds).await?;
    if !Path::new(PLUGINS).join("bridge").exists() {
        println!("no reference: {PLUGINS}/bridge is not installed (Debian: containernetworking-plugins)");
        return Ok(());
    }
    let (add, del) = measure_reference(&id, &node, state.path(), rounds)?;
    println!("attach and connect / reference ADD: {:.2}", ours.0 / add);
    println!("disconnect and detach / reference DEL: {:.2}", ours.1 / del);
    println!(
        "all of ours / all of the reference: {:.2}",
        (ours.0 + ours.1) / (add + del)
    );
    Ok(())
}

fn map(vpc: &VpcId, enis: &[Eni]) -> VpcMap {
    let anywhere = |protocol| Rule {
        protocol,
        peer: Peer::Cidr("0.0.0.0/0".parse().unwrap_or_default()),
    };
    VpcMap {
        vpc_id: vpc.to_string(),
        generation: 1,
        region: "us-east-1".into(),
        cidrs: "172.31.0.0/16".parse().into_iter().collect(),
        subnets: "172.31.0.0/20"
            .parse()
            .into_iter()
            .map(|cidr| Subnet {
                subnet_id: "subnet-1".into(),
                cidr,
                ipv6_cidr: None,
                availability_zone: "us-east-1a".into(),
            })
            .collect(),
        interfaces: enis
            .iter()
            .map(|eni| Interface {
                interface_id: eni.interface_id.to_string(),
                mac: eni.mac.to_string(),
                private_ips: eni.ips.clone(),
                ipv6_addresses: Vec::new(),
                subnet_id: "subnet-1".into(),
                groups: vec!["sg-1".into()],
                instance_id: None,
                source_dest_check: true,
            })
            .collect(),
        groups: vec![SecurityGroup {
            group_id: "sg-1".into(),
            ingress: vec![anywhere(Protocol::Tcp { from: 80, to: 80 })],
            egress: vec![anywhere(Protocol::All)],
        }],
    }
}

async fn measure_ours(
    id: &InstanceId,
    host: &str,
    state: &Path,
    rounds: u8,
) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let options = Options {
        instance: id.clone(),
        state_dir: state.to_path_buf(),
        node_namespace: Some(netns::path_of(host)),
        on_node: std::env::args().nth(2).is_some(),
        helper: None,
    };
    let net = Network::open(options).await?;
    let vpc = VpcId::parse("vpc-00000000000000001")?;
    let eni = |n: u8| -> Result<Eni, roadstead_net::Error> {
        Ok(Eni {
            interface_id: InterfaceId::parse(&format!("eni-{n:017x}"))?,
            vpc_id: vpc.clone(),
            mac: MacAddr([2, 0, 0, 0, 0, n]),
            ips: vec![Ipv4Addr::new(172, 31, 1, n)],
            prefix: 20,
            gateway: Ipv4Addr::new(172, 31, 0, 1),
        })
    };
    let enis: Vec<Eni> = (0..=rounds).map(eni).collect::<Result<_, _>>()?;
    net.apply(&map(&vpc, &enis)).await?;
    // The first interface of a VPC also makes its router.
    let begun = Instant::now();
    net.attach(&enis[0]).await?;
    println!(
        "{:<44}        {:7.2} ms",
        "first attach of a VPC (makes the router)",
        begun.elapsed().as_secs_f64() * 1e3
    );
    // Namespaces are made before and removed after: their end occupies the kernel for a while.
    let mut namespaces = Vec::new();
    for n in 0..=rounds {
        namespaces.push(net.make_task_namespace(&format!("task{n}")).await?);
    }
    let [
        mut attach,
        mut connect,
        mut both,
        mut disconnect,
        mut detach,
        mut undo,
    ] = [0; 6].map(|_| Series::default());
    for (n, eni) in enis.iter().enumerate().skip(1) {
        let (container, netns) = (format!("task{n}"), namespaces[n].clone());
        let task = TaskNet {
            container,
            netns,
            eni: eni.clone(),
            block_instance_metadata: true,
            mtu: None,
        };
        let begun = Instant::now();
        net.attach(eni).await?;
        attach.since(begun);
        let middle = Instant::now();
        net.connect(&task).await?;
        connect.since(middle);
        both.since(begun);
        let begun = Instant::now();
        net.disconnect(&task).await?;
        disconnect.since(begun);
        let middle = Instant::now();
        net.detach(&eni.interface_id).await?;
        detach.since(middle);
        undo.since(begun);
    }
    attach.show("attach (veth, routes, firewall)");
    connect.show("connect (ecs-eni, ecs-bridge, ecs-ipam)");
    let ours = both.show("attach and connect");
    disconnect.show("disconnect");
    detach.show("detach");
    let undone = undo.show("disconnect and detach");
    net.teardown().await?;
    Ok((ours, undone))
}

fn measure_reference(
    id: &InstanceId,
    node: &Netns,
    state: &Path,
    rounds: u8,
) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let conf = format!(
        r#"{{"cniVersion":"1.0.0","name":"reference","type":"bridge","bridge":"rs-ref","isGateway":true,
        "ipam":{{"type":"host-local","subnet":"10.88.0.0/16","dataDir":"{}","routes":[{{"dst":"0.0.0.0/0"}}]}}}}"#,
        state.join("host-local").display()
    );
    let (mut add, mut del) = (Series::default(), Series::default());
    let tasks: Vec<Host> = (0..=rounds).map(|n| Host(format!("rs-ref-{id}-{n}"))).collect();
    for task in &tasks {
        Netns::create(&task.0)?;
    }
    for (n, Host(name)) in tasks.iter().enumerate() {
        for (command, series) in [("ADD", &mut add), ("DEL", &mut del)] {
            let begun = Instant::now();
            let status = node.run(|| {
                let mut child = Command::new(Path::new(PLUGINS).join("bridge"))
                    .env("CNI_COMMAND", command)
                    .env("CNI_CONTAINERID", name)
                    .env("CNI_NETNS", netns::path_of(name))
                    .env("CNI_IFNAME", "eth0")
                    .env("CNI_PATH", PLUGINS)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null())
                    .spawn()?;
                if let Some(mut stdin) = child.stdin.take() {
                    stdin.write_all(conf.as_bytes())?;
                }
                child.wait()
            })??;
            if !status.success() {
                return Err(format!("the reference plugin's {command} failed").into());
            }
            // The first also makes the bridge.
            if n > 0 {
                series.since(begun);
            }
        }
    }
    Ok((
        add.show("reference bridge plugin ADD"),
        del.show("reference bridge plugin DEL"),
    ))
}
