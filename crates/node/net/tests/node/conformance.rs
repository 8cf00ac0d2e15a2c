//! The plugins against the CNI specification, 0.3.0 to 1.1.0.

mod chains;

use serde_json::{Value, json};

use crate::cnitool::*;
use crate::support::*;

const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
const PLUGINS: [&str; 3] = ["ecs-eni", "ecs-bridge", "ecs-ipam"];
const NOTHING: Value = Value::Null;
const MAC: &str = "02:00:00:00:00:0a";

fn list(version: &str, plugins: &[Value]) -> Value {
    json!({"cniVersion": version, "name": "net-1", "plugins": plugins})
}

fn eni() -> Value {
    json!({"type": "ecs-eni", "eni": "eni-1", "mac": MAC, "ip-addresses": ["10.0.0.10/24"],
        "gateway-ip-addresses": ["10.0.0.1"], "block-instance-metadata": true})
}

fn bridge() -> Value {
    json!({"type": "ecs-bridge", "bridge": "ecs-bridge",
        "ipam": {"type": "ecs-ipam", "id": MAC, "ipv4-subnet": "169.254.172.0/22",
            "ipv4-routes": [{"dst": "169.254.170.2/32"}]}})
}

fn ipam() -> Value {
    json!({"type": "ecs-ipam", "ipam": bridge()["ipam"]})
}

/// The configuration of one plugin, as it reaches its standard input.
fn alone(version: &str, plugin: &Value) -> Value {
    let mut conf = plugin.clone();
    conf["cniVersion"] = version.into();
    conf["name"] = "net-1".into();
    conf
}

fn of(plugin: &str) -> Value {
    match plugin {
        "ecs-eni" => eni(),
        "ecs-bridge" => bridge(),
        _ => ipam(),
    }
}

/// A result has the shape of its version.
fn check_result(version: &str, result: &Value) {
    assert_eq!(result["cniVersion"], version);
    let interfaces = result["interfaces"].as_array().map_or(0, Vec::len);
    for ip in result["ips"].as_array().unwrap() {
        assert_eq!(ip.get("version").is_some(), version.starts_with("0."), "{ip}");
        assert!(
            ip["address"].as_str().unwrap().parse::<ipnet::IpNet>().is_ok(),
            "{ip}"
        );
        if let Some(index) = ip.get("interface") {
            assert!((index.as_u64().unwrap() as usize) < interfaces, "{result}");
        }
    }
    let known = ["cniVersion", "interfaces", "ips", "routes", "dns"];
    let unknown = result
        .as_object()
        .unwrap()
        .keys()
        .find(|key| !known.contains(&key.as_str()));
    assert_eq!(unknown, None);
}

#[test]
fn a_whole_life_in_every_version() {
    for version in VERSIONS {
        for (plugin, ifname) in [(eni(), "eth0"), (bridge(), "ecs-eth0")] {
            let mut r = Runtime::new();
            r.plug_in(MAC);
            let list = list(version, std::slice::from_ref(&plugin));
            let whom = ("pause-1", ifname);
            let result = r.add(&list, whom, &NOTHING).unwrap();
            check_result(version, &result);
            assert!(ip(&r.task, "-br link").contains(ifname));
            let twice = r.exec_add_again(&list, whom);
            assert_eq!(twice.unwrap_err().code, 103, "ADD twice without DEL");
            match r.check(&list, whom, &NOTHING) {
                Ok(()) => assert!(version >= "0.4.0"),
                Err(refusal) => assert!(version < "0.4.0" && refusal.code == 1, "{refusal:?}"),
            }
            match r.status(&list) {
                Ok(()) => assert_eq!(version, "1.1.0"),
                Err(refusal) => assert!(version < "1.1.0" && refusal.code == 1, "{refusal:?}"),
            }
            if version == "1.1.0" {
                r.gc(&list, &[whom]).unwrap();
                assert!(ip(&r.task, "-br link").contains(ifname), "what is valid stays");
                r.check(&list, whom, &NOTHING).unwrap();
            }
            r.del(&list, whom, &NOTHING).unwrap();
            r.del(&list, whom, &NOTHING).unwrap();
            assert!(!ip(&r.task, "-br link").contains(ifname));
            // Again, and then the namespace goes first.
            r.add(&list, whom, &NOTHING).unwrap();
            roadstead_net::netns::Netns::remove(&r.task).unwrap();
            r.del(&list, whom, &NOTHING).unwrap();
            r.forget();
            r.del(&list, whom, &NOTHING).unwrap();
            let gone = r.add(&list, whom, &NOTHING).unwrap_err();
            assert_eq!((gone.code, gone.version.as_str()), (3, version));
        }
    }
}

