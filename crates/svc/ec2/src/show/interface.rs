//! Interfaces, with the attachment, and what their filters compare.

use std::net::Ipv4Addr;

use roadstead_api_ec2::{
    AttachmentStatus, GroupIdentifier, NetworkInterface, NetworkInterfaceAttachment,
    NetworkInterfaceIpv6Address, NetworkInterfacePrivateIpAddress, NetworkInterfaceStatus,
    NetworkInterfaceType, OperatorResponse,
};
use roadstead_base::Ctx;

use super::{flag, one};
use crate::filter::Values;
use crate::records::{Attachment, Interface};
use crate::tags;
use crate::world::Realm;
use crate::zones::Zone;

pub(crate) const FILTERS: &[&str] = &[
    "association.allocation-id",
    "association.association-id",
    "addresses.association.owner-id",
    "addresses.association.public-ip",
    "addresses.primary",
    "addresses.private-ip-address",
    "association.ip-owner-id",
    "association.public-ip",
    "association.public-dns-name",
    "attachment.attach-time",
    "attachment.attachment-id",
    "attachment.delete-on-termination",
    "attachment.device-index",
    "attachment.instance-id",
    "attachment.instance-owner-id",
    "attachment.status",
    "availability-zone",
    "availability-zone-id",
    "description",
    "group-id",
    "group-name",
    "ipv6-addresses.ipv6-address",
    "interface-type",
    "mac-address",
    "network-interface-id",
    "operator.managed",
    "operator.principal",
    "owner-id",
    "private-dns-name",
    "private-ip-address",
    "requester-id",
    "requester-managed",
    "source-dest-check",
    "status",
    "subnet-id",
    "tag:",
    "tag-key",
    "vpc-id",
];

/// What showing an interface takes beside its record.
pub(crate) struct View<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) realm: &'a Realm,
    pub(crate) zones: &'a [Zone],
}

