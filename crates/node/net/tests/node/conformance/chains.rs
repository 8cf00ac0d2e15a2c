//! The plugins in chains with the reference plugins, and beside them.

use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn reference_versions() -> impl Iterator<Item = &'static str> {
    // What Debian's plugins speak.
    VERSIONS.into_iter().filter(|version| *version != "1.1.0")
}

#[test]
fn after_and_before_loopback_the_results_are_one() {
    for version in reference_versions() {
        for plugins in [
            [json!({"type": "loopback"}), eni()],
            [eni(), json!({"type": "loopback"})],
        ] {
            let mut r = Runtime::new();
            r.plug_in(MAC);
            let first = plugins[0]["type"].as_str().unwrap().to_owned();
            let list = list(version, &plugins);
            let whom = ("c", "eth0");
            let result = r.add(&list, whom, &NOTHING).unwrap();
            check_result(version, &result);
            let names: Vec<&str> = result["interfaces"]
                .as_array()
                .unwrap()
                .iter()
                .map(|i| i["name"].as_str().unwrap())
                .collect();
            assert!(names.contains(&"eth0"), "{version} {first}: {result}");
            // The address is still the interface's, wherever that is in the list by now.
            let ips = result["ips"].as_array().unwrap();
            let own = ips.iter().find(|i| i["address"] == "10.0.0.10/24").unwrap();
            assert_eq!(
                names[own["interface"].as_u64().unwrap() as usize],
                "eth0",
                "{result}"
            );
            if version >= "0.4.0" && first == "loopback" {
                r.check(&list, whom, &NOTHING).unwrap();
            }
            r.del(&list, whom, &NOTHING).unwrap();
            r.del(&list, whom, &NOTHING).unwrap();
        }
    }
}

