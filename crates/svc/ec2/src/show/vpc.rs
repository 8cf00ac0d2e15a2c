//! VPCs and what their filters compare.

use roadstead_api_ec2::{
    BlockPublicAccessMode, BlockPublicAccessStates, Tenancy, VpcCidrBlockAssociation, VpcCidrBlockState,
    VpcCidrBlockStateCode, VpcState,
};
use roadstead_base::Ctx;

use super::{flag, one};
use crate::filter::Values;
use crate::records::Vpc;
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
        ipv6_cidr_block_association_set: Some(Vec::new()),
        is_default: Some(vpc.is_default),
        owner_id: Some(ctx.account.to_string()),
        state: Some(VpcState::Available),
        tags: Some(tags::shown(&vpc.tags)),
        vpc_id: Some(vpc.id.to_string()),
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
        // No VPC has an IPv6 block yet.
        _ => Values::new(),
    }
}
