//! `ecs-eni`: the task's elastic network interface is a device of the node until a task gets it; this
//! plugin moves it into the task and configures it from what the control plane said, asking no metadata
//! service and no DHCP server. DEL brings the device back, so that detaching is the node's own affair.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;

use super::{Attachment, CniResult, Dns, Error, Interface, IpConfig, Route, code};
use crate::names::MacAddr;
use crate::netlink::{Link, NO_IPV6, Netlink, ipv6_is_there};
use crate::netns::Netns;
use crate::task_files::ipv6_subnet_gateway;

/// The instance metadata service of the cloud, which tasks may be kept from.
pub(crate) const INSTANCE_METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// And where it answers by IPv6.
const INSTANCE_METADATA_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
/// Bits of a subnet's IPv6 block when the configuration says none: the vendor's plugin asks the router instead.
const IPV6_PREFIX: u8 = 64;
/// Bytes that every IPv6 link takes (RFC 8200).
const IPV6_MTU: u32 = 1280;

/// The plugin's own members, by the names of the vendor's releases from 2018 on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    /// Id of the interface; only for messages.
    #[serde(default)]
    eni: String,
    mac: String,
    #[serde(default, rename = "ipv4-address")]
    ipv4_address: String,
    #[serde(default, rename = "ipv6-address")]
    ipv6_address: String,
    #[serde(default, rename = "subnetgateway-ipv4-address")]
    subnet_gateway: String,
    #[serde(default, rename = "ip-addresses")]
    ip_addresses: Vec<String>,
    #[serde(default, rename = "gateway-ip-addresses")]
    gateway_ip_addresses: Vec<String>,
    #[serde(default, rename = "block-instance-metadata")]
    block_instance_metadata: bool,
    #[serde(default, rename = "stay-down")]
    stay_down: bool,
    #[serde(default)]
    mtu: u32,
    #[serde(default)]
    dns: Dns,
}

/// A checked configuration of `ecs-eni`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conf {
    /// Id of the interface, for messages.
    pub(crate) eni: String,
    pub(crate) mac: MacAddr,
    /// Addresses with the subnet's prefix, the primary first.
    pub(crate) addresses: Vec<Ipv4Net>,
    pub(crate) gateway: Option<Ipv4Addr>,
    /// IPv6 addresses with the subnet's prefix.
    pub(crate) ipv6: Vec<Ipv6Net>,
    pub(crate) ipv6_gateway: Option<Ipv6Addr>,
    /// Packets to 169.254.169.254 and its IPv6 address vanish in the task.
    pub(crate) block_instance_metadata: bool,
    /// Leaves the device down, hence without a default route.
    pub(crate) stay_down: bool,
    /// Bytes; absent leaves the device's own.
    pub(crate) mtu: Option<u32>,
    pub(crate) dns: Dns,
    /// The device's name after DEL; absent means one made of the whole MAC, which is unique on a node.
    pub(crate) node_name: Option<String>,
}