#[test]
fn del_needs_neither_a_namespace_nor_a_previous_result() {
    let mut r = Runtime::new();
    r.plug_in(MAC);
    for plugin in [eni(), bridge()] {
        let ifname = if plugin["type"] == "ecs-eni" {
            "eth0"
        } else {
            "ecs-eth0"
        };
        let kind = plugin["type"].as_str().unwrap();
        r.add(
            &list("1.0.0", std::slice::from_ref(&plugin)),
            ("c", ifname),
            &NOTHING,
        )
        .unwrap();
        r.forget();
        let stdin = alone("1.0.0", &plugin).to_string();
        for netns in [
            None,
            Some(""),
            Some("/run/netns/rs-not-there"),
            Some("/proc/0/ns/net"),
        ] {
            let mut environment = vec![
                ("CNI_COMMAND", "DEL"),
                ("CNI_CONTAINERID", "c"),
                ("CNI_IFNAME", ifname),
            ];
            environment.extend(netns.map(|path| ("CNI_NETNS", path)));
            assert_eq!(
                r.exec(kind, &environment, stdin.as_bytes()).unwrap(),
                Value::Null,
                "{kind} {netns:?}"
            );
        }
    }
    // The link goes by either end; the interface by its namespace alone.
    assert!(!ip(&r.task, "-br link").contains("ecs-eth0"));
}