impl View<'_> {
    /// Name and id of the zone.
    fn zone(&self, interface: &Interface) -> (Option<String>, Option<String>) {
        let name = self
            .realm
            .subnets
            .get(&interface.subnet)
            .map(|subnet| subnet.value.zone.clone());
        let id = self
            .zones
            .iter()
            .find(|zone| Some(&zone.name) == name.as_ref())
            .map(|zone| zone.id.clone());
        (name, id)
    }

    /// The name that the VPC's resolver gives the address.
    fn host_name(&self, address: Ipv4Addr) -> String {
        let [a, b, c, d] = address.octets();
        let domain = match self.ctx.region.as_str() {
            "us-east-1" => "ec2.internal".to_owned(),
            region => format!("{region}.compute.internal"),
        };
        format!("ip-{a}-{b}-{c}-{d}.{domain}")
    }

    fn groups<'s>(&'s self, interface: &'s Interface) -> impl Iterator<Item = GroupIdentifier> + 's {
        interface.groups.iter().map(|id| GroupIdentifier {
            group_id: Some(id.to_string()),
            group_name: self.realm.groups.get(id).map(|group| group.value.name.clone()),
        })
    }

    fn attachment(&self, attachment: &Attachment) -> NetworkInterfaceAttachment {
        NetworkInterfaceAttachment {
            attach_time: Some(attachment.attached_at),
            attachment_id: Some(attachment.id.to_string()),
            delete_on_termination: Some(attachment.delete_on_termination),
            device_index: Some(attachment.device_index),
            ena_queue_count: None,
            ena_srd_specification: None,
            instance_id: Some(attachment.instance.to_string()),
            instance_owner_id: Some(self.ctx.account.to_string()),
            network_card_index: Some(0),
            status: Some(AttachmentStatus::Attached),
        }
    }

    pub(crate) fn wire(&self, interface: &Interface) -> NetworkInterface {
        let (availability_zone, availability_zone_id) = self.zone(interface);
        let primary = interface.addresses.first().copied();
        NetworkInterface {
            associated_subnets: None,
            association: None,
            attachment: interface
                .attachment
                .as_ref()
                .map(|attachment| self.attachment(attachment)),
            availability_zone,
            availability_zone_id,
            connection_tracking_configuration: None,
            deny_all_igw_traffic: None,
            description: Some(interface.description.clone()),
            groups: Some(self.groups(interface).collect()),
            interface_type: Some(NetworkInterfaceType::Interface),
            ipv4_prefixes: None,
            ipv6_address: interface.ipv6.first().map(ToString::to_string),
            ipv6_addresses: Some(
                interface
                    .ipv6
                    .iter()
                    .map(|address| NetworkInterfaceIpv6Address {
                        ipv6_address: Some(address.to_string()),
                        is_primary_ipv6: Some(false),
                        public_ipv6_dns_name: None,
                    })
                    .collect(),
            ),
            ipv6_native: None,
            ipv6_prefixes: None,
            mac_address: Some(interface.mac.to_string()),
            network_interface_id: Some(interface.id.to_string()),
            operator: Some(operator()),
            outpost_arn: None,
            owner_id: Some(self.ctx.account.to_string()),
            private_dns_name: primary.map(|address| self.host_name(address)),
            private_ip_address: primary.map(|address| address.to_string()),
            private_ip_addresses: Some(
                interface
                    .addresses
                    .iter()
                    .map(|address| NetworkInterfacePrivateIpAddress {
                        association: None,
                        primary: Some(Some(*address) == primary),
                        private_dns_name: Some(self.host_name(*address)),
                        private_ip_address: Some(address.to_string()),
                    })
                    .collect(),
            ),
            public_dns_name: None,
            public_ip_dns_name_options: None,
            requester_id: requester_id(interface),
            requester_managed: Some(interface.requester.is_some()),
            source_dest_check: Some(interface.source_dest_check),
            status: Some(status(interface)),
            subnet_id: Some(interface.subnet.to_string()),
            tag_set: Some(tags::shown(&interface.tags)),
            vpc_id: Some(interface.vpc.to_string()),
        }
    }

    pub(crate) fn values(&self, interface: &Interface, filter: &str) -> Values {
        let addresses = || interface.addresses.iter().map(ToString::to_string).collect();
        match filter {
            "addresses.primary" => interface
                .addresses
                .iter()
                .enumerate()
                .map(|(at, _)| (at == 0).to_string())
                .collect(),
            "addresses.private-ip-address" | "private-ip-address" => addresses(),
            "availability-zone" => self.zone(interface).0.into_iter().collect(),
            "availability-zone-id" => self.zone(interface).1.into_iter().collect(),
            "description" => one(interface.description.as_str()),
            "group-id" => interface.groups.iter().map(ToString::to_string).collect(),
            "group-name" => self
                .groups(interface)
                .filter_map(|group| group.group_name)
                .collect(),
            "ipv6-addresses.ipv6-address" => interface.ipv6.iter().map(ToString::to_string).collect(),
            "interface-type" => one(NetworkInterfaceType::Interface.as_str()),
            "mac-address" => one(interface.mac.to_string()),
            "network-interface-id" => one(interface.id.as_str()),
            "operator.managed" => flag(false),
            "owner-id" => one(self.ctx.account.as_str()),
            "private-dns-name" => interface
                .addresses
                .iter()
                .map(|address| self.host_name(*address))
                .collect(),
            "requester-id" => requester_id(interface).into_iter().collect(),
            "requester-managed" => flag(interface.requester.is_some()),
            "source-dest-check" => flag(interface.source_dest_check),
            "status" => one(status(interface).as_str()),
            "subnet-id" => one(interface.subnet.as_str()),
            "vpc-id" => one(interface.vpc.as_str()),
            _ => match (&interface.attachment, filter.strip_prefix("attachment.")) {
                (Some(attachment), Some(of_attachment)) => self.attachment_values(attachment, of_attachment),
                // Public addresses do not exist here yet.
                _ => Values::new(),
            },
        }
    }

    fn attachment_values(&self, attachment: &Attachment, filter: &str) -> Values {
        match filter {
            "attach-time" => one(attachment.attached_at.to_rfc3339()),
            "attachment-id" => one(attachment.id.as_str()),
            "delete-on-termination" => flag(attachment.delete_on_termination),
            "device-index" => one(attachment.device_index.to_string()),
            "instance-id" => one(attachment.instance.as_str()),
            "instance-owner-id" => one(self.ctx.account.as_str()),
            "status" => one(AttachmentStatus::Attached.as_str()),
            _ => Values::new(),
        }
    }
}

/// Whether the account's settings for managed resources hide interfaces. Only what an operator manages can be hidden, and
/// no operator manages interfaces here yet: those of the platform's parts are shown, as the cloud shows them.
pub(crate) fn hidden() -> bool {
    operator().hidden_by_default == Some(true)
}

fn operator() -> OperatorResponse {
    OperatorResponse {
        hidden_by_default: Some(false),
        managed: Some(false),
        principal: None,
    }
}

fn status(interface: &Interface) -> NetworkInterfaceStatus {
    if interface.attachment.is_some() {
        NetworkInterfaceStatus::InUse
    } else {
        NetworkInterfaceStatus::Available
    }
}

/// The alias of the platform's part that made it: `amazon-ecs` of `ecs.amazonaws.com`.
fn requester_id(interface: &Interface) -> Option<String> {
    let requester = interface.requester.as_deref()?;
    Some(format!(
        "amazon-{}",
        requester.split('.').next().unwrap_or(requester)
    ))
}
