//! `kill -9` in the middle of anything: the next start, or the runtime's DEL, leaves nothing of it, and nothing of
//! anyone else is touched. The moments are spread over a whole round, many times, so each step is met.

use std::process::{Command, Stdio};
use std::time::Duration;

use roadstead_net::Keep;
use roadstead_net::netns;
use serde_json::{Value, json};

use crate::cnitool::Runtime;
use crate::support::*;

const ROUNDS: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_at_any_step_leaves_nothing_to_the_next() {
    let mut m = Machine::new().await;
    // Strangers: another instance with a task, and a device that looks like nobody's.
    let other = Machine::beside(&m).await;
    let theirs = eni(&vpc(1), 200);
    let task = other.start(&theirs, "theirs").await;
    ip(&m.host, "link add rs-stranger type veth peer name rsstranger");
    let strangers = (ip(&m.host, "-o link"), ip(&task.ns, "-4 -o addr"), other.traces());
    m.close().await;
    let mut met = std::collections::BTreeSet::new();
    for round in 0..ROUNDS {
        let mut daemon = Command::new(binary())
            .args(["churn", m.id.as_str()])
            .arg(m.state.path())
            .arg(netns::path_of(&m.host))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // What it is at that moment is the machine's affair: from its start to some rounds on.
        tokio::time::sleep(Duration::from_micros(5_000 + 2_700 * round)).await;
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        met.insert(m.traces().len());
        m.open().await;
        m.net().reap(Keep::default()).await.unwrap();
        m.net().settled().await.unwrap();
        assert_eq!(m.traces(), [m.id.agent_namespace()], "round {round}");
        let agent = ip(&m.id.agent_namespace(), "-o link show master ecs-bridge");
        assert_eq!(agent, "", "round {round}");
        assert_eq!(
            forwarders(&format!("{}-b", m.id)),
            Vec::<i32>::new(),
            "round {round}"
        );
        m.close().await;
    }
    assert!(met.len() > 2, "different moments were met: {met:?}");
    let after = (ip(&m.host, "-o link"), ip(&task.ns, "-4 -o addr"), other.traces());
    assert_eq!(after, strangers);
    m.open().await;
    m.net().teardown().await.unwrap();
    assert_eq!(m.traces(), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(m.state.path()).unwrap().count(), 0);
}

#[test]
fn a_plugin_killed_at_any_step_is_cleaned_up_by_del_and_add_works_again() {
    const MAC: &str = "02:00:00:00:00:0a";
    let eni = json!({"cniVersion": "1.0.0", "name": "n", "type": "ecs-eni", "mac": MAC, "ip-addresses": ["10.0.0.10/24"],
        "gateway-ip-addresses": ["10.0.0.1"], "block-instance-metadata": true, "mtu": 1400});
    let bridge = json!({"cniVersion": "1.0.0", "name": "n", "type": "ecs-bridge", "bridge": "ecs-bridge",
        "ipam": {"type": "ecs-ipam", "id": MAC, "ipv4-subnet": "169.254.172.0/22"}});
    for (conf, ifname) in [(eni, "eth0"), (bridge, "ecs-eth0")] {
        let mut r = Runtime::new();
        r.plug_in(MAC);
        ip(&r.node, "link add rs-stranger type veth peer name rsstranger");
        let list = json!({"cniVersion": "1.0.0", "name": "n", "plugins": [conf]});
        for round in 0..ROUNDS {
            let command = if round % 3 == 2 { "DEL" } else { "ADD" };
            if command == "DEL" {
                r.add(&list, ("c", ifname), &Value::Null).unwrap();
            }
            r.exec_and_kill(&conf, command, ("c", ifname), Duration::from_micros(300 * round));
            r.del(&list, ("c", ifname), &Value::Null).unwrap();
            assert_eq!(ip(&r.task, "-br link").lines().count(), 1, "{command} {round}");
            let node = ip(&r.node, "-br link");
            assert!(
                node.contains(MAC) && node.contains("rs-stranger"),
                "{command} {round}: {node}"
            );
            assert!(!node.contains("rsb"), "{command} {round}: {node}");
        }
        r.add(&list, ("c", ifname), &Value::Null).unwrap();
        r.check(&list, ("c", ifname), &Value::Null).unwrap();
        if ifname == "ecs-eth0" {
            let pins = inside(&r.node, || {
                Command::new("nft")
                    .args(["list", "table", "bridge", "roadstead"])
                    .output()
                    .unwrap()
            });
            let pins = String::from_utf8(pins.stdout).unwrap();
            assert_eq!(
                pins.matches("\"rsb").count() - pins.matches("\"rsb*\"").count(),
                1,
                "{pins}"
            );
        }
    }
}
