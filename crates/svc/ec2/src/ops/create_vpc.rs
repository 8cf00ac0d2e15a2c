//! CreateVpc.

use roadstead_api_ec2::{CreateVpcRequest, CreateVpcResult, Tenancy};
use roadstead_base::Ctx;

use crate::default_vpc::plan_vpc;
use crate::error::{self, Result};
use crate::service::Ec2;
use crate::{cidr, refuse, show, tags};

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: CreateVpcRequest) -> Result<CreateVpcResult> {
    let CreateVpcRequest {
        amazon_provided_ipv6_cidr_block,
        cidr_block,
        dry_run,
        instance_tenancy,
        ipv4_ipam_pool_id,
        ipv4_netmask_length,
        ipv6_cidr_block,
        ipv6_cidr_block_network_border_group,
        ipv6_ipam_pool_id,
        ipv6_netmask_length,
        ipv6_pool,
        tag_specifications,
        vpc_encryption_control,
    } = input;
    refuse::flag("AmazonProvidedIpv6CidrBlock", amazon_provided_ipv6_cidr_block)?;
    refuse::given("InstanceTenancy", instance_tenancy.filter(|tenancy| *tenancy != Tenancy::Default))?;
    refuse::text("Ipv4IpamPoolId", ipv4_ipam_pool_id)?;
    refuse::given("Ipv4NetmaskLength", ipv4_netmask_length)?;
    refuse::text("Ipv6CidrBlock", ipv6_cidr_block)?;
    refuse::text("Ipv6CidrBlockNetworkBorderGroup", ipv6_cidr_block_network_border_group)?;
    refuse::text("Ipv6IpamPoolId", ipv6_ipam_pool_id)?;
    refuse::given("Ipv6NetmaskLength", ipv6_netmask_length)?;
    refuse::text("Ipv6Pool", ipv6_pool)?;
    refuse::given("VpcEncryptionControl", vpc_encryption_control)?;
    let cidr_block = cidr_block.filter(|text| !text.is_empty()).ok_or_else(|| error::missing("cidrBlock"))?;
    let cidr = cidr::of_vpc(&cidr_block)?;
    let tags = tags::at_creation(&ctx.caller, tag_specifications, "vpc")?;
    let vpc =
        ec2.change(ctx, dry_run, |_, keys, plan| plan_vpc(keys, plan, cidr, false, tags.clone())).await?;
    Ok(CreateVpcResult { vpc: Some(show::vpc::wire(ctx, &vpc)) })
}
