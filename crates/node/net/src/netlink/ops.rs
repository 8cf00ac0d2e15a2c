//! The handful of things this crate asks of the kernel, each one message: what it means is the name of
//! the function, so that the modules above read as what they build.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _};

use ipnet::Ipv4Net;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressScope};
use rtnetlink::packet_route::link::{
    InfoBridgePort, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo,
    LinkMessage, State,
};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::neighbour_table::{
    NeighbourTableAttribute, NeighbourTableMessage, NeighbourTableParameter,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteScope, RouteType};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage as Message};
use rtnetlink::{AddressMessageBuilder, LinkBridgePort, LinkUnspec, RouteMessageBuilder};

use super::{Netlink, is_absent, is_present};
use crate::Result;
use crate::names::{MacAddr, fnv1a};
use crate::netns::Netns;

/// Looks at a device that does not transmit yet, and milliseconds between them: two seconds.
const CARRIER_LOOKS: u32 = 1000;
const CARRIER_PAUSE: u16 = 2;

/// A device as a dump shows it.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) alias: Option<String>,
    pub(crate) up: bool,
    pub(crate) controller: Option<u32>,
    pub(crate) mtu: u32,
    pub(crate) group: u32,
    /// Both ends are up, and the kernel has noticed.
    transmits: bool,
}

/// A veth pair in one message: the near end in the socket's namespace, the far end in another.
pub(crate) struct NewVeth<'a> {
    pub(crate) name: &'a str,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) alias: Option<&'a str>,
    /// Bridge (index) that takes the near end.
    pub(crate) controller: Option<u32>,
    pub(crate) up: bool,
    pub(crate) mtu: Mtu,
    pub(crate) far_namespace: &'a Netns,
    pub(crate) far_name: &'a str,
    pub(crate) far_mac: Option<MacAddr>,
}

/// Bytes of the largest packet, or what the kernel chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mtu(pub(crate) Option<u32>);

/// What a bridge port may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BridgePort {
    pub(crate) isolated: bool,
    pub(crate) hairpin: bool,
}

/// An IPv4 route as a dump shows it.
#[derive(Clone, Debug)]
pub(crate) struct RouteView {
    pub(crate) destination: Ipv4Net,
    pub(crate) device: Option<u32>,
    pub(crate) gateway: Option<Ipv4Addr>,
    pub(crate) kind: RouteType,
}

impl Netlink {
    /// Every device of the namespace.
    pub(crate) fn links(&mut self) -> Result<Vec<Link>> {
        let mut query = LinkMessage::default();
        query
            .attributes
            .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        let answers = self
            .dump(Message::GetLink(query))
            .map_err(self.failed("listing devices"))?;
        Ok(answers.into_iter().filter_map(as_link).collect())
    }

    /// The device called `name`.
    pub(crate) fn link(&mut self, name: &str) -> Result<Option<Link>> {
        match self.get(Message::GetLink(LinkUnspec::new_with_name(name).build())) {
            Ok(answers) => Ok(answers.into_iter().find_map(as_link)),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(self.failed(format!("looking up device {name}"))(e)),
        }
    }

    /// The device with this hardware address.
    pub(crate) fn link_by_mac(&mut self, mac: MacAddr) -> Result<Option<Link>> {
        Ok(self.links()?.into_iter().find(|link| link.mac == Some(mac)))
    }

