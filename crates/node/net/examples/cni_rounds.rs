//! What `cargo xtask perf cni` measures of this crate: for each line on standard input a task's network is made
//! and removed in this process, as the node's agent does it, and the times are answered in microseconds. The
//! measurement runs the reference between two lines, so that both meet the same machine.

use std::io::{BufRead as _, Write as _};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Instant;

use roadstead_acs::network::VpcMap;
use roadstead_net::{Eni, InstanceId, InterfaceId, MacAddr, Network, Options, TaskNet, VpcId};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let rounds: u8 = std::env::args().nth(1).ok_or("how many rounds?")?.parse()?;
    let state = tempfile::tempdir()?;
    let instance = InstanceId::parse(&format!("l{:05}", std::process::id() % 100_000))?;
    let options = Options {
        instance,
        state_dir: state.path().to_owned(),
        node_namespace: None,
        on_node: false,
        helper: None,
    };
    let net = Network::open(options).await?;
    let outcome = measure(&net, rounds).await;
    net.teardown().await?;
    outcome
}

async fn measure(net: &Network, rounds: u8) -> Result<(), Failure> {
    let vpc = VpcId::parse("vpc-00000000000000001")?;
    let enis: Vec<Eni> = (0..=rounds).map(|n| eni(&vpc, n)).collect::<Result<_, _>>()?;
    net.apply(&map(&vpc, &enis)?).await?;
    // The VPC has another task here, as the reference's bridge is there before.
    let [first, enis @ ..] = enis.as_slice() else {
        return Err("no interface".into());
    };
    net.attach(first).await?;
    // Namespaces are made before and removed after, as they are for the reference: their end keeps the kernel busy.
    let mut tasks = Vec::new();
    for eni in enis {
        let name = eni.interface_id.to_string();
        let netns = net.make_task_namespace(&name).await?;
        tasks.push((name, netns, eni));
    }
    let mut lines = std::io::stdin().lock().lines();
    for (name, netns, eni) in tasks {
        let Some(line) = lines.next() else { break };
        line?;
        let answer = round(net, &name, netns, eni).await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{} {} {}", answer[0], answer[1], answer[2])?;
        out.flush()?;
    }
    Ok(())
}

/// Until the task has its network; until nothing of it passes and everything can be given to another; until the
/// kernel has deleted its devices too.
async fn round(net: &Network, name: &str, netns: PathBuf, eni: &Eni) -> Result<[u128; 3], Failure> {
    let task = TaskNet {
        container: name.to_owned(),
        netns,
        eni: eni.clone(),
        block_instance_metadata: true,
        mtu: None,
    };
    let begun = Instant::now();
    net.attach(eni).await?;
    net.connect(&task).await?;
    let added = begun.elapsed();
    let begun = Instant::now();
    net.disconnect(&task).await?;
    net.detach(&eni.interface_id).await?;
    let cut = begun.elapsed();
    net.settled().await?;
    Ok([added, cut, begun.elapsed()].map(|time| time.as_micros()))
}

fn eni(vpc: &VpcId, n: u8) -> Result<Eni, roadstead_net::Error> {
    Ok(Eni {
        interface_id: InterfaceId::parse(&format!("eni-{n:017x}"))?,
        vpc_id: vpc.clone(),
        mac: MacAddr([2, 0, 0, 0, 0, n]),
        ips: vec![Ipv4Addr::new(172, 31, 1, n)],
        prefix: 20,
        gateway: Ipv4Addr::new(172, 31, 0, 1),
        ipv6: None,
    })
}

/// One group with a rule or two, as a service's tasks wear it. From JSON, as it comes over the agent channel.
fn map(vpc: &VpcId, enis: &[Eni]) -> Result<VpcMap, Failure> {
    let interfaces: Vec<_> = enis
        .iter()
        .map(|eni| {
            serde_json::json!({
                "interfaceId": eni.interface_id.to_string(), "mac": eni.mac.to_string(), "privateIps": eni.ips,
                "ipv6Addresses": [], "subnetId": "subnet-1", "groups": ["sg-1"], "instanceId": null,
                "sourceDestCheck": true
            })
        })
        .collect();
    let anywhere = serde_json::json!({ "cidr": "0.0.0.0/0" });
    Ok(serde_json::from_value(serde_json::json!({
        "vpcId": vpc.to_string(), "generation": 1, "region": "us-east-1", "cidrs": ["172.31.0.0/16"],
        "subnets": [{"subnetId": "subnet-1", "cidr": "172.31.0.0/20", "ipv6Cidr": null, "availabilityZone": "us-east-1a"}],
        "interfaces": interfaces,
        "groups": [{
            "groupId": "sg-1",
            "ingress": [{"protocol": {"tcp": {"from": 80, "to": 80}}, "peer": anywhere}],
            "egress": [{"protocol": "all", "peer": anywhere}]
        }]
    }))?)
}