impl Conf {
    pub(super) fn parse(text: &[u8]) -> Result<(super::Common, Self), Error> {
        let (common, members) = super::conf::read::<Members>(text)?;
        let named = |member: &str, value: &str, e: &dyn std::fmt::Display| {
            Error::config(format!("{member} {value:?}: {e}"))
        };
        let mut gateway = None;
        let mut prefix = None;
        if !members.subnet_gateway.is_empty() {
            let net: Ipv4Net = members
                .subnet_gateway
                .parse()
                .map_err(|e| named("subnetgateway-ipv4-address", &members.subnet_gateway, &e))?;
            gateway = Some(net.addr());
            prefix = Some(net.prefix_len());
        }
        let (mut addresses, mut ipv6) = (Vec::new(), Vec::new());
        for text in &members.ip_addresses {
            match text
                .parse::<IpNet>()
                .map_err(|e| named("ip-addresses", text, &e))?
            {
                IpNet::V4(net) => addresses.push(net),
                IpNet::V6(net) => ipv6.push(net),
            }
        }
        if !members.ipv4_address.is_empty() {
            let text = &members.ipv4_address;
            let net = match (text.parse::<Ipv4Net>(), text.parse::<Ipv4Addr>(), prefix) {
                (Ok(net), _, _) => net,
                (_, Ok(ip), Some(prefix)) => Ipv4Net::new_assert(ip, prefix),
                (_, Ok(_), None) => {
                    let why = "has no prefix length, nor is there a subnetgateway-ipv4-address";
                    return Err(named("ipv4-address", text, &why));
                }
                (_, Err(e), _) => return Err(named("ipv4-address", text, &e)),
            };
            if !addresses.contains(&net) {
                addresses.insert(0, net);
            }
        }
        if !members.ipv6_address.is_empty() {
            let text = &members.ipv6_address;
            let net = match (text.parse::<Ipv6Net>(), text.parse::<Ipv6Addr>()) {
                (Ok(net), _) => net,
                (_, Ok(ip)) => Ipv6Net::new_assert(ip, IPV6_PREFIX),
                (_, Err(e)) => return Err(named("ipv6-address", text, &e)),
            };
            if !ipv6.contains(&net) {
                ipv6.insert(0, net);
            }
        }
        let mut ipv6_gateway = None;
        for text in &members.gateway_ip_addresses {
            let ip: IpAddr = text
                .parse()
                .map_err(|e| named("gateway-ip-addresses", text, &e))?;
            let ip = match ip {
                IpAddr::V4(ip) => ip,
                IpAddr::V6(ip) if ipv6_gateway.is_some_and(|known| known != ip) => {
                    return Err(named("gateway-ip-addresses", text, &"a second IPv6 gateway"));
                }
                IpAddr::V6(ip) => {
                    ipv6_gateway = Some(ip);
                    continue;
                }
            };
            if gateway.is_some_and(|known| known != ip) {
                return Err(named("gateway-ip-addresses", text, &"a second IPv4 gateway"));
            }
            gateway = Some(ip);
        }
        if addresses.is_empty() {
            return Err(Error::config(
                "no IPv4 address: give ip-addresses or ipv4-address",
            ));
        }
        if !ipv6.is_empty() && (1..IPV6_MTU).contains(&members.mtu) {
            let why = format!("below {IPV6_MTU} a device has no IPv6");
            return Err(named("mtu", &members.mtu.to_string(), &why));
        }
        let own = ipv6.first().map(|net| ipv6_subnet_gateway(*net));
        let conf = Self {
            eni: members.eni,
            mac: MacAddr::parse(&members.mac).map_err(|e| named("mac", &members.mac, &e))?,
            addresses,
            gateway,
            ipv6,
            ipv6_gateway: ipv6_gateway.or(own),
            block_instance_metadata: members.block_instance_metadata,
            stay_down: members.stay_down,
            mtu: (members.mtu > 0).then_some(members.mtu),
            dns: members.dns,
            node_name: None,
        };
        Ok((common, conf))
    }

    /// By MAC, as the vendor's plugin does. Who knows the name looks there alone: another instance on this
    /// node may have given the same MAC.
    fn find_on_node(&self, node: &mut Netlink) -> Result<Option<Link>, Error> {
        Ok(match &self.node_name {
            Some(name) => node.link(name)?.filter(|link| link.mac == Some(self.mac)),
            None => node.link_by_mac(self.mac)?,
        })
    }

    fn name_on_node(&self) -> String {
        let [a, b, c, d, e, f] = self.mac.0;
        self.node_name
            .clone()
            .unwrap_or_else(|| format!("rs{a:02x}{b:02x}{c:02x}{d:02x}{e:02x}{f:02x}"))
    }
}

/// A namespace, and a socket that is open in it.
#[derive(Debug)]
pub(crate) struct Side<'a> {
    pub(crate) namespace: &'a Netns,
    pub(crate) netlink: &'a mut Netlink,
}

