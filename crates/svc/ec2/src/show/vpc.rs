//! VPCs and what their filters compare.

use roadstead_api_ec2::{
    BlockPublicAccessMode, BlockPublicAccessStates, IpSource, Ipv6AddressAttribute, Tenancy,
    VpcCidrBlockAssociation, VpcCidrBlockState, VpcCidrBlockStateCode, VpcIpv6CidrBlockAssociation, VpcState,
};
use roadstead_base::Ctx;

use super::{flag, one};
use crate::filter::Values;
use crate::ids::CidrAssociationId;
use crate::ipv6::POOL;
use crate::records::{Ipv6Block, Vpc};
use crate::tags;

pub(crate) const FILTERS: &[&str] = &[
    "cidr",
    "cidr-block-association.cidr-block",
    "cidr-block-association.association-id",
    "cidr-block-association.state",
    "dhcp-options-id",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "ipv6-cidr-block-association.ipv6-pool",
    "ipv6-cidr-block-association.association-id",
    "ipv6-cidr-block-association.state",
    "is-default",
    "isDefault",
    "owner-id",
    "state",
    "tag:",
    "tag-key",
    "vpc-id",
];

/// The documented id for "no option set".
const DHCP_OPTIONS: &str = "default";

pub(crate) fn wire(ctx: &Ctx, vpc: &Vpc) -> roadstead_api_ec2::Vpc {
    roadstead_api_ec2::Vpc {
        block_public_access_states: Some(BlockPublicAccessStates {
            internet_gateway_block_mode: Some(BlockPublicAccessMode::Off),
        }),
        cidr_block: Some(vpc.cidr.to_string()),
        cidr_block_association_set: Some(vec![VpcCidrBlockAssociation {
            association_id: Some(vpc.association.to_string()),
            cidr_block: Some(vpc.cidr.to_string()),
            cidr_block_state: Some(VpcCidrBlockState {
                state: Some(VpcCidrBlockStateCode::Associated),
                status_message: None,
            }),
        }]),
        dhcp_options_id: Some(DHCP_OPTIONS.to_owned()),
        encryption_control: None,
        instance_tenancy: Some(Tenancy::Default),
        ipv6_cidr_block_association_set: Some(vpc.ipv6.iter().map(|block| ipv6(ctx, block)).collect()),
        is_default: Some(vpc.is_default),
        owner_id: Some(ctx.account.to_string()),
        state: Some(VpcState::Available),
        tags: Some(tags::shown(&vpc.tags)),
        vpc_id: Some(vpc.id.to_string()),
    }
}

/// Private: the block is a unique local one, and no network announces it.
pub(crate) fn ipv6(ctx: &Ctx, block: &Ipv6Block<CidrAssociationId>) -> VpcIpv6CidrBlockAssociation {
    VpcIpv6CidrBlockAssociation {
        association_id: Some(block.association.to_string()),
        ip_source: Some(IpSource::None),
        ipv6_address_attribute: Some(Ipv6AddressAttribute::Private),
        ipv6_cidr_block: Some(block.cidr.to_string()),
        ipv6_cidr_block_state: Some(VpcCidrBlockState {
            state: Some(VpcCidrBlockStateCode::Associated),
            status_message: None,
        }),
        ipv6_pool: Some(POOL.to_owned()),
        network_border_group: Some(ctx.region.to_string()),
    }
}

pub(crate) fn values(ctx: &Ctx, vpc: &Vpc, filter: &str) -> Values {
    match filter {
        "cidr" | "cidr-block-association.cidr-block" => one(vpc.cidr.to_string()),
        "cidr-block-association.association-id" => one(vpc.association.as_str()),
        "cidr-block-association.state" => one(VpcCidrBlockStateCode::Associated.as_str()),
        "dhcp-options-id" => one(DHCP_OPTIONS),
        "is-default" | "isDefault" => flag(vpc.is_default),
        "owner-id" => one(ctx.account.as_str()),
        "state" => one(VpcState::Available.as_str()),
        "vpc-id" => one(vpc.id.as_str()),
        _ => {
            let of_block = filter.strip_prefix("ipv6-cidr-block-association.");
            match (of_block, &vpc.ipv6) {
                (Some("ipv6-cidr-block"), Some(block)) => one(block.cidr.to_string()),
                (Some("ipv6-pool"), Some(_)) => one(POOL),
                (Some("association-id"), Some(block)) => one(block.association.as_str()),
                (Some("state"), Some(_)) => one(VpcCidrBlockStateCode::Associated.as_str()),
                _ => Values::new(),
            }
        }
    }
}
