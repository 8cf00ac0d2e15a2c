//! The private link: a task and the agent, and no one else.

use std::net::{IpAddr, Ipv4Addr};

use roadstead_acs::network::Protocol;
use roadstead_net::AGENT_ADDRESS;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_knows_a_task_by_its_address_and_tasks_do_not_see_each_other() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    let agent = m
        .net()
        .listen_in_agent_ns((AGENT_ADDRESS, 80).into())
        .await
        .unwrap();
    answer_on(agent);
    let other = m
        .net()
        .listen_in_agent_ns((Ipv4Addr::UNSPECIFIED, 81).into())
        .await
        .unwrap();
    answer_on(other);
    let (link_a, link_b) = (ta.connected.bridge_address, tb.connected.bridge_address);
    assert_ne!(link_a, link_b);
    assert_eq!(
        call(&ta.ns, AGENT_ADDRESS.into(), 80).unwrap(),
        link_a.to_string()
    );
    assert_eq!(
        call(&tb.ns, AGENT_ADDRESS.into(), 80).unwrap(),
        link_b.to_string()
    );
    assert!(reaches(&ta.ns, AGENT_ADDRESS, 81));
    assert!(
        blocked(&ta.ns, Ipv4Addr::new(169, 254, 172, 1), 81),
        "the bridge's own address serves nothing"
    );

    serve(&tb.ns, 80);
    // Even with a route that the task made itself.
    ip(&ta.ns, "route add 169.254.172.0/22 dev ecs-eth0");
    assert!(blocked(&ta.ns, link_b, 80));
    let mac = ip(&tb.ns, "-br link show ecs-eth0")
        .split_whitespace()
        .nth(2)
        .unwrap()
        .to_owned();
    ip(
        &ta.ns,
        &format!("neigh replace {link_b} lladdr {mac} dev ecs-eth0 nud permanent"),
    );
    assert!(blocked(&ta.ns, link_b, 80), "nor when it knows the other's MAC");
    ip(
        &ta.ns,
        "route replace 172.31.0.11/32 via 169.254.172.1 dev ecs-eth0 onlink",
    );
    assert!(
        blocked(&ta.ns, address(11), 80),
        "nor through the agent's namespace"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_task_can_pass_for_another_at_the_agent() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    answer_on(
        m.net()
            .listen_in_agent_ns((AGENT_ADDRESS, 80).into())
            .await
            .unwrap(),
    );
    let victim = tb.connected.bridge_address;
    ip(&ta.ns, &format!("addr add {victim}/32 dev ecs-eth0"));
    let forged = |ns: &str| {
        inside(ns, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let socket = tokio::net::TcpSocket::new_v4().unwrap();
                socket.bind((victim, 0).into()).unwrap();
                tokio::time::timeout(PATIENCE, socket.connect((AGENT_ADDRESS, 80).into())).await
            })
        })
    };
    assert!(!matches!(forged(&ta.ns), Ok(Ok(_))), "the address of another");
    let mac = ip(&tb.ns, "-br link show ecs-eth0")
        .split_whitespace()
        .nth(2)
        .unwrap()
        .to_owned();
    ip(&ta.ns, &format!("link set ecs-eth0 address {mac}"));
    assert!(
        !matches!(forged(&ta.ns), Ok(Ok(_))),
        "the address and MAC of another"
    );
    assert_eq!(
        call(&tb.ns, AGENT_ADDRESS.into(), 80).unwrap(),
        victim.to_string(),
        "who is not disturbed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_routes_inside_a_task_are_the_documented_ones() {
    let m = Machine::new().await;
    let ta = m.start(&eni(&vpc(1), 10), "a").await;
    let routes = ip(&ta.ns, "route");
    for expected in [
        "default via 172.31.0.1 dev eth0",
        "172.31.0.0/20 dev eth0",
        "blackhole 169.254.169.254",
        "169.254.170.2 via 169.254.172.1 dev ecs-eth0",
        "169.254.172.1 via 169.254.172.1 dev ecs-eth0",
    ] {
        assert!(routes.contains(expected), "{expected} in\n{routes}");
    }
    assert!(!routes.contains("169.254.172.0/22"), "{routes}");
    let ips: Vec<IpAddr> = ta.connected.eni.ips.iter().map(|ip| ip.address.addr()).collect();
    assert_eq!(ips, [IpAddr::from(address(10))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_port_is_reached_by_name_of_the_agents_address_only() {
    let m = Machine::new().await;
    let v = vpc(1);
    let a = eni(&v, 10);
    let map = MapOf::new(&v, 1)
        .wears(&a, &["sg-a"])
        .group("sg-a", &[anywhere(Protocol::All)]);
    m.net().apply(&map.0).await.unwrap();
    let ta = m.start(&a, "a").await;
    answer_on(
        m.net()
            .listen_in_agent_ns((AGENT_ADDRESS, 4566).into())
            .await
            .unwrap(),
    );
    assert!(reaches(&ta.ns, AGENT_ADDRESS, 4566));
    assert!(
        call_briefly(&m.host, AGENT_ADDRESS.into(), 4566).is_err(),
        "not from the host"
    );
    assert!(
        m.net()
            .listen_in_agent_ns((AGENT_ADDRESS, 4566).into())
            .await
            .is_err(),
        "taken"
    );
}