/// ADD: moves the device from the node into the task and configures it. Doing so twice is fine.
///
/// # Errors
/// [`code::NO_DEVICE`] when neither namespace has a device with that MAC; the kernel's refusals.
pub(crate) fn add(
    node: &mut Side<'_>,
    task: &mut Side<'_>,
    sandbox: &Path,
    who: &Attachment,
    conf: &Conf,
) -> Result<CniResult, Error> {
    let link = match conf.find_on_node(node.netlink)? {
        Some(link) => {
            if link.up {
                node.netlink.set_down(link.index)?;
            }
            node.netlink.move_link(link.index, task.namespace, &who.ifname)?;
            let moved = task.netlink.link_by_mac(conf.mac)?;
            moved.ok_or_else(|| missing(conf, "the task's namespace after the move"))?
        }
        None => task
            .netlink
            .link_by_mac(conf.mac)?
            .ok_or_else(|| missing(conf, "the node's namespace"))?,
    };
    if let Err(error) = configure(task, &link, conf) {
        // The device must not be lost with the task; what failed is told either way.
        let back = give_back(task.netlink, node.namespace, &link, conf);
        return Err(match back {
            Ok(()) => error,
            Err(second) => error.and_undoing(&second),
        });
    }
    Ok(result(sandbox, who, conf))
}

fn missing(conf: &Conf, place: &str) -> Error {
    Error::new(
        code::NO_DEVICE,
        format!("no device with MAC {} ({}) in {place}", conf.mac, conf.eni),
    )
}

/// Addresses before up, as the vendor's plugin does; then MTU, the blackhole, the default route.
pub(crate) fn configure(task: &mut Side<'_>, link: &Link, conf: &Conf) -> Result<(), Error> {
    if !conf.ipv6.is_empty() {
        if !ipv6_is_there() {
            let msg = format!("{} has the address {}, but {NO_IPV6}", conf.eni, conf.ipv6[0]);
            return Err(Error::new(code::UNSUPPORTED_FIELD, msg));
        }
        // Its addresses and its gateway are told; it is not to believe who else tells it some.
        let settings = ["accept_ra", "accept_dad", "disable_ipv6"];
        let settings = settings.map(|key| (format!("ipv6/conf/{}/{key}", link.name), "0"));
        task.namespace.sysctl(&settings)?;
    }
    let inside = &mut *task.netlink;
    for address in &conf.addresses {
        inside.add_address(link.index, *address, false)?;
    }
    for address in &conf.ipv6 {
        inside.add_ipv6_address(link.index, *address)?;
    }
    if !conf.stay_down {
        inside.set_up(link.index)?;
    }
    if let Some(mtu) = conf.mtu.filter(|mtu| *mtu != link.mtu) {
        inside.set_mtu(link.index, mtu)?;
    }
    if conf.block_instance_metadata {
        inside.add_blackhole(Ipv4Net::new_assert(INSTANCE_METADATA, 32))?;
        if !conf.ipv6.is_empty() {
            inside.add_ipv6_blackhole(Ipv6Net::new_assert(INSTANCE_METADATA_IPV6, 128))?;
        }
    }
    if let Some(gateway) = conf.gateway.filter(|_| !conf.stay_down) {
        inside.add_gateway_route(Ipv4Net::default(), gateway, link.index, None)?;
    }
    if let Some(gateway) = conf.ipv6_gateway.filter(|_| !conf.stay_down) {
        inside.add_ipv6_gateway_route(Ipv6Net::default(), gateway, link.index, None)?;
    }
    Ok(())
}

fn give_back(inside: &mut Netlink, node: &Netns, link: &Link, conf: &Conf) -> Result<(), Error> {
    inside.set_down(link.index)?;
    inside.move_link(link.index, node, &conf.name_on_node())?;
    Ok(())
}