#[test]
fn tuning_bandwidth_firewall_and_portmap_come_after() {
    let chains = [
        vec![json!({"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}})],
        vec![json!({"type": "tuning", "mtu": 1300})],
        vec![json!({"type": "firewall", "backend": "iptables"})],
        vec![json!({"type": "portmap", "capabilities": {"portMappings": true}, "snat": false})],
        vec![
            json!({"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}}),
            json!({"type": "firewall", "backend": "iptables"}),
            json!({"type": "portmap", "capabilities": {"portMappings": true}, "snat": false}),
        ],
    ];
    let arguments = json!({"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]});
    for (plugin, ifname) in [(eni(), "eth0"), (bridge(), "ecs-eth0")] {
        for version in ["0.4.0", "1.0.0"] {
            for chain in &chains {
                let mut r = Runtime::new();
                r.plug_in(MAC);
                let mut plugins = vec![plugin.clone()];
                plugins.extend(chain.iter().cloned().map(|conf| r.with_data(conf)));
                let mut list = list(version, &plugins);
                // This release's portmap looks for chains of IPv6 whatever addresses there are.
                list["disableCheck"] = plugins.iter().any(|conf| conf["type"] == "portmap").into();
                let whom = ("c", ifname);
                let what = format!("{version} {chain:?}");
                let result = r
                    .add(&list, whom, &arguments)
                    .unwrap_or_else(|e| panic!("{what}: {e:?}"));
                check_result(version, &result);
                if chain[0].get("mtu").is_some() {
                    assert!(ip(&r.task, &format!("link show {ifname}")).contains("mtu 1300"));
                }
                r.check(&list, whom, &arguments)
                    .unwrap_or_else(|e| panic!("{what}: {e:?}"));
                for _ in 0..2 {
                    r.del(&list, whom, &arguments)
                        .unwrap_or_else(|e| panic!("{what}: {e:?}"));
                }
                assert!(!ip(&r.task, "-br link").contains(ifname), "{what}");
            }
        }
    }
}

#[test]
fn a_mac_that_tuning_gave_is_the_chains_answer() {
    let mut r = Runtime::new();
    r.plug_in(MAC);
    let tuning = r.with_data(json!({"type": "tuning", "mac": "02:00:00:00:00:77"}));
    let list = list("1.0.0", &[eni(), tuning]);
    let whom = ("c", "eth0");
    let result = r.add(&list, whom, &NOTHING).unwrap();
    assert_eq!(result["interfaces"][0]["mac"], "02:00:00:00:00:77");
    r.check(&list, whom, &NOTHING).unwrap();
    // tuning's DEL restores it first, so the device is found and goes back to the node.
    r.del(&list, whom, &NOTHING).unwrap();
    assert!(ip(&r.node, "-br link").contains(MAC));
}

#[test]
fn a_chain_that_fails_in_the_middle_is_undone() {
    for (plugin, ifname) in [(eni(), "eth0"), (bridge(), "ecs-eth0")] {
        let mut r = Runtime::new();
        r.plug_in(MAC);
        let broken = json!({"type": "tuning", "sysctl": {"net.no.such.thing": "1"}});
        let refused = r
            .add(&list("1.0.0", &[plugin, broken]), ("c", ifname), &NOTHING)
            .unwrap_err();
        assert_eq!(refused.plugin, "tuning");
        assert_eq!(ip(&r.task, "-br link").lines().count(), 1, "only its loopback");
        assert!(ip(&r.node, "-br link").contains(MAC));
    }
}

#[test]
fn beside_the_reference_bridge_with_either_allocator() {
    for version in reference_versions() {
        let mut r = Runtime::new();
        r.plug_in(MAC);
        let state = r.directory.path().join("host-local");
        let reference = json!({"type": "bridge", "bridge": "rs-ref", "isGateway": true,
            "ipam": {"type": "host-local", "subnet": "10.88.0.0/16", "dataDir": state}});
        let first = list(version, std::slice::from_ref(&reference));
        let mut ours = list(version, &[eni()]);
        ours["name"] = "net-2".into();
        let mut link = list(version, &[bridge()]);
        link["name"] = "net-3".into();
        r.add(&first, ("c", "net1"), &NOTHING).unwrap();
        r.add(&ours, ("c", "eth0"), &NOTHING).unwrap();
        r.add(&link, ("c", "ecs-eth0"), &NOTHING).unwrap();
        let links = ip(&r.task, "-br link");
        assert_eq!(links.lines().count(), 4, "{links}");
        r.del(&link, ("c", "ecs-eth0"), &NOTHING).unwrap();
        r.del(&ours, ("c", "eth0"), &NOTHING).unwrap();
        assert!(ip(&r.task, "-br link").contains("net1"));
        r.del(&first, ("c", "net1"), &NOTHING).unwrap();
        // The name is taken: refused, and what has it is left alone.
        r.add(&first, ("c", "eth0"), &NOTHING).unwrap();
        assert_eq!(r.add(&ours, ("d", "eth0"), &NOTHING).unwrap_err().code, 103);
        assert!(ip(&r.task, "-br link").contains("eth0"));
        assert!(ip(&r.node, "-br link").contains(MAC));
    }
    // The reference plugin with our allocator.
    let mut r = Runtime::new();
    let mut delegating = json!({"type": "bridge", "bridge": "rs-ref", "ipam": bridge()["ipam"]});
    delegating["ipam"]["ipv4-routes"] = json!([]);
    for version in reference_versions() {
        let list = list(version, std::slice::from_ref(&delegating));
        let result = r.add(&list, ("c", "eth0"), &NOTHING).unwrap();
        check_result(version, &result);
        assert!(
            result["ips"][0]["address"]
                .as_str()
                .unwrap()
                .starts_with("169.254.172.")
        );
        if version >= "0.4.0" {
            r.check(&list, ("c", "eth0"), &NOTHING).unwrap();
        }
        r.del(&list, ("c", "eth0"), &NOTHING).unwrap();
    }
    let leases = std::fs::read(r.directory.path().join("leases.json")).unwrap();
    let leases: Value = serde_json::from_slice(&leases).unwrap();
    assert_eq!(leases["owners"], json!({}));
    assert!(Path::new(REFERENCE).join("bridge").exists());
}
