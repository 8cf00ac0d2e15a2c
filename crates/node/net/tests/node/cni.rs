//! The plugins as processes, driven as a container runtime drives them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use roadstead_net::netns::{self, Netns};
use serde_json::{Value, json};

use crate::support::*;

struct Runner {
    directory: tempfile::TempDir,
    /// The node's namespace, and that of the bridge.
    node: String,
    task: String,
}

impl Drop for Runner {
    fn drop(&mut self) {
        for name in [&self.node, &self.task] {
            let _ = Netns::remove(name);
        }
    }
}

impl Runner {
    fn new() -> Self {
        let id = instance();
        let (node, task) = (format!("rs-host-{id}"), format!("rs-cni-{id}"));
        let directory = tempfile::tempdir().unwrap();
        for name in ["ecs-eni", "ecs-bridge", "ecs-ipam"] {
            std::os::unix::fs::symlink(binary(), directory.path().join(name)).unwrap();
        }
        for name in [&node, &task] {
            Netns::create(name).unwrap();
        }
        Self {
            directory,
            node,
            task,
        }
    }

    fn database(&self) -> std::path::PathBuf {
        self.directory.path().join("leases.json")
    }

    /// Standard output as JSON (null when empty) and whether the plugin succeeded.
    fn run(&self, plugin: &str, command: &str, ifname: &str, conf: &Value) -> (bool, Value) {
        self.run_in(plugin, command, ifname, conf, &netns::path_of(&self.task))
    }

    fn run_in(
        &self,
        plugin: &str,
        command: &str,
        ifname: &str,
        conf: &Value,
        sandbox: &Path,
    ) -> (bool, Value) {
        let mut child = Command::new("nsenter")
            .arg(format!("--net={}", netns::path_of(&self.node).display()))
            .arg(self.directory.path().join(plugin))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", "pause-1")
            .env("CNI_NETNS", sandbox)
            .env("CNI_IFNAME", ifname)
            .env("CNI_PATH", self.directory.path())
            .env("IPAM_DB_PATH", self.database())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(conf.to_string().as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let answer = if text.trim().is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        };
        (output.status.success(), answer)
    }

    fn ok(&self, plugin: &str, command: &str, ifname: &str, conf: &Value) -> Value {
        let (good, answer) = self.run(plugin, command, ifname, conf);
        assert!(good, "{plugin} {command}: {answer}");
        answer
    }

    fn error(&self, plugin: &str, command: &str, ifname: &str, conf: &Value) -> u64 {
        let (good, answer) = self.run(plugin, command, ifname, conf);
        assert!(!good, "{plugin} {command} succeeded: {answer}");
        assert!(answer["msg"].as_str().is_some_and(|m| !m.is_empty()), "{answer}");
        answer["code"].as_u64().unwrap()
    }
}

fn eni_conf(version: &str) -> Value {
    json!({
        "cniVersion": version, "name": "network-name", "type": "ecs-eni", "eni": "eni-1",
        "mac": "02:00:00:00:00:0a", "ip-addresses": ["10.0.0.10/24"], "gateway-ip-addresses": ["10.0.0.1"],
        "block-instance-metadata": true, "mtu": 1400
    })
}

fn bridge_conf(version: &str) -> Value {
    json!({
        "cniVersion": version, "name": "network-name", "type": "ecs-bridge", "bridge": "ecs-bridge",
        "isGateway": false, "isDefaultGateway": false, "forceAddress": false, "ipMasq": false,
        "hairpinMode": false, "mtu": 0,
        "ipam": {
            "type": "ecs-ipam", "id": "02:00:00:00:00:0a", "ipv4-subnet": "169.254.172.0/22",
            "ipv4-routes": [{"dst": "169.254.170.2/32"}]
        }
    })
}

#[test]
fn ecs_eni_as_a_process() {
    let r = Runner::new();
    ip(
        &r.node,
        "link add up0 address 02:00:00:00:00:0a type veth peer name up1",
    );
    let before = ip(&r.node, "-br link").lines().count();
    for version in ["0.3.0", "0.4.0", "1.0.0", "1.1.0"] {
        let conf = eni_conf(version);
        let result = r.ok("ecs-eni", "ADD", "eth0", &conf);
        assert_eq!(result["cniVersion"], version);
        assert_eq!(result["ips"][0]["address"], "10.0.0.10/24");
        assert_eq!(
            result["ips"][0].get("version").is_some(),
            version.starts_with("0.")
        );
        assert_eq!(result["interfaces"][0]["name"], "eth0");
        let shown = ip(&r.task, "addr show eth0");
        assert!(
            shown.contains("mtu 1400") && shown.contains("10.0.0.10/24") && shown.contains(",UP"),
            "{shown}"
        );
        assert!(ip(&r.task, "route").contains("default via 10.0.0.1 dev eth0"));
        if version != "0.3.0" {
            let mut conf = conf.clone();
            conf["prevResult"] = result.clone();
            assert_eq!(r.ok("ecs-eni", "CHECK", "eth0", &conf), Value::Null);
            ip(&r.task, "route del default");
            assert_eq!(r.error("ecs-eni", "CHECK", "eth0", &conf), 102);
        } else {
            assert_eq!(r.error("ecs-eni", "CHECK", "eth0", &conf), 1);
        }
        for _ in 0..2 {
            assert_eq!(r.ok("ecs-eni", "DEL", "eth0", &conf), Value::Null);
        }
        let back = ip(&r.node, "-br link");
        assert!(back.contains("rs02000000000a@up1"), "{back}");
        assert_eq!(back.lines().count(), before);
        ip(&r.task, "route flush type blackhole");
    }
    let gone = Path::new("/run/netns/rs-no-such-namespace");
    assert!(r.run_in("ecs-eni", "DEL", "eth0", &eni_conf("1.0.0"), gone).0);
    assert_eq!(
        r.run_in("ecs-eni", "ADD", "eth0", &eni_conf("1.0.0"), gone).1["code"],
        3
    );
    ip(&r.node, "link del up1");
    assert_eq!(r.error("ecs-eni", "ADD", "eth0", &eni_conf("1.0.0")), 100);
}