pub(crate) fn result(sandbox: &Path, who: &Attachment, conf: &Conf) -> CniResult {
    let gateway = conf.gateway.map(IpAddr::V4);
    let ip = |address: &Ipv4Net| IpConfig {
        interface: Some(0),
        address: IpNet::V4(*address),
        gateway,
    };
    let ipv6 = |address: &Ipv6Net| IpConfig {
        interface: Some(0),
        address: IpNet::V6(*address),
        gateway: conf.ipv6_gateway.map(IpAddr::V6),
    };
    let default = conf.gateway.map(|gateway| Route {
        dst: IpNet::V4(Ipv4Net::default()),
        gw: Some(IpAddr::V4(gateway)),
    });
    let ipv6_default = conf.ipv6_gateway.map(|gateway| Route {
        dst: IpNet::V6(Ipv6Net::default()),
        gw: Some(IpAddr::V6(gateway)),
    });
    let defaults = default.into_iter().chain(ipv6_default);
    CniResult {
        interfaces: vec![Interface {
            name: who.ifname.clone(),
            mac: conf.mac.to_string(),
            sandbox: Some(sandbox.display().to_string()),
        }],
        ips: conf
            .addresses
            .iter()
            .map(ip)
            .chain(conf.ipv6.iter().map(ipv6))
            .collect(),
        routes: defaults.filter(|_| !conf.stay_down).collect(),
        dns: conf.dns.clone(),
    }
}

/// DEL: brings the device back to `node`, down and under a name that cannot collide. `task` is absent
/// when its namespace is gone, and then so is the device.
///
/// # Errors
/// The kernel's refusals; a device that is not there is none.
pub(crate) fn del(node: &Netns, task: Option<&Netns>, conf: &Conf) -> Result<(), Error> {
    let Some(task) = task.filter(|task| !task.is_same(node)) else {
        return Ok(());
    };
    let mut inside = Netlink::open(task)?;
    match inside.link_by_mac(conf.mac)? {
        Some(link) => give_back(&mut inside, node, &link, conf),
        None => Ok(()),
    }
}