    /// Waits until a device whose other end is up transmits: the kernel notices a carrier some time later, and
    /// drops every packet until then. To be asked for the device makes it notice at once (since Linux 6.13);
    /// before that it takes a moment. A device that is gone, or has no peer that is up, is not waited for.
    pub(crate) fn await_carrier(&mut self, name: &str) -> Result<()> {
        for _ in 0..CARRIER_LOOKS {
            match self.link(name)? {
                Some(link) if !link.transmits => {
                    let pause = nix::poll::PollTimeout::from(CARRIER_PAUSE);
                    // A wait on nothing.
                    let _ = nix::poll::poll(&mut [], pause);
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Brings the loopback up; returns its index.
    pub(crate) fn loopback(&mut self) -> Result<u32> {
        let found = self.link("lo")?;
        let absent = self.failed("finding the loopback");
        let link = found.ok_or_else(|| absent(std::io::Error::from_raw_os_error(libc::ENODEV)))?;
        if !link.up {
            self.set_up(link.index)?;
        }
        Ok(link.index)
    }

    /// Makes a veth pair. Fails when either name is taken.
    pub(crate) fn add_veth(&mut self, new: &NewVeth<'_>) -> Result<()> {
        let far_fd = new.far_namespace.as_fd();
        let mut far = LinkUnspec::new_with_name(new.far_name).setns_by_fd(far_fd.as_raw_fd());
        if let Some(mac) = new.far_mac {
            far = far.address(mac.0.to_vec());
        }
        let mut near = LinkUnspec::new_with_name(new.name);
        if let Some(mac) = new.mac {
            near = near.address(mac.0.to_vec());
        }
        if let Some(index) = new.controller {
            near = near.controller(index);
        }
        if let Mtu(Some(mtu)) = new.mtu {
            near = near.mtu(mtu);
            far = far.mtu(mtu);
        }
        if new.up {
            near = near.up();
        }
        let mut message = near.build();
        message.header.index = index_of(new.name);
        let info = vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(far.build()))),
        ];
        message.attributes.push(LinkAttribute::LinkInfo(info));
        self.change(Message::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
            .map_err(self.failed(format!("making the veth pair {} and {}", new.name, new.far_name)))?;
        let Some(alias) = new.alias else { return Ok(()) };
        // The kernel takes no alias while it makes a device.
        let message = LinkUnspec::new_with_name(new.name)
            .append_extra_attribute(LinkAttribute::IfAlias(alias.to_owned()));
        self.set_link(message.build(), &format!("setting the alias of {}", new.name))
            .inspect_err(|_| {
                // A device without its alias would be a stranger to the next process.
                let _ = self.delete_link(new.name);
            })
    }

    /// Makes a bridge that is up; one that exists is brought up.
    pub(crate) fn ensure_bridge(&mut self, name: &str, mac: MacAddr, mtu: Mtu) -> Result<Link> {
        if self.link(name)?.is_none() {
            let mut builder = LinkUnspec::new_with_name(name).address(mac.0.to_vec()).up();
            if let Mtu(Some(mtu)) = mtu {
                builder = builder.mtu(mtu);
            }
            let mut message = builder.build();
            message
                .attributes
                .push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
            match self.change(Message::NewLink(message), NLM_F_CREATE | NLM_F_EXCL) {
                Err(e) if !is_present(&e) => return Err(self.failed(format!("making the bridge {name}"))(e)),
                _ => {}
            }
        }
        let found = self.link(name)?;
        let absent = self.failed(format!("finding the bridge {name}"));
        let link = found.ok_or_else(|| absent(std::io::Error::from_raw_os_error(libc::ENODEV)))?;
        if !link.up {
            self.set_up(link.index)?;
        }
        Ok(link)
    }

    /// Sets the behaviour of a bridge port: never learning, never flooded to.
    pub(crate) fn set_bridge_port(&mut self, port: u32, behaviour: BridgePort) -> Result<()> {
        let message = LinkBridgePort::new(port)
            .append_info_data(InfoBridgePort::Isolated(behaviour.isolated))
            .append_info_data(InfoBridgePort::HairpinMode(behaviour.hairpin))
            .append_info_data(InfoBridgePort::Learning(false))
            .append_info_data(InfoBridgePort::UnicastFlood(false))
            .append_info_data(InfoBridgePort::MulticastFlood(false))
            .append_info_data(InfoBridgePort::BroadcastFlood(false))
            .build();
        self.change(Message::NewLink(message), 0)
            .map_err(self.failed("setting a bridge port's behaviour"))
    }

    pub(crate) fn set_up(&mut self, index: u32) -> Result<()> {
        self.set_link(
            LinkUnspec::new_with_index(index).up().build(),
            "bringing a device up",
        )
    }

    pub(crate) fn set_down(&mut self, index: u32) -> Result<()> {
        self.set_link(
            LinkUnspec::new_with_index(index).down().build(),
            "bringing a device down",
        )
    }

    pub(crate) fn set_mtu(&mut self, index: u32, mtu: u32) -> Result<()> {
        self.set_link(
            LinkUnspec::new_with_index(index).mtu(mtu).build(),
            "setting a device's MTU",
        )
    }

    /// Moves a device that is down to `target`, where it is called `name`.
    pub(crate) fn move_link(&mut self, index: u32, target: &Netns, name: &str) -> Result<()> {
        let fd = target.as_fd();
        let message = LinkUnspec::new_with_index(index)
            .setns_by_fd(fd.as_raw_fd())
            .name(name)
            .build();
        let attempt = format!("moving device {index} to {} as {name}", target.label());
        self.set_link(message, &attempt)
    }

    fn set_link(&mut self, message: LinkMessage, attempt: &str) -> Result<()> {
        self.change(Message::SetLink(message), 0)
            .map_err(self.failed(attempt))
    }

    /// Deletes a device by name; its absence is fine. A veth's other end goes with it.
    pub(crate) fn delete_link(&mut self, name: &str) -> Result<()> {
        match self.change(Message::DelLink(LinkUnspec::new_with_name(name).build()), 0) {
            Err(e) if !is_absent(&e) => Err(self.failed(format!("deleting device {name}"))(e)),
            _ => Ok(()),
        }
    }

    /// Puts a device in a group; its absence is fine.
    pub(crate) fn set_group(&mut self, index: u32, group: u32) -> Result<()> {
        let message = LinkUnspec::new_with_index(index).append_extra_attribute(LinkAttribute::Group(group));
        match self.change(Message::SetLink(message.build()), 0) {
            Err(e) if !is_absent(&e) => Err(self.failed(format!("putting device {index} in a group"))(e)),
            _ => Ok(()),
        }
    }

    /// Deletes every device of a group at once; that there is none is fine.
    pub(crate) fn delete_group(&mut self, group: u32) -> Result<()> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::Group(group));
        match self.change(Message::DelLink(message), 0) {
            Err(e) if !is_absent(&e) => Err(self.failed(format!("deleting the devices of group {group}"))(e)),
            _ => Ok(()),
        }
    }

