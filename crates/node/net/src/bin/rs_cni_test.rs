//! The plugins as executables, for tests and benchmarks: link or copy it to `ecs-eni`, `ecs-bridge` or
//! `ecs-ipam` and start it as a container runtime would. It also forwards published ports for the tests, and
//! plays the daemon that is killed.

use std::path::PathBuf;

use roadstead_net::{
    BridgeNet, Eni, InstanceId, InterfaceId, MacAddr, Network, Options, PublishPort, TaskNet, Transport,
    VpcId,
};

fn main() {
    roadstead_net::forward_main_if_asked();
    roadstead_net::cni_main_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, instance, state, node] = arguments.as_slice() else {
        return usage();
    };
    if command != "churn" {
        return usage();
    }
    let ended = churn(instance, state.into(), node.into());
    eprintln!("ended by itself: {ended:?}");
    std::process::exit(1);
}

fn usage() {
    eprintln!("start this under the name of a plugin: ecs-eni, ecs-bridge or ecs-ipam");
    std::process::exit(2);
}

/// Makes and removes the network of tasks until it is killed.
#[tokio::main]
async fn churn(instance: &str, state_dir: PathBuf, node: PathBuf) -> Result<(), roadstead_net::Error> {
    let options = Options {
        instance: InstanceId::parse(instance)?,
        state_dir,
        node_namespace: Some(node),
        on_node: std::process::id().is_multiple_of(2),
        helper: None,
    };
    let net = Network::open(options).await?;
    let vpc_id = VpcId::parse("vpc-00000000000000001")?;
    for round in 0u8.. {
        let eni = Eni {
            interface_id: InterfaceId::parse(&format!("eni-{round:017x}"))?,
            vpc_id: vpc_id.clone(),
            mac: MacAddr([2, 1, 0, 0, 0, round]),
            ips: vec![[172, 31, 1, round].into()],
            prefix: 20,
            gateway: [172, 31, 0, 1].into(),
            ipv6: None,
        };
        let task = TaskNet {
            container: format!("t{round}"),
            netns: net.make_task_namespace(&format!("t{round}")).await?,
            eni: eni.clone(),
            block_instance_metadata: true,
            mtu: None,
        };
        net.attach(&eni).await?;
        net.connect(&task).await?;
        let container = format!("{instance}-b{round}");
        let bridged = BridgeNet {
            netns: net.make_task_namespace(&container).await?,
            container,
            ports: vec![PublishPort {
                container_port: 80,
                count: 1,
                host_port: None,
                transport: Transport::Tcp,
            }],
        };
        net.connect_bridge(&bridged).await?;
        net.disconnect(&task).await?;
        net.detach(&eni.interface_id).await?;
        net.disconnect_bridge(&bridged.container).await?;
        for name in [&task.container, &bridged.container] {
            net.remove_task_namespace(name).await?;
        }
    }
    Ok(())
}