/// CHECK: the device is in the task as ADD left it.
///
/// # Errors
/// [`code::DIFFERENT`] with what differs.
pub(crate) fn check(task: &Netns, who: &Attachment, conf: &Conf) -> Result<(), Error> {
    let differs = |what: String| Error::new(code::DIFFERENT, format!("{}: {what}", who.ifname));
    let mut inside = Netlink::open(task)?;
    let link = inside
        .link(&who.ifname)?
        .ok_or_else(|| differs("the device is gone".into()))?;
    if link.mac != Some(conf.mac) {
        return Err(differs(format!("the MAC is not {}", conf.mac)));
    }
    if link.up == conf.stay_down {
        return Err(differs(format!(
            "the device is {}",
            if link.up { "up" } else { "down" }
        )));
    }
    let present = inside.addresses()?;
    for address in &conf.addresses {
        if !present.contains(&(link.index, *address)) {
            return Err(differs(format!("the address {address} is gone")));
        }
    }
    let present = inside.ipv6_addresses()?;
    for address in &conf.ipv6 {
        if !present.contains(&(link.index, *address)) {
            return Err(differs(format!("the address {address} is gone")));
        }
    }
    if let Some(gateway) = conf.ipv6_gateway.filter(|_| !conf.stay_down)
        && !inside
            .ipv6_routes()?
            .iter()
            .any(|r| r.destination.prefix_len() == 0 && r.gateway == Some(gateway))
    {
        return Err(differs(format!("the default route through {gateway} is gone")));
    }
    let routes = inside.routes()?;
    if let Some(gateway) = conf.gateway.filter(|_| !conf.stay_down)
        && !routes
            .iter()
            .any(|r| r.destination.prefix_len() == 0 && r.gateway == Some(gateway))
    {
        return Err(differs(format!("the default route through {gateway} is gone")));
    }
    if conf.block_instance_metadata && !routes.iter().any(|r| r.destination.addr() == INSTANCE_METADATA) {
        return Err(differs(format!("the blackhole of {INSTANCE_METADATA} is gone")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(own: &str) -> Result<Conf, Error> {
        let text = format!(r#"{{"cniVersion":"0.3.0","name":"n","type":"ecs-eni",{own}}}"#);
        Conf::parse(text.as_bytes()).map(|(_, conf)| conf)
    }

    #[test]
    fn both_generations_of_members_mean_the_same() {
        let old = parse(
            r#""eni":"eni-1","mac":"02:00:00:00:00:01","ipv4-address":"10.0.0.5","subnetgateway-ipv4-address":"10.0.0.1/24","block-instance-metadata":true"#,
        );
        let new = parse(
            r#""eni":"eni-1","mac":"02:00:00:00:00:01","ip-addresses":["10.0.0.5/24"],"gateway-ip-addresses":["10.0.0.1"],"block-instance-metadata":true"#,
        );
        assert_eq!(old.clone().unwrap(), new.unwrap());
        assert_eq!(old.unwrap().addresses, vec!["10.0.0.5/24".parse().unwrap()]);
    }

    #[test]
    fn ipv6_is_a_second_address_with_a_gateway() {
        let old = parse(r#""mac":"02:00:00:00:00:01","ipv4-address":"10.0.0.5/24","ipv6-address":"fd00::5""#);
        let new = parse(
            r#""mac":"02:00:00:00:00:01","ip-addresses":["10.0.0.5/24","fd00::5/64"],"gateway-ip-addresses":["fd00::1"]"#,
        );
        let old = old.unwrap();
        assert_eq!(old, new.unwrap());
        assert_eq!(old.ipv6, vec!["fd00::5/64".parse().unwrap()]);
        assert_eq!(old.ipv6_gateway, Some("fd00::1".parse().unwrap()));
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        let mac = r#""mac":"02:00:00:00:00:01""#;
        for (own, code, word) in [
            (
                format!(r#"{mac},"ip-addresses":["10.0.0.5/24"],"speed":1"#),
                code::UNSUPPORTED_FIELD,
                "speed",
            ),
            (
                format!(r#"{mac},"ip-addresses":["10.0.0.5/24"],"ipv6-address":"fd00::g""#),
                code::INVALID_CONFIG,
                "ipv6-address",
            ),
            (
                format!(r#"{mac},"ip-addresses":["fd00::5/64"]"#),
                code::INVALID_CONFIG,
                "no IPv4 address",
            ),
            (
                format!(
                    r#"{mac},"ip-addresses":["10.0.0.5/24"],"gateway-ip-addresses":["fd00::1","fd00::2"]"#
                ),
                code::INVALID_CONFIG,
                "second IPv6",
            ),
            (
                format!(r#"{mac},"ip-addresses":["10.0.0.5/24","fd00::5/64"],"mtu":1279"#),
                code::INVALID_CONFIG,
                "mtu",
            ),
            (
                format!(r#"{mac},"ipv4-address":"10.0.0.5""#),
                code::INVALID_CONFIG,
                "prefix",
            ),
            (mac.to_owned(), code::INVALID_CONFIG, "no IPv4 address"),
            (
                r#""mac":"x","ip-addresses":["10.0.0.5/24"]"#.to_owned(),
                code::INVALID_CONFIG,
                "mac",
            ),
            (
                format!(
                    r#"{mac},"ip-addresses":["10.0.0.5/24"],"gateway-ip-addresses":["10.0.0.1","10.0.0.2"]"#
                ),
                code::INVALID_CONFIG,
                "second",
            ),
        ] {
            let error = parse(&own).unwrap_err();
            assert!(error.code == code && error.msg.contains(word), "{own}: {error:?}");
        }
        let versioned = Conf::parse(br#"{"cniVersion":"9.0.0","name":"n","type":"ecs-eni"}"#).unwrap_err();
        assert_eq!(versioned.code, code::INCOMPATIBLE_VERSION);
    }
}
