//! What a plugin answers. The shape changed between versions of the specification; callers here see one
//! form, and the version is a matter of writing it out.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;
use serde_json::{Value, json};

use super::previous;

/// The result of ADD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CniResult {
    pub interfaces: Vec<Interface>,
    pub ips: Vec<IpConfig>,
    pub routes: Vec<Route>,
    pub dns: Dns,
}

/// A device that the plugin made or moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interface {
    pub name: String,
    pub mac: String,
    /// The namespace it is in; absent for the node's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
}

/// An address given to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IpConfig {
    /// Index into the result's interfaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<usize>,
    pub address: IpNet,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
}

/// A route installed in the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    pub dst: IpNet,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gw: Option<IpAddr>,
}

/// Name servers for the task; the plugins pass on what they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

impl CniResult {
    /// Writes the result as `version` of the specification shows it, after what earlier plugins of the
    /// chain answered.
    pub fn to_json(&self, version: &str, previous: Option<&Value>) -> Value {
        let list = |key: &str| previous::list(previous, key, version);
        let (mut interfaces, mut ips, mut routes) = (list("interfaces"), list("ips"), list("routes"));
        let earlier = interfaces.len();
        interfaces.extend(self.interfaces.iter().map(|i| json!(i)));
        for ip in &self.ips {
            let ip = IpConfig {
                interface: ip.interface.map(|index| index + earlier),
                ..ip.clone()
            };
            let mut value = json!(ip);
            if version.starts_with("0.")
                && let Some(object) = value.as_object_mut()
            {
                let family = if ip.address.addr().is_ipv4() { "4" } else { "6" };
                object.insert("version".into(), family.into());
            }
            ips.push(value);
        }
        routes.extend(self.routes.iter().map(|r| json!(r)));
        let dns = previous
            .and_then(|p| p.get("dns"))
            .filter(|_| self.dns == Dns::default());
        let mut result = json!({ "cniVersion": version, "dns": dns.cloned().unwrap_or(json!(self.dns)) });
        for (key, list) in [("interfaces", interfaces), ("ips", ips), ("routes", routes)] {
            if !list.is_empty() {
                result[key] = Value::Array(list);
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_name_the_family_and_a_chain_keeps_what_came_before() {
        let result = CniResult {
            interfaces: vec![Interface {
                name: "eth0".into(),
                mac: "02:00:00:00:00:01".into(),
                sandbox: None,
            }],
            ips: vec![IpConfig {
                interface: Some(0),
                address: "10.0.0.4/24".parse().unwrap(),
                gateway: None,
            }],
            ..CniResult::default()
        };
        let old = result.to_json("0.3.0", None);
        assert_eq!(old["ips"][0]["version"], "4");
        assert!(old.get("routes").is_none());
        let new = result.to_json(
            "1.0.0",
            Some(&json!({"interfaces": [{"name": "lo"}], "dns": {"domain": "x"}})),
        );
        assert!(new["ips"][0].get("version").is_none());
        assert_eq!(new["ips"][0]["interface"], 1);
        assert_eq!(new["interfaces"][1]["name"], "eth0");
        assert_eq!(new["dns"]["domain"], "x");
    }
}