#[test]
fn the_environment_is_checked_and_every_missing_variable_is_named() {
    let r = Runtime::new();
    let all = [
        ("CNI_CONTAINERID", "c"),
        ("CNI_NETNS", "/run/netns/rs-none"),
        ("CNI_IFNAME", "eth0"),
    ];
    for plugin in PLUGINS {
        let stdin = alone("1.1.0", &of(plugin)).to_string();
        let run = |environment: &[(&str, &str)]| r.exec(plugin, environment, stdin.as_bytes());
        let nothing = run(&[]).unwrap_err();
        assert!(
            nothing.code == 4 && nothing.msg.contains("CNI_COMMAND"),
            "{nothing:?}"
        );
        for command in ["ADD", "DEL", "CHECK"] {
            let refused = run(&[("CNI_COMMAND", command)]).unwrap_err();
            assert_eq!(refused.code, 4);
            for (name, _) in all {
                let needed = command != "DEL" || name != "CNI_NETNS";
                assert_eq!(refused.msg.contains(name), needed, "{command}: {}", refused.msg);
            }
        }
        for (name, value) in [
            ("CNI_IFNAME", "a/b"),
            ("CNI_IFNAME", "a b"),
            ("CNI_IFNAME", "a:b"),
            ("CNI_IFNAME", ".."),
            ("CNI_IFNAME", "sixteen-letters-"),
            ("CNI_CONTAINERID", "-c"),
            ("CNI_CONTAINERID", "a/b"),
            ("CNI_COMMAND", "add"),
            ("CNI_COMMAND", "FROB"),
        ] {
            let mut environment = vec![("CNI_COMMAND", "ADD")];
            environment.extend(all);
            environment.retain(|(known, _)| *known != name);
            environment.push((name, value));
            let refused = run(&environment).unwrap_err();
            assert!(
                refused.code == 4 && refused.msg.contains(name),
                "{plugin} {value}: {refused:?}"
            );
        }
        // The node's own namespace is no container's.
        let own = roadstead_net::netns::path_of(&r.node).display().to_string();
        if plugin != "ecs-ipam" {
            let refused = run(&[
                ("CNI_COMMAND", "ADD"),
                ("CNI_CONTAINERID", "c"),
                ("CNI_IFNAME", "eth0"),
                ("CNI_NETNS", &own),
            ]);
            let refused = refused.unwrap_err();
            assert!(
                refused.code == 4 && refused.msg.contains("CNI_NETNS"),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn what_comes_on_standard_input_is_checked() {
    let r = Runtime::new();
    let environment = [
        ("CNI_COMMAND", "ADD"),
        ("CNI_CONTAINERID", "c"),
        ("CNI_NETNS", "/run/netns/rs-none"),
        ("CNI_IFNAME", "eth0"),
    ];
    for plugin in PLUGINS {
        let run = |stdin: &[u8]| r.exec(plugin, &environment, stdin).unwrap_err();
        for broken in ["", "{", "7", "[]", "null", "\"x\"", "{\"cniVersion\":", "\u{0}"] {
            assert_eq!(run(broken.as_bytes()).code, 6, "{plugin} {broken:?}");
        }
        assert_eq!(run(&vec![b' '; 3 << 20]).code, 6);
        let with = |key: &str, value: Value| {
            let mut conf = alone("1.0.0", &of(plugin));
            conf[key] = value;
            run(conf.to_string().as_bytes())
        };
        for version in ["", "0.1.0", "0.2.0", "0.3", "1.2.0", "2.0.0", "latest"] {
            let refused = with("cniVersion", version.into());
            assert_eq!(
                (refused.code, refused.version.as_str()),
                (1, version),
                "{refused:?}"
            );
            assert!(
                refused.msg.contains("1.1.0"),
                "what is known is told: {}",
                refused.msg
            );
        }
        for name in ["", "/x", "-x", "a b", "a/b", "\u{e9}"] {
            assert_eq!(with("name", name.into()).code, 7, "{plugin} {name:?}");
        }
        if plugin != "ecs-ipam" {
            let refused = with("frobnicate", json!(1));
            assert!(
                refused.code == 2 && refused.msg.contains("frobnicate"),
                "{refused:?}"
            );
        }
        // What a runtime may put beside is no plugin's business.
        for (key, value) in [
            ("args", json!({"cni": {"ips": ["10.0.0.9"]}})),
            ("runtimeConfig", json!({"portMappings": []})),
            ("capabilities", json!({"portMappings": true})),
            ("disableCheck", json!(true)),
        ] {
            // ADD fails later, for want of a namespace; the allocator has no need of one.
            if plugin != "ecs-ipam" {
                assert_eq!(with(key, value).code, 3, "{plugin} {key}");
            }
        }
    }
}

#[test]
fn version_tells_what_is_supported() {
    let r = Runtime::new();
    for plugin in PLUGINS {
        for asked in ["0.3.0", "1.1.0", "9.9.9"] {
            let stdin = json!({"cniVersion": asked}).to_string();
            let answer = r
                .exec(plugin, &[("CNI_COMMAND", "VERSION")], stdin.as_bytes())
                .unwrap();
            assert_eq!(
                answer,
                json!({"cniVersion": asked, "supportedVersions": VERSIONS})
            );
        }
        let broken = r.exec(plugin, &[("CNI_COMMAND", "VERSION")], b"{").unwrap_err();
        assert_eq!(broken.code, 6);
    }
}

#[test]
fn check_compares_with_what_the_chain_answered() {
    for (plugin, ifname) in [(eni(), "eth0"), (bridge(), "ecs-eth0")] {
        let mut r = Runtime::new();
        r.plug_in(MAC);
        let list = list("1.0.0", std::slice::from_ref(&plugin));
        let whom = ("c", ifname);
        let result = r.add(&list, whom, &NOTHING).unwrap();
        r.check(&list, whom, &NOTHING).unwrap();
        let own: ipnet::IpNet = result["ips"][0]["address"].as_str().unwrap().parse().unwrap();
        // An address that the chain answered and that is not there, of this interface and of another.
        let kind = plugin["type"].as_str().unwrap();
        let sandbox = roadstead_net::netns::path_of(&r.task).display().to_string();
        let environment = [
            ("CNI_COMMAND", "CHECK"),
            ("CNI_CONTAINERID", "c"),
            ("CNI_IFNAME", ifname),
            ("CNI_NETNS", sandbox.as_str()),
        ];
        let with = |previous: Option<Value>| {
            let mut conf = alone("1.0.0", &plugin);
            if let Some(previous) = previous {
                conf["prevResult"] = previous;
            }
            r.exec(kind, &environment, conf.to_string().as_bytes())
        };
        let index = result["ips"][0]["interface"].clone();
        let mut more = result.clone();
        more["ips"]
            .as_array_mut()
            .unwrap()
            .push(json!({"interface": index, "address": "203.0.113.9/24"}));
        assert_eq!(with(Some(more)).unwrap_err().code, 102);
        let mut others = result.clone();
        others["interfaces"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "net1", "sandbox": "/x"}));
        others["ips"]
            .as_array_mut()
            .unwrap()
            .push(json!({"interface": 3, "address": "203.0.113.9/24"}));
        let appended = result["interfaces"].as_array().unwrap().len();
        others["ips"].as_array_mut().unwrap().last_mut().unwrap()["interface"] = appended.into();
        with(Some(others)).unwrap();
        assert_eq!(with(None).unwrap_err().code, 7, "no previous result");
        assert_eq!(with(Some(json!({"interfaces": []}))).unwrap_err().code, 7);
        // What a task may do to itself.
        for broken in [
            format!("addr del {own} dev {ifname}"),
            format!("link set {ifname} down"),
        ] {
            ip(&r.task, &broken);
            assert_eq!(r.check(&list, whom, &NOTHING).unwrap_err().code, 102, "{broken}");
        }
        r.del(&list, whom, &NOTHING).unwrap();
    }
}

#[test]
fn gc_removes_what_is_no_longer_valid_and_nothing_when_it_is_not_told() {
    let mut r = Runtime::new();
    let mut second = bridge();
    second["ipam"]["id"] = "02:00:00:00:00:0b".into();
    let of = |plugin: &Value| list("1.1.0", std::slice::from_ref(plugin));
    r.add(&of(&bridge()), ("one", "ecs-eth0"), &NOTHING).unwrap();
    r.add(&of(&second), ("two", "ecs-eth1"), &NOTHING).unwrap();
    let stdin = alone("1.1.0", &bridge()).to_string();
    let untold = r
        .exec("ecs-bridge", &[("CNI_COMMAND", "GC")], stdin.as_bytes())
        .unwrap_err();
    assert_eq!(untold.code, 7);
    r.gc(&of(&bridge()), &[("one", "ecs-eth0"), ("two", "ecs-eth1")])
        .unwrap();
    assert_eq!(ip(&r.node, "-o link show master ecs-bridge").lines().count(), 2);
    // The runtime forgot both, so nobody calls DEL: only GC can tell.
    r.forget();
    r.gc(&of(&bridge()), &[("two", "ecs-eth1")]).unwrap();
    assert_eq!(ip(&r.node, "-o link show master ecs-bridge").lines().count(), 1);
    assert!(ip(&r.task, "-br link").contains("ecs-eth1"));
    let leases = std::fs::read(r.directory.path().join("leases.json")).unwrap();
    let leases: Value = serde_json::from_slice(&leases).unwrap();
    assert_eq!(
        leases["owners"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["02:00:00:00:00:0b"]
    );
    r.gc(&of(&bridge()), &[]).unwrap();
    r.gc(&of(&bridge()), &[]).unwrap();
    assert_eq!(ip(&r.node, "-o link show master ecs-bridge"), "");
    for plugin in [eni(), ipam()] {
        r.gc(&of(&plugin), &[]).unwrap();
    }
}

#[test]
fn status_tells_what_is_missing() {
    let r = Runtime::new();
    for plugin in PLUGINS {
        r.status(&list("1.1.0", &[of(plugin)])).unwrap();
    }
    assert!(
        !ip(&r.node, "-br link").contains("ecs-bridge"),
        "asking makes nothing"
    );
    let mut lost = bridge();
    lost["bridge-netns"] = "/run/netns/rs-not-there".into();
    assert_eq!(r.status(&list("1.1.0", &[lost])).unwrap_err().code, 50);
    std::fs::write(
        r.directory.path().join("leases.json"),
        "{\"version\": 99, \"boot\": \"\", \"cursor\": null, \"owners\": {}}",
    )
    .unwrap();
    for plugin in ["ecs-bridge", "ecs-ipam"] {
        assert_eq!(
            r.status(&list("1.1.0", &[of(plugin)])).unwrap_err().code,
            50,
            "{plugin}"
        );
    }
}