#[test]
fn ecs_eni_gives_both_families() {
    let r = Runner::new();
    ip(
        &r.node,
        "link add up0 address 02:00:00:00:00:0a type veth peer name up1",
    );
    let mut conf = eni_conf("1.0.0");
    conf["ip-addresses"] = json!(["10.0.0.10/24", "fd00:0:0:1::a/64"]);
    conf["gateway-ip-addresses"] = json!(["10.0.0.1", "fd00:0:0:1::1"]);
    for _ in 0..2 {
        let result = r.ok("ecs-eni", "ADD", "eth0", &conf);
        assert_eq!(result["ips"][1]["address"], "fd00:0:0:1::a/64");
        assert_eq!(result["ips"][1]["gateway"], "fd00:0:0:1::1");
        assert_eq!(result["routes"][1], json!({"dst": "::/0", "gw": "fd00:0:0:1::1"}));
        assert!(ip(&r.task, "-6 addr show eth0").contains("inet6 fd00:0:0:1::a/64 scope global"));
        let routes = ip(&r.task, "-6 route");
        assert!(routes.contains("default via fd00:0:0:1::1 dev eth0"), "{routes}");
        assert!(
            !routes.contains("fd00:0:0:1::/64"),
            "all goes by the gateway: {routes}"
        );
        assert!(routes.contains("blackhole fd00:ec2::254"), "{routes}");
        conf["prevResult"] = result;
        r.ok("ecs-eni", "CHECK", "eth0", &conf);
        ip(&r.task, "-6 route del default");
        assert_eq!(r.error("ecs-eni", "CHECK", "eth0", &conf), 102);
        ip(&r.task, "-6 addr del fd00:0:0:1::a/64 dev eth0");
        assert_eq!(r.error("ecs-eni", "CHECK", "eth0", &conf), 102);
        for _ in 0..2 {
            r.ok("ecs-eni", "DEL", "eth0", &conf);
        }
        assert!(!ip(&r.task, "-6 addr").contains("fd00:"));
    }
}

#[test]
fn an_eni_that_cannot_be_configured_goes_back_to_the_node() {
    let r = Runner::new();
    ip(
        &r.node,
        "link add up0 address 02:00:00:00:00:0a type veth peer name up1",
    );
    let mut conf = eni_conf("1.0.0");
    conf["gateway-ip-addresses"] = json!(["203.0.113.1"]);
    conf["mtu"] = json!(99_999_999);
    assert_eq!(r.error("ecs-eni", "ADD", "eth0", &conf), 110);
    assert!(ip(&r.node, "-br link").contains("02:00:00:00:00:0a"));
    assert!(!ip(&r.task, "-br link").contains("02:00:00:00:00:0a"));
    conf = eni_conf("1.0.0");
    conf["stay-down"] = json!(true);
    conf["prevResult"] = r.ok("ecs-eni", "ADD", "eth0", &conf);
    let shown = ip(&r.task, "addr show eth0");
    assert!(
        shown.contains("10.0.0.10/24") && !shown.contains(",UP"),
        "{shown}"
    );
    r.ok("ecs-eni", "CHECK", "eth0", &conf);
}

