//! Nothing is left, nothing is lost, nothing of another is touched.

use std::collections::BTreeSet;

use roadstead_acs::network::Protocol;
use roadstead_net::{Error, Keep};

use crate::support::*;

fn open_map(enis: &[&roadstead_net::Eni]) -> roadstead_acs::network::VpcMap {
    let all = MapOf::new(&enis[0].vpc_id, 1).group("sg-a", &[anywhere(Protocol::All)]);
    enis.iter().fold(all, |map, eni| map.wears(eni, &["sg-a"])).0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_device_shows_up_moves_into_the_task_and_comes_back() {
    let m = Machine::with_devices_on_the_node().await;
    let a = eni(&vpc(1), 10);
    m.net().attach(&a).await.unwrap();
    m.net().attach(&a).await.unwrap();
    let device = |ns: &str| {
        ip(ns, "-o link")
            .lines()
            .filter(|l| l.contains(&a.mac.to_string()))
            .count()
    };
    assert_eq!(device(&m.host), 1);
    let task = m.task(&a, "a").await;
    let first = m.net().connect(&task).await.unwrap();
    let again = m.net().connect(&task).await.unwrap();
    assert_eq!(first.bridge_address, again.bridge_address);
    let ns = m.id.task_namespace("a");
    assert_eq!((device(&m.host), device(&ns)), (0, 1));
    for _ in 0..2 {
        m.net().disconnect(&task).await.unwrap();
        assert_eq!((device(&m.host), device(&ns)), (1, 0));
        assert_eq!(ip(&ns, "-br link").lines().count(), 1);
    }
    for _ in 0..2 {
        m.net().detach(&a.interface_id).await.unwrap();
        assert_eq!(device(&m.host), 0);
    }
    assert!(matches!(
        m.net().connect(&task).await,
        Err(Error::Cni {
            plugin: "ecs-eni",
            ..
        })
    ));
    m.net().remove_task_namespace("a").await.unwrap();
    assert_eq!(m.traces(), [m.id.agent_namespace()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_device_is_made_in_the_task_and_is_cut_off_before_it_is_deleted() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    m.net().apply(&open_map(&[&a, &b])).await.unwrap();
    let tb = m.start(&b, "b").await;
    serve(&tb.ns, 80);
    let host = ip(&m.host, "-o link");
    for round in 0..10 {
        // The same interface into the same task and another, without waiting for the devices of before.
        let task = m.task(&a, if round % 3 == 2 { "x" } else { "a" }).await;
        let ns = m.id.task_namespace(&task.container);
        m.net().attach(&a).await.unwrap();
        let first = m.net().connect(&task).await.unwrap();
        let again = m.net().connect(&task).await.unwrap();
        assert_eq!(first.bridge_address, again.bridge_address);
        assert_eq!(ip(&m.host, "-o link"), host, "nothing shows up on the node");
        assert!(reaches(&ns, address(11), 80), "round {round}");
        let established = inside(&ns, || udp(&ns, (address(10), 4000)));
        let listener = inside(&tb.ns, || udp(&tb.ns, (address(11), 5000)));
        established.send_to(b"before", (address(11), 5000)).unwrap();
        assert_eq!(heard(&listener).0, "before");
        for _ in 0..2 {
            m.net().disconnect(&task).await.unwrap();
        }
        let _ = established.send_to(b"after", (address(11), 5000));
        listener.set_nonblocking(true).unwrap();
        assert!(
            listener.recv_from(&mut [0; 16]).is_err(),
            "nothing passes when the call returns"
        );
        if round % 2 == 1 {
            m.net().detach(&a.interface_id).await.unwrap();
        }
    }
    until("the devices' end", || {
        ["a", "x"]
            .iter()
            .all(|t| ip(&m.id.task_namespace(t), "-o link").lines().count() == 1)
    })
    .await;
    let agent = ip(&m.id.agent_namespace(), "-o link show master ecs-bridge");
    assert_eq!(agent.lines().count(), 1, "only b's link: {agent}");
}

/// Ends with the same index are taken for one device by the kernel, which then notices their carrier late.
#[tokio::test(flavor = "multi_thread")]
async fn the_ends_of_a_veth_have_different_indexes() {
    let m = Machine::new().await;
    let ta = m.start(&eni(&vpc(1), 10), "a").await;
    let mut ends = 0;
    for line in ip(&ta.ns, "-o link").lines().filter(|line| line.contains("@if")) {
        let (index, rest) = line.split_once(": ").unwrap();
        let peer = rest.split_once("@if").unwrap().1.split(':').next().unwrap();
        assert_ne!(index, peer, "{line}");
        ends += 1;
    }
    assert_eq!(ends, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_gone_is_no_obstacle() {
    let m = Machine::new().await;
    let a = eni(&vpc(1), 10);
    let ta = m.start(&a, "a").await;
    let given = ta.connected.bridge_address;
    m.net().remove_task_namespace("a").await.unwrap();
    m.net().disconnect(&ta.net).await.unwrap();
    m.net().disconnect(&ta.net).await.unwrap();
    m.net().detach(&a.interface_id).await.unwrap();
    assert!(!ip(&m.id.agent_namespace(), "neigh").contains(&given.to_string()));
    assert_eq!(m.traces(), [m.id.agent_namespace()]);
    let again = m.start(&a, "b").await;
    assert_ne!(
        again.connected.bridge_address, given,
        "an address comes back as late as possible"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_finds_everything_and_traffic_never_stopped() {
    let mut m = Machine::new().await;
    let v = vpc(1);
    let (a, b, c) = (eni(&v, 10), eni(&v, 11), eni(&v, 12));
    m.net().apply(&open_map(&[&a, &b, &c])).await.unwrap();
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    serve(&tb.ns, 80);
    m.reopen().await;
    assert!(
        reaches(&ta.ns, address(11), 80),
        "without the map being sent again"
    );
    assert_eq!(m.net().attached().await.unwrap(), [a.clone(), b.clone()]);
    let older = roadstead_acs::network::VpcMap {
        generation: 0,
        ..open_map(&[&a])
    };
    assert!(matches!(
        m.net().apply(&older).await,
        Err(Error::Stale { held: 1, .. })
    ));
    let tc = m.start(&c, "c").await;
    assert!(reaches(&tc.ns, address(11), 80));
    assert_eq!(
        m.net().connect(&ta.net).await.unwrap().bridge_address,
        ta.connected.bridge_address
    );
    m.net().disconnect(&ta.net).await.unwrap();
    m.net().detach(&a.interface_id).await.unwrap();
    assert!(reaches(&tc.ns, address(11), 80));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_is_removed_and_what_is_kept_stays() {
    let mut m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    answer_on(
        m.net()
            .listen_in_agent_ns((roadstead_net::AGENT_ADDRESS, 80).into())
            .await
            .unwrap(),
    );
    // Between the record and the device; a device without a record; a stray on the node; a namespace's
    // file without a namespace; a task that vanished with its namespace.
    let router = m.id.router_namespace(&v);
    let stray = format!("{}ezzzzz", m.id.device_prefix());
    ip(
        &router,
        &format!("link add {stray} type veth peer name {stray} netns {}", m.host),
    );
    let record = m
        .state
        .path()
        .join("interfaces")
        .join("eni-00000000000000bad.json");
    let ghost = roadstead_net::Eni {
        interface_id: roadstead_net::InterfaceId::parse("eni-00000000000000bad").unwrap(),
        ..eni(&v, 13)
    };
    std::fs::write(&record, serde_json::to_vec(&ghost).unwrap()).unwrap();
    std::fs::write(
        m.state.path().join("interfaces").join("eni-half.json"),
        "{\"interf",
    )
    .unwrap();
    let husk = format!("/run/netns/rs-{}-vpc-000000000000000ff", m.id);
    std::fs::write(&husk, "").unwrap();
    m.reopen().await;
    assert_eq!(
        m.net().attached().await.unwrap().len(),
        3,
        "an interface without a device is attached and in no task"
    );
    assert!(!ip(&m.host, "-br link").contains(&stray));

    m.net().remove_task_namespace("b").await.unwrap();
    let keep = Keep {
        interfaces: BTreeSet::from([a.interface_id.clone()]),
        tasks: BTreeSet::from(["a".to_owned()]),
    };
    let reaped = m.net().reap(keep).await.unwrap();
    let reaped: BTreeSet<_> = reaped.interfaces.into_iter().collect();
    assert_eq!(
        reaped,
        BTreeSet::from([b.interface_id.clone(), ghost.interface_id])
    );
    assert!(!record.exists());
    assert_eq!(m.net().attached().await.unwrap(), std::slice::from_ref(&a));
    let agent = m.id.agent_namespace();
    assert!(!ip(&agent, "neigh").contains(&tb.connected.bridge_address.to_string()));
    assert!(
        reaches(&ta.ns, roadstead_net::AGENT_ADDRESS, 80),
        "the kept one keeps its link"
    );
    let reaped = m.net().reap(Keep::default()).await.unwrap();
    assert_eq!(reaped.namespaces, [m.id.task_namespace("a")]);
    m.net().teardown().await.unwrap();
    assert_eq!(m.traces(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn teardown_leaves_nothing_and_does_not_touch_the_neighbour() {
    let first = Machine::new().await;
    let second = Machine::beside(&first).await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    for m in [&first, &second] {
        m.net().apply(&open_map(&[&a, &b])).await.unwrap();
    }
    // The same ids, MACs and addresses in another instance, both devices on the node at once.
    first.net().attach(&a).await.unwrap();
    second.net().attach(&a).await.unwrap();
    let mine = first.start(&a, "a").await;
    let (theirs, other) = (second.start(&a, "a").await, second.start(&b, "b").await);
    serve(&other.ns, 80);
    assert!(reaches(&theirs.ns, address(11), 80));
    assert!(
        blocked(&mine.ns, address(11), 80),
        "there is no such task in this instance"
    );
    let host_before: Vec<String> = traces(&second.id, &second.host);
    for _ in 0..2 {
        first.net().teardown().await.unwrap();
    }
    assert_eq!(first.traces(), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(first.state.path()).unwrap().count(), 0);
    assert_eq!(traces(&second.id, &second.host), host_before);
    assert!(reaches(&theirs.ns, address(11), 80));
    assert!(matches!(
        first.net().connect(&mine.net).await,
        Err(Error::Kernel { .. } | Error::Invalid(_))
    ));
    second.net().teardown().await.unwrap();
    assert_eq!(second.traces(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_contradicts_itself_is_refused() {
    let m = Machine::new().await;
    let good = eni(&vpc(1), 10);
    for bad in [
        roadstead_net::Eni {
            ips: vec![],
            ..good.clone()
        },
        roadstead_net::Eni {
            prefix: 31,
            ..good.clone()
        },
        roadstead_net::Eni {
            ips: vec!["10.0.0.1".parse().unwrap()],
            ..good.clone()
        },
        roadstead_net::Eni {
            ips: vec![good.gateway],
            ..good.clone()
        },
    ] {
        assert!(
            matches!(m.net().attach(&bad).await, Err(Error::Invalid(_))),
            "{bad:?}"
        );
    }
    m.net().attach(&good).await.unwrap();
    let moved = roadstead_net::Eni {
        vpc_id: vpc(2),
        ..good
    };
    assert!(matches!(m.net().attach(&moved).await, Err(Error::Invalid(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_interfaces_on_one_node() {
    let m = Machine::new().await;
    let v = vpc(1);
    let enis: Vec<_> = (10..210).map(|n| eni(&v, n)).collect();
    let all = enis.iter().collect::<Vec<_>>();
    m.net().apply(&open_map(&all)).await.unwrap();
    let mut tasks = Vec::new();
    for some in enis.chunks(20) {
        let m = &m;
        let started = some
            .iter()
            .map(|eni| async move { m.start(eni, eni.interface_id.as_str()).await });
        tasks.extend(futures_util::future::join_all(started).await);
    }
    let links: BTreeSet<_> = tasks.iter().map(|t| t.connected.bridge_address).collect();
    assert_eq!(links.len(), 200);
    assert_eq!(m.net().attached().await.unwrap().len(), 200);
    serve(&tasks[199].ns, 80);
    for from in [0, 57, 198] {
        assert!(reaches(&tasks[from].ns, address(209), 80));
    }
    for some in tasks.chunks(20) {
        let stopped = some.iter().map(|task| async {
            m.net().disconnect(&task.net).await.unwrap();
            m.net().detach(&task.net.eni.interface_id).await.unwrap();
            m.net().remove_task_namespace(&task.net.container).await.unwrap();
        });
        futures_util::future::join_all(stopped).await;
    }
    m.net().settled().await.unwrap();
    assert_eq!(m.traces(), [m.id.agent_namespace()]);
    let agent = m.id.agent_namespace();
    assert_eq!(ip(&agent, "-o link show master ecs-bridge"), "");
    assert_eq!(ip(&agent, "neigh show dev ecs-bridge"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_start_at_once() {
    let m = Machine::new().await;
    let v = vpc(1);
    let enis: Vec<_> = (10..30).map(|n| eni(&v, n)).collect();
    m.net()
        .apply(&open_map(&enis.iter().collect::<Vec<_>>()))
        .await
        .unwrap();
    let started = enis.iter().enumerate().map(|(n, eni)| {
        let m = &m;
        async move { m.start(eni, &format!("t{n}")).await }
    });
    let tasks = futures_util::future::join_all(started).await;
    let links: BTreeSet<_> = tasks.iter().map(|t| t.connected.bridge_address).collect();
    assert_eq!(links.len(), tasks.len());
    serve(&tasks[19].ns, 80);
    assert!(reaches(&tasks[0].ns, address(29), 80));
    m.net().teardown().await.unwrap();
    assert_eq!(m.traces(), Vec::<String>::new());
}
