//! Subnets, with the addresses that are left, and what their filters compare.

use roadstead_api_ec2::{
    BlockPublicAccessMode, BlockPublicAccessStates, HostnameType, IpSource, Ipv6AddressAttribute,
    PrivateDnsNameOptionsOnLaunch, SubnetCidrBlockState, SubnetCidrBlockStateCode,
    SubnetIpv6CidrBlockAssociation, SubnetState,
};
use roadstead_base::Ctx;

use super::{arn, flag, one};
use crate::filter::Values;
use crate::ids::SubnetCidrAssociationId;
use crate::records::{Ipv6Block, Subnet};
use crate::tags;
use crate::world::Realm;
use crate::zones::Zone;

pub(crate) const FILTERS: &[&str] = &[
    "availability-zone",
    "availabilityZone",
    "availability-zone-id",
    "availabilityZoneId",
    "available-ip-address-count",
    "cidr-block",
    "cidr",
    "cidrBlock",
    "customer-owned-ipv4-pool",
    "default-for-az",
    "defaultForAz",
    "enable-dns64",
    "enable-lni-at-device-index",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "ipv6-cidr-block-association.association-id",
    "ipv6-cidr-block-association.state",
    "ipv6-native",
    "map-customer-owned-ip-on-launch",
    "map-public-ip-on-launch",
    "outpost-arn",
    "owner-id",
    "private-dns-name-options-on-launch.hostname-type",
    "private-dns-name-options-on-launch.enable-resource-name-dns-a-record",
    "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record",
    "state",
    "subnet-arn",
    "subnet-id",
    "tag:",
    "tag-key",
    "vpc-id",
];

/// What showing a subnet takes beside its record.
pub(crate) struct View<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) realm: &'a Realm,
    pub(crate) zones: &'a [Zone],
}

impl View<'_> {
    fn zone_id(&self, zone: &str) -> Option<String> {
        self.zones
            .iter()
            .find(|known| known.name == zone)
            .map(|known| known.id.clone())
    }

    /// Addresses that nobody holds and somebody could.
    fn available(&self, subnet: &Subnet) -> u32 {
        roadstead_ipam::Subnet::new(subnet.cidr).available(self.realm.addresses_in(&subnet.id))
    }

    pub(crate) fn wire(&self, subnet: &Subnet) -> roadstead_api_ec2::Subnet {
        roadstead_api_ec2::Subnet {
            assign_ipv6_address_on_creation: Some(subnet.assign_ipv6),
            availability_zone: Some(subnet.zone.clone()),
            availability_zone_id: self.zone_id(&subnet.zone),
            available_ip_address_count: Some(i32::try_from(self.available(subnet)).unwrap_or(i32::MAX)),
            block_public_access_states: Some(BlockPublicAccessStates {
                internet_gateway_block_mode: Some(BlockPublicAccessMode::Off),
            }),
            cidr_block: Some(subnet.cidr.to_string()),
            customer_owned_ipv4_pool: None,
            default_for_az: Some(subnet.default_for_zone),
            enable_dns64: Some(false),
            enable_lni_at_device_index: None,
            ipv6_cidr_block_association_set: Some(subnet.ipv6.iter().map(ipv6).collect()),
            ipv6_native: Some(false),
            map_customer_owned_ip_on_launch: Some(false),
            // Nothing here has public addresses yet, the default subnets neither.
            map_public_ip_on_launch: Some(false),
            outpost_arn: None,
            owner_id: Some(self.ctx.account.to_string()),
            private_dns_name_options_on_launch: Some(PrivateDnsNameOptionsOnLaunch {
                enable_resource_name_dns_aaaa_record: Some(false),
                enable_resource_name_dns_a_record: Some(false),
                hostname_type: Some(HostnameType::IpName),
            }),
            state: Some(SubnetState::Available),
            subnet_arn: Some(arn(self.ctx, "subnet", subnet.id.as_str())),
            subnet_id: Some(subnet.id.to_string()),
            tags: Some(tags::shown(&subnet.tags)),
            r#type: None,
            vpc_id: Some(subnet.vpc.to_string()),
        }
    }

    pub(crate) fn values(&self, subnet: &Subnet, filter: &str) -> Values {
        match filter {
            "availability-zone" | "availabilityZone" => one(subnet.zone.as_str()),
            "availability-zone-id" | "availabilityZoneId" => self.zone_id(&subnet.zone).into_iter().collect(),
            "available-ip-address-count" => one(self.available(subnet).to_string()),
            "cidr-block" | "cidr" | "cidrBlock" => one(subnet.cidr.to_string()),
            "default-for-az" | "defaultForAz" => flag(subnet.default_for_zone),
            "enable-dns64"
            | "ipv6-native"
            | "map-customer-owned-ip-on-launch"
            | "map-public-ip-on-launch"
            | "private-dns-name-options-on-launch.enable-resource-name-dns-a-record"
            | "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record" => flag(false),
            "private-dns-name-options-on-launch.hostname-type" => one(HostnameType::IpName.as_str()),
            "owner-id" => one(self.ctx.account.as_str()),
            "state" => one(SubnetState::Available.as_str()),
            "subnet-arn" => one(arn(self.ctx, "subnet", subnet.id.as_str())),
            "subnet-id" => one(subnet.id.as_str()),
            "vpc-id" => one(subnet.vpc.as_str()),
            _ => match (filter.strip_prefix("ipv6-cidr-block-association."), &subnet.ipv6) {
                (Some("ipv6-cidr-block"), Some(block)) => one(block.cidr.to_string()),
                (Some("association-id"), Some(block)) => one(block.association.as_str()),
                (Some("state"), Some(_)) => one(SubnetCidrBlockStateCode::Associated.as_str()),
                // No subnet has outposts, customer-owned pools or local network interfaces.
                _ => Values::new(),
            },
        }
    }
}

/// Private, as the block of the VPC is.
pub(crate) fn ipv6(block: &Ipv6Block<SubnetCidrAssociationId>) -> SubnetIpv6CidrBlockAssociation {
    SubnetIpv6CidrBlockAssociation {
        association_id: Some(block.association.to_string()),
        ip_source: Some(IpSource::None),
        ipv6_address_attribute: Some(Ipv6AddressAttribute::Private),
        ipv6_cidr_block: Some(block.cidr.to_string()),
        ipv6_cidr_block_state: Some(SubnetCidrBlockState {
            state: Some(SubnetCidrBlockStateCode::Associated),
            status_message: None,
        }),
    }
}