    /// Adds an address; its presence is fine. `host_only` makes no route for the prefix.
    pub(crate) fn add_address(&mut self, index: u32, address: Ipv4Net, host_only: bool) -> Result<()> {
        let mut message = AddressMessageBuilder::<Ipv4Addr>::new()
            .index(index)
            .address(address.addr(), address.prefix_len())
            .build();
        if address.addr().is_loopback() {
            message.header.scope = AddressScope::Host;
        }
        if host_only {
            message
                .attributes
                .push(AddressAttribute::Flags(AddressFlags::Noprefixroute));
        }
        match self.change(Message::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL) {
            Err(e) if !is_present(&e) => Err(self.failed(format!("adding address {address}"))(e)),
            _ => Ok(()),
        }
    }

    pub(crate) fn delete_address(&mut self, index: u32, address: Ipv4Net) -> Result<()> {
        let message = AddressMessageBuilder::<Ipv4Addr>::new()
            .index(index)
            .address(address.addr(), address.prefix_len())
            .build();
        match self.change(Message::DelAddress(message), 0) {
            Err(e) if !is_absent(&e) => Err(self.failed(format!("removing address {address}"))(e)),
            _ => Ok(()),
        }
    }

    /// IPv4 addresses with the index of their device.
    pub(crate) fn addresses(&mut self) -> Result<Vec<(u32, Ipv4Net)>> {
        let query = AddressMessageBuilder::<Ipv4Addr>::new().build();
        let answers = self
            .dump(Message::GetAddress(query))
            .map_err(self.failed("listing addresses"))?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| {
                let Message::NewAddress(message) = answer else {
                    return None;
                };
                let local = message.attributes.iter().find_map(|a| match a {
                    AddressAttribute::Local(std::net::IpAddr::V4(ip)) => Some(*ip),
                    _ => None,
                })?;
                Some((
                    message.header.index,
                    Ipv4Net::new(local, message.header.prefix_len).ok()?,
                ))
            })
            .collect())
    }

    /// A route to `destination` straight over a device; one that exists is replaced.
    pub(crate) fn add_device_route(&mut self, destination: Ipv4Net, index: u32) -> Result<()> {
        let message = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(destination.addr(), destination.prefix_len())
            .output_interface(index)
            .scope(RouteScope::Link)
            .build();
        self.add_route(message, &format!("adding the route to {destination}"))
    }

    /// A route through a gateway, on a device where the gateway need not be in any prefix.
    pub(crate) fn add_gateway_route(
        &mut self,
        destination: Ipv4Net,
        gateway: Ipv4Addr,
        index: u32,
        source: Option<Ipv4Addr>,
    ) -> Result<()> {
        let mut builder = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(destination.addr(), destination.prefix_len())
            .gateway(gateway)
            .output_interface(index)
            .onlink();
        if let Some(source) = source {
            builder = builder.pref_source(source);
        }
        self.add_route(
            builder.build(),
            &format!("adding the route to {destination} via {gateway}"),
        )
    }

    /// Packets to `destination` vanish.
    pub(crate) fn add_blackhole(&mut self, destination: Ipv4Net) -> Result<()> {
        let message = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(destination.addr(), destination.prefix_len())
            .kind(RouteType::BlackHole)
            .build();
        self.add_route(message, &format!("adding the blackhole for {destination}"))
    }

    fn add_route(&mut self, message: RouteMessage, attempt: &str) -> Result<()> {
        self.change(Message::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)
            .map_err(self.failed(attempt))
    }

    pub(crate) fn delete_device_route(&mut self, destination: Ipv4Net, index: u32) -> Result<()> {
        let message = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(destination.addr(), destination.prefix_len())
            .output_interface(index)
            .scope(RouteScope::NoWhere)
            .build();
        match self.change(Message::DelRoute(message), 0) {
            Err(e) if !is_absent(&e) => Err(self.failed(format!("removing the route to {destination}"))(e)),
            _ => Ok(()),
        }
    }

    /// Every IPv4 route of every table.
    pub(crate) fn routes(&mut self) -> Result<Vec<RouteView>> {
        let query = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let answers = self
            .dump(Message::GetRoute(query))
            .map_err(self.failed("listing routes"))?;
        Ok(answers.into_iter().filter_map(as_route).collect())
    }

    /// Answers by proxy on this device come at once, not after up to 0.8 s.
    pub(crate) fn answer_at_once(&mut self, index: u32) -> Result<()> {
        let mut message = NeighbourTableMessage::default();
        message.header.family = AddressFamily::Inet;
        message.attributes = vec![
            NeighbourTableAttribute::Name("arp_cache".into()),
            NeighbourTableAttribute::Parms(vec![
                NeighbourTableParameter::Ifindex(index),
                NeighbourTableParameter::ProxyDelay(0),
            ]),
        ];
        self.change(Message::SetNeighbourTable(message), 0)
            .map_err(self.failed(format!(
                "taking the delay of answers by proxy from device {index}"
            )))
    }

    /// A neighbour that never expires and that no ARP answer changes.
    pub(crate) fn add_neighbour(&mut self, index: u32, ip: Ipv4Addr, mac: MacAddr) -> Result<()> {
        let message = neighbour(index, ip, Some(mac));
        self.change(Message::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
            .map_err(self.failed(format!("adding the neighbour {ip}")))
    }

    pub(crate) fn delete_neighbour(&mut self, index: u32, ip: Ipv4Addr) -> Result<()> {
        match self.change(Message::DelNeighbour(neighbour(index, ip, None)), 0) {
            Err(e) if !is_absent(&e) => Err(self.failed(format!("removing the neighbour {ip}"))(e)),
            _ => Ok(()),
        }
    }

    /// The bridge sends what is for `mac` to this port, and to no other.
    pub(crate) fn add_forwarding(&mut self, port: u32, mac: MacAddr) -> Result<()> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        message.header.ifindex = port;
        message.header.state = NeighbourState::Noarp;
        message.header.flags = NeighbourFlags::Controller;
        message
            .attributes
            .push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
        self.change(Message::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
            .map_err(self.failed(format!("adding the forwarding entry of {mac}")))
    }
}