#[test]
fn ecs_bridge_as_a_process_in_its_own_namespace_or_another() {
    let r = Runner::new();
    let other = format!("{}-bridge", r.node);
    struct Gone(String);
    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = Netns::remove(&self.0);
        }
    }
    Netns::create(&other).unwrap();
    let _gone = Gone(other.clone());
    for (place, bridge_netns) in [(&r.node, None), (&other, Some(netns::path_of(&other)))] {
        let mut conf = bridge_conf("1.1.0");
        if let Some(path) = bridge_netns {
            conf["bridge-netns"] = json!(path);
        }
        r.ok("ecs-bridge", "STATUS", "", &conf);
        let result = r.ok("ecs-bridge", "ADD", "ecs-eth0", &conf);
        assert_eq!(result["interfaces"].as_array().unwrap().len(), 3, "{result}");
        let address = result["ips"][0]["address"].as_str().unwrap().to_owned();
        assert!(
            address.starts_with("169.254.172.") && address.ends_with("/22"),
            "{address}"
        );
        assert_eq!(result["ips"][0]["gateway"], "169.254.172.1");
        assert_eq!(
            result["routes"][0],
            json!({"dst": "169.254.170.2/32", "gw": "169.254.172.1"})
        );
        assert_eq!(r.error("ecs-bridge", "ADD", "ecs-eth0", &conf), 103);
        conf["prevResult"] = result.clone();
        r.ok("ecs-bridge", "CHECK", "ecs-eth0", &conf);
        let shown = ip(place, "-d link show master ecs-bridge");
        assert!(
            shown.contains("isolated on") && shown.contains("learning off"),
            "{shown}"
        );
        ip(&r.task, "link set lo up");
        assert!(pings(&r.task, "169.254.172.1".parse().unwrap()));
        let mac = ip(&r.task, "-br link show ecs-eth0");
        assert!(mac.contains("0a:58:a9:fe:ac:"), "{mac}");
        ip(&r.task, "addr flush dev ecs-eth0");
        assert_eq!(r.error("ecs-bridge", "CHECK", "ecs-eth0", &conf), 102);
        for _ in 0..2 {
            assert_eq!(r.ok("ecs-bridge", "DEL", "ecs-eth0", &conf), Value::Null);
        }
        assert!(!ip(&r.task, "-br link").contains("ecs-eth0"));
        assert_eq!(ip(place, "link show master ecs-bridge"), "");
        conf.as_object_mut().unwrap().remove("prevResult");
        // A kept and a forgotten attachment under GC.
        r.ok("ecs-bridge", "ADD", "ecs-eth0", &conf);
        conf["cni.dev/valid-attachments"] = json!([{"containerID": "pause-1", "ifname": "ecs-eth0"}]);
        r.ok("ecs-bridge", "GC", "", &conf);
        assert!(ip(&r.task, "-br link").contains("ecs-eth0"));
        conf["cni.dev/valid-attachments"] = json!([]);
        r.ok("ecs-bridge", "GC", "", &conf);
        assert!(!ip(&r.task, "-br link").contains("ecs-eth0"));
        let leases: Value = serde_json::from_slice(&std::fs::read(r.database()).unwrap()).unwrap();
        assert_eq!(leases["owners"], json!({}));
    }
}

#[test]
fn ecs_ipam_as_a_process() {
    let r = Runner::new();
    let conf = bridge_conf("0.3.0");
    let first = r.ok("ecs-ipam", "ADD", "x", &conf);
    assert_eq!(first["ips"][0]["address"], "169.254.172.2/22");
    assert_eq!(first["ips"][0]["version"], "4");
    assert_eq!(r.ok("ecs-ipam", "ADD", "x", &conf)["ips"], first["ips"]);
    for _ in 0..2 {
        r.ok("ecs-ipam", "DEL", "x", &conf);
    }
    assert_eq!(
        r.ok("ecs-ipam", "ADD", "x", &conf)["ips"][0]["address"],
        "169.254.172.3/22"
    );
    let mut other = conf.clone();
    other["ipam"]["id"] = json!("");
    assert_eq!(r.error("ecs-ipam", "ADD", "x", &other), 7);
}

#[test]
fn versions_capabilities_and_bad_input() {
    let r = Runner::new();
    for plugin in ["ecs-eni", "ecs-bridge", "ecs-ipam"] {
        let version = r.ok(plugin, "VERSION", "", &json!({"cniVersion": "1.0.0"}));
        assert_eq!(
            version["supportedVersions"],
            json!(["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
        );
        let output = Command::new(r.directory.path().join(plugin))
            .arg("--capabilities")
            .output()
            .unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["capabilities"], json!(["awsvpc-network-mode"]));
        assert_eq!(r.error(plugin, "FROB", "x", &json!({"cniVersion": "1.0.0"})), 4);
        assert_eq!(
            r.error(plugin, "ADD", "x", &json!({"cniVersion": "0.1.0", "name": "n"})),
            1
        );
        assert_eq!(r.error(plugin, "ADD", "x", &json!(7)), 6);
    }
    for (member, value, code) in [
        ("ipMasq", json!(true), 2),
        ("vlan", json!(5), 2),
        ("bridge", json!("a/b"), 7),
        (
            "ipam",
            json!({"type": "host-local", "ipv4-subnet": "10.0.0.0/24"}),
            7,
        ),
    ] {
        let mut conf = bridge_conf("1.0.0");
        conf[member] = value;
        assert_eq!(r.error("ecs-bridge", "ADD", "ecs-eth0", &conf), code, "{member}");
    }
    assert_eq!(r.error("ecs-eni", "ADD", "a/b", &eni_conf("1.0.0")), 4);
}
