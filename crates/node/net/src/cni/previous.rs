//! What earlier plugins of a chain answered, as the runtime hands it on: ADD adds to it, CHECK holds the task
//! against it, since a later plugin may have changed what this one made.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::{Attachment, Error, code};
use crate::names::MacAddr;
use crate::netlink::Netlink;

/// Members that came with version 1.1.0 of the specification.
const NEW_IN_INTERFACE: [&str; 3] = ["mtu", "socketPath", "pciID"];
const NEW_IN_ROUTE: [&str; 5] = ["mtu", "advmss", "priority", "table", "scope"];

/// The previous result's list `key`, as `version` of the specification shows it, whichever it came in.
pub(super) fn list(previous: Option<&Value>, key: &str, version: &str) -> Vec<Value> {
    let mut list = previous
        .and_then(|p| p.get(key))
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let old = version.starts_with("0.");
    for object in list.iter_mut().filter_map(Value::as_object_mut) {
        match key {
            "ips" if old => {
                let family = object
                    .get("address")
                    .and_then(Value::as_str)
                    .map(|a| a.contains(':'));
                let family = if family == Some(true) { "6" } else { "4" };
                object.insert("version".into(), family.into());
            }
            "ips" => drop(object.remove("version")),
            "interfaces" if version != "1.1.0" => remove(object, &NEW_IN_INTERFACE),
            "routes" if version != "1.1.0" => remove(object, &NEW_IN_ROUTE),
            _ => {}
        }
    }
    list
}

fn remove(object: &mut Map<String, Value>, keys: &[&str]) {
    for key in keys {
        object.remove(*key);
    }
}

/// What a previous result says of one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) mac: Option<MacAddr>,
    addresses: Vec<IpNet>,
}

/// Finds the interface of `who` in what the chain answered.
///
/// # Errors
/// Code 7 when there is no such result, or it does not know the interface.
pub(super) fn of(previous: Option<&Value>, who: &Attachment) -> Result<Known, Error> {
    let previous = previous
        .ok_or_else(|| Error::config("prevResult is missing: CHECK compares with what ADD answered"))?;
    let interfaces = list(Some(previous), "interfaces", "1.1.0");
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let inside = |value: &Value| text(value, "sandbox").is_some_and(|sandbox| !sandbox.is_empty());
    let index = interfaces
        .iter()
        .position(|i| inside(i) && text(i, "name").as_deref() == Some(&who.ifname))
        .ok_or_else(|| Error::config(format!("prevResult has no interface {} in a sandbox", who.ifname)))?;
    let own = |ip: &Value| ip.get("interface").and_then(Value::as_u64) == Some(index as u64);
    let mut addresses = Vec::new();
    for ip in list(Some(previous), "ips", "1.1.0").iter().filter(|ip| own(ip)) {
        let address = text(ip, "address").unwrap_or_default();
        let parsed = address.parse();
        let wrong = |e| Error::config(format!("prevResult has the address {address:?}: {e}"));
        addresses.push(parsed.map_err(wrong)?);
    }
    let mac = interfaces.get(index).and_then(|i| text(i, "mac"));
    let mac = mac.filter(|mac| !mac.is_empty()).map(|mac| MacAddr::parse(&mac));
    Ok(Known {
        mac: mac.transpose()?,
        addresses,
    })
}

impl Known {
    /// The interface has the addresses that the chain answered.
    ///
    /// # Errors
    /// [`code::DIFFERENT`] with the first that is gone.
    pub(super) fn check(&self, inside: &mut Netlink, who: &Attachment) -> Result<(), Error> {
        let differs = |what: String| Error::new(code::DIFFERENT, format!("{}: {what}", who.ifname));
        let link = inside.link(&who.ifname)?;
        let link = link.ok_or_else(|| differs("the device is gone".into()))?;
        let present = inside.addresses()?;
        let has = |ip: IpAddr| {
            present
                .iter()
                .any(|(index, net)| *index == link.index && IpAddr::from(net.addr()) == ip)
        };
        // Addresses of IPv6 are each plugin's own to check.
        let gone = self
            .addresses
            .iter()
            .find(|net| net.addr().is_ipv4() && !has(net.addr()));
        match gone {
            Some(net) => Err(differs(format!("the address {net} is gone"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_previous_result_of_any_version_is_shown_as_the_one_that_is_asked_for() {
        let new = json!({
            "cniVersion": "1.1.0",
            "interfaces": [{"name": "lo", "mtu": 65536, "socketPath": "/x", "pciID": "0000"}],
            "ips": [{"address": "10.0.0.4/24"}, {"address": "fd00::4/64"}],
            "routes": [{"dst": "0.0.0.0/0", "mtu": 1400, "advmss": 1360, "priority": 1, "table": 2, "scope": 0}],
        });
        let old = json!({"ips": [{"version": "4", "address": "10.0.0.4/24"}, {"version": "6", "address": "fd00::4/64"}]});
        for version in ["0.3.0", "0.3.1", "0.4.0"] {
            for previous in [&new, &old] {
                assert_eq!(Value::Array(list(Some(previous), "ips", version)), old["ips"]);
            }
        }
        for version in ["1.0.0", "1.1.0"] {
            for previous in [&new, &old] {
                assert_eq!(Value::Array(list(Some(previous), "ips", version)), new["ips"]);
            }
        }
        assert_eq!(list(Some(&new), "interfaces", "1.0.0"), [json!({"name": "lo"})]);
        assert_eq!(list(Some(&new), "routes", "0.3.0"), [json!({"dst": "0.0.0.0/0"})]);
        for key in ["interfaces", "ips", "routes"] {
            assert_eq!(Value::Array(list(Some(&new), key, "1.1.0")), new[key]);
            assert_eq!(list(None, key, "1.0.0"), Vec::<Value>::new());
        }
    }

    #[test]
    fn the_interface_is_found_in_its_sandbox_with_its_own_addresses() {
        let who = Attachment::new("c", "eth0").unwrap();
        let result = json!({
            "interfaces": [
                {"name": "eth0", "mac": "02:00:00:00:00:01"},
                {"name": "eth0", "mac": "02:00:00:00:00:02", "sandbox": "/run/netns/x"},
            ],
            "ips": [
                {"interface": 0, "address": "10.0.0.1/24"},
                {"interface": 1, "address": "10.0.0.2/24"},
                {"address": "10.0.0.3/24"},
            ],
        });
        let known = of(Some(&result), &who).unwrap();
        assert_eq!(known.mac, Some(MacAddr([2, 0, 0, 0, 0, 2])));
        assert_eq!(known.addresses, ["10.0.0.2/24".parse().unwrap()]);
        for without in [
            None,
            Some(&json!({})),
            Some(&json!({"interfaces": [{"name": "eth0"}]})),
        ] {
            assert_eq!(of(without, &who).unwrap_err().code, code::INVALID_CONFIG);
        }
    }
}