/// The index of a veth's near end. The kernel counts in each namespace from one, so both ends would often have
/// the same; and such a device it takes for one without a peer, whose carrier it notices up to a second late.
/// Until then everything sent to a new task is dropped.
fn index_of(name: &str) -> u32 {
    const FIRST: u64 = 1 << 16;
    const SPAN: u64 = 1 << 30;
    u32::try_from(FIRST + fnv1a(name.as_bytes()) % SPAN).unwrap_or_default()
}

fn neighbour(index: u32, ip: Ipv4Addr, mac: Option<MacAddr>) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message
        .attributes
        .push(NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)));
    if let Some(mac) = mac {
        message
            .attributes
            .push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    }
    message
}

fn as_link(answer: Message) -> Option<Link> {
    let Message::NewLink(message) = answer else {
        return None;
    };
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        mac: None,
        alias: None,
        up: message.header.flags.contains(LinkFlags::Up),
        controller: None,
        mtu: 0,
        group: 0,
        transmits: false,
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Address(bytes) => link.mac = bytes.try_into().ok().map(MacAddr),
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
            LinkAttribute::Controller(index) => link.controller = Some(index),
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Group(group) => link.group = group,
            LinkAttribute::OperState(state) => link.transmits = state == State::Up,
            _ => {}
        }
    }
    Some(link)
}

fn as_route(answer: Message) -> Option<RouteView> {
    let Message::NewRoute(message) = answer else {
        return None;
    };
    let mut destination = Ipv4Addr::UNSPECIFIED;
    let mut device = None;
    let mut gateway = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(ip)) => destination = *ip,
            RouteAttribute::Gateway(RouteAddress::Inet(ip)) => gateway = Some(*ip),
            RouteAttribute::Oif(index) => device = Some(*index),
            _ => {}
        }
    }
    let destination = Ipv4Net::new(destination, message.header.destination_prefix_length).ok()?;
    Some(RouteView {
        destination,
        device,
        gateway,
        kind: message.header.kind,
    })
}
